"""Where published files are kept: the port, its keys, and what may go wrong with it.

An object is a file by a key of a few segments (`<folder>/v<version>/<name>`), written once and never changed. Prefixes are whole segments:
`a/v1` holds `a/v1/x` and not `a/v10/x`. An adapter bounds by itself how much it does at a time.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

_SEGMENT: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_MAX_SEGMENTS: Final = 4
#: what may be served, by the end of its name
TYPES: Final = {
    ".mp4": "video/mp4",
    ".m4a": "audio/mp4",
    ".webm": "video/webm",
    ".weba": "audio/webm",
    ".json": "application/json",
    ".vtt": "text/vtt",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
}


class StoreAway(OSError):
    """The store cannot do it now; nothing is lost, and the same may succeed later. The message holds no secret."""


class StoreRefuses(StoreAway):
    """The store does not take our credentials, or has no such bucket: somebody must change something."""


class Object(NamedTuple):
    """What a store tells of an object; the entity tag is opaque and without quotes."""

    key: str
    size: int
    etag: str


class ObjectStore(Protocol):
    """A place for objects. All but `path` raise StoreAway (or another OSError) and ValueError for a bad key or prefix."""

    @property
    def place(self) -> str:
        """Its name in rows of versions, empty for the folder in which versions are made."""

    async def check(self) -> None:
        """Ask it for something, so that wrong settings are told early."""

    async def put(self, key: str, file: Path) -> None:
        """Keep a file: whole and durable when this returns, and before that as if it were not there. Raises FileNotFoundError."""

    async def list(self, prefix: str) -> Sequence[Object]:
        """Every object below a prefix; none is no error."""

    async def read(self, key: str, start: int, stop: int) -> memoryview:
        """Bytes start to stop (exclusive), fewer where the object ends before. Raises FileNotFoundError, ValueError if start >= stop."""

    async def remove(self, prefix: str) -> int:
        """Remove every object below a prefix for good; returns how many there were."""

    def path(self, key: str) -> Path | None:
        """The file of this machine that is the object; None if the store is elsewhere."""

    async def url(self, key: str, seconds: int) -> str | None:
        """An address that lets anybody read the object for so long; None if the store has none."""


def check_key(key: str) -> str:
    """The key or prefix itself. Raises ValueError if it might lead elsewhere."""
    segments = key.split("/", _MAX_SEGMENTS)
    if len(segments) > _MAX_SEGMENTS or not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise ValueError(f"not a key of an object: {key[:80]!r}")
    return key


def media_type(name: str) -> str:
    """The media type a name is served with; empty if it is not served."""
    return TYPES.get(Path(name).suffix, "")
