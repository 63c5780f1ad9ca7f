"""Published versions of recordings: which one is served, where its files lie, how one is put there and taken away.

    begun -> sealed (whole, on its way to the store) -> published; failed instead of either

A version is begun (a folder for its files), then published or failed. Publishing moves the pointer to it; the versions before stay until
`prune`, so whoever is watching goes on, or until `retire`, when nobody may watch them any more. A recording with a tombstone is never
published. Its folder name is 128 random bits and leaves the node in no address.

Files are made in a folder of this machine. With a store elsewhere they are sent there once they are whole: the row says so first
(`sealed`), so that after a crash or while the store is away the same version goes on and only what is missing is sent. The pointer moves
when the store has listed every file with its size; the folder here goes last. What a crash, a failure or a tombstone leaves lying about is
known by the rows: every version has its row before it has its first file, and `sweep` removes what need not be there.
"""

import asyncio
import logging
import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

import msgspec

from recording import chapters, manifest, timeline
from recording.catalog import Row
from recording.local_files import LocalFiles, sync
from recording.objects import ObjectStore, StoreAway, StoreRefuses
from signaling.classroom.ids import Millis, SessionId

log = logging.getLogger("jiangtai.publication")

MANIFEST: Final = "manifest.json"
#: folders of work: of a version's finishing in its recording's folder, of amendments beside those
WORK: Final = "work-"
CAPTIONS: Final = ".captions-"
TIMELINE: Final = ".timeline-"
#: work that nobody has written to for so long is left over from a process that died; longer than any step without a file
DEAD_MS: Final = 24 * 3_600_000
#: who watches a version goes on with it for this long after the next one; longer than any signed path is good for
GRACE_MS: Final = 8 * 3_600_000
CHAPTERS: Final = "chapters.vtt"
#: files of one version on their way at a time; what a store does at a time in all is its own bound
_SENT_AT_A_TIME: Final = 8
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
    #: the version it adds something to, if the packager did not make it
    amends: int | None = None
    #: the store its files are kept in or sealed for, empty for the folder they were made in
    place: str = ""
    swept_at: Millis | None = None

    @property
    def prefix(self) -> str:
        """Prefix of its objects' keys."""
        return f"{self.folder}/v{self.version}"

    def path(self, root: Path) -> Path:
        """Where its files are made."""
        return root / self.folder / f"v{self.version}"


class Publications(Protocol):
    """The rows and the pointer. Writes are durable when they return; all raise Unavailable."""

    async def begin(self, session: SessionId, recording: str, at: Millis, amends: int | None = None) -> Version:
        """Make the next version's row, in the folder of those before. Raises Deleted."""

    async def seal(self, version: Version, place: str) -> Version:
        """Its files are whole, and from now on there may be some of them in this place. Raises Deleted."""

    async def publish(self, version: Version, at: Millis, size: int, instead_of: int | None = None) -> None:
        """Mark it published and move the pointer to it, both or neither.

        With `instead_of` only if that version is served. Raises Deleted, Superseded.
        """

    async def fail(self, version: Version, at: Millis, why: str) -> bool:
        """Mark it failed, and the pointer stays; False if it was published."""

    async def withdraw(self, version: Version, at: Millis) -> None:
        """Say that its files are gone; the first time counts."""

    async def served(self, session: SessionId, recording: str) -> Version | None:
        """The version the pointer names; None if there is none or the recording has a tombstone."""

    async def outdated(self, before: Millis) -> Sequence[tuple[SessionId, str]]:
        """Recordings whose served version was published before then and which have older ones with files, at most 100."""

    async def versions(self, session: SessionId, recording: str | None = None) -> Sequence[Version]:
        """Of a recording or of a whole class, oldest first."""

    async def leftovers(self, now: Millis, most: int) -> Sequence[Version]:
        """Versions with files that need not be there, unless somebody works on the recording.

        Failed, overtaken before they were published, of a recording with a tombstone; or published elsewhere and perhaps still here.
        """

    async def swept(self, version: Version, at: Millis) -> None:
        """It has no such files any more."""


class Published(NamedTuple):
    """Where published recordings are kept: rows, the folder in which versions are made, and another store if they do not stay there."""

    store: Publications
    root: Path
    elsewhere: ObjectStore | None = None

    @property
    def objects(self) -> ObjectStore:
        """The store that what is published now goes to."""
        return self.elsewhere or LocalFiles(self.root)

    def keeper(self, place: str) -> ObjectStore:
        """The store of this name, so that recordings stay where they were published. Raises StoreRefuses if it is not configured."""
        if not place:
            return LocalFiles(self.root)
        if self.elsewhere is None or self.elsewhere.place != place:
            raise StoreRefuses(f"files are kept in {place}, which is not configured (recordings.store)")
        return self.elsewhere


def work_folder(published: Published, version: Version) -> Path:
    """Where files that are to be added to a version are made."""
    return published.root / version.folder / f"{WORK}{version.version}"


def new_folder() -> str:
    """128 random bits as a name."""
    return secrets.token_hex(16)


def state(row: Row, versions: Sequence[Version]) -> State:
    """What a recording is, from its row and its versions; of one that `failed` the job's row knows whether there will be another try."""
    if row.state in ("deleted", "purged"):
        return "deleted"
    if any(version.published_at is not None for version in versions):
        return "ready"
    if row.state == "recording":
        return "recording"
    if not versions:
        # What never began leaves nothing to be packaged.
        return "failed" if row.reason == "failed" and row.files == 0 else "processing"
    return "failed" if versions[-1].failed_at is not None else "processing"


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
    """Write the manifest beside the files it names, make all durable, bring them to the store, move the pointer.

    It moves only from `instead_of`, if given. Raises Deleted (the version's files are then gone), Superseded, StoreAway (see `finish`),
    OSError (FileNotFoundError if a named file is missing), Unavailable, ValueError for a name that leads elsewhere.
    """
    await asyncio.to_thread(_seal, published.root, version, made)
    if published.objects.place:
        version = await published.store.seal(version, published.objects.place)
    await finish(published, version, at, instead_of)


