"""Looks at chat and poll texts before they are journaled: an implementation of the `Screen` port.

Refused (`text_refused`) are control characters beside line breaks and tabs, lone surrogates, towers of more than eight combining marks, and
words of the list. The list is matched on a folded text (NFKC, case, invisible characters dropped), so full-width and styled letters do not
help, nor do signs or spaces put between the letters (`f.u.c.k`, 傻*逼). A word of letters with spaces between words must stand alone
("class" does not contain it); a Chinese word matches anywhere. Bounded: 10,000 words of 32 characters, a text is walked once.
"""

import unicodedata
from collections.abc import Iterable
from typing import Any, Final

MAX_WORDS: Final = 10_000
MAX_WORD: Final = 32
MAX_TEXT: Final = 10_000
_MAX_MARKS: Final = 8
_REFUSED: Final = "text_refused"
_END: Final = ""


class WordScreen:
    """Screens texts against a word list; an empty list still refuses what is no text."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        """Raises ValueError for a list or a word beyond the bounds, or a word without a letter or digit."""
        self._trie: dict[str, Any] = {}
        for count, word in enumerate(words, 1):
            letters = [c for c in _fold(word) if c.isalnum()]
            if not letters or len(letters) > MAX_WORD or count > MAX_WORDS:
                raise ValueError(f"word {count} of the list is empty, too long, or one too many")
            node = self._trie
            for letter in letters:
                node = node.setdefault(letter, {})
            node[_END] = True

    def check(self, text: str) -> str | None:
        """Error code to refuse the text with, or None."""
        if len(text) > MAX_TEXT or not _is_text(text):
            return _REFUSED
        return _REFUSED if self._trie and self._has_word(_fold(text)) else None

    def _has_word(self, folded: str) -> bool:
        places = [place for place, character in enumerate(folded) if character.isalnum()]
        return any(self._word_at(folded, places, start) for start in range(len(places)))

    def _word_at(self, folded: str, places: list[int], start: int) -> bool:
        first = places[start]
        if _joined(folded, first - 1, first):
            return False
        node = self._trie
        for place in places[start : start + MAX_WORD]:
            node = node.get(folded[place], {})
            if not node:
                return False
            if _END in node and not _joined(folded, place, place + 1):
                return True
        return False


def _joined(folded: str, left: int, right: int) -> bool:
    """Whether two neighbours belong to one word of a script that writes spaces between words."""
    return left >= 0 and right < len(folded) and _spaced(folded[left]) and _spaced(folded[right])


def _spaced(character: str) -> bool:
    return character.isalnum() and unicodedata.category(character) != "Lo"


def _fold(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in folded if unicodedata.category(character) not in ("Cf", "Mn", "Me"))


def _is_text(text: str) -> bool:
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        if category == "Cs" or (category == "Cc" and character not in "\n\r\t"):
            return False
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks > _MAX_MARKS:
            return False
    return True
