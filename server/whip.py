"""Encoders and players without signaling of their own: WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep) sessions as people in class.

A stream is one person's connection like any other, opened and closed by the node: a seat made from a join token, a journaled connection,
one transport. So the class sees who sends and who watches, and admission, stage, mute, freeze, removal and the end of the class hold for it
as for a browser. What an encoder sends is announced as on in its person's name, or the stream is refused as a whole.

A stream ends by DELETE, when its transport ends (consent expired, DTLS closed, never connected), when the class closes its connection, and
when the node stops; then its connection is closed in the class, and what it alone had switched on goes off. A draining node does not wait
for streams: encoders never leave by themselves.

Bounds: streams on this node, in a class, from an address; three devices with media per person (media/plane.py).
"""

import asyncio
import hashlib
import logging
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import msgspec

from media.codecs import Kind
from media.negotiation import Source, Use
from media.plane import NativePlane
from moderation.names import likeness
from server.adapters.sqlite_seats import SqliteSeats
from server.doors import LateSignals
from server.seats import Seat
from signaling.classroom.base import Command, Context
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import SessionId
from signaling.classroom.participants import Connect, ConnectionClosed, Disconnect
from signaling.classroom.room import decide
from signaling.classroom.seats import Participant
from signaling.classroom.seats import Seat as Standing
from signaling.classroom.session import ClassEnded
from signaling.classroom.state import Room
from signaling.classroom.tracks import SetCamera, SetMicrophone, StartScreen, StopScreen
from signaling.entries import Entry
from signaling.hub import Hub
from signaling.ports import Unavailable

log = logging.getLogger("jiangtai.whip")

Protocol: TypeAlias = Literal["whip", "whep"]
MAX_STREAMS: Final = 2_000
MAX_PER_CLASS: Final = 500
MAX_PER_ADDRESS: Final = 200
#: how long a node that stops waits for streams to leave their classes
_STOP_S: Final = 5.0
#: source -> (what announces it, what withdraws it)
_SWITCHES: Final[Mapping[Source, tuple[Command, Command]]] = {
    "microphone": (SetMicrophone(on=True), SetMicrophone(on=False)),
    "camera": (SetCamera(on=True), SetCamera(on=False)),
    "screen": (StartScreen(), StopScreen()),
}


@dataclass(kw_only=True, eq=False)
class Stream:
    """One session. `id` is the secret part of its URL, `token` the hash of the bearer that opened it and alone may speak for it."""

    id: str
    protocol: Protocol
    token: bytes
    seat: Seat
    #: as the class knows it: told to everybody there, so never part of a URL
    connection: str
    address: str
    opened: bool = False
    #: what it switched on
    announced: list[Source] = field(default_factory=list)


