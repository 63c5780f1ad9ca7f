"""What the signaling core needs from the world. Each port states its guarantees; adapters live in `server/adapters` and `media/plane.py`.

`Fenced`, `DuplicateOperation` and `Unavailable` are the only errors a store may let through; anything else is a defect.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import msgspec

from signaling.classroom.ids import ConnectionId, Millis, OperationId, ParticipantId, SessionId
from signaling.classroom.roles import Role


class Fenced(Exception):
    """Another writer appended first: this owner has lost the class and must stop."""


class Unavailable(Exception):
    """The store cannot serve now; nothing was written, the caller may retry."""


#: an operation id and who gave it
Operation: TypeAlias = tuple[ParticipantId, OperationId]


class DuplicateOperation(Exception):
    """An operation id of this author is stored already, with `seq` as its last record; nothing of the append was written."""

    def __init__(self, by: ParticipantId, op: OperationId, seq: int) -> None:
        super().__init__(f"it is record {seq}")
        self.by = by
        self.op = op
        self.seq = seq


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One journal row. `event` is the MessagePack encoding of a classroom Event; kept opaque so that the journal never interprets it."""

    seq: int
    at: Millis
    by: ParticipantId | None
    op: OperationId | None
    event: bytes


class Journal(Protocol):
    """Append-only log per class. Sequence numbers start at 1 and have no gaps."""

    async def append(self, session: SessionId, expected_seq: int, records: Sequence[Record]) -> None:
        """Store all records or none, durably (survives kill -9 and power loss), before returning.

        expected_seq is the number of the last record the writer knows; raises Fenced if the log has moved on, DuplicateOperation if an
        (author, operation id) of an earlier append comes again, Unavailable if the store cannot write. Concurrent appends of different
        classes share one commit.
        """

    def read(self, session: SessionId, after: int, limit: int) -> AsyncIterator[Record]:
        """Records with seq > after, in order, at most limit."""

    async def last_seq(self, session: SessionId) -> int:
        """Number of the last record, 0 for a class never written."""

    async def operations(self, session: SessionId, asked: Sequence[Operation]) -> Mapping[Operation, int]:
        """Those of these operations that are stored, with their last record. Raises Unavailable."""

    async def save_snapshot(self, session: SessionId, seq: int, state: bytes) -> None:
        """Keep the newest state so that a restart need not replay the whole log; losing it loses nothing."""

    async def load_snapshot(self, session: SessionId) -> tuple[int, bytes] | None: ...


class Signs(msgspec.Struct, frozen=True, kw_only=True):
    """The last a node knew of a class it ran: every open connection was alive at `at`, the silent ones at their own time."""

    at: Millis
    silent: dict[ConnectionId, Millis] = {}


class LifeSigns(Protocol):
    """What a class's node last knew of its connections; beside the journal, at most some seconds old, lost without harm."""

    async def last(self, session: SessionId) -> Signs | None:
        """The newest signs, None if there are none. Raises Unavailable."""


class Directory(Protocol):
    """Which classes exist; and each class's secret-free description. Backed by the same store as the journal.

    A description has `expired_at` if the class's log is no longer kept.
    """

    async def create(
        self,
        session: SessionId,
        title: str,
        profile: str,
        starts_at: Millis | None,
        *,
        policy: str | None = None,
        replay: str = "participants",
    ) -> None:
        """Add a class; creating one that exists changes nothing. policy: its rules of attendance in JSON, None = those of the day."""

    async def mark_ended(self, session: SessionId, at: Millis) -> None:
        """Remember the end; the first one counts. A store that holds both does it with the record itself: the node may die in between."""

    async def get(self, session: SessionId) -> Mapping[str, Any] | None:
        """{session, title, profile, starts_at, ended_at, policy, replay} or None; `replay` as it now is."""

    async def list(self, *, ended: bool, after: SessionId | None, limit: int) -> Sequence[Mapping[str, Any]]: ...


Fields: TypeAlias = Mapping[str, Any]


class MediaPlane(Protocol):
    """The forwarding engine as the signaling core sees it; SDP in, SDP out. Methods raise Rejected (bad_sdp, media_unavailable).

    `connection` is one connection of one participant: media follows the device, rights follow the participant.
    """

    async def publish(self, session: SessionId, participant: ParticipantId, connection: str, request: Fields) -> Fields:
        """Answer an offer; request {sdp, tracks: [{mid, source, height?}]}, source one of microphone camera screen screen_audio.

        Reply {sdp}.
        """

    async def subscribe(self, session: SessionId, participant: ParticipantId, connection: str, request: Fields) -> Fields:
        """Start, answer, restart or adjust the receiving side.

        {action: "offer", tiles} -> {sdp, slots}; {action: "answer", sdp} -> {}; {action: "show", tiles} -> {};
        {action: "size", sizes: [{mid, height}]} -> {}; {action: "restart"} -> {sdp}.
        """

    def follow(self, session: SessionId, room: Any, event: Any) -> None:
        """A classroom event was journaled (room is the state after it); adjust rights and slots at once, never block.

        `room` goes on changing: while its seq is ahead of the last call's, what it says is not journaled yet.
        """

    def hold(self, session: SessionId) -> None:
        """The room that was given is spoilt: nothing new by it until `follow` or `reload` gives one."""

    def reload(self, session: SessionId, room: Any) -> None:
        """The room was read anew from the journal: bring everybody in line with it."""

    def drop(self, session: SessionId, connection: str) -> None:
        """Close all transports of a connection."""

    def close(self, session: SessionId) -> None:
        """The class is over."""


class Recorder(Protocol):
    """Who would record."""

    def refusal(self) -> str | None:
        """Error code to refuse a recording with now, or None."""


class Signals(Protocol):
    """Unnumbered news for connected clients (PROTOCOL.md, "Signals"): never blocks, newest of a type wins, lost when nobody listens."""

    def to_all(self, session: SessionId, signal: Mapping[str, Any]) -> None: ...
    def to_staff(self, session: SessionId, signal: Mapping[str, Any]) -> None: ...
    def to_participant(self, session: SessionId, participant: ParticipantId, signal: Mapping[str, Any]) -> None: ...
    def to_connection(self, session: SessionId, connection: str, signal: Mapping[str, Any]) -> None: ...


class SeatGrant(msgspec.Struct, frozen=True, kw_only=True):
    """Who a connection speaks for; the only source of actor, role and class."""

    session: SessionId
    participant: ParticipantId
    name: str
    role: Role
    #: moderation.names.likeness of the name
    likeness: str = ""
    #: which of the person's seats it is
    seat: str = ""


class Seats(Protocol):
    """Turns the proof a browser brought into the seat it owns. When a seat is taken away, its owner calls `Gateway.revoke`."""

    async def open(self, cookies: Mapping[str, str], headers: Mapping[str, str], seat_id: str) -> SeatGrant | None:
        """The seat if cookie (or bearer token) proves it and it is good now, else None. Raises Unavailable."""


class Screen(Protocol):
    """Looks at text before it is journaled."""

    def check(self, text: str) -> str | None:
        """Error code to refuse with, or None."""


#: native send to many sockets: (fds, frame) -> [(index, bytes sent or -errno)] for the short ones
SendMany = Callable[[Any, bytes], list[tuple[int, int]]]
Clock = Callable[[], Millis]
