"""What the director knows of devices, and what it directs. Data only; `media/switchboard.py` carries out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from media.negotiation import Source, Use
from signaling.classroom.ids import ParticipantId


@dataclass(kw_only=True)
class Track:
    """Something one device sends; `allowed` and `priority` are what the engine was last told."""

    id: int
    participant: ParticipantId
    connection: str
    source: Source
    #: sizes it is sent in, and the height of the largest in pixels
    layers: int = 1
    height: int = 720
    allowed: bool = False
    priority: bool = False
    #: its packets arrive; and which of the class's tracks came or began to send last
    sending: bool = False
    turn: int = 0


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A place of one viewer; audio slots are filled by the engine."""

    id: int
    mid: str
    use: Use


@dataclass(kw_only=True)
class Viewer:
    """One receiving device. By slot: `playing` is the track, `wishes` the height it is shown in, `limits` the layer the engine was told."""

    participant: ParticipantId
    connection: str
    peer: int
    slots: Sequence[Slot]
    show: tuple[ParticipantId, ...] | None = None
    playing: dict[int, int | None] = field(default_factory=dict)
    wishes: dict[int, int] = field(default_factory=dict)
    limits: dict[int, int] = field(default_factory=dict)
    told: bool = False


@dataclass(frozen=True, kw_only=True)
class Permit:
    """Forward this track or not; with priority (audio) it always has an audio slot."""

    track: int
    allowed: bool
    priority: bool


@dataclass(frozen=True, kw_only=True)
class Play:
    """Play this track in this slot; None pauses the slot."""

    slot: int
    track: int | None


@dataclass(frozen=True, kw_only=True)
class Limit:
    """Send this slot no layer above this one (0 = lowest); -1 = nothing, nobody sees it."""

    slot: int
    layer: int


@dataclass(frozen=True, kw_only=True)
class Own:
    """The microphones an automatic audio slot of this peer never plays."""

    peer: int
    tracks: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Tell:
    """Who is in this connection's video slots: [{mid, participant, source}]."""

    connection: str
    slots: tuple[Mapping[str, str | None], ...]


@dataclass(frozen=True, kw_only=True)
class Drop:
    """Close every transport of this connection."""

    connection: str


Directive: TypeAlias = Permit | Play | Limit | Own | Tell | Drop
