"""One connection's conversation: CONNECT, then commands, each answered once and in order.

States: new -> opening (seat and class are looked up, the connection is journaled) -> in -> over. One command is under way at a time, at
most `FIFO` wait. Only the event `command` exists; other names, acknowledgements, further CONNECTs and undecodable packets are errors, the
third one ends the connection, a binary-attachment packet does at once. Who speaks comes from the seat alone.
"""

import asyncio
import secrets
from collections import deque
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final

import msgspec

from signaling import messages, packets
from signaling.classroom import audience
from signaling.classroom.base import Command
from signaling.classroom.chat import PostChat
from signaling.classroom.errors import CODES, Rejected
from signaling.classroom.ids import OperationId, ParticipantId, SessionId
from signaling.classroom.participants import Connect, Disconnect
from signaling.classroom.reactions import React
from signaling.limits import Bucket
from signaling.packets import Kind, Malformed, Packet
from signaling.ports import SeatGrant, Unavailable
from signaling.roster import people_page
from signaling.runner import Reply, Runner
from signaling.transport import Connection

if TYPE_CHECKING:
    from signaling.gateway import Gateway

FIFO: Final = 64
MAX_ERRORS: Final = 3
MEDIA_S: Final = 10.0


class State(Enum):
    NEW = auto()
    OPENING = auto()
    IN = auto()
    OVER = auto()


class Allowance:
    """What one person may send, over all connections."""

    __slots__ = ("chat", "commands", "reactions", "users")

    def __init__(self) -> None:
        self.commands = Bucket(40, 120)
        self.chat = Bucket(1, 5)
        self.reactions = Bucket(10, 20)
        #: connections that share it
        self.users = 0


