"""Files of a published version as files of a folder here, for whoever makes something of them: linked, or brought from their store."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Final

from recording import manifest
from recording.manifest import Manifest
from recording.objects import ObjectStore, check_key
from recording.publication import MANIFEST, Published, Version

_BLOCK: Final = 4 << 20


async def read(published: Published, version: Version) -> Manifest:
    """What a version consists of. Raises OSError (FileNotFoundError, StoreAway), ValueError."""
    store = published.keeper(version.place)
    found = next((each for each in await store.list(version.prefix) if each.key == f"{version.prefix}/{MANIFEST}"), None)
    if found is None:
        raise FileNotFoundError(MANIFEST)
    return manifest.read(b"".join([block async for block in _blocks(store, found.key, found.size)]))


async def copy(published: Published, version: Version, names: Iterable[str], folder: Path) -> None:
    """Put these files of a version into a folder, which must be there; none is there by half. Raises OSError, ValueError for a bad name."""
    store = published.keeper(version.place)
    sizes = {found.key: found.size for found in await store.list(version.prefix)}
    for name in names:
        key = check_key(f"{version.prefix}/{name}")
        path = store.path(key)
        if key not in sizes:
            raise FileNotFoundError(name)
        if path is not None:
            await asyncio.to_thread(link, path, folder / name)
            continue
        part = folder / f".{name}.part"
        with part.open("wb") as file:
            async for block in _blocks(store, key, sizes[key]):
                await asyncio.to_thread(file.write, block)
        part.replace(folder / name)


async def _blocks(store: ObjectStore, key: str, size: int) -> AsyncIterator[memoryview]:
    for at in range(0, size, _BLOCK):
        block = await store.read(key, at, min(size, at + _BLOCK))
        if len(block) != min(size, at + _BLOCK) - at:
            raise OSError("an object is shorter than it was")
        yield block


def link(source: Path, to: Path) -> None:
    """The same file under another name. Raises OSError."""
    try:
        os.link(source, to)
    except (FileNotFoundError, FileExistsError):
        raise
    except OSError:  # a disk without links
        shutil.copyfile(source, to)
