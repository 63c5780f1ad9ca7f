"""NativePlane: the forwarding engine behind the MediaPlane port. The only one to start `media._engine`.

It checks rights and bounds; `director` decides who is forwarded to whom, `negotiation` speaks SDP; `publishing`, `receiving` and
`listening` carry out over one `switchboard`.

Media tickets. A transport is entered with its ICE credentials: a random 128-bit password and user fragment, minted per transport after
the caller's right to the class was checked. They work once (an answered offer, one DTLS association whose certificate must have the
fingerprint named in the same exchange), for one seat in one class, and expire after 60 s unless DTLS completes; removal, decline, leaving
and the end of the class close the transport and forget pending ones at once. There is nothing else to steal, sign or store.

Bounds: two transports per connection, three connections with media per person, 25 tiles per viewer, 50 network checks at a time, 60 s for
an offer to be answered.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from media._engine import Engine  # noqa: TID251 - this is the one place
from media._engine import send_many as send_many  # noqa: TID251 - handed to the gateway by the server
from media.codecs import Kind
from media.devices import Class, Device, Transport, plan_player
from media.director import may_publish, may_receive
from media.fragment import read_fragment, write_fragment
from media.journals import free_permille
from media.listening import Listening
from media.negotiation import Source, Use, answer_check, answer_publish, answer_subscribe, media_lines
from media.publishing import Publishing
from media.receiving import TICKET_MS as TICKET_MS
from media.receiving import Receiving
from media.recorder import JournalNews as JournalNews
from media.recorder import Recorder, event_kind
from media.requests import read_heights, read_people, read_sdp, read_sizes, read_tiles, read_tracks
from media.switchboard import Switchboard
from media.transport import ServerTransport
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import ParticipantId, SessionId
from signaling.classroom.participants import ConnectionClosed
from signaling.classroom.settings import Phase
from signaling.classroom.state import Room
from signaling.ports import Clock, Signals

MAX_DEVICES: Final = 3
MAX_CHECKS: Final = 50
CHECK_MS: Final = 30_000
#: of a thousand parts of the disk; with less free no recording begins
FREE_TO_RECORD: Final = 100


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
        failed: Callable[[], None] = lambda: None,
        journals: Path = Path("var/journal"),
        journal_news: Callable[[JournalNews], None] = lambda news: None,
    ) -> None:
        """Bind the ports (0 = any; tcp_port None = no TCP) and listen to the engine on the running loop.

        `announced` are the addresses written into candidates, most preferred first. `failed` is called when the engine lost a thread
        and cannot serve on. Recordings are written below `journals`; `journal_news` hears of their files. Raises OSError, which names the
        port, if one cannot be bound.
        """
        self._engine = Engine(bind=bind, udp_ports=udp_ports, tcp_port=tcp_port)
        self._board = board = Switchboard(self._engine, announced=announced, signals=signals, clock=clock)
        self._publishing = Publishing(board)
        self._receiving = Receiving(board)
        self._checks: dict[int, asyncio.TimerHandle] = {}
        #: told that media reached a person, about every second while it does; must not block
        self.delivered: Callable[[SessionId, ParticipantId], None] = lambda session, participant: None
        self._journals = journals
        self._recorder = Recorder(board, journals, journal_news)
        board.tracks_changed = self._recorder.follow
        self._listening = Listening(
            board, self._receiving, self._recorder, closed=self._check_closed, failed=failed, delivered=self._delivered
        )
        board.loop.add_reader(self._engine.event_fd, self._listening.listen)
        self._check_room = board.new_id()
        board.do(self._engine.open_room, self._check_room, 0)

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
        """Answer a publisher's offer."""
        klass = self._admitted(session, participant, connection)
        if not may_publish(klass.room, participant):
            raise Rejected("not_allowed")
        offer, tracks, heights = read_sdp(request), read_tracks(request), read_heights(request)
        reply = self._publishing.answer(klass, connection, self._device(klass, participant, connection), offer, tracks, heights)
        self._recorder.follow(klass)
        return reply

    async def subscribe(
        self, session: SessionId, participant: ParticipantId, connection: str, request: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Offer, take the answer, renew, choose who is shown, or tell how large."""
        klass = self._admitted(session, participant, connection)
        match request.get("action"):
            case "offer":
                tiles = read_tiles(request)
                return self._receiving.offer(klass, connection, self._device(klass, participant, connection), tiles)
            case "restart":
                return self._receiving.offer_restart(klass, klass.devices.get(connection))
            case "answer":
                self._receiving.take_answer(klass, connection, klass.devices.get(connection), read_sdp(request))
            case "show":
                self._receiving.show(klass, connection, read_people(request))
            case "size":
                self._receiving.size(klass, connection, read_sizes(request))
            case _:
                raise Rejected("bad_message")
        return {}

    def follow(self, session: SessionId, room: Any, event: Any) -> None:
        """Adjust rights and places to a journaled event; `room` is kept as the class's state."""
        if room.phase is Phase.ENDED:
            self.close(session)
            return
        klass = self._board.open_class(room)
        if isinstance(event, ConnectionClosed):
            self.drop(session, event.connection)
        touched = getattr(event, "participant", None)
        if klass.devices:
            self._board.carry_out(klass, klass.director.follow(room, touched if isinstance(touched, str) else None))
            self._board.refresh(session)
        self._recorder.follow(klass)
        self._recorder.note(klass, event_kind(event))

    def hold(self, session: SessionId) -> None:
        """Stand still until a room is given again; what flows goes on."""
        klass = self._board.classes.get(session)
        if klass is not None:
            klass.told = None

    def reload(self, session: SessionId, room: Any) -> None:
        """Bring everybody in line with `room`, which was read anew."""
        if room.phase is Phase.ENDED:
            self.close(session)
            return
        klass = self._board.open_class(room)
        for connection, device in list(klass.devices.items()):
            if not _belongs(room, device.participant, connection):
                self.drop(session, connection)
        for participant in sorted({device.participant for device in klass.devices.values()}):
            self._board.carry_out(klass, klass.director.follow(room, participant))
        self._board.refresh(session)
        self._recorder.follow(klass)

    def drop(self, session: SessionId, connection: str) -> None:
        """Close all transports of a connection and forget its pending offer."""
        self._board.drop(session, connection)

    def close(self, session: SessionId) -> None:
        """The class is over: every transport in it ends."""
        klass = self._board.classes.get(session)
        if klass is not None:
            self._recorder.close(klass)
        self._board.close_class(session)

    # Beside the port: recording.

    def refusal(self) -> str | None:
        """Why no recording can begin now (signaling.ports.Recorder)."""
        return "disk_full" if 0 <= free_permille(self._journals) < FREE_TO_RECORD else None

    # Beside the port: WHIP and WHEP, whose clients say everything in one offer.

    def ingest(
        self, session: SessionId, participant: ParticipantId, connection: str, offer: str, sources: Mapping[Kind, Source]
    ) -> tuple[str, tuple[Source, ...]]:
        """Answer an encoder's offer: at most one m-line of each kind, which carry these sources; those it sends. Raises Rejected."""
        klass = self._admitted(session, participant, connection)
        if not may_publish(klass.room, participant):
            raise Rejected("not_allowed")
        tracks = _tracks(offer, sources)
        device = self._device(klass, participant, connection)
        answer = self._publishing.answer(klass, connection, device, offer, tracks, {}, lowest_first=False)
        self._recorder.follow(klass)
        return str(answer["sdp"]), tuple(tracks.values())

    def play(self, session: SessionId, participant: ParticipantId, connection: str, offer: str, picture: Use) -> str:
        """Answer a player's offer: up to three voices and one picture of this use. Raises Rejected."""
        klass = self._admitted(session, participant, connection)
        return self._receiving.answer(klass, connection, self._device(klass, participant, connection), offer, picture)

    def rehearse_ingest(
        self, session: SessionId, participant: ParticipantId, offer: str, sources: Mapping[Kind, Source]
    ) -> tuple[Source, ...]:
        """What `ingest` would answer to somebody whose connection is not open yet: nothing is kept. Raises Rejected."""
        tracks = _tracks(offer, sources)
        answer_publish(offer, tracks, self._trial(session, participant), lowest_first=False)
        return tuple(tracks.values())

    def rehearse_play(self, session: SessionId, participant: ParticipantId, offer: str, picture: Use) -> None:
        """See `rehearse_ingest`; of `play`."""
        answer_subscribe(offer, plan_player(media_lines(offer, "receives"), picture), self._trial(session, participant))

    def restart(self, session: SessionId, participant: ParticipantId, connection: str, fragment: str) -> str | None:
        """Take an encoder's or player's ICE news: None if they are no restart, else our fragment.

        Raises Rejected; the transport then goes on as it was.
        """
        klass = self._admitted(session, participant, connection)
        transport = self._only_transport(klass, connection)
        if transport is None:
            raise Rejected("media_unavailable")
        ufrag, pwd = read_fragment(fragment)
        if (ufrag, pwd) == (transport.remote.ufrag, transport.remote.pwd):
            return None
        server = self._board.mint(transport.shard).after(transport.server)
        self._board.restart(transport, server, replace(transport.remote, ufrag=ufrag, pwd=pwd))
        return write_fragment(server, transport.bundled)

    def sends(self, session: SessionId, participant: ParticipantId, source: Source) -> bool:
        """Whether any device of this person carries this source."""
        klass = self._board.classes.get(session)
        return klass is not None and klass.director.sends(participant, source)

    def ice_session(self, session: SessionId, connection: str) -> str:
        """What names the ICE session of an encoder or player now: our user fragment; empty when there is none."""
        klass = self._board.classes.get(session)
        transport = self._only_transport(klass, connection) if klass is not None else None
        return transport.server.ufrag if transport is not None else ""

    # Beside the port.

    async def check(self, offer: str) -> str:
        """Answer a network check: a transport over the real media path that carries nothing and ends after 30 s.

        Raises Rejected("overloaded") beyond 50 at a time, or while the engine is behind.
        """
        board = self._board
        if len(self._checks) >= MAX_CHECKS:
            raise Rejected("overloaded")
        shard = board.new_id() % len(self._engine.udp_ports)
        server = board.mint(shard)
        sdp, remote = answer_check(offer, server)
        peer = board.open_peer(self._check_room, shard, server, remote, {}, CHECK_MS)
        self._checks[peer] = board.loop.call_later(CHECK_MS / 1000, self._end_check, peer)
        return sdp

    def metrics(self) -> dict[str, int]:
        """The engine's counters and the plane's own."""
        board = self._board
        own = {
            "classes": len(board.classes),
            "devices": sum(len(klass.devices) for klass in board.classes.values()),
            "checks": len(self._checks),
            "recordings": len(self._recorder),
            "commands_waiting": len(board.ring),
            "commands_lost": board.ring.lost,
            "commands_failed": board.ring.failed,
        }
        return self._engine.metrics() | own | board.counts

    def stop(self) -> None:
        """Close everything (idempotent)."""
        board = self._board
        if board.closed:
            return
        board.closed = True
        board.loop.remove_reader(self._engine.event_fd)
        for timer in self._checks.values():
            timer.cancel()
        board.ring.close()
        self._engine.close()

    # Rights and bounds.

    def _admitted(self, session: SessionId, participant: ParticipantId, connection: str) -> Class:
        """The class, if this person may have media in it on this connection, which must still be open: a request may outlive it."""
        klass = self._board.classes.get(session)
        if klass is None or klass.told is None or self._board.closed:
            raise Rejected("media_unavailable")
        if not _belongs(klass.room, participant, connection):
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

    def _trial(self, session: SessionId, participant: ParticipantId) -> ServerTransport:
        """A ticket that opens nothing, if one more device of this person would get one now."""
        if self._board.closed:
            raise Rejected("media_unavailable")
        klass = self._board.classes.get(session)
        if klass is not None:
            self._device(klass, participant, "")  # no connection has this name
        return self._board.mint(0)

    def _only_transport(self, klass: Class, connection: str) -> Transport | None:
        """The transport of a device that has one."""
        device = klass.devices.get(connection)
        return (device.publish or device.subscribe) if device is not None else None

    def _delivered(self, session: SessionId, participant: ParticipantId) -> None:
        self.delivered(session, participant)

    def _end_check(self, peer: int) -> None:
        if self._checks.pop(peer, None) is not None:
            self._board.do(self._engine.close_peer, peer)

    def _check_closed(self, peer: int) -> None:
        timer = self._checks.pop(peer, None)
        if timer is not None:
            timer.cancel()


def _tracks(offer: str, sources: Mapping[Kind, Source]) -> dict[str, Source]:
    """What each m-line of an encoder carries, by mid; at most one of each kind."""
    tracks: dict[str, Source] = {}
    for mid, kind in media_lines(offer, "sends"):
        if sources[kind] in tracks.values():
            raise Rejected("bad_sdp")
        tracks[mid] = sources[kind]
    return tracks


def _belongs(room: Room, participant: ParticipantId, connection: str) -> bool:
    """Whether this person may have media in the class, on this connection, which is still open."""
    return may_receive(room, participant) and connection in room.participants[participant].connections
