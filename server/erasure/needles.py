"""What is looked for after an erasure, and what a find is: a trace, or something that is rightly there. Pure.

Looked for are the subject, the names the person bore, and the participant ids. A find in what somebody else wrote is a *mention*, the same
name or subject of another person a *namesake*, something of a class whose erasure was refused or of a legal hold is *kept*; all else is a
*trace*.
Short words occur by chance, so a needle of fewer than 8 bytes has to stand as a word of its own, one of fewer than 4 as the whole of a
value; names of fewer than 4 characters and 6 bytes are not looked for.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from enum import StrEnum
from typing import Any, Final, Literal, NamedTuple, TypeAlias
from urllib.parse import quote

import msgspec

from server.erasure.work import Person
from signaling.classroom.ids import ParticipantId

What: TypeAlias = Literal["subject", "name", "id"]
_LONG: Final = 8
_WORD: Final = 4
_NAME_CHARACTERS: Final = 4
_NAME_BYTES: Final = 6
#: where in what the node stores people's own words are
_FREE: Final = frozenset({"text", "question", "options", "title", "reason", "description", "und", "answer", "why"})
_NAMED: Final = frozenset({"name", "likeness"})
_OWNERS: Final = ("participant", "by", "id")


class Find(StrEnum):
    """What a find is; in the order of gravity."""

    TRACE = "trace"
    KEPT = "kept"
    NAMESAKE = "namesake"
    MENTION = "mention"


class Needle(NamedTuple):
    """One thing to look for, and how it may be spelt in bytes."""

    what: What
    text: str
    spellings: tuple[bytes, ...]

    @property
    def everywhere(self) -> bool:
        """Whether it is long enough to look for in media, which hold every short word by chance."""
        return len(self.text.encode()) >= _LONG

    @property
    def in_bytes(self) -> bool:
        """Whether it can be looked for in bytes whose structure is not known."""
        return len(self.text.encode()) >= _WORD

    def within(self, text: str) -> bool:
        """Whether a text holds it."""
        if self.text not in text:
            return False
        size = len(self.text.encode())
        if size >= _LONG:
            return True
        return text == self.text or (size >= _WORD and _as_word(self.text).search(text) is not None)


class Whom(NamedTuple):
    """Whose traces are looked for: as whom in any class, before and since."""

    person: Person
    ids: Set[ParticipantId]


def needles(person: Person, names: Sequence[str], ids: Sequence[ParticipantId]) -> tuple[Needle, ...]:
    """Everything to look for."""
    long_names = [name for name in dict.fromkeys(names) if len(name) >= _NAME_CHARACTERS or len(name.encode()) >= _NAME_BYTES]
    wanted: list[tuple[What, str]] = [("subject", person.subject), *(("name", name) for name in long_names if name != person.subject)]
    wanted += [("id", id) for id in dict.fromkeys(ids)]
    return tuple(Needle(what, text, _spellings(text)) for what, text in wanted)


def pattern(needle: Needle) -> "re.Pattern[bytes]":
    """Finds it in bytes, as a word if it is short."""
    any_of = b"|".join(re.escape(one) for one in needle.spellings)
    if needle.everywhere:
        return re.compile(any_of)
    return re.compile(rb"(?<![0-9A-Za-z_-])(?:" + any_of + rb")(?![0-9A-Za-z_-])")


def judge(value: Any, needle: Needle, whom: Whom, key: str = "", within: Mapping[str, Any] | None = None) -> Iterator[Find]:
    """What the finds in a decoded value are; nothing if there are none."""
    if isinstance(value, str):
        if needle.within(value):
            yield _one(value, needle, whom, key, within or {})
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if isinstance(name, str) and needle.within(name):
                yield Find.TRACE
            yield from judge(inner, needle, whom, name if isinstance(name, str) else "", value)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from judge(inner, needle, whom, key, within)


def decoded(data: bytes) -> Any:
    """The values in some bytes: JSON or MessagePack; None if they are neither."""
    for decode in (msgspec.json.decode, msgspec.msgpack.decode):
        try:
            value = decode(data)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            continue
        if isinstance(value, dict | list | str):
            return value
    return None


def _one(text: str, needle: Needle, whom: Whom, key: str, within: Mapping[str, Any]) -> Find:
    if needle.what == "id":
        return Find.TRACE
    if key in _NAMED and "homePage" in within:
        home, issuer = within["homePage"], whom.person.issuer
        theirs = home == issuer or str(home).endswith(f"/issuers/{quote(issuer, safe='')}")
        return Find.TRACE if theirs else Find.NAMESAKE
    if key in _NAMED:
        owner = next((within[name] for name in _OWNERS if name in within), None)
        return Find.TRACE if owner is None or owner in whom.ids else Find.NAMESAKE
    return Find.MENTION if key in _FREE else Find.TRACE


def _as_word(text: str) -> "re.Pattern[str]":
    return re.compile(rf"(?<![0-9A-Za-z_-]){re.escape(text)}(?![0-9A-Za-z_-])")


def _spellings(text: str) -> tuple[bytes, ...]:
    """As it is, as JSON with and without other letters, as part of an address."""
    spelt = (text.encode(), msgspec.json.encode(text)[1:-1], json.dumps(text)[1:-1].encode(), quote(text, safe="").encode())
    return tuple(dict.fromkeys(spelt))
