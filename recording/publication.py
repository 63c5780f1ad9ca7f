"""Published versions of recordings: which one is served, where its files lie, how one is put there and taken away.

A version is begun (a folder for its files), then published or failed. Publishing moves the pointer to it; the versions before stay until
`prune`, so whoever is watching goes on, or until `retire`, when nobody may watch them any more. A recording with a tombstone is never
published. Its folder name is 128 random bits and leaves the node in no address.
"""

import asyncio
import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

import msgspec

from recording import chapters, manifest, timeline
from recording.catalog import Row
from signaling.classroom.ids import Millis, SessionId

MANIFEST: Final = "manifest.json"
WORK: Final = "work-"
#: who watches a version goes on with it for this long after the next one; longer than any signed path is good for
GRACE_MS: Final = 8 * 3_600_000
CHAPTERS: Final = "chapters.vtt"
#: what a recording is to who wants to watch it
State: TypeAlias = Literal["recording", "processing", "ready", "failed", "deleted"]


class Deleted(Exception):
    """The recording has a tombstone."""


class Superseded(Exception):
    """Another version is served than the one this was made from."""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a recording's files."""

    session: SessionId
    recording: str
    version: int
    folder: str
    begun_at: Millis
    published_at: Millis | None = None
    failed_at: Millis | None = None
    why: str | None = None
    bytes: int = 0
    withdrawn_at: Millis | None = None

    def path(self, root: Path) -> Path:
        """Where its files lie."""
        return root / self.folder / f"v{self.version}"


class Publications(Protocol):
    """The rows and the pointer. Writes are durable when they return; all raise Unavailable."""

    async def begin(self, session: SessionId, recording: str, at: Millis) -> Version:
        """Make the next version's row, in the folder of those before. Raises Deleted."""

    async def publish(self, version: Version, at: Millis, size: int, instead_of: int | None = None) -> None:
        """Mark it published and move the pointer to it, both or neither.

        With `instead_of` only if that version is served. Raises Deleted, Superseded.
        """

    async def fail(self, version: Version, at: Millis, why: str) -> None:
        """Mark it failed; the pointer stays."""

    async def withdraw(self, version: Version, at: Millis) -> None:
        """Say that its files are gone; the first time counts."""

    async def served(self, session: SessionId, recording: str) -> Version | None:
        """The version the pointer names; None if there is none or the recording has a tombstone."""

    async def outdated(self, before: Millis) -> Sequence[tuple[SessionId, str]]:
        """Recordings whose served version was published before then and which have older ones with files, at most 100."""

    async def versions(self, session: SessionId, recording: str | None = None) -> Sequence[Version]:
        """Of a recording or of a whole class, oldest first."""


class Published(NamedTuple):
    """Where published recordings are kept."""

    store: Publications
    root: Path


def work_folder(published: Published, version: Version) -> Path:
    """Where files that are to be added to a version are made."""
    return published.root / version.folder / f"{WORK}{version.version}"


def new_folder() -> str:
    """128 random bits as a name."""
    return secrets.token_hex(16)


def state(row: Row, versions: Sequence[Version]) -> State:
    """What a recording is, from its row and its versions."""
    if row.state in ("deleted", "purged"):
        return "deleted"
    if any(version.published_at is not None for version in versions):
        return "ready"
    if row.state == "recording":
        return "recording"
    return "failed" if versions and versions[-1].failed_at is not None else "processing"


def write_timeline(folder: Path, built: timeline.Built, duration_ms: int) -> tuple[manifest.Timeline, str]:
    """Write a timeline's files into a version's folder; (their names for the manifest, the chapters' name). Raises OSError."""
    chunks, snapshots = timeline.files(built, duration_ms)
    named = manifest.Timeline(
        chunks=[f"t{number:05}.json" for number in range(len(chunks))],
        snapshots=[f"s{number:05}.json" for number in range(len(snapshots))],
    )
    for name, content in zip((*named.chunks, *named.snapshots), (*chunks, *snapshots), strict=True):
        (folder / name).write_bytes(content)
    (folder / CHAPTERS).write_text(chapters.vtt(chapters.chapters(built), duration_ms), "utf-8")
    return named, CHAPTERS


async def publish(published: Published, version: Version, made: manifest.Manifest, at: Millis, instead_of: Version | None = None) -> None:
    """Write the manifest beside the files it names, make all durable, move the pointer (only from `instead_of`, if given).

    Raises Deleted (the version's files are then gone), Superseded, OSError (FileNotFoundError if a named file is missing), Unavailable,
    ValueError for a name that leads elsewhere.
    """
    size = await asyncio.to_thread(_seal, published.root, version, made)
    try:
        await published.store.publish(version, at, size, None if instead_of is None else instead_of.version)
    except Deleted:
        await purge(published, version.session, version.recording)
        raise


async def prune(published: Published, session: SessionId, recording: str, at: Millis) -> int:
    """Remove the files of versions before the one served; returns how many versions that were. Raises OSError, Unavailable."""
    served = await published.store.served(session, recording)
    versions = [] if served is None else await published.store.versions(session, recording)
    removed = 0
    for version in versions:
        if served is not None and version.version < served.version:
            removed += await asyncio.to_thread(_remove, version.path(published.root)) > 0
            await published.store.withdraw(version, at)
    return removed


async def retire(published: Published, session: SessionId, recording: str, at: Millis) -> int:
    """Remove the files of all versions but the one served, whatever became of them; returns how many files that were.

    What was begun after the served one was published stays. Repeated where a crash broke it off. Raises OSError, Unavailable.
    """
    served, versions = await published.store.served(session, recording), await published.store.versions(session, recording)
    gone = 0
    for version in versions:
        if served is not None and (version.version == served.version or version.begun_at > (served.published_at or at)):
            continue
        gone += await asyncio.to_thread(_remove, version.path(published.root))
        gone += await asyncio.to_thread(_remove, work_folder(published, version))
        await published.store.withdraw(version, at)
    return gone


async def purge(published: Published, session: SessionId, recording: str) -> int:
    """Remove every published file of a recording that has its tombstone; returns how many. Raises OSError, Unavailable."""
    folders = {version.folder for version in await published.store.versions(session, recording)}
    return sum([await asyncio.to_thread(_remove, published.root / folder) for folder in folders])


def _seal(root: Path, version: Version, made: manifest.Manifest) -> int:
    """Make a version's files durable; their bytes."""
    folder, content = version.path(root), msgspec.json.encode(made)
    names = manifest.files(manifest.read(content))
    (folder / MANIFEST).write_bytes(content)
    for path in (*(folder / name for name in (*names, MANIFEST)), folder, folder.parent, root):
        _sync(path)
    return sum((folder / name).stat().st_size for name in (*names, MANIFEST))


def _remove(path: Path) -> int:
    """Remove a folder for good; how many files were in it."""
    if not path.exists():
        return 0
    count = sum(1 for file in path.rglob("*") if file.is_file())
    shutil.rmtree(path)
    _sync(path.parent)
    return count


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
