"""Session descriptions as data: a bounded reader and a writer for the part of SDP (RFC 8866) that WebRTC uses. Pure.

Rules: bounds are checked before anything is split; a line that is not `x=value` refuses the whole text; unknown lines and
attributes are kept as text and never interpreted. Reading costs one pass over at most 64 KiB.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

MAX_BYTES: Final = 64 * 1024
MAX_SECTIONS: Final = 40
# A browser with every codec and a dozen addresses writes about 250.
MAX_LINES_PER_SECTION: Final = 400
MAX_CANDIDATES: Final = 64

Attribute = tuple[str, str]


class Malformed(ValueError):
    """The text is not a session description within the bounds."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """One m-line and what belongs to it. `attributes` are (name, value) in order; a flag's value is empty."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    attributes: tuple[Attribute, ...] = ()
    connection: str = "IN IP4 0.0.0.0"

    def values(self, name: str) -> Iterator[str]:
        """Every value of this attribute, in order."""
        return (value for key, value in self.attributes if key == name)

    def first(self, name: str) -> str | None:
        return next(self.values(name), None)

    def has(self, name: str) -> bool:
        return any(key == name for key, _ in self.attributes)

    @property
    def live(self) -> bool:
        """Not declined: has a port, or borrows one from its group (bundle-only, RFC 8843 section 6)."""
        return self.port != 0 or self.has("bundle-only")


@dataclass(frozen=True, kw_only=True)
class Description:
    """A whole session description; `origin` is (session id, version) of the o= line."""

    origin: tuple[str, int]
    attributes: tuple[Attribute, ...] = ()
    sections: tuple[Section, ...] = field(default=())

    def values(self, name: str) -> Iterator[str]:
        return (value for key, value in self.attributes if key == name)

    def first(self, name: str) -> str | None:
        return next(self.values(name), None)


def parse(text: str) -> Description:
    """Read a description; raises Malformed beyond 64 KiB, 40 m-lines, and per m-line 400 lines or 64 candidates."""
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise Malformed("too long")
    lines = text.replace("\r\n", "\n").split("\n")
    while lines and not lines[-1]:
        lines.pop()
    if not lines or lines[0] != "v=0":
        raise Malformed("not a session description")
    starts = [index for index, line in enumerate(lines) if line.startswith("m=")]
    if len(starts) > MAX_SECTIONS:
        raise Malformed("too many m-lines")
    edges = [*starts, len(lines)]
    if any(end - start > MAX_LINES_PER_SECTION for start, end in zip([0, *starts], edges, strict=True)):
        raise Malformed("too many lines")
    head = _fields(lines[: edges[0]])
    return Description(
        origin=_origin(head),
        attributes=_attributes(head),
        sections=tuple(_section(_fields(lines[start:end])) for start, end in zip(starts, edges[1:], strict=True)),
    )


def write(description: Description) -> str:
    """The text of a description, lines ended by CRLF."""
    session, version = description.origin
    lines = ["v=0", f"o=- {session} {version} IN IP4 127.0.0.1", "s=-", "t=0 0", *map(_line, description.attributes)]
    for section in description.sections:
        lines.append(f"m={section.kind} {section.port} {section.protocol} {' '.join(section.formats)}")
        lines.append(f"c={section.connection}")
        lines.extend(map(_line, section.attributes))
    return "\r\n".join(lines) + "\r\n"


def _line(attribute: Attribute) -> str:
    name, value = attribute
    return f"a={name}:{value}" if value else f"a={name}"


def _fields(lines: list[str]) -> list[tuple[str, str]]:
    fields = []
    for line in lines:
        if len(line) < 2 or line[1] != "=" or "\0" in line or "\r" in line:
            raise Malformed("not a line of a session description")
        fields.append((line[0], line[2:]))
    return fields


def _attributes(fields: list[tuple[str, str]]) -> tuple[Attribute, ...]:
    found = []
    for key, value in fields:
        if key == "a":
            name, _, rest = value.partition(":")
            found.append((name, rest))
    return tuple(found)


def _origin(fields: list[tuple[str, str]]) -> tuple[str, int]:
    value = next((value for key, value in fields if key == "o"), None)
    parts = value.split(" ") if value is not None else []
    if len(parts) != 6 or not number(parts[2], 2**64):
        raise Malformed("no origin")
    return parts[1], int(parts[2])


def number(text: str, below: int) -> bool:
    """Whether the text is a plain decimal number less than `below` (no sign, no other digits than ASCII's)."""
    return text.isascii() and text.isdigit() and len(text) <= 20 and int(text) < below


def _section(fields: list[tuple[str, str]]) -> Section:
    parts = fields[0][1].split(" ")
    if len(parts) < 4 or not number(parts[1], 65536):
        raise Malformed("bad m-line")
    if sum(key == "a" and value.startswith("candidate:") for key, value in fields) > MAX_CANDIDATES:
        raise Malformed("too many candidates")
    return Section(
        kind=parts[0],
        port=int(parts[1]),
        protocol=parts[2],
        formats=tuple(parts[3:]),
        attributes=_attributes(fields[1:]),
        connection=next((value for key, value in fields if key == "c"), "IN IP4 0.0.0.0"),
    )
