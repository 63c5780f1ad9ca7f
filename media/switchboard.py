"""What all parts of the plane share: classes, devices and transports by id, and the way to the engine.

It opens and closes transports, carries out what `director` directs, and brings viewers up to date in portions. Everything runs on the event
loop's thread and returns without waiting. Nothing new is opened while the engine is behind with its commands (media/ring.py).
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from media.devices import AUDIO_SLOTS, Class, Transport
from media.director import Directive, Drop, Own, Permit, Play, Tell
from media.ring import CommandRing
from media.transport import RemoteTransport, ServerTransport
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import SessionId
from signaling.classroom.state import Room
from signaling.ports import Clock, Signals

if TYPE_CHECKING:
    from media._engine import Engine  # noqa: TID251 - its type alone

Side: TypeAlias = Literal["publish", "subscribe"]


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
        self.counts: Counter[str] = Counter()
        self.closed = False
        self._announced = tuple(announced)
        self._rooms: dict[int, SessionId] = {}
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
            klass = self.classes[room.id] = Class(room=room, id=id, shard=id % len(self.engine.udp_ports))
            self._rooms[id] = room.id
        klass.room = room
        return klass

    def class_of(self, room: int) -> Class | None:
        """The class by the engine's number of its room."""
        session = self._rooms.get(room)
        return self.classes.get(session) if session is not None else None

    def close_class(self, session: SessionId) -> None:
        """The class is over: every transport in it ends."""
        klass = self.classes.pop(session, None)
        if klass is None:
            return
        del self._rooms[klass.id]
        for device in klass.devices.values():
            for transport in (device.publish, device.subscribe):
                if transport is not None:
                    self.places.pop(transport.peer, None)
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

    def mint(self, klass: Class) -> ServerTransport:
        """A media ticket for this class; raises Rejected("overloaded")."""
        if self.ring.busy:
            raise Rejected("overloaded")
        return self.credentials(klass.shard)

    def credentials(self, shard: int) -> ServerTransport:
        """A new media ticket."""
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
        self, klass: Class, connection: str, side: Side, server: ServerTransport, remote: RemoteTransport, extensions: Mapping[str, int]
    ) -> int:
        """Expect this connection's transport; returns the engine's id of it."""
        if not klass.opened:
            klass.opened = True
            self.do(self.engine.open_room, klass.id, AUDIO_SLOTS)
        peer = self.open_peer(klass.id, klass.shard, server, remote, extensions)
        self.places[peer] = Place(klass.room.id, connection, side)
        return peer

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
        self.places.pop(transport.peer, None)
        self.do(self.engine.close_peer, transport.peer)
        ids = [id for id, _ in transport.tracks.values()]
        if ids:
            self.carry_out(klass, klass.director.remove_tracks(klass.room, ids))
            self.refresh(klass.room.id)

    # Carrying out.

    def carry_out(self, klass: Class, directives: Iterable[Directive]) -> None:
        """Do what the director says, in this order."""
        session = klass.room.id
        for directive in directives:
            match directive:
                case Permit(track=track, allowed=allowed, priority=priority):
                    self.do(self.engine.set_track, track, allowed=allowed, priority=priority)
                case Play(slot=slot, track=played):
                    self.do(self.engine.assign, slot, played)
                case Own(peer=peer, tracks=tracks):
                    self.do(self.engine.own_tracks, peer, tracks)
                case Tell(connection=connection, slots=slots):
                    self.signals.to_connection(session, connection, {"type": "slots", "slots": list(slots)})
                case Drop(connection=connection):
                    self.drop(session, connection)

    def refresh(self, session: SessionId) -> None:
        """Bring a portion of the viewers up to date, and the rest in the loop's next turns."""
        if session not in self._refreshing:
            self._refreshing.add(session)
            self._refresh_some(session)

    def _refresh_some(self, session: SessionId) -> None:
        klass = self.classes.get(session)
        if klass is not None and not self.closed:
            if not self.ring.busy:
                self.carry_out(klass, klass.director.refresh(klass.room))
            if klass.director.behind:
                self.loop.call_later(0.002, self._refresh_some, session)
                return
        self._refreshing.discard(session)

    # Telling.

    def tell(self, peer: int, signal: dict[str, Any]) -> None:
        """Tell the connection whose transport this is, with the side it is of."""
        place = self.places.get(peer)
        if place is not None:
            self.signals.to_connection(place.session, place.connection, signal | {"side": place.side})
