"""NativePlane: the forwarding engine behind the MediaPlane port. The only importer of `media._engine`.

It owns ids, transports and their bounds; `director` decides who is forwarded to whom, `negotiation` speaks SDP, this file carries out.

Media tickets. A transport is entered with its ICE credentials: a random 128-bit password and user fragment, minted per transport after
the caller's right to the class was checked. They work once (an answered offer, one DTLS association whose certificate must have the
fingerprint named in the same exchange), for one seat in one class, and expire after 60 s unless DTLS completes; removal, decline, leaving
and the end of the class close the transport and forget pending ones at once. There is nothing else to steal, sign or store.

Bounds: two transports per connection, three connections with media per person, 25 tiles per viewer, 50 network checks at a time, 60 s for
an offer to be answered; nothing new is opened while the engine is behind with its commands (media/ring.py).
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from media._engine import Engine  # noqa: TID251 - this is the one place
from media._engine import send_many as send_many  # noqa: TID251 - handed to the gateway by the server
from media.devices import AUDIO_SLOTS, Class, Device, Pending, Transport, plan_slots
from media.director import Directive, Drop, Own, Permit, Play, Slot, Tell, Track, Viewer, may_publish, may_receive
from media.negotiation import (
    PublishPlan,
    SlotOffer,
    SubscribePlan,
    TrackPlan,
    answer_check,
    answer_publish,
    offer_subscribe,
    read_subscribe_answer,
)
from media.quality import Report, score
from media.requests import read_people, read_sdp, read_tiles, read_tracks
from media.ring import CommandRing
from media.transport import RemoteTransport, ServerTransport
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import ParticipantId, SessionId
from signaling.classroom.participants import ConnectionClosed
from signaling.classroom.settings import Phase
from signaling.ports import Clock, Signals

if TYPE_CHECKING:
    from media._engine import Event  # noqa: TID251

MAX_DEVICES: Final = 3
MAX_CHECKS: Final = 50
CHECK_MS: Final = 30_000
TICKET_MS: Final = 60_000
SPEAKERS_MS: Final = 200
QUALITY_MS: Final = 2_000
_CHECK_ROOM: Final = 1


class NativePlane:
    """MediaPlane over the native engine. Everything runs on the event loop's thread and returns without waiting."""

    def __init__(
        self,
        *,
        bind: str,
        udp_ports: Sequence[int],
        tcp_port: int | None,
        announced: Sequence[str],
        signals: Signals,
        clock: Clock,
    ) -> None:
        """Bind the ports (0 = any; tcp_port None = no TCP) and listen to the engine on the running loop.

        `announced` are the addresses written into candidates, most preferred first. Raises OSError if a port cannot be bound.
        """
        self._engine = Engine(bind=bind, udp_ports=udp_ports, tcp_port=tcp_port)
        self._announced = tuple(announced)
        self._signals = signals
        self._clock = clock
        self._classes: dict[SessionId, Class] = {}
        self._rooms: dict[int, SessionId] = {}
        #: peer -> (class, connection, side); a check has no class
        self._peers: dict[int, tuple[SessionId, str, str]] = {}
        self._checks: dict[int, asyncio.TimerHandle] = {}
        self._next = _CHECK_ROOM
        self._counts: Counter[str] = Counter()
        self._refreshing: set[SessionId] = set()
        self._loop = asyncio.get_running_loop()
        self._ring = CommandRing(self._loop)
        self._do = self._ring.put
        self._loop.add_reader(self._engine.event_fd, self._listen)
        self._do(self._engine.open_room, _CHECK_ROOM, 0)
        self._closed = False

    @property
    def udp_ports(self) -> list[int]:
        return self._engine.udp_ports

    @property
    def tcp_port(self) -> int | None:
        return self._engine.tcp_port

    # MediaPlane.

    async def publish(
        self, session: SessionId, participant: ParticipantId, connection: str, request: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Answer a publisher's offer: first, changed (same connection of the browser) or after an ICE restart."""
        klass = self._admitted(session, participant, connection)
        if not may_publish(klass.room, participant):
            raise Rejected("not_allowed")
        offer, tracks = read_sdp(request), read_tracks(request)
        device = self._device(klass, participant, connection)
        fresh = self._mint(klass)
        sdp, plan = answer_publish(offer, tracks, fresh)
        klass.devices[connection] = device
        old = device.publish
        if old is None or not old.remote.same_connection(plan.remote):
            device.publish = self._open_publisher(klass, participant, connection, fresh, plan)
            if old is not None:
                self._close_transport(klass, old)
            return {"sdp": sdp}
        restart = plan.remote.ufrag != old.remote.ufrag
        server = (fresh if restart else old.server).after(old.server)
        sdp, plan = answer_publish(offer, tracks, server, known=old.extensions)
        if restart:
            self._restart(old.peer, server, plan.remote)
        self._change_tracks(klass, participant, connection, old, plan)
        old.server, old.remote = server, plan.remote
        return {"sdp": sdp}

    async def subscribe(
        self, session: SessionId, participant: ParticipantId, connection: str, request: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Offer, take the answer, renew, or choose who is shown."""
        klass = self._admitted(session, participant, connection)
        match request.get("action"):
            case "offer":
                device = self._device(klass, participant, connection)
                slots, server = plan_slots(read_tiles(request)), self._mint(klass)
                klass.devices[connection] = device
                return self._await_answer(device, server, slots, restart=False)
            case "restart":
                return self._offer_restart(klass, klass.devices.get(connection))
            case "answer":
                self._take_answer(klass, connection, klass.devices.get(connection), read_sdp(request))
            case "show":
                self._show(klass, connection, read_people(request))
            case _:
                raise Rejected("bad_message")
        return {}

    def follow(self, session: SessionId, room: Any, event: Any) -> None:
        """Adjust rights and places to a journaled event; `room` is kept as the class's state."""
        if room.phase is Phase.ENDED:
            self.close(session)
            return
        klass = self._classes.get(session)
        if klass is None:
            self._next += 1
            klass = self._classes[session] = Class(room=room, id=self._next, shard=self._next % len(self._engine.udp_ports))
            self._rooms[klass.id] = session
        klass.room = room
        if isinstance(event, ConnectionClosed):
            self.drop(session, event.connection)
        touched = getattr(event, "participant", None)
        if klass.devices:
            self._carry_out(klass, klass.director.follow(room, touched if isinstance(touched, str) else None))
            self._refresh(session)

    def drop(self, session: SessionId, connection: str) -> None:
        """Close all transports of a connection and forget its pending offer."""
        klass = self._classes.get(session)
        device = klass.devices.pop(connection, None) if klass is not None else None
        if klass is None or device is None:
            return
        klass.director.remove_viewer(connection)
        for transport in (device.publish, device.subscribe):
            if transport is not None:
                self._close_transport(klass, transport)
        self._refresh(session)

    def close(self, session: SessionId) -> None:
        """The class is over: every transport in it ends."""
        klass = self._classes.pop(session, None)
        if klass is None:
            return
        del self._rooms[klass.id]
        for device in klass.devices.values():
            for transport in (device.publish, device.subscribe):
                if transport is not None:
                    self._peers.pop(transport.peer, None)
        if klass.opened:
            self._do(self._engine.close_room, klass.id)

    # Beside the port.

    async def check(self, offer: str) -> str:
        """Answer a network check: a transport over the real media path that carries nothing and ends after 30 s.

        Raises Rejected("overloaded") beyond 50 at a time.
        """
        if len(self._checks) >= MAX_CHECKS or self._ring.busy:
            raise Rejected("overloaded")
        shard = self._next % len(self._engine.udp_ports)
        server = self._credentials(shard)
        sdp, remote = answer_check(offer, server)
        peer = self._open_peer(_CHECK_ROOM, shard, server, remote, {}, CHECK_MS)
        self._checks[peer] = self._loop.call_later(CHECK_MS / 1000, self._end_check, peer)
        return sdp

    def metrics(self) -> dict[str, int]:
        """The engine's counters and this file's."""
        own = {
            "classes": len(self._classes),
            "devices": sum(len(klass.devices) for klass in self._classes.values()),
            "checks": len(self._checks),
            "commands_waiting": len(self._ring),
            "commands_lost": self._ring.lost,
        }
        return self._engine.metrics() | own | self._counts

    def stop(self) -> None:
        """Close everything (idempotent)."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._engine.event_fd)
        for timer in self._checks.values():
            timer.cancel()
        self._ring.close()
        self._engine.close()

    # Rights and bounds.

    def _admitted(self, session: SessionId, participant: ParticipantId, connection: str) -> Class:
        """The class, if this person may have media in it on this connection, which must still be open: a request may outlive it."""
        klass = self._classes.get(session)
        if klass is None or self._closed:
            raise Rejected("media_unavailable")
        if not may_receive(klass.room, participant) or connection not in klass.room.participants[participant].connections:
            raise Rejected("not_admitted")
        return klass

    def _device(self, klass: Class, participant: ParticipantId, connection: str) -> Device:
        """The device of this connection, or a new one, not yet kept, if the person has less than three."""
        device = klass.devices.get(connection)
        if device is not None:
            return device
        if sum(other.participant == participant for other in klass.devices.values()) >= MAX_DEVICES:
            raise Rejected("too_many")
        return Device(participant=participant)

    def _mint(self, klass: Class) -> ServerTransport:
        if self._ring.busy:
            raise Rejected("overloaded")
        return self._credentials(klass.shard)

    def _credentials(self, shard: int) -> ServerTransport:
        """A new media ticket."""
        return ServerTransport(
            ufrag=secrets.token_hex(8),
            pwd=secrets.token_hex(16),
            fingerprint=self._engine.fingerprint,
            addresses=self._announced,
            udp_port=self._engine.udp_ports[shard],
            tcp_port=self._engine.tcp_port,
            session=str(secrets.randbits(62)),
        )

    # Publishing.

    def _open_publisher(
        self, klass: Class, participant: ParticipantId, connection: str, server: ServerTransport, plan: PublishPlan
    ) -> Transport:
        peer = self._open_in_class(klass, connection, "publish", server, plan.remote, plan.extensions)
        transport = Transport(peer=peer, remote=plan.remote, server=server, extensions=plan.extensions)
        self._add_tracks(klass, participant, connection, transport, plan.tracks)
        return transport

    def _add_tracks(
        self, klass: Class, participant: ParticipantId, connection: str, transport: Transport, plans: Iterable[TrackPlan]
    ) -> None:
        added = []
        for plan in plans:
            track = self._new_id()
            transport.tracks[plan.mid] = (track, plan)
            added.append(Track(id=track, participant=participant, connection=connection, source=plan.source))
            self._do(
                self._engine.add_track,
                track,
                transport.peer,
                kind=plan.kind,
                mid=plan.mid,
                ssrcs=plan.ssrcs,
                codecs=plan.codecs,
                allowed=False,
            )
        self._carry_out(klass, klass.director.add_tracks(klass.room, added))
        self._carry_out(klass, klass.director.own(participant))
        self._refresh(klass.room.id)

    def _change_tracks(self, klass: Class, participant: ParticipantId, connection: str, transport: Transport, plan: PublishPlan) -> None:
        """A later offer on the same transport: what changed is replaced, what stayed goes on."""
        wanted = {track.mid: track for track in plan.tracks}
        gone = [(mid, id) for mid, (id, old) in transport.tracks.items() if wanted.get(mid) != old]
        for mid, _ in gone:
            del transport.tracks[mid]
        self._remove_tracks(klass, [id for _, id in gone])
        self._add_tracks(klass, participant, connection, transport, [track for mid, track in wanted.items() if mid not in transport.tracks])

    def _remove_tracks(self, klass: Class, ids: Sequence[int]) -> None:
        for id in ids:
            self._do(self._engine.remove_track, id)
        self._carry_out(klass, klass.director.remove_tracks(klass.room, ids))

    # Receiving.

    def _offer_restart(self, klass: Class, device: Device | None) -> Mapping[str, Any]:
        if device is None or device.subscribe is None:
            raise Rejected("media_unavailable")
        old = device.subscribe
        return self._await_answer(device, self._mint(klass).after(old.server), old.slots, restart=True)

    def _await_answer(self, device: Device, server: ServerTransport, slots: Sequence[SlotOffer], *, restart: bool) -> Mapping[str, Any]:
        device.pending = Pending(server=server, slots=slots, expires=self._clock() + TICKET_MS, restart=restart)
        described = [{"mid": slot.mid, "kind": slot.kind, "use": slot.use} for slot in slots]
        return {"sdp": offer_subscribe(slots, server), "slots": described}

    def _take_answer(self, klass: Class, connection: str, device: Device | None, sdp: str) -> None:
        if device is None or device.pending is None or device.pending.expires <= self._clock():
            raise Rejected("media_unavailable")
        pending = device.pending
        plan = read_subscribe_answer(sdp, pending.slots)
        device.pending = None
        old = device.subscribe
        if pending.restart:
            if old is None or not old.remote.same_connection(plan.remote):
                raise Rejected("bad_sdp")
            self._restart(old.peer, pending.server, plan.remote)
            old.server, old.remote = pending.server, plan.remote
            return
        if old is not None:
            klass.director.remove_viewer(connection)
            self._close_transport(klass, old)
        device.subscribe = self._open_viewer(klass, connection, device.participant, pending, plan)

    def _open_viewer(self, klass: Class, connection: str, participant: ParticipantId, pending: Pending, plan: SubscribePlan) -> Transport:
        peer = self._open_in_class(klass, connection, "subscribe", pending.server, plan.remote, plan.extensions)
        transport = Transport(peer=peer, remote=plan.remote, server=pending.server, extensions=plan.extensions, slots=pending.slots)
        slots = []
        voices = iter(range(AUDIO_SLOTS))
        for offered in pending.slots:
            auto = next(voices) if offered.use == "audio" else None
            if offered.mid not in plan.slots:
                continue
            id = self._new_id()
            slots.append(Slot(id=id, mid=offered.mid, use=offered.use))
            self._do(
                self._engine.add_slot,
                id,
                peer,
                kind=offered.kind,
                mid=offered.mid,
                ssrc=offered.ssrc,
                rtx_ssrc=offered.rtx_ssrc,
                codecs=plan.slots[offered.mid],
                auto=auto,
            )
        viewer = Viewer(participant=participant, connection=connection, peer=peer, slots=slots)
        klass.devices[connection].waiting = viewer
        self._carry_out(klass, [klass.director.own_of(viewer)])
        return transport

    def _show(self, klass: Class, connection: str, people: list[ParticipantId] | None) -> None:
        device = klass.devices.get(connection)
        if device is not None and device.waiting is not None:
            device.waiting.show = None if people is None else tuple(people)
            return
        klass.director.show(connection, people)
        self._refresh(klass.room.id)

    def _connected(self, peer: int) -> None:
        """A receiving transport is up: fill its places."""
        place = self._peers.get(peer)
        klass = self._classes.get(place[0]) if place is not None else None
        device = klass.devices.get(place[1]) if klass is not None and place is not None else None
        if klass is None or device is None or device.waiting is None or device.waiting.peer != peer:
            return
        viewer, device.waiting = device.waiting, None
        self._carry_out(klass, klass.director.add_viewer(viewer))
        self._refresh(klass.room.id)

    # Transports.

    def _open_in_class(
        self, klass: Class, connection: str, side: str, server: ServerTransport, remote: RemoteTransport, extensions: Mapping[str, int]
    ) -> int:
        if not klass.opened:
            klass.opened = True
            self._do(self._engine.open_room, klass.id, AUDIO_SLOTS)
        peer = self._open_peer(klass.id, klass.shard, server, remote, extensions, TICKET_MS)
        self._peers[peer] = (klass.room.id, connection, side)
        return peer

    def _open_peer(
        self, room: int, shard: int, server: ServerTransport, remote: RemoteTransport, extensions: Mapping[str, int], expires_ms: int
    ) -> int:
        peer = self._new_id()
        self._do(
            self._engine.open_peer,
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

    def _restart(self, peer: int, server: ServerTransport, remote: RemoteTransport) -> None:
        self._counts["ice_restarts"] += 1
        self._do(
            self._engine.restart_ice,
            peer,
            local_ufrag=server.ufrag,
            local_pwd=server.pwd,
            remote_ufrag=remote.ufrag,
            remote_pwd=remote.pwd,
        )

    def _close_transport(self, klass: Class, transport: Transport) -> None:
        self._peers.pop(transport.peer, None)
        self._do(self._engine.close_peer, transport.peer)
        ids = [id for id, _ in transport.tracks.values()]
        if ids:
            self._carry_out(klass, klass.director.remove_tracks(klass.room, ids))
            self._refresh(klass.room.id)

    def _end_check(self, peer: int) -> None:
        if self._checks.pop(peer, None) is not None:
            self._do(self._engine.close_peer, peer)

    # Carrying out.

    def _carry_out(self, klass: Class, directives: Iterable[Directive]) -> None:
        session = klass.room.id
        for directive in directives:
            match directive:
                case Permit(track=track, allowed=allowed, priority=priority):
                    self._do(self._engine.set_track, track, allowed=allowed, priority=priority)
                case Play(slot=slot, track=played):
                    self._do(self._engine.assign, slot, played)
                case Own(peer=peer, tracks=tracks):
                    self._do(self._engine.own_tracks, peer, tracks)
                case Tell(connection=connection, slots=slots):
                    self._signals.to_connection(session, connection, {"type": "slots", "slots": list(slots)})
                case Drop(connection=connection):
                    self.drop(session, connection)

    def _refresh(self, session: SessionId) -> None:
        """Bring a portion of the viewers up to date, and the rest in the loop's next turns."""
        if session not in self._refreshing:
            self._refreshing.add(session)
            self._refresh_some(session)

    def _refresh_some(self, session: SessionId) -> None:
        klass = self._classes.get(session)
        if klass is not None and not self._closed:
            if not self._ring.busy:
                self._carry_out(klass, klass.director.refresh(klass.room))
            if klass.director.behind:
                self._loop.call_later(0.002, self._refresh_some, session)
                return
        self._refreshing.discard(session)

    def _new_id(self) -> int:
        self._next += 1
        return self._next

    # Listening.

    def _listen(self) -> None:
        for event in self._engine.drain():
            self._heard(event)

    def _heard(self, event: "Event") -> None:
        match event:
            case ("connected", peer, way):
                self._counts[f"connected_{way}"] += 1
                self._tell_state(peer, {"type": "media", "state": "connected"})
                self._connected(peer)
            case ("closed", peer, reason):
                self._peer_closed(peer, reason)
            case ("speakers", room, levels):
                self._speakers(room, levels)
            case ("audio_slots", room, tracks):
                klass = self._class_of(room)
                if klass is not None:
                    people = [klass.director.person_of(track) for track in tracks]
                    self._signals.to_all(klass.room.id, {"type": "audio", "slots": people})
            case ("quality", peer, rtt, loss_in, loss_out, *_):
                self._grade(peer, Report(rtt_ms=rtt, loss_in=loss_in, loss_out=loss_out))
            case ("violation", _, kind, count):
                self._counts[f"violation_{kind}"] += count
            case ("track", *_):
                self._counts["track_changes"] += 1

    def _class_of(self, room: int) -> Class | None:
        session = self._rooms.get(room)
        return self._classes.get(session) if session is not None else None

    def _tell_state(self, peer: int, signal: dict[str, Any]) -> None:
        place = self._peers.get(peer)
        if place is not None:
            session, connection, side = place
            self._signals.to_connection(session, connection, signal | {"side": side})

    def _peer_closed(self, peer: int, reason: str) -> None:
        self._counts[f"closed_{reason}"] += 1
        timer = self._checks.pop(peer, None)
        if timer is not None:
            timer.cancel()
        self._tell_state(peer, {"type": "media", "state": "closed", "reason": reason})
        place = self._peers.pop(peer, None)
        klass = self._classes.get(place[0]) if place is not None else None
        if place is None or klass is None:
            return
        session, connection, side = place
        device = klass.devices[connection]
        if side == "publish" and device.publish is not None and device.publish.peer == peer:
            ids = [id for id, _ in device.publish.tracks.values()]
            device.publish = None
            self._carry_out(klass, klass.director.remove_tracks(klass.room, ids))
        elif side == "subscribe" and device.subscribe is not None and device.subscribe.peer == peer:
            device.subscribe = device.waiting = None
            klass.director.remove_viewer(connection)
        if device.publish is None and device.subscribe is None and device.pending is None:
            del klass.devices[connection]
        self._refresh(session)

    def _speakers(self, room: int, levels: Sequence[tuple[int, int]]) -> None:
        klass = self._class_of(room)
        now = self._clock()
        if klass is None or (levels and now - klass.spoke_at < SPEAKERS_MS):
            return
        klass.spoke_at = now
        heard = klass.director.heard(levels, now)
        speakers = [{"participant": participant, "level": level} for participant, level in heard]
        self._signals.to_all(klass.room.id, {"type": "speakers", "speakers": speakers})
        self._refresh(klass.room.id)

    def _grade(self, peer: int, report: Report) -> None:
        place = self._peers.get(peer)
        klass = self._classes.get(place[0]) if place is not None else None
        if place is None or klass is None:
            return
        session, connection, side = place
        device = klass.devices[connection]
        device.reports[side] = report
        now = self._clock()
        if now - device.graded_at < QUALITY_MS:
            return
        device.graded_at = now
        grade, rtt, loss = score(device.reports)
        signal = {"type": "quality", "participant": device.participant, "score": grade, "rtt": rtt, "loss": loss}
        self._signals.to_participant(session, device.participant, signal)
        self._signals.to_staff(session, signal)
