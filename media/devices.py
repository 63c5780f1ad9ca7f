"""What the media plane keeps of each class, each connection in it and each of its transports. Data only.

A device is one connection of one person, with at most one publishing and one receiving transport.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from media.codecs import Kind
from media.directives import Viewer
from media.director import Director
from media.negotiation import KIND_FOR, SlotOffer, TrackPlan, Use
from media.quality import Report
from media.transport import RemoteTransport, ServerTransport
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import Millis, ParticipantId
from signaling.classroom.state import Room

AUDIO_SLOTS: Final = 3
#: who is served first when a viewer's bandwidth is short; sound always is
RANK: Final[Mapping[Use, int]] = {"screen": 0, "focus": 0, "main": 1, "tile": 2, "audio": 2, "screen_audio": 2}


@dataclass(kw_only=True)
class Transport:
    """One open transport; `server` is our side as last told, `remote` the client's."""

    peer: int
    #: the thread of the engine it lives on
    shard: int
    remote: RemoteTransport
    server: ServerTransport
    extensions: Mapping[str, int]
    tracks: dict[str, tuple[int, TrackPlan]] = field(default_factory=dict)
    slots: Sequence[SlotOffer] = ()
    #: the engine's ids of its slots, and which layer each plays (-1 = paused) as last told
    mids: dict[int, str] = field(default_factory=dict)
    layers: dict[str, int] = field(default_factory=dict)

    @property
    def bundled(self) -> list[tuple[str, Kind]]:
        """(mid, kind) of its m-lines in use, in order."""
        sent = [(mid, plan.kind) for mid, (_, plan) in self.tracks.items()]
        used = set(self.mids.values())
        return sent or [(slot.mid, slot.kind) for slot in self.slots if slot.mid in used]


@dataclass(kw_only=True)
class Pending:
    """An offer of ours waiting for its answer; `restart` when it renews an open transport."""

    shard: int
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

    def offered(self, now: Millis) -> int | None:
        """The shard of a first receiving transport that may still be answered."""
        return self.pending.shard if self.subscribe is None and self.pending is not None and self.pending.expires > now else None


@dataclass(kw_only=True)
class Class:
    """One class; its publishers live on the shard `home`."""

    room: Room
    id: int
    home: int
    #: number of the last event the plane was told; None: the room is spoilt
    told: int | None = None
    director: Director = field(default_factory=Director)
    devices: dict[str, Device] = field(default_factory=dict)
    spoke_at: Millis = 0
    opened: bool = False

    @property
    def settled(self) -> bool:
        """Whether the room says what the log says: it is ahead while an append is under way, and after one that failed."""
        return self.told == self.room.seq


def plan_slots(tiles: int) -> list[SlotOffer]:
    """The places of one viewer: three voices, screen with sound, main, tiles; each with SSRCs of its own."""
    uses: list[Use] = ["audio"] * AUDIO_SLOTS
    uses += ["screen_audio", "screen", "main"]
    uses += ["tile"] * tiles
    return _numbered([(str(index), use) for index, use in enumerate(uses)])


def plan_player(lines: Sequence[tuple[str, Kind]], picture: Use) -> list[SlotOffer]:
    """The places of a player that offered these m-lines: voices, loudest first, and one picture. Raises Rejected("bad_sdp") for more."""
    kinds = [kind for _, kind in lines]
    if kinds.count("audio") > AUDIO_SLOTS or kinds.count("video") > 1:
        raise Rejected("bad_sdp")
    return _numbered([(mid, "audio" if kind == "audio" else picture) for mid, kind in lines])


def _numbered(places: Sequence[tuple[str, Use]]) -> list[SlotOffer]:
    numbers = _distinct_numbers(2 * len(places))
    return [
        SlotOffer(mid=mid, use=use, ssrc=numbers.pop(), rtx_ssrc=None if KIND_FOR[use] == "audio" else numbers.pop()) for mid, use in places
    ]


def _distinct_numbers(count: int) -> list[int]:
    """Random SSRCs (RFC 3550 section 8), none zero, none twice."""
    numbers: set[int] = set()
    while len(numbers) < count:
        numbers.add(secrets.randbits(32) or 1)
    return list(numbers)