class Client:
    """See the module; also a `fanout.Viewer` once in."""

    __slots__ = (
        "_allowance",
        "_busy",
        "_commands",
        "_errors",
        "_fifo",
        "_gateway",
        "_opening",
        "connected_by",
        "grant",
        "id",
        "lane",
        "out",
        "proof",
        "runner",
        "state",
        "tab",
    )

    def __init__(self, gateway: "Gateway", connection: Connection, proof: tuple[dict[str, str], dict[str, str]]) -> None:
        self.id = secrets.token_urlsafe(16)
        self.out: Connection = connection
        self.state = State.NEW
        self.grant: SeatGrant
        self.runner: Runner
        self.lane: audience.Lane = "out"
        self.tab: str | None = None
        #: loop time by which CONNECT must have come
        self.connected_by = 0.0
        #: cookies and headers of the handshake, until the seat is known
        self.proof: tuple[dict[str, str], dict[str, str]] | None = proof
        self._gateway = gateway
        self._opening: asyncio.Task[None] | None = None
        self._errors = 0
        self._busy = False
        self._fifo: deque[tuple[int, OperationId, Command | messages.Request]] = deque()
        self._commands = Bucket(20, 60)
        self._allowance: Allowance

    @property
    def session(self) -> SessionId:
        """The class this connection is in."""
        return self.grant.session

    @property
    def participant(self) -> ParticipantId:
        """The person this connection speaks for."""
        return self.grant.participant

    # ---- transport.Receiver ----

    def received(self, payload: bytes) -> None:
        """A packet."""
        try:
            self._packet(packets.decode(payload))
        except Malformed:
            self._error()

    def breached(self, reason: str) -> None:
        """The transport closes for a breach of its rules."""
        self._gateway.counters.protocol_errors += 1

    def ended(self) -> None:
        """The socket is gone."""
        before, self.state = self.state, State.OVER
        self._gateway.forget(self)
        self._fifo.clear()
        if before is State.IN:
            self._depart("lost")

    # ---- coming in ----

    def _packet(self, packet: Packet) -> None:
        if packet.nsp != "/":
            raise Malformed("one namespace only")
        if packet.type == Kind.EVENT and self.state is State.IN:
            self._event(packet)
        elif packet.type == Kind.CONNECT and self.state is State.NEW:
            auth = packets.connecting(packet)
            self.state = State.OPENING
            self._opening = asyncio.create_task(self._open(auth), name="open seat")
        elif packet.type == Kind.DISCONNECT:
            self.leave("closed")
        elif packet.type in (Kind.BINARY_EVENT, Kind.BINARY_ACK):
            self._errors = MAX_ERRORS
            raise Malformed("no attachments")
        else:
            raise Malformed("not now, or not at all")

    async def _open(self, auth: packets.Connecting) -> None:
        proof, self.proof = self.proof, None
        grant: SeatGrant | None = None
        try:
            grant = await self._gateway.seats.open(*(proof or ({}, {})), auth.seat)
            if grant is None:
                raise Rejected("unauthenticated")
            self.grant = grant
            self.runner = await self._gateway.hub.runner(grant.session)
        except Rejected as refusal:
            self.refuse(refusal.code)
        except Unavailable:
            self.refuse("journal_unavailable")
        except Exception:
            self._gateway.failed("coming in", grant.session if grant is not None else "")
            self.refuse("internal")
        else:
            if self.state is State.OPENING:
                self.tab = auth.tab
                command = Connect(connection=self.id, name=grant.name, role=grant.role, likeness=grant.likeness)
                self.runner.submit(grant.participant, command, None, lambda reply: self._opened(reply, auth.resume))
        finally:
            self._opening = None

    def _opened(self, reply: Reply, resume: packets.Resume | None) -> None:
        """Called between turns: the room is the journal, and nothing can come between the snapshot and the first event."""
        if reply.error is not None:
            self.refuse(reply.error)
            return
        if self.state is not State.OPENING or self.out.closing:
            self._depart("lost")
            return
        gone = self._gateway.gone(self)
        if gone is not None:
            self.refuse(gone)
            self._depart("closed")
            return
        self.state = State.IN
        self._allowance = self._gateway.allowance(self)
        self.out.send(packets.encode_connected(self.id))
        self._gateway.admit(self, resume)

    def refuse(self, code: str) -> None:
        """Say why this connection cannot come in, and end it."""
        if self.state is not State.OVER:
            self.state = State.OVER
            self._gateway.counters.refused_joins += 1
            self.out.send(packets.encode_connect_error(code, CODES[code]))
            self.out.end()

    # ---- commands ----

    def _event(self, packet: Packet) -> None:
        name, argument, answer = packets.event(packet)
        if name != "command" or answer is None:
            raise Malformed("only acknowledged commands")
        payload = bytes(argument)
        if not self._may_send():  # before the message costs anything
            self._limit(answer, messages.reference(payload))
            return
        try:
            ref, said = messages.decode_command(payload)
        except Rejected as refusal:
            self._reject(answer, messages.reference(payload), refusal.code)
            return
        if not self._may_say(said):
            self._limit(answer, ref)
        elif len(self._fifo) >= FIFO:
            self._gateway.counters.queue_full += 1
            self._reject(answer, ref, "overloaded")
        else:
            self._fifo.append((answer, ref, said))
            self._next()

    def _reject(self, answer: int, ref: OperationId | None, code: str) -> None:
        self._gateway.counters.rejected_commands += 1
        if ref is None:
            raise Malformed(code)
        self.out.send(packets.encode_ack(answer, messages.refused(ref, code)))

    def _limit(self, answer: int, ref: OperationId | None) -> None:
        self._gateway.counters.rate_limited += 1
        self._reject(answer, ref, "rate_limited")

    def _may_send(self) -> bool:
        now = self._gateway.loop.time()
        return self._commands.take(now) and self._allowance.commands.take(now)

    def _may_say(self, said: Command | messages.Request) -> bool:
        now = self._gateway.loop.time()
        if isinstance(said, PostChat):
            return self._allowance.chat.take(now)
        if isinstance(said, React):
            return self._allowance.reactions.take(now)
        return True

    def _next(self) -> None:
        while self._fifo and not self._busy and self.state is State.IN:
            answer, ref, said = self._fifo.popleft()
            self._busy = True
            if isinstance(said, Command):
                self.runner.submit(self.participant, said, ref, lambda reply, a=answer, r=ref: self._decided(a, r, reply))  # type: ignore[misc]
            else:
                self._request(answer, ref, said)

    def _decided(self, answer: int, ref: OperationId, reply: Reply) -> None:
        if reply.error is None:
            self._answer(answer, messages.accepted(ref, reply.seq))
        else:
            self._answer(answer, messages.refused(ref, reply.error))

    def _answer(self, answer: int, reply: Any) -> None:
        self._busy = False
        if self.state is State.IN:
            self.out.send(packets.encode_ack(answer, reply))
            self._next()

    def _request(self, answer: int, ref: OperationId, said: messages.Request) -> None:
        if isinstance(said, messages.Typing):
            self._gateway.typed(self)
            self._answer(answer, {"ref": ref})
        elif isinstance(said, messages.People):
            self.runner.submit(None, None, None, lambda reply: self._people(answer, ref, said, reply))
        else:
            self._gateway.spawn(self._media(answer, ref, said))

    def _people(self, answer: int, ref: OperationId, said: messages.People, reply: Reply) -> None:
        try:
            if reply.error is not None:
                raise Rejected(reply.error)
            page = people_page(self.runner.room, self.participant, said)
        except Rejected as refusal:
            self._answer(answer, messages.refused(ref, refusal.code))
        else:
            self._answer(answer, {"ref": ref} | msgspec.structs.asdict(page))

    async def _media(self, answer: int, ref: OperationId, said: messages.Request) -> None:
        media = self._gateway.hub.media
        request = {key: value for key, value in msgspec.to_builtins(said).items() if key != "type"}
        serve = media.publish if isinstance(said, messages.MediaPublish) else media.subscribe
        try:
            async with self._gateway.media_places, asyncio.timeout(MEDIA_S):
                result = await serve(self.session, self.participant, self.id, request)
        except Rejected as refusal:
            self._answer(answer, messages.refused(ref, refusal.code))
        except TimeoutError:
            self._answer(answer, messages.refused(ref, "media_unavailable"))
        except Exception:
            self._gateway.failed("media request", self.session)
            self._answer(answer, messages.refused(ref, "internal"))
        else:
            self._answer(answer, {"ref": ref, **result})

    def _error(self) -> None:
        self._errors += 1
        self._gateway.counters.protocol_errors += 1
        if self._errors >= MAX_ERRORS:
            self.dismiss("bad_message")

    # ---- going ----

    def dismiss(self, code: str, reason: str = "closed") -> None:
        """End the connection on purpose, telling why; a code that never changes also keeps client libraries from coming back."""
        words = packets.encode_event("bye", messages.Bye(code=code, retry=CODES[code]))
        if CODES[code] == "never":
            words += packets.encode_disconnect()
        self.leave(reason, words)

    def leave(self, reason: str, words: bytes = b"") -> None:
        """End the connection after these last frames; the class is told the reason."""
        before, self.state = self.state, State.OVER
        self.out.end(words=words)
        if before is State.IN:
            self._depart(reason)

    def _depart(self, reason: str) -> None:
        self._gateway.depart(self)
        seen = self._gateway.ago(self.out.heard_at) if self.out.silent else None
        self.runner.submit(self.participant, Disconnect(connection=self.id, reason=reason, seen=seen), None, _ignore)


def _ignore(reply: Reply) -> None:
    """The connection is gone, whatever the class says."""
