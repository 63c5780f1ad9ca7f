"""What is recorded of a class: a pure choice from the room and from what its devices send.

Recorded is the stage: of every admitted person on stage (staff always is) the microphone, camera and screen that counts (media/director),
unless the person is left out. What is announced as off sends nothing through the engine, so it is not asked here: a recording tells a
muted microphone from one that is gone. The audience is never recorded.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Final

from media.directives import Track
from media.director import may_publish
from media.negotiation import Source, TrackPlan
from signaling.classroom.roles import Role
from signaling.classroom.state import Room

#: what is left out last (0) and first (3) when the disk does not keep up; see media/engine/core/src/tape.rs
_RANKS: Final[Mapping[Source, int]] = {"microphone": 0, "screen_audio": 0, "screen": 1, "camera": 3}
_TRAINERS_CAMERA: Final = 2


def recorded(room: Room, tracks: Iterable[Track]) -> dict[int, int]:
    """Tracks to be recorded now, with their rank; `tracks` are those that count, one of each person and source."""
    if room.recording is None:
        return {}
    left_out = frozenset(room.left_out)
    return {track.id: _rank(room, track) for track in tracks if track.participant not in left_out and _on_stage(room, track)}


def describe(track: Track, plan: TrackPlan, extensions: Mapping[str, int]) -> bytes:
    """What the recording says of a track: enough to play it without the node."""
    told = {
        "participant": track.participant,
        "source": track.source,
        "kind": plan.kind,
        "mid": plan.mid,
        "codecs": [list(codec) for codec in plan.codecs],
        "rids": list(plan.rids),
        "extensions": dict(extensions),
    }
    return json.dumps(told, separators=(",", ":")).encode()


def _on_stage(room: Room, track: Track) -> bool:
    return may_publish(room, track.participant) and room.participants[track.participant].on_stage


def _rank(room: Room, track: Track) -> int:
    if track.source == "camera" and room.participants[track.participant].role is Role.TRAINER:
        return _TRAINERS_CAMERA
    return _RANKS[track.source]
