"""Whether a published version is whole: its manifest can be read, and so can every file it names, in the size it says."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from recording import manifest
from recording.publication import MANIFEST, Published, Version

_PORTION: Final = 1 << 20
#: seconds to rest after a portion: reading leaves the disk to classes (some 100 MB/s at most)
_REST_S: Final = 0.01


class Broken(Exception):
    """A published version is not what it should be; the message says where."""


class Whole(NamedTuple):
    """What was read."""

    files: int
    bytes: int


async def check(published: Published, version: Version) -> Whole:
    """Read a published version, every byte of it. Raises Broken; OSError where it cannot be told now."""
    try:
        made, sizes = await asyncio.to_thread(_read, version.path(published.root))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError) as error:  # msgspec's errors are ValueErrors
        raise Broken(str(error) or type(error).__name__) from error
    return judge(version, made, sizes)


def judge(version: Version, made: manifest.Manifest, sizes: Mapping[str, int]) -> Whole:
    """What a manifest and the sizes of what could be read amount to. Raises Broken."""
    if (made.session, made.recording) != (version.session, version.recording):
        raise Broken("the manifest is another recording's")
    for span in [*(span for track in made.tracks for span in track.spans), *(span for span in (made.mix, made.download) if span)]:
        if sizes[span.file] != span.bytes:
            raise Broken(f"{span.file} has {sizes[span.file]} bytes, the manifest says {span.bytes}")
    total = sum(sizes[name] for name in _names(made))
    if version.bytes not in (0, total):
        raise Broken(f"{total} bytes, published were {version.bytes}")
    return Whole(len(sizes), total)


def _names(made: manifest.Manifest) -> Sequence[str]:
    return [*manifest.files(made), MANIFEST]


def _read(folder: Path) -> tuple[manifest.Manifest, dict[str, int]]:
    made = manifest.read((folder / MANIFEST).read_bytes())
    return made, {name: _size(folder / name) for name in _names(made)}


def _size(path: Path) -> int:
    """Bytes that can be read of a file."""
    if path.is_symlink():
        raise Broken(f"{path.name} is a link")
    size = 0
    with path.open("rb") as file:
        while portion := file.read(_PORTION):
            size += len(portion)
            if len(portion) == _PORTION:
                time.sleep(_REST_S)
    return size
