"""The door for clients: who may open a connection, which connections belong to which class, and what each is told when.

It answers the upgrade, keeps one `Group` per class, and follows the runners: publishes what they stored, moves people between lanes, shows
out whoever was sent away. It is also the `Signals` port. Limits: connections in all, connections that have not said CONNECT yet (each has
`CONNECT_S`), media requests under way.
"""

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from signaling import packets
from signaling.classroom.audience import can_resume, lane_of, relocated, view_for
from signaling.classroom.errors import CODES
from signaling.classroom.ids import ConnectionId, Millis, ParticipantId, SessionId
from signaling.classroom.participants import ConnectionClosed
from signaling.classroom.polls import PollAnswered, PollOpened
from signaling.classroom.reactions import Reacted
from signaling.classroom.room import Room
from signaling.classroom.seats import Seat
from signaling.classroom.session import ClassEnded
from signaling.classroom.settings import Phase
from signaling.client import Allowance, Client, State
from signaling.entries import Entry
from signaling.fanout import WINDOW_S, Group, Viewer, Writer, tell, tell_latest
from signaling.hub import Hub
from signaling.loop import Probe
from signaling.messages import Welcome
from signaling.outbound import BEHIND_S, STALLED_S, Laggards, Outbound
from signaling.ports import Clock, Seats, SendMany
from signaling.runner import Reply, Runner
from signaling.signals import INSIDE, STAFF
from signaling.transport import Connection, Limits, Refused, Upgraded, Wheel, check_upgrade, opening, upgrade

log = logging.getLogger("jiangtai.gateway")

CONNECT_S: Final = 5.0
MAX_CONNECTIONS: Final = 20_000
MAX_UNCONNECTED: Final = 5_000
MEDIA_AT_ONCE: Final = 32
TYPING_UP_TO: Final = 50
#: connections shown out per turn of the event loop
_DISMISS: Final = 100
_LAST_LOOK_S: Final = 0.5


