"""What all parts of the plane share: classes, devices and transports by id, and the way to the engine.

It opens and closes transports, carries out what `director` directs, and brings viewers up to date in portions. Everything runs on the event
loop's thread and returns without waiting. Nothing new is opened while the engine is behind with its commands (media/ring.py).

Shards. A class has a home, where its publishers live and its first 50 viewers; later ones go where the fewest viewers of any class are.
"""

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from media.devices import AUDIO_SLOTS, Class, Transport
from media.directives import Directive, Drop, Limit, Own, Permit, Play, Tell
from media.ring import CommandRing
from media.transport import RemoteTransport, ServerTransport
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import SessionId
from signaling.classroom.state import Room
from signaling.ports import Clock, Signals

if TYPE_CHECKING:
    from media._engine import Engine  # noqa: TID251 - its type alone

log = logging.getLogger("jiangtai.media")

Side: TypeAlias = Literal["publish", "subscribe"]
#: a class with fewer viewers stays in one place: a copy of every packet for another shard would not pay
AT_HOME: Final = 50
#: between portions of viewers that are brought up to date, and after one that failed
PORTION_S: Final = 0.002
PAUSE_S: Final = 1.0


class Place(NamedTuple):
    """Whose transport a peer of the engine is."""

    session: SessionId
    connection: str
    side: Side