async def unfinished(published: Published, session: SessionId, recording: str) -> Version | None:
    """The newest version the packager made, if it was sealed for the store in use and not yet published, failed or withdrawn.

    None, too, if something was published since it was begun, which it may lack. Raises Unavailable.
    """
    if not published.objects.place:
        return None
    versions = await published.store.versions(session, recording)
    newest = next((each for each in reversed(versions) if each.amends is None), None)
    if newest is None or newest.place != published.objects.place or newest.published_at or newest.failed_at or newest.withdrawn_at:
        return None
    return None if any((each.published_at or 0) > newest.begun_at for each in versions) else newest


async def finish(published: Published, version: Version, at: Millis, instead_of: Version | None = None) -> None:
    """Bring what the store has not yet got of a whole version there, move the pointer, remove what lies here.

    Raises as `publish`; after StoreAway the version stays as it is, and the same call goes on.
    """
    objects, folder = published.objects, version.path(published.root)
    sizes = await asyncio.to_thread(_sizes, folder)
    await _send(objects, version, folder, sizes)
    try:
        await published.store.publish(version, at, sum(sizes.values()), None if instead_of is None else instead_of.version)
    except Deleted:
        await purge(published, version.session, version.recording)
        raise
    if objects.place:
        await LocalFiles(published.root).remove(version.prefix)
        await published.store.swept(version, at)


async def prune(published: Published, session: SessionId, recording: str, at: Millis) -> int:
    """Remove the files of versions before the one served; returns how many versions that were. Raises OSError, Unavailable."""
    served = await published.store.served(session, recording)
    versions = [] if served is None else await published.store.versions(session, recording)
    removed = 0
    for version in versions:
        if served is not None and version.version < served.version:
            removed += await published.keeper(version.place).remove(version.prefix) > 0
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
        for place in sorted({version.place, ""}):
            gone += await published.keeper(place).remove(version.prefix)
        gone += await LocalFiles(published.root).remove(f"{version.folder}/{work_folder(published, version).name}")
        await published.store.withdraw(version, at)
    return gone


async def purge(published: Published, session: SessionId, recording: str) -> int:
    """Remove every published file of a recording that has its tombstone; returns how many. Raises OSError, Unavailable."""
    versions = await published.store.versions(session, recording)
    # Whatever is kept elsewhere may also lie in the folder it was made in.
    kept = {(version.folder, place) for version in versions for place in (version.place, "")}
    return sum([await published.keeper(place).remove(folder) for folder, place in sorted(kept)])


async def sweep(published: Published, now: Millis, most: int) -> int:
    """Remove what `leftovers` tells, as far as stores can be reached, and dead work; returns how many versions are left over.

    Raises Unavailable.
    """
    failed = 0
    await asyncio.to_thread(_drop_dead, published.root, now)
    for version in await published.store.leftovers(now, most):
        try:
            if version.place or version.published_at is None:
                await LocalFiles(published.root).remove(version.prefix)
            if version.published_at is None:
                await published.keeper(version.place).remove(version.prefix)
            await published.store.swept(version, now)
        except OSError as error:
            failed += 1
            log.warning("a version was not swept", extra={"session": version.session, "recording": version.recording, "why": str(error)})
    return failed


def _drop_dead(root: Path, now: Millis) -> None:
    for work in (*root.glob(f"{CAPTIONS}*"), *root.glob(f"{TIMELINE}*"), *root.glob(f"*/{WORK}*")):
        try:
            written = max(path.stat().st_mtime for path in (work, *work.rglob("*")))
        except FileNotFoundError:
            continue  # somebody is at it
        if now - written * 1000 > DEAD_MS:
            shutil.rmtree(work, ignore_errors=True)


def _seal(root: Path, version: Version, made: manifest.Manifest) -> None:
    """Make a version's files durable, the manifest last: where it is, all it names is."""
    folder, content = version.path(root), msgspec.json.encode(made)
    names = manifest.files(manifest.read(content))
    for name in names:
        sync(folder / name)
    part = folder / f".{MANIFEST}"
    part.write_bytes(content)
    sync(part)
    part.replace(folder / MANIFEST)
    for path in (folder, folder.parent, root):
        sync(path)


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes of every file of a whole version by name, the manifest last. Raises FileNotFoundError."""
    names = manifest.files(manifest.read((folder / MANIFEST).read_bytes()))
    return {name: (folder / name).stat().st_size for name in (*names, MANIFEST)}


async def _send(objects: ObjectStore, version: Version, folder: Path, sizes: Mapping[str, int]) -> None:
    """Put what the store has not got, then make it list all of it with its size. Raises StoreAway, OSError, ValueError."""

    async def missing() -> list[str]:
        there = {found.key: found.size for found in await objects.list(version.prefix)}
        return [name for name, size in sizes.items() if there.get(f"{version.prefix}/{name}") != size]

    waiting = iter(await missing())
    failed: list[Exception] = []

    async def carry() -> None:
        for name in waiting:
            if failed:
                return
            try:
                await objects.put(f"{version.prefix}/{name}", folder / name)
            except Exception as error:
                failed.append(error)

    # What is under way when another fails comes to its end: a broken-off upload may leave parts behind in the store.
    await asyncio.gather(*(carry() for _ in range(_SENT_AT_A_TIME)))
    if failed:
        raise failed[0]
    if left := await missing():
        raise StoreAway(f"the store does not list what it was given: {', '.join(left[:3])}")