class Gateway:
    """See the module. `handle` is the aiohttp handler; start before serving, stop after."""

    def __init__(
        self,
        *,
        hub: Hub,
        seats: Seats,
        send_many: SendMany | None,
        origins: Sequence[str],
        clock: Clock,
        limits: Limits | None = None,
        ping_s: float = 25.0,
        missed_pings: int = 1,
        connect_s: float = CONNECT_S,
        window_s: float = WINDOW_S,
        stalled_s: float = STALLED_S,
        behind_s: float = BEHIND_S,
    ) -> None:
        """origins: further origins, as "https://host[:port]", whose pages may connect; the node's own always may."""
        self.hub = hub
        self.seats = seats
        self.counters = hub.counters
        self._origins = frozenset(origins)
        self._clock = clock
        self._limits = limits or Limits()
        self._ping_s = ping_s
        self._missed_pings = missed_pings
        self._connect_s = connect_s
        self._window_s = window_s
        self._stalled_s = stalled_s
        self._behind_s = behind_s
        self._groups: dict[SessionId, Group] = {}
        self._clients: dict[Connection, Client] = {}
        self._unconnected: dict[Client, None] = {}
        self._inside: dict[str, Client] = {}
        self._tabs: dict[tuple[SessionId, ParticipantId, str], Client] = {}
        self._allowances: dict[tuple[SessionId, ParticipantId], Allowance] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._send_many = send_many
        self._timer: asyncio.TimerHandle | None = None
        self.media_places = asyncio.Semaphore(MEDIA_AT_ONCE)
        hub.follower = self

    async def start(self) -> None:
        """Begin the heartbeats; on the loop that will serve."""
        self.loop = asyncio.get_running_loop()
        self._laggards = Laggards(self.counters, stalled_s=self._stalled_s, behind_s=self._behind_s)
        self._laggards.ask = self._catch_up
        self._laggards.give_up = lambda out: self._clients[cast(Connection, out)].dismiss("overloaded", "lost")
        self._writer = Writer(self.counters, self._send_many, self._laggards)
        self._wheel = Wheel(
            self._ping,
            interval_s=self._ping_s,
            missed=self._missed_pings,
        )
        self._wheel.start()
        self._probe = Probe(self.counters.loop_late_seconds)
        self._sweep()

    async def stop(self) -> None:
        """Show everybody out and wait until the sockets are closed."""
        self._wheel.stop()
        self._probe.stop()
        if self._timer is not None:
            self._timer.cancel()
        for client in list(self._clients.values()):
            client.dismiss("draining")
        ends = [connection.ended for connection in self._clients]
        if ends:
            await asyncio.wait(ends, timeout=2.0)
        for connection in list(self._clients):
            connection.transport.abort()
        for task in list(self._tasks):
            task.cancel()

    # ---- the door ----

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """GET /rt/: upgrade and serve until the connection ends."""
        try:
            accept = check_upgrade(request)
            self._check_origin(request)
            self._check_room()
            connection = upgrade(request, accept, self._laggards, self._limits)
        except Refused as refusal:
            self.counters.refused_handshakes += 1
            return web.Response(status=refusal.status, text=str(refusal), headers={hdrs.CONNECTION: "close"})
        client = Client(self, connection, (dict(request.cookies), dict(request.headers)))
        client.connected_by = self.loop.time() + self._connect_s
        self._clients[connection] = client
        self._unconnected[client] = None
        self.counters.connections = len(self._clients)
        self._wheel.add(connection)
        connection.send(opening(client.id, interval_s=self._ping_s, timeout_s=self._ping_s * self._missed_pings, limits=self._limits))
        connection.begin(request, client)
        try:
            await connection.ended
        finally:
            connection.transport.abort()
            connection.feed_eof()
        return Upgraded()

    def _check_origin(self, request: web.Request) -> None:
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None:
            if not request.headers.get(hdrs.AUTHORIZATION, "").startswith("Bearer "):
                raise Refused(HTTPStatus.FORBIDDEN, "no origin")
            return
        parts = urlsplit(origin)
        own = parts.scheme in ("http", "https") and parts.netloc == request.host and not parts.path
        if not own and origin not in self._origins:
            raise Refused(HTTPStatus.FORBIDDEN, "foreign origin")

    def _check_room(self) -> None:
        if len(self._clients) >= MAX_CONNECTIONS or len(self._unconnected) >= MAX_UNCONNECTED:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "full")

    def _sweep(self) -> None:
        """End connections that never said CONNECT, oldest first."""
        now = self.loop.time()
        for client in list(self._unconnected):
            if client.connected_by > now:
                break
            del self._unconnected[client]
            if client.state is State.NEW:
                self.counters.late_connects += 1
                client.leave("lost")
        self._timer = self.loop.call_later(min(0.5, self._connect_s / 2), self._sweep)

    # ---- for clients ----

    def gone(self, client: Client) -> str | None:
        """What ended a connection behind our back, as a code: in the turn in which it was journaled nobody looked for it here."""
        room = client.runner.room
        if client.session not in self._groups:
            return "draining"
        if room.phase is Phase.ENDED:
            return "class_ended"
        person = room.participants.get(client.participant)
        return None if person is not None and client.id in person.connections else _shut_out(room, client.participant)

    def admit(self, client: Client, resume: packets.Resume | None) -> None:
        """A connection has been journaled: show it the class. Called between turns."""
        self.counters.joins += 1
        self.counters.join_seconds.add(self.loop.time() - client.connected_by + self._connect_s)
        self._unconnected.pop(client, None)
        group, room = self._groups[client.session], client.runner.room
        client.lane = lane_of(room, client.participant)
        missed = None
        if resume is not None and resume.epoch == client.runner.epoch and can_resume(room, client.participant, resume.seq):
            missed = group.replay(client, resume.seq)
        if missed is None:
            client.out.send(self._welcome(client, room), room.seq)
        else:
            self.counters.resumed += 1
            client.out.send(self._welcome(client, None))
            client.out.send(missed, group.top)
        group.enter(client, room.seq)
        self._inside[client.id] = client
        self._tell_standing(group, client)
        self._take_tab(client)

    def allowance(self, client: Client) -> Allowance:
        """The person's share of the rate limits."""
        allowance = self._allowances.setdefault((client.session, client.participant), Allowance())
        allowance.users += 1
        return allowance

    def depart(self, client: Client) -> None:
        """A journaled connection is no longer in its class."""
        inside = self._inside.pop(client.id, None) is not None
        group = self._groups.get(client.session)
        if group is not None:
            group.leave(client)
        self.hub.media.drop(client.session, client.id)
        if client.tab is not None and self._tabs.get((client.session, client.participant, client.tab)) is client:
            del self._tabs[client.session, client.participant, client.tab]
        allowance = self._allowances.get((client.session, client.participant))
        # Who left while coming in has not taken a share.
        if inside and allowance is not None:
            allowance.users -= 1
            if allowance.users <= 0:
                del self._allowances[client.session, client.participant]

    def forget(self, client: Client) -> None:
        """A socket is closed."""
        self._clients.pop(client.out, None)
        self._unconnected.pop(client, None)
        self._wheel.discard(client.out)
        self.counters.connections = len(self._clients)

    def typed(self, client: Client) -> None:
        """Somebody is writing a message."""
        group = self._groups.get(client.session)
        if group is not None and client.lane in INSIDE and client.runner.room.present <= TYPING_UP_TO:
            group.board.typed(client.participant)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something that waits."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def failed(self, what: str, session: SessionId) -> None:
        """Log a defect."""
        log.exception("%s failed", what, extra={"session": session})

    def _tell_standing(self, group: Group, client: Client) -> None:
        standing = group.board.standing(client.lane)
        if standing:
            client.out.send(packets.encode_event("signals", standing))

    def _take_tab(self, client: Client) -> None:
        if client.tab is not None:
            former = self._tabs.get((client.session, client.participant, client.tab))
            self._tabs[client.session, client.participant, client.tab] = client
            if former is not None and former is not client:
                former.dismiss("replaced", "replaced")

    def _ping(self, alive: Sequence[Connection], frame: bytes) -> None:
        """Everybody gets it, slow readers in their turn: without any the other side gives up."""
        for connection in alive:
            if connection.lagging:
                connection.send(frame)
        self._writer.write(self._writer.sort([each for each in alive if not each.lagging]), frame, None)

    def _welcome(self, client: Client, room: Room | None) -> bytes:
        snapshot = view_for(room, client.participant) if room is not None else None
        if snapshot is not None:
            self.counters.snapshots_sent += 1
        welcome = Welcome(epoch=client.runner.epoch, connection=client.id, now=self._clock(), snapshot=snapshot, resumed=snapshot is None)
        return packets.encode_event("welcome", welcome)

    def _catch_up(self, out: Outbound) -> None:
        """A connection that is behind has drained: send what it missed, or the class anew."""
        client = self._clients.get(cast(Connection, out))
        if client is None or client.state is not State.IN:
            return
        group = self._groups[client.session]
        missed = group.replay(client, out.position)
        if missed is not None:
            out.catch_up(missed, group.top)
        else:
            client.runner.submit(None, None, None, lambda reply: self._show_again(client, reply))

    def _show_again(self, client: Client, reply: Reply) -> None:
        """Called between turns, a few at a time; refused, when the room may not be what the journal says: then it is asked for again."""
        if reply.error is not None:
            client.out.catching_up = False
            return
        group = self._groups.get(client.session)
        if client.state is State.IN and group is not None:
            client.out.catch_up(self._welcome(client, client.runner.room), client.runner.room.seq)
            self._tell_standing(group, client)

    # ---- runner.Follower ----

    def opened(self, runner: Runner, recent: Sequence[Entry]) -> None:
        """See runner.Follower."""
        group = self._groups.get(runner.session)
        if group is None:
            group = self._groups[runner.session] = Group(self._writer, self.counters, window_s=self._window_s)
        group.seed(recent, runner.room.seq)
        for client in (cast(Client, viewer) for viewer in group.viewers()):
            self._look_again(group, client)
        group.board.present(runner.room)

    def published(self, runner: Runner, entries: Sequence[Entry]) -> None:
        """See runner.Follower."""
        group, room = self._groups.get(runner.session), runner.room
        if group is None:  # everybody has been shown out already
            return
        for participant in dict.fromkeys(filter(None, (relocated(entry.event) for entry in entries))):
            self._relocate(group, room, participant)
        for entry in entries:
            if isinstance(entry.event, ConnectionClosed):
                self._closed_by_class(group, entry.event)
            elif isinstance(entry.event, Reacted):
                group.board.reacted(entry.event.reaction)
        group.publish(entries)
        group.board.present(room)
        if any(isinstance(entry.event, PollAnswered | PollOpened) for entry in entries):
            group.board.tally(room)
        if any(isinstance(entry.event, ClassEnded) for entry in entries):
            group.flush()
            self.loop.call_later(_LAST_LOOK_S, self._dismiss, group.viewers(), "class_ended")

    def closed(self, runner: Runner, code: str) -> None:
        """See runner.Follower."""
        group = self._groups.pop(runner.session, None)
        if group is not None:
            group.stop()
            for viewer in group.viewers():
                cast(Client, viewer).dismiss(code)

    def viewers(self, session: SessionId, participant: ParticipantId | None = None) -> list[Viewer]:
        """Connections of a class, or of one person in it."""
        group = self._groups.get(session)
        return group.viewers(participant) if group is not None else []

    def silent(self, session: SessionId, for_s: float) -> dict[ConnectionId, float]:
        """Connections of a class that showed no life for that long: how many seconds ago each last did."""
        now = self.loop.time()
        group = self._groups.get(session)
        clients = (cast(Client, viewer) for viewer in (group.viewers() if group is not None else ()))
        return {client.id: now - client.out.heard_at for client in clients if now - client.out.heard_at > for_s}

    def ago(self, loop_time: float) -> Millis:
        """Server time of a moment of the event loop's clock."""
        return self._clock() - int((self.loop.time() - loop_time) * 1_000)

    def revoke(self, session: SessionId, participant: ParticipantId, code: str = "unauthenticated", *, seat: str | None = None) -> None:
        """A person's seats, or this one, were taken away: end their connections in this class now."""
        group = self._groups.get(session)
        if group is not None:
            viewers = group.viewers(participant)
            self._dismiss([one for one in viewers if seat is None or cast(Client, one).grant.seat == seat], code)

    def _relocate(self, group: Group, room: Room, participant: ParticipantId) -> None:
        lane = lane_of(room, participant)
        for viewer in group.viewers(participant):
            client = cast(Client, viewer)
            if lane == "out":
                client.dismiss(_shut_out(room, participant))
            else:
                group.move(client, lane)

    def _look_again(self, group: Group, client: Client) -> None:
        """Whatever was not told of a person may have been that they are out, or see the class from another lane."""
        gone = self.gone(client)
        if gone is not None:
            client.dismiss(gone)
        else:
            group.move(client, lane_of(client.runner.room, client.participant))

    def _closed_by_class(self, group: Group, event: ConnectionClosed) -> None:
        for viewer in group.viewers(event.participant):
            if viewer.id == event.connection:
                code = event.reason if event.reason in CODES else None
                if code is not None:
                    cast(Client, viewer).dismiss(code, event.reason)
                else:
                    # Once the answers of this turn are out: who asked to leave is told that it is done.
                    self.loop.call_soon(cast(Client, viewer).leave, event.reason, packets.encode_disconnect())

    def _dismiss(self, viewers: Sequence[Viewer], code: str) -> None:
        for viewer in viewers[:_DISMISS]:
            cast(Client, viewer).dismiss(code)
        if len(viewers) > _DISMISS:
            self.loop.call_soon(self._dismiss, viewers[_DISMISS:], code)

    # ---- ports.Signals ----

    def to_all(self, session: SessionId, signal: Mapping[str, Any]) -> None:
        """See ports.Signals."""
        if (group := self._groups.get(session)) is not None:
            group.board.put(INSIDE, signal, _key(signal))

    def to_staff(self, session: SessionId, signal: Mapping[str, Any]) -> None:
        """See ports.Signals."""
        if (group := self._groups.get(session)) is not None:
            group.board.put(STAFF, signal, _key(signal))

    def to_participant(self, session: SessionId, participant: ParticipantId, signal: Mapping[str, Any]) -> None:
        """See ports.Signals."""
        if (group := self._groups.get(session)) is not None:
            tell_latest(group.viewers(participant), signal)

    def to_connection(self, session: SessionId, connection: str, signal: Mapping[str, Any]) -> None:
        """See ports.Signals."""
        client = self._inside.get(connection)
        if client is not None and client.session == session:
            tell(client, signal)


def _key(signal: Mapping[str, Any]) -> str:
    """Tells signals of one type about different people apart."""
    return str(signal.get("participant", ""))


def _shut_out(room: Room, participant: ParticipantId) -> str:
    """Why a person is out, as a code."""
    person = room.participants.get(participant)
    seat = person.seat if person is not None else Seat.REMOVED
    return seat.value if seat in (Seat.DECLINED, Seat.BANNED) else "not_admitted"
