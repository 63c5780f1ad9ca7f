"""Which picture stands for a recording where there is room for one: in the download, in the thumbnails. Pure."""

from collections.abc import Collection, Sequence
from typing import Final

from recording.manifest import Source, Span, Track
from signaling.classroom.ids import ParticipantId

_SCREEN: Final = 0
_TRAINER: Final = 1
_OTHERS: Final = 2


def candidates(tracks: Sequence[Track], trainers: Collection[ParticipantId]) -> list[list[Span]]:
    """The files of each person's screen or camera in order of time, the main picture's first; empty if there were no pictures.

    What is main: the screen shown longest, else the trainer's camera shown longest, else the camera shown longest. A person who came
    back has a new track; it is the same picture.
    """
    found: dict[tuple[ParticipantId, Source], list[Span]] = {}
    for track in tracks:
        if track.source in ("screen", "camera") and track.spans:
            found.setdefault((track.participant, track.source), []).extend(track.spans)

    def rank(key: tuple[ParticipantId, Source]) -> tuple[int, int]:
        participant, source = key
        kind = _SCREEN if source == "screen" else _TRAINER if participant in trainers else _OTHERS
        return kind, -sum(span.to_ms - span.from_ms for span in found[key])

    return [sorted(found[key], key=lambda span: span.from_ms) for key in sorted(found, key=rank)]


def shown(spans: Sequence[Span]) -> list[tuple[Span, int]]:
    """Each file of a picture and until when (ms) it is shown: where two overlap, the later one is."""
    following = [*(span.from_ms for span in spans[1:]), None]
    return [(span, span.to_ms if next is None else min(span.to_ms, next)) for span, next in zip(spans, following, strict=True)]
