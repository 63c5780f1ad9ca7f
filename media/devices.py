"""What the media plane keeps of each class, each connection in it and each of its transports. Data only.

A device is one connection of one person, with at most one publishing and one receiving transport.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from media.director import Director, Viewer
from media.negotiation import SlotOffer, TrackPlan, Use
from media.quality import Report
from media.transport import RemoteTransport, ServerTransport
from signaling.classroom.ids import Millis, ParticipantId
from signaling.classroom.state import Room

AUDIO_SLOTS: Final = 3


@dataclass(kw_only=True)
class Transport:
    """One open transport; `server` is our side as last told, `remote` the client's."""

    peer: int
    remote: RemoteTransport
    server: ServerTransport
    extensions: Mapping[str, int]
    tracks: dict[str, tuple[int, TrackPlan]] = field(default_factory=dict)
    slots: Sequence[SlotOffer] = ()


@dataclass(kw_only=True)
class Pending:
    """An offer of ours waiting for its answer; `restart` when it renews an open transport."""

    server: ServerTransport
    slots: Sequence[SlotOffer]
    expires: Millis
    restart: bool


@dataclass(kw_only=True)
class Device:
    """One connection of one person."""

    participant: ParticipantId
    publish: Transport | None = None
    subscribe: Transport | None = None
    pending: Pending | None = None
    #: places of a receiving transport that is not connected yet: filled once it is, so that key frames do not come too early
    waiting: Viewer | None = None
    reports: dict[str, Report] = field(default_factory=dict)
    graded_at: Millis = 0


@dataclass(kw_only=True)
class Class:
    room: Room
    id: int
    shard: int
    director: Director = field(default_factory=Director)
    devices: dict[str, Device] = field(default_factory=dict)
    spoke_at: Millis = 0
    opened: bool = False


def plan_slots(tiles: int) -> list[SlotOffer]:
    """The places of one viewer: three voices, screen with sound, main, tiles; each with SSRCs of its own."""
    uses: list[Use] = ["audio"] * AUDIO_SLOTS
    uses += ["screen_audio", "screen", "main"]
    uses += ["tile"] * tiles
    numbers = _distinct_numbers(2 * len(uses))
    return [
        SlotOffer(mid=str(index), use=use, ssrc=numbers.pop(), rtx_ssrc=None if "audio" in use else numbers.pop())
        for index, use in enumerate(uses)
    ]


def _distinct_numbers(count: int) -> list[int]:
    """Random SSRCs (RFC 3550 section 8), none zero, none twice."""
    numbers: set[int] = set()
    while len(numbers) < count:
        numbers.add(secrets.randbits(32) or 1)
    return list(numbers)
