"""Journal files on disk: recovered, measured, proved, exported, redacted. The only one beside the plane to import `media._engine`.

Every function here reads files and may take a while: call it outside the event loop.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from media import _engine  # noqa: TID251 - files only, no engine is started here

ENDING: Final = ".rj"


@dataclass(frozen=True, kw_only=True)
class Recovered:
    """A file that was not whole: sealed now with so many records, or put aside because its head was not whole."""

    session: str
    number: int
    sealed: bool
    records: int
    cut: int
    damaged: int


@dataclass(frozen=True, kw_only=True)
class JournalFile:
    """What a file says of itself; times in microseconds since 1970. Not sealed: it is being written, or waits for recovery."""

    path: Path
    session: str
    recording: str
    number: int
    began_us: int
    ended_us: int
    bytes: int
    sealed: bool
    records: int
    lost: int
    digest: str
    previous: str
    #: of a redacted file: the digest by which the next one knows it until it is made anew, too; records and bytes that are gone
    known_as: str = ""
    taken: tuple[int, int] = (0, 0)

    def leads_to(self, next: "JournalFile") -> bool:
        """Whether the file that follows this one names it."""
        return next.previous in (self.digest, self.known_as)


@dataclass(frozen=True, kw_only=True)
class Redacted:
    """What was taken out of a class's journal: from so many files, of these recordings."""

    files: int
    records: int
    bytes: int
    recordings: Sequence[str]


class BeingWritten(Exception):
    """A file of the recording is being written, or waits for recovery."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What reading a whole file proved; tracks: number -> (packets, bytes, key frames, packets the server lost)."""

    whole: bool
    records: int
    damaged: int
    tracks: Mapping[int, tuple[int, int, int, int]]


#: (track, milliseconds since the recording began, Opus packet)
Sound: TypeAlias = tuple[int, float, bytes]


@dataclass(frozen=True, kw_only=True)
class Packaged:
    """A file of a track and where it lies in the recording, in milliseconds."""

    name: str
    type: str
    from_ms: int
    to_ms: int
    width: int | None
    height: int | None


@dataclass(frozen=True, kw_only=True)
class PackagedTrack:
    """What became of a track; without files, `failed` says why: codec (none that can be packaged) or empty."""

    number: int
    participant: str
    source: Literal["camera", "screen", "microphone", "screen_audio"]
    files: Sequence[Packaged]
    failed: str | None


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What was read on: whether that was all there is, and how far the recording has come."""

    caught_up: bool
    now_ms: float
    sounds: Sequence[Sound]


@dataclass(frozen=True, kw_only=True)
class Finished:
    """All files are written."""

    duration_ms: int
    sounds: Sequence[Sound]
    tracks: Sequence[PackagedTrack]


class Package:
    """A recording's journal on its way to files in the folder `out`, while it is written or afterwards. All methods raise OSError."""

    def __init__(self, root: Path, session: str, recording: str, started_at: int, out: Path) -> None:
        """started_at: milliseconds since 1970, 0 in all files."""
        self._package = _engine.Package(root, session, recording, started_at, out)

    def advance(self) -> Progress:
        """Read on, a bounded portion."""
        caught_up, now_ms, sounds = self._package.advance()
        return Progress(caught_up=caught_up, now_ms=now_ms, sounds=sounds)

    def finish(self) -> Finished:
        """Nothing more comes: end all files."""
        duration_ms, sounds, tracks = self._package.finish()
        return Finished(duration_ms=round(duration_ms), sounds=sounds, tracks=[_packaged(*track) for track in tracks])


def _packaged(number: int, participant: str, source: Any, files: Sequence[tuple[Any, ...]], failed: str | None) -> PackagedTrack:
    told = [
        Packaged(name=name, type=type, from_ms=round(begin), to_ms=round(end), width=width, height=height)
        for name, type, begin, end, width, height in files
    ]
    return PackagedTrack(number=number, participant=participant, source=source, files=told, failed=failed)


def path_of(root: Path, session: str, number: int) -> Path:
    """Where a file lies."""
    return root / session / f"{number:06}{ENDING}"


def recover(root: Path) -> list[Recovered]:
    """Make every file below `root` whole; those that were are not told. Raises OSError."""
    found = _engine.recover_journals(root)
    return [
        Recovered(session=session, number=number, sealed=outcome == "sealed", records=records, cut=cut, damaged=damaged)
        for session, number, outcome, records, cut, damaged in found
    ]


def files(root: Path, session: str) -> list[JournalFile]:
    """A class's files in order; those without a whole head are left out. Raises OSError."""
    found = []
    for number in _engine.journal_files(root, session):
        path = path_of(root, session, number)
        told = _engine.journal_ends(path)
        if told is None:
            continue
        wall, monotonic = told["wall_us"], told["monotonic_us"]
        last = told.get("last_us", monotonic)
        found.append(
            JournalFile(
                path=path,
                session=told["class"],
                recording=told["recording"],
                number=told["number"],
                began_us=wall,
                ended_us=wall + max(last - monotonic, 0),
                bytes=told["bytes"],
                sealed=told["sealed"],
                records=told.get("records", 0),
                lost=told.get("lost", 0),
                digest=told.get("digest", ""),
                previous=told["previous"],
                known_as=told.get("known_as", ""),
                taken=told.get("taken", (0, 0)),
            )
        )
    return found


def verify(path: Path) -> Verdict | None:
    """Read a whole file; None if it is no journal. Raises OSError."""
    told = _engine.verify_journal(path)
    if told is None:
        return None
    return Verdict(whole=told["whole"], records=told["records"], damaged=told["damaged"], tracks=told["tracks"])


def export(paths: Sequence[Path], out: Path, kind: Literal["pcapng", "rtpdump"], track: int = 0) -> int:
    """Write files, in order, as one capture; rtpdump holds one track. Returns the packets written. Raises OSError."""
    return _engine.export_journals(list(paths), out, kind, track)


def redact(root: Path, session: str, participants: Sequence[str], recording: str | None = None) -> Redacted:
    """Take the tracks of these people out of a class, or of one of its recordings; repeated, it goes on where a crash broke it off.

    Nobody else's packets change. Raises BeingWritten (nothing was changed), OSError.
    """
    told = _engine.redact_journals(root, session, list(participants), recording)
    if told is None:
        raise BeingWritten
    count, records, size, recordings = told
    return Redacted(files=count, records=records, bytes=size, recordings=recordings)


def free_permille(path: Path) -> int:
    """How much of a thousand parts of the disk is free; -1 if it cannot be told. The nearest folder that exists counts."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return _engine.disk_free_permille(path)
