"""Display names: one clean form to show (`normalise`), and one to compare by looks (`likeness`). Pure functions.

Names follow the spirit of the PRECIS Nickname profile (RFC 8266): compatibility forms folded, spaces collapsed, at most 64 characters.
Where the profile would refuse, we repair, since the person at the door cannot change the roster: invisible and direction-changing
characters are dropped, towers of combining marks are cut to three. The middle dot of many Chinese names (阿迪力·买买提), which PRECIS
refuses, stays. Refused are U+0000, lone surrogates, and names without a single letter or digit: a name of emoji or dots alone tells
nobody who is there.
"""

import unicodedata
from functools import lru_cache
from typing import Final

from confusable_homoglyphs import confusables

MAX_NAME: Final = 64
MAX_MARKS: Final = 3
#: how much of a foreign string is looked at; the rest cannot matter for 64 characters
_MAX_INPUT: Final = 1_024
#: letters and symbols that show nothing: Hangul fillers, the blank Braille cell
_BLANK: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800")
_ZWNJ: Final = "\u200c"
_ZWJ: Final = "\u200d"
_VIRAMA: Final = 9
#: letter pairs that look like one letter
_PAIRS: Final = (("rn", "m"), ("vv", "w"))
#: characters of everyday writing that look like a letter
_LOOKS: Final = {"0": "o", "1": "i", "l": "i", "|": "i", "5": "s", "$": "s", "@": "a"}
#: Greek, Cyrillic and small capital letters that the Unicode data keeps apart from Latin ones, but that pass for them in a name
_PASSES: Final = dict(zip("πηɴĸʜʙʍτμωшχͷ", "nnnkhbmtuwwxu", strict=True))


class BadName(ValueError):
    """Nothing showable is left of a name, or it cannot be text at all."""


def normalise(name: str) -> str:
    """The name as shown: NFKC, visible characters, single spaces, 1 to 64 characters; normalising again changes nothing. Raises BadName."""
    if "\0" in name or any("\ud800" <= character <= "\udfff" for character in name):
        raise BadName("not text")
    shown = name[:_MAX_INPUT]
    for _ in range(4):  # folding can bring up what the next round drops; two rounds are enough in practice
        before, shown = shown, _clean(shown)
        if shown == before:
            break
    if not any(unicodedata.category(character)[0] in "LN" for character in shown):
        raise BadName("no letter or digit")
    return shown


def likeness(name: str) -> str:
    """What a normalised name looks like: case, accents, spaces and signs dropped, look-alike characters folded to one; may be empty.

    Two names of equal likeness can be mistaken for each other. At most 256 characters.
    """
    bare = [c for c in unicodedata.normalize("NFKD", name) if c.isalnum() or c in _LOOKS]
    folded = "".join(_LOOKS.get(c) or _PASSES.get(c, c) for c in "".join(map(_prototype, bare)).casefold())
    for pair, letter in _PAIRS:
        folded = folded.replace(pair, letter)
    return "".join(c for c in folded if c.isalnum())[:256]


def _clean(name: str) -> str:
    kept: list[str] = []
    marks = 0
    for character in unicodedata.normalize("NFKC", name):
        category = unicodedata.category(character)
        if category[0] == "Z" or character in "\t\n\r" or character in _BLANK:
            kept.append(" ")
            marks = 0
        elif category == "Mn" and not _is_variation(character):
            marks += 1
            if marks <= MAX_MARKS and kept and kept[-1] != " ":
                kept.append(character)
        elif category[0] not in "CM" or category == "Mc" or _joins(kept, character):
            kept.append(character)
            marks = 0
    return " ".join("".join(kept).split())[:MAX_NAME].strip(f" {_ZWNJ}{_ZWJ}")


def _joins(before: list[str], character: str) -> bool:
    """Whether a joiner shapes the letters around it (RFC 5892, A.1 and A.2): after a virama, or ZWNJ inside Arabic script."""
    if character not in (_ZWNJ, _ZWJ) or not before:
        return False
    return unicodedata.combining(before[-1]) == _VIRAMA or (character == _ZWNJ and "\u0620" <= before[-1] <= "\u06ff")


def _is_variation(character: str) -> bool:
    return "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef" or "\u180b" <= character <= "\u180f"


@lru_cache(maxsize=4_096)
def _prototype(character: str) -> str:
    """One character for all that look alike: an ASCII letter or digit if there is one, else the first by number."""
    if character.isascii():
        return character
    seen = {character}
    frontier = [character]
    for _ in range(2):  # the data lists pairs; two steps reach the whole family
        frontier = [other for one in frontier for other in _alike(one) if other not in seen]
        seen.update(frontier)
    return min(seen, key=lambda one: (not one.isalnum(), not one.isascii(), one))


def _alike(character: str) -> list[str]:
    found = confusables.is_confusable(character, greedy=True)
    return [other["c"] for match in found or [] for other in match["homoglyphs"] if len(other["c"]) == 1]