class Switchboard:
    """See the module."""

    def __init__(self, engine: "Engine", *, announced: Sequence[str], signals: Signals, clock: Clock) -> None:
        """`announced` are the addresses written into candidates, most preferred first."""
        self.engine = engine
        self.signals = signals
        self.clock = clock
        self.loop = asyncio.get_running_loop()
        self.ring = CommandRing(self.loop)
        self.do = self.ring.put
        self.classes: dict[SessionId, Class] = {}
        self.places: dict[int, Place] = {}
        #: whose transport a slot of the engine belongs to
        self.slots: dict[int, int] = {}
        #: open receiving transports on each shard
        self.viewers = [0] * len(engine.udp_ports)
        self.counts: Counter[str] = Counter()
        self.closed = False
        self._announced = tuple(announced)
        self._rooms: dict[int, SessionId] = {}
        #: told of a class whose tracks may have changed
        self.tracks_changed: Callable[[Class], None] = lambda klass: None
        self._refreshing: set[SessionId] = set()
        self._next = 0

    def new_id(self) -> int:
        """An id for anything in the engine, never 0, never twice."""
        self._next += 1
        return self._next

    # Classes.

    def open_class(self, room: Room) -> Class:
        """The class of this room, new if need be; `room` is kept as its state."""
        klass = self.classes.get(room.id)
        if klass is None:
            id = self.new_id()
            klass = self.classes[room.id] = Class(room=room, id=id, home=id % len(self.engine.udp_ports))
            self._rooms[id] = room.id
        klass.room, klass.told = room, room.seq
        return klass

    def class_of(self, room: int) -> Class | None:
        """The class by the engine's number of its room."""
        session = self._rooms.get(room)
        return self.classes.get(session) if session is not None else None

    def class_of_track(self, track: int) -> Class | None:
        """The class by the engine's number of a track in it."""
        return next((klass for klass in self.classes.values() if track in klass.director.tracks), None)

    def close_class(self, session: SessionId) -> None:
        """The class is over: every transport in it ends."""
        klass = self.classes.pop(session, None)
        if klass is None:
            return
        del self._rooms[klass.id]
        for device in klass.devices.values():
            for transport in (device.publish, device.subscribe):
                if transport is not None:
                    self.forget(transport)
        if klass.opened:
            self.do(self.engine.close_room, klass.id)

    def drop(self, session: SessionId, connection: str) -> None:
        """Close all transports of a connection and forget its pending offer."""
        klass = self.classes.get(session)
        device = klass.devices.pop(connection, None) if klass is not None else None
        if klass is None or device is None:
            return
        klass.director.remove_viewer(connection)
        for transport in (device.publish, device.subscribe):
            if transport is not None:
                self.close_transport(klass, transport)
        self.refresh(session)

    # Transports.

    def shard_for_viewer(self, klass: Class) -> int:
        """Where one more viewer of this class is served."""
        now, devices = self.clock(), klass.devices.values()
        # Who comes in a crowd was offered a place long before the transport is up.
        offered = Counter(shard for device in devices if (shard := device.offered(now)) is not None)
        if offered.total() + sum(device.subscribe is not None for device in devices) < AT_HOME:
            return klass.home
        return min(range(len(self.viewers)), key=lambda shard: self.viewers[shard] + offered[shard])

    def mint(self, shard: int) -> ServerTransport:
        """A new media ticket; raises Rejected("overloaded") while the engine is behind with its commands."""
        if self.ring.busy:
            self.counts["refused_busy"] += 1
            raise Rejected("overloaded")
        return ServerTransport(
            ufrag=secrets.token_hex(8),
            pwd=secrets.token_hex(16),
            fingerprint=self.engine.fingerprint,
            addresses=self._announced,
            udp_port=self.engine.udp_ports[shard],
            tcp_port=self.engine.tcp_port,
            session=str(secrets.randbits(62)),
        )

    def open_in_class(
        self,
        klass: Class,
        connection: str,
        side: Side,
        shard: int,
        server: ServerTransport,
        remote: RemoteTransport,
        extensions: Mapping[str, int],
    ) -> Transport:
        """Expect this connection's transport."""
        if not klass.opened:
            klass.opened = True
            self.do(self.engine.open_room, klass.id, AUDIO_SLOTS, home=klass.home)
        peer = self.open_peer(klass.id, shard, server, remote, extensions)
        self.places[peer] = Place(klass.room.id, connection, side)
        if side == "subscribe":
            self.viewers[shard] += 1
        return Transport(peer=peer, shard=shard, remote=remote, server=server, extensions=extensions)

    def forget(self, transport: Transport) -> None:
        """A transport has ended (idempotent)."""
        place = self.places.pop(transport.peer, None)
        if place is not None and place.side == "subscribe":
            self.viewers[transport.shard] -= 1
        for slot in transport.mids:
            self.slots.pop(slot, None)

    def open_peer(
        self,
        room: int,
        shard: int,
        server: ServerTransport,
        remote: RemoteTransport,
        extensions: Mapping[str, int],
        expires_ms: int = 60_000,
    ) -> int:
        """Expect one transport in a room of the engine; returns its id."""
        peer = self.new_id()
        self.do(
            self.engine.open_peer,
            peer,
            room,
            shard=shard,
            local_ufrag=server.ufrag,
            local_pwd=server.pwd,
            remote_ufrag=remote.ufrag,
            remote_pwd=remote.pwd,
            fingerprint=remote.fingerprint,
            extensions=dict(extensions),
            expires_ms=expires_ms,
        )
        return peer

    def restart(self, transport: Transport, server: ServerTransport, remote: RemoteTransport) -> None:
        """New credentials for an open transport (RFC 8445 section 9)."""
        self.counts["ice_restarts"] += 1
        transport.server, transport.remote = server, remote
        self.do(
            self.engine.restart_ice,
            transport.peer,
            local_ufrag=server.ufrag,
            local_pwd=server.pwd,
            remote_ufrag=remote.ufrag,
            remote_pwd=remote.pwd,
        )

    def close_transport(self, klass: Class, transport: Transport) -> None:
        """End one transport and what it carries."""
        self.forget(transport)
        self.do(self.engine.close_peer, transport.peer)
        ids = [id for id, _ in transport.tracks.values()]
        if ids:
            self.carry_out(klass, klass.director.remove_tracks(klass.room, ids))
            self.refresh(klass.room.id)

    def receiver(self, peer: int | None) -> Transport | None:
        """The receiving transport of this number, if it is open."""
        place = self.places.get(peer or 0)
        klass = self.classes.get(place.session) if place is not None else None
        device = klass.devices.get(place.connection) if klass is not None and place is not None else None
        return device.subscribe if device is not None and device.subscribe is not None and device.subscribe.peer == peer else None

    # Carrying out.

    def carry_out(self, klass: Class, directives: Iterable[Directive]) -> None:
        """Do what the director says, in this order; one that fails costs no other, for the director takes them all as done."""
        for directive in directives:
            try:
                self._carry_out_one(klass.room.id, directive)
            except Exception:
                self.counts["directives_failed"] += 1
                log.exception("a directive failed", extra={"session": klass.room.id, "type": type(directive).__name__})

    def _carry_out_one(self, session: SessionId, directive: Directive) -> None:
        match directive:
            case Permit(track=track, allowed=allowed, priority=priority):
                self.do(self.engine.set_track, track, allowed=allowed, priority=priority)
            case Play(slot=slot, track=played):
                self.do(self.engine.assign, slot, played)
                # What was told was of the picture before; of this one the engine tells anew.
                if (transport := self.receiver(self.slots.get(slot))) is not None:
                    transport.layers.pop(transport.mids[slot], None)
            case Limit(slot=slot, layer=layer):
                self.do(self.engine.limit_slot, slot, layer)
            case Own(peer=peer, tracks=tracks):
                self.do(self.engine.own_tracks, peer, tracks)
            case Tell(connection=connection, slots=slots):
                self.signals.to_connection(session, connection, {"type": "slots", "slots": list(slots)})
            case Drop(connection=connection):
                self.drop(session, connection)

    def refresh(self, session: SessionId) -> None:
        """Bring a portion of the viewers up to date, and the rest in the loop's next turns; a room ahead of the log is waited for."""
        klass = self.classes.get(session)
        if klass is not None:
            self.tracks_changed(klass)
        if session not in self._refreshing:
            self._refreshing.add(session)
            self._refresh_some(session)

    def _refresh_some(self, session: SessionId) -> None:
        klass = self.classes.get(session)
        if klass is not None and klass.settled and not self.closed:
            pause = PORTION_S
            if not self.ring.busy:
                try:
                    self.carry_out(klass, klass.director.refresh(klass.room))
                except Exception:
                    self.counts["refreshes_failed"] += 1
                    log.exception("viewers were not brought up to date", extra={"session": session})
                    pause = PAUSE_S  # what fails each time is not logged 500 times a second
            if klass.director.behind:
                self.loop.call_later(pause, self._refresh_some, session)
                return
        self._refreshing.discard(session)

    # Telling.

    def tell(self, peer: int, signal: dict[str, Any]) -> None:
        """Tell the connection whose transport this is, with the side it is of."""
        place = self.places.get(peer)
        if place is not None:
            self.signals.to_connection(place.session, place.connection, signal | {"side": place.side})
