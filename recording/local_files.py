"""Objects as files of a folder of this machine (recording.objects.ObjectStore).

Versions are made in the same folder, so a file put there is already in its place and nothing is copied. Links are no objects.
"""

import asyncio
import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

from recording.objects import Object, check_key


class LocalFiles:
    """See recording.objects.ObjectStore; a key is the path below `root`."""

    place = ""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def check(self) -> None:
        """See the port."""

    async def put(self, key: str, file: Path) -> None:
        """See the port."""
        await asyncio.to_thread(_keep, file, self._root / check_key(key))

    async def list(self, prefix: str) -> Sequence[Object]:
        """See the port."""
        return await asyncio.to_thread(_list, self._root, self._root / check_key(prefix))

    async def read(self, key: str, start: int, stop: int) -> memoryview:
        """See the port."""
        if not 0 <= start < stop:
            raise ValueError("no such range")
        return await asyncio.to_thread(_read, self._root / check_key(key), start, stop)

    async def remove(self, prefix: str) -> int:
        """See the port."""
        return await asyncio.to_thread(_remove, self._root / check_key(prefix))

    def path(self, key: str) -> Path | None:
        """See the port."""
        return self._root / check_key(key)

    async def url(self, key: str, seconds: int) -> str | None:
        """See the port."""
        return None


def sync(path: Path) -> None:
    """Make a file or a folder durable. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _keep(file: Path, target: Path) -> None:
    if file == target:
        return sync(file)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    shutil.copyfile(file, part)
    sync(part)
    part.replace(target)
    for folder in (target.parent, target.parent.parent):
        sync(folder)
    return None


def _list(root: Path, folder: Path) -> list[Object]:
    found = []
    for path in sorted(folder.rglob("*")) if folder.is_dir() and not folder.is_symlink() else ():
        about = path.lstat()
        if stat.S_ISREG(about.st_mode) and not path.name.startswith("."):
            # The tag is what aiohttp gives the same file.
            found.append(Object(path.relative_to(root).as_posix(), about.st_size, f"{about.st_mtime_ns:x}-{about.st_size:x}"))
    return found


def _read(path: Path, start: int, stop: int) -> memoryview:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        return memoryview(os.pread(handle, stop - start, start))
    finally:
        os.close(handle)


def _remove(folder: Path) -> int:
    """The folder above stays, even if it is empty: another version may be begun in it at this moment."""
    if not folder.is_dir():
        return 0
    count = sum(1 for file in folder.rglob("*") if file.is_file())
    shutil.rmtree(folder)
    sync(folder.parent)
    return count
