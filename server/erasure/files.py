"""Looks through every file below `var`, and through logs, for what an erasure should have left nothing of. Blocks: call it in a thread."""

import mmap
import os
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import Final, NamedTuple

from server.erasure.needles import Find, Needle, Whom, decoded, judge, pattern

#: files of the store: what of them no row explains is what was deleted and not overwritten
STORE: Final = ("jiangtai.sqlite", "jiangtai.sqlite-wal", "jiangtai.sqlite-shm")
_MEDIA: Final = frozenset({".rj", ".mp4", ".m4a", ".webm", ".weba", ".jpg", ".png", ".webp", ".torn"})
#: a file of ours that is read as a whole to tell names from names
_MAX_PARSED: Final = 64 * 1024 * 1024


class Files(NamedTuple):
    """What was found in how much: finds by what they are, names of files with a trace, whether the store's own files have one."""

    files: int
    bytes: int
    finds: Counter[Find]
    traces: list[str]
    store: bool


def look_through(root: Path, needles: Sequence[Needle], whom: Whom, *, rightly: Set[Needle], kept: Set[Path]) -> Files:
    """Look for the needles below a folder. `rightly`: those that rows of the store hold rightly, so that its files prove nothing about
    them; `kept`: folders of classes that were refused. Raises OSError."""
    looked, size, store = 0, 0, False
    finds: Counter[Find] = Counter()
    traces: list[str] = []
    for path in _walk(root):
        looked, size = looked + 1, size + path.stat().st_size
        ours = path.parent == root and path.name in STORE
        found = set(_finds(path, [needle for needle in needles if not (ours and needle in rightly)], whom))
        named = any(needle.everywhere and needle.within(str(path.relative_to(root))) for needle in needles)
        if not found and not named:
            continue
        worst = Find.TRACE if named else min(found, key=list(Find).index)
        if worst is Find.TRACE and any(folder in path.parents for folder in kept):
            worst = Find.KEPT
        finds[worst] += 1
        if worst is Find.TRACE:
            traces.append(path.relative_to(root).as_posix())
            store = store or ours
    return Files(looked, size, finds, traces, store)


def lines(paths: Sequence[Path], needles: Sequence[Needle]) -> tuple[int, int]:
    """(lines read, lines that hold a needle) of log files. Raises OSError."""
    read = hits = 0
    patterns = [pattern(needle) for needle in needles if needle.in_bytes]
    for path in paths:
        with path.open("rb") as file:
            for line in file:
                read += 1
                hits += any(one.search(line) for one in patterns)
    return read, hits


def _walk(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        for name in sorted(names):
            path = Path(folder) / name
            if path.is_file() and not path.is_symlink():
                yield path


def _finds(path: Path, needles: Sequence[Needle], whom: Whom) -> Iterator[Find]:
    media = path.suffix in _MEDIA
    wanted = [needle for needle in needles if needle.everywhere or (needle.in_bytes and not media)]
    with path.open("rb") as file:
        if not wanted or os.fstat(file.fileno()).st_size == 0:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            hits = [needle for needle in wanted if pattern(needle).search(data)]
            value = decoded(data[:]) if hits and path.suffix == ".json" and len(data) <= _MAX_PARSED else None
    for needle in hits:
        if path.suffix == ".vtt" and needle.what != "id":
            yield Find.MENTION
        elif value is not None:
            yield from judge(value, needle, whom)
        else:
            yield Find.TRACE
