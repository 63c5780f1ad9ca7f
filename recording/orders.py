"""What the node tells the packager's processes and what they answer: one JSON line each. Pure, so that the node loads no codec."""

from collections.abc import Sequence

import msgspec

from recording import main_picture
from recording.manifest import Span, Track
from signaling.classroom.ids import ParticipantId


class PackageOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What to package (recording.worker)."""

    journal: str
    session: str
    recording: str
    started_at: int
    out: str


class FinishOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What to add (recording.finisher). `folder` has the files of the version, new ones go to `work`.

    main: only what the main picture needs, with download and thumbnails; otherwise the other pictures.
    """

    folder: str
    work: str
    tracks: list[Track]
    mix: Span | None
    trainers: list[ParticipantId]
    duration_ms: int
    main: bool


class Added(msgspec.Struct, frozen=True, kw_only=True):
    """What was made: `pictures` by the file each takes the place of; `failed` says why by the file that could not be made."""

    pictures: dict[str, Span]
    download: Span | None = None
    thumbnails: str | None = None
    sheets: list[str] = []
    failed: dict[str, str] = {}


def is_h264(span: Span) -> bool:
    """Whether a file needs no work."""
    return "avc1" in span.type


def to_do(tracks: Sequence[Track], trainers: Sequence[ParticipantId], *, main: bool) -> list[Span]:
    """The files that are to become H.264: of the main picture, or of all others."""
    groups = main_picture.candidates(tracks, trainers)
    chosen = groups[:1] if main else groups[1:]
    return [span for spans in chosen for span in spans if not is_h264(span)]
