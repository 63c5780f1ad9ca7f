"""Whether a published version is whole: its manifest can be read, and so can every file it names, in the size it says."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from recording import copying, manifest
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
    """Read a published version, every byte of it. Raises Broken; OSError (StoreAway) where it cannot be told now."""
    try:
        made = await copying.read(published, version)
        sizes = await _sizes(published, version, _names(made))
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


async def _sizes(published: Published, version: Version, names: Sequence[str]) -> dict[str, int]:
    """Bytes that can be read of each file. Raises FileNotFoundError, OSError."""
    store = published.keeper(version.place)
    listed = {found.key: found.size for found in await store.list(version.prefix)}
    read = {}
    for name in names:
        key = f"{version.prefix}/{name}"
        if key not in listed:
            raise FileNotFoundError(name)
        read[name] = 0
        while read[name] < listed[key]:
            portion = len(await store.read(key, read[name], min(listed[key], read[name] + _PORTION)))
            if portion == 0:
                break
            read[name] += portion
            await asyncio.sleep(_REST_S)
    return read