class Streams:
    """The streams of this node."""

    def __init__(self, *, hub: Hub, plane: NativePlane, seats: SqliteSeats, signals: LateSignals) -> None:
        self.refused = 0
        self._hub = hub
        self._plane = plane
        self._seats = seats
        self._signals = signals
        self._streams: dict[str, Stream] = {}
        self._connections: dict[str, Stream] = {}
        self._counts: Counter[tuple[str, str]] = Counter()
        self._ending: set[asyncio.Task[None]] = set()
        self._stopped = False
        hub.watch(self._watch)

    def __len__(self) -> int:
        return len(self._streams)

    def expect_encoder(self, seat: Seat, address: str, offer: str, picture: Source) -> None:
        """Refuse, before a token is used up for this seat, what `publish` would refuse as things stand; raises Rejected."""
        self._has_room(seat.session, address)
        sent = self._plane.rehearse_ingest(seat.session, seat.participant, offer, _sources(picture))
        self._foresee(seat, [_SWITCHES[source][0] for source in sent])

    def expect_player(self, seat: Seat, address: str, offer: str, picture: Use) -> None:
        """Refuse, before a token is used up for this seat, what `play` would refuse as things stand; raises Rejected."""
        self._has_room(seat.session, address)
        self._plane.rehearse_play(seat.session, seat.participant, offer, picture)
        self._foresee(seat, [])

    async def publish(self, seat: Seat, token: str, address: str, offer: str, picture: Source) -> tuple[Stream, str]:
        """An encoder comes in; returns its stream and our answer. Raises Rejected, Unavailable; nothing is left behind then."""
        async with self._opening("whip", seat, token, address) as stream:
            answer, sent = self._plane.ingest(seat.session, seat.participant, stream.connection, offer, _sources(picture))
            for source in sent:
                await self._announce(stream, source)
        return stream, answer

    async def play(self, seat: Seat, token: str, address: str, offer: str, picture: Use) -> tuple[Stream, str]:
        """A player comes in; returns its stream and our answer. Raises Rejected, Unavailable; nothing is left behind then."""
        async with self._opening("whep", seat, token, address) as stream:
            answer = self._plane.play(seat.session, seat.participant, stream.connection, offer, picture)
        return stream, answer

    def find(self, id: str, protocol: Protocol, token: str) -> Stream | None:
        """The stream of this URL, if this is the bearer it was opened with; the token itself may have expired since."""
        stream = self._streams.get(id)
        if stream is None or stream.protocol != protocol or not secrets.compare_digest(_hash(token), stream.token):
            return None
        return stream

    def tag(self, stream: Stream) -> str:
        """The entity tag of its ICE session (RFC 9725 section 4.3.1), empty when that is gone."""
        ufrag = self._plane.ice_session(stream.seat.session, stream.connection)
        return f'"{ufrag}"' if ufrag else ""

    def news(self, stream: Stream, fragment: str) -> str | None:
        """Take ICE news; our fragment if it was a restart, None if there is nothing to say. Raises Rejected, the stream goes on."""
        return self._plane.restart(stream.seat.session, stream.seat.participant, stream.connection, fragment)

    async def end(self, stream: Stream, reason: str = "closed") -> None:
        """End it (idempotent); returns once the class has stored it."""
        if not self._forget(stream):
            return
        seat = stream.seat
        self._plane.drop(seat.session, stream.connection)
        # The connection first: the class keeps at that until it is stored, and with a person's last one all of theirs goes off.
        await self._withdraw(stream, Disconnect(connection=stream.connection, reason=reason))
        for source in stream.announced:
            person = self._person(seat)
            if person is not None and person.present and not self._plane.sends(seat.session, seat.participant, source):
                await self._withdraw(stream, _SWITCHES[source][1])
        await self._release(seat)

    def prune(self) -> None:
        """End streams whose class is gone without a word (another node took it over); call it every minute."""
        for stream in list(self._streams.values()):
            person = self._person(stream.seat)
            if stream.opened and (person is None or stream.connection not in person.connections):
                self._end_soon(stream, "lost")

    async def stop(self) -> None:
        """End all, take no new ones. Whose class the store refuses to write is closed when the class is next woken."""
        self._stopped = True
        for stream in list(self._streams.values()):
            self._end_soon(stream, "closed")
        if self._ending:
            await asyncio.wait(self._ending, timeout=_STOP_S)

    # ---- coming in ----

    def _foresee(self, seat: Seat, commands: Sequence[Command]) -> None:
        """Ask the class, changing nothing, whether it would take this person and then these commands; raises Rejected.

        Who is new to it, or in this role, is taken for admitted and on stage: staff can see to that only once the class lists them.
        """
        room = self._hub.room(seat.session)
        if room is None:
            return
        context = Context(actor=seat.participant, now=0, seq=room.seq + 1)  # none of these rules asks for the time
        connect = _connect(seat, "expected")
        decide(room, context, connect)
        person = room.participants.get(seat.participant)
        if person is None or person.seat is Standing.REMOVED or person.role is not seat.role:
            person = Participant(id=seat.participant, name=connect.name, role=connect.role, seat=Standing.ADMITTED, on_stage=True)
        if person.seat is not Standing.ADMITTED:
            raise Rejected("not_admitted")
        person = msgspec.structs.replace(person, connections=[connect.connection])
        room = msgspec.structs.replace(room, participants={person.id: person})
        for command in commands:
            decide(room, context, command)

    @asynccontextmanager
    async def _opening(self, protocol: Protocol, seat: Seat, token: str, address: str) -> AsyncIterator[Stream]:
        """A stream whose person is in class; if what is done with it fails, it is ended."""
        try:
            stream = self._keep(protocol, seat, token, address)
        except Rejected:
            await self._release(seat)
            raise
        try:
            await self._come_in(stream)
            yield stream
            if stream.id not in self._streams:  # sent out meanwhile
                raise Rejected("not_admitted")
        except BaseException:
            await self.end(stream)
            raise
        stream.opened = True

    def _keep(self, protocol: Protocol, seat: Seat, token: str, address: str) -> Stream:
        self._has_room(seat.session, address)  # others may have come since the token was looked at
        stream = Stream(
            id=secrets.token_urlsafe(16),
            protocol=protocol,
            token=_hash(token),
            seat=seat,
            connection=secrets.token_urlsafe(16),
            address=address,
        )
        self._streams[stream.id] = self._connections[stream.connection] = stream
        self._counts.update(_counted(stream))
        self._signals.listen(stream.connection, lambda signal: self._heard(stream, signal))
        return stream

    def _has_room(self, session: SessionId, address: str) -> None:
        if self._stopped:
            raise Rejected("draining")
        full = self._counts["class", session] >= MAX_PER_CLASS or self._counts["address", address] >= MAX_PER_ADDRESS
        if full or len(self._streams) >= MAX_STREAMS:
            self.refused += 1
            raise Rejected("overloaded")

    async def _come_in(self, stream: Stream) -> None:
        await self._do(stream, _connect(stream.seat, stream.connection))
        person = self._person(stream.seat)
        if person is None or person.seat is not Standing.ADMITTED:  # nobody can tell an encoder later that it was let in
            raise Rejected("not_admitted")

    async def _announce(self, stream: Stream, source: Source) -> None:
        """Switch a source on in the person's name; what somebody switched on before is not ours to switch off."""
        room = self._hub.room(stream.seat.session)
        person = room.participants.get(stream.seat.participant) if room is not None else None
        if room is None or person is None or stream.id not in self._streams:  # sent out, or over, meanwhile
            raise Rejected("not_admitted")
        on = {"microphone": person.microphone, "camera": person.camera}.get(source, room.screen == person.id)
        await self._do(stream, _SWITCHES[source][0])
        if not on:
            stream.announced.append(source)

    def _person(self, seat: Seat) -> Participant | None:
        """The person as the class has them, while it is awake here."""
        room = self._hub.room(seat.session)
        return room.participants.get(seat.participant) if room is not None else None

    async def _do(self, stream: Stream, command: Command) -> None:
        reply = await self._hub.dispatch(stream.seat.session, stream.seat.participant, command)
        if reply.error is not None:
            raise Rejected(reply.error)

    # ---- going ----

    async def _withdraw(self, stream: Stream, command: Command) -> None:
        if self._hub.room(stream.seat.session) is None:
            return  # the class rests or is another node's: whoever wakes it closes what was open
        try:
            await self._do(stream, command)
        except (Rejected, Unavailable) as error:
            log.info("a stream ended without its class", extra={"session": stream.seat.session, "why": str(error)})

    async def _release(self, seat: Seat) -> None:
        try:
            await self._seats.release(seat.id)
        except Unavailable as error:  # it expires, and nobody has its cookie
            log.info("a stream's seat was not released", extra={"session": seat.session, "why": str(error)})

    def _forget(self, stream: Stream) -> bool:
        if self._streams.pop(stream.id, None) is None:
            return False
        del self._connections[stream.connection]
        self._counts.subtract(_counted(stream))
        for key in _counted(stream):
            if not self._counts[key]:
                del self._counts[key]
        self._signals.unlisten(stream.connection)
        return True

    def _end_soon(self, stream: Stream, reason: str) -> None:
        task = asyncio.create_task(self.end(stream, reason), name="end stream")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _heard(self, stream: Stream, signal: Mapping[str, Any]) -> None:
        if signal["type"] == "media" and signal["state"] == "closed":
            self._end_soon(stream, "lost")

    def _watch(self, session: SessionId, room: Room, entries: Sequence[Entry]) -> None:
        """See hub.Watcher."""
        for entry in entries:
            if isinstance(entry.event, ConnectionClosed):
                stream = self._connections.get(entry.event.connection)
                if stream is not None:
                    self._end_soon(stream, "closed")
            elif isinstance(entry.event, ClassEnded):
                for stream in [stream for stream in self._streams.values() if stream.seat.session == session]:
                    self._end_soon(stream, "closed")


def _counted(stream: Stream) -> tuple[tuple[str, str], ...]:
    return (("class", stream.seat.session), ("address", stream.address))


def _connect(seat: Seat, connection: str) -> Connect:
    return Connect(connection=connection, name=seat.name, role=seat.role, likeness=likeness(seat.name))


def _sources(picture: Source) -> Mapping[Kind, Source]:
    return {"audio": "microphone", "video": picture}


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
