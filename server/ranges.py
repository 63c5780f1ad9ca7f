"""Which part of a file a request asks for (RFC 9110, sections 13 and 14). Pure.

One range at most: several in one request are answered as one that cannot be served, as for files of this machine.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,400})", re.ASCII | re.IGNORECASE)


class Part(NamedTuple):
    """Status (200, 206, 304, 416) and the bytes from start to stop (exclusive)."""

    status: int
    start: int = 0
    stop: int = 0

    def content_range(self, size: int) -> str | None:
        """The Content-Range header, if it has one."""
        if self.status == 206:
            return f"bytes {self.start}-{self.stop - 1}/{size}"
        return f"bytes */{size}" if self.status == 416 else None


def part(headers: Mapping[str, str], size: int, etag: str) -> Part:
    """What to answer for a file of so many bytes with this entity tag (without quotes)."""
    if _names(headers.get("If-None-Match", ""), etag):
        return Part(304)
    asked = headers.get("Range")
    if asked is None or is_stale(headers, etag):
        return Part(200, 0, size)
    found = _RANGE.fullmatch(asked)
    if found is None or found[1] == found[2] == "":
        return Part(416)
    if not found[1]:
        length = min(int(found[2]), size)
        return Part(206, size - length, size) if length else Part(416)
    start, last = int(found[1]), size - 1
    if found[2]:
        last = min(int(found[2]), last)
        if int(found[2]) < start:
            return Part(416)
    return Part(206, start, last + 1) if start < size else Part(416)


def is_stale(headers: Mapping[str, str], etag: str) -> bool:
    """Whether the request wants the whole file unless it has this tag, and it has another. A date is believed: files never change."""
    condition = headers.get("If-Range", "")
    return condition.startswith(('"', "W/")) and condition != f'"{etag}"'


def _names(condition: str, etag: str) -> bool:
    return condition.strip() == "*" or f'"{etag}"' in (each.strip().removeprefix("W/") for each in condition.split(","))
