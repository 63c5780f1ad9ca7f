"""The outermost wall: how many connections an address may hold before it has proved a seat, and how long a request head may take.

People in one school share an address, so proved connections never count against it. An address at its limit loses its oldest idle
connection; where none has been idle for five seconds, newcomers are let in up to eight times the limit, since their requests are still
on the way or being answered. Pipelined requests are bounded by aiohttp's own queue; this module bounds connections and time.
"""

import asyncio
import itertools
import logging
import socket
from typing import Any, Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from server import problems

log = logging.getLogger("jiangtai.http")
_IDLE_S: Final = 5.0
_BURST: Final = 8
#: how many of the oldest are looked at for one that is idle
_LOOKED_AT: Final = 16
#: a client that takes nothing of an answer for so long loses its connection
_STALLED_S: Final = 300.0


def end_stalled(server: asyncio.Server) -> None:
    """Let the kernel end connections whose other end takes nothing, or has gone; those accepted inherit it (tcp(7), TCP_USER_TIMEOUT)."""
    for listener in server.sockets:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(_STALLED_S * 1000))


class Guard:
    """Counts unproved connections by address, oldest first."""

    def __init__(self, *, open_per_address: int) -> None:
        self._limit = open_per_address
        self._open: dict[str, dict[GuardedHandler, float]] = {}
        self.turned_away = 0
        self.evicted = 0
        self.malformed = 0

    @property
    def unproved(self) -> int:
        """Connections not yet proved, over all addresses."""
        return sum(len(held) for held in self._open.values())

    def arrive(self, handler: "GuardedHandler", address: str, now: float) -> bool:
        """Count a new connection, making room if the address is at its limit; False if it must be closed."""
        held = self._open.setdefault(address, {})
        if len(held) >= self._limit and not self._evict(held, now) and len(held) >= self._limit * _BURST:
            self.turned_away += 1
            return False
        held[handler] = now
        return True

    def _evict(self, held: "dict[GuardedHandler, float]", now: float) -> bool:
        for handler, since in itertools.islice(held.items(), _LOOKED_AT):
            if now - since < _IDLE_S:
                return False
            if handler.idle:
                del held[handler]
                handler.force_close()
                self.evicted += 1
                return True
        return False

    def leave(self, handler: "GuardedHandler", address: str) -> None:
        """The connection ended or proved a seat (idempotent)."""
        held = self._open.get(address)
        if held is not None:
            held.pop(handler, None)
            if not held:
                del self._open[address]


class GuardedHandler(RequestHandler):
    """One HTTP connection under guard."""

    __slots__ = ("_address", "_guard")

    def __init__(self, manager: "GuardedServer", guard: Guard, **options: Any) -> None:
        super().__init__(manager, **options)
        self._guard = guard
        self._address = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection or turn it away."""
        peer = transport.get_extra_info("peername")
        self._address = peer[0] if peer else ""
        if not self._guard.arrive(self, self._address, self._loop.time()):
            assert isinstance(transport, asyncio.Transport)
            transport.abort()
            return
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop counting it."""
        self._guard.leave(self, self._address)
        super().connection_lost(exc)

    @property
    def idle(self) -> bool:
        """Whether no request is waiting or being answered."""
        return not self._messages and not self._request_in_progress

    def prove(self) -> None:
        """A request on this connection proved a seat: it no longer counts."""
        self._guard.leave(self, self._address)

    def data_received(self, data: bytes) -> None:
        """Parse; and let go of what a malformed head weighs: its error would hold the bytes until the next garbage collection."""
        super().data_received(data)
        if self._messages:
            error = getattr(self._messages[-1][0], "exc", None)
            if isinstance(error, BaseException):
                error.__traceback__ = error.__cause__ = error.__context__ = None

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Whom the kernel gave up (`end_stalled`) has gone away like any other."""
        try:
            return await super().finish_response(request, resp, start_time)
        except TimeoutError:
            return resp, True

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Our error body for what aiohttp refuses by itself; the connection closes since its parser may be out of step."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        self._guard.malformed += 1
        if status >= 500:
            log.error("a connection failed", exc_info=exc)
        refused = problems.answer(problems.BY_STATUS.get(status, "internal"))
        refused.force_close()
        return refused


class GuardedServer(web.Server):
    """Makes guarded connections."""

    def __init__(self, like: "web.Server", guard: Guard, options: dict[str, Any]) -> None:
        super().__init__(like.request_handler, request_factory=like.request_factory, handler_cancellation=like.handler_cancellation)
        self._options = options
        self._guard = guard

    def __call__(self) -> GuardedHandler:
        return GuardedHandler(self, self._guard, loop=self._loop, **self._options)


class GuardedRunner(web.AppRunner):
    """An AppRunner whose connections are guarded."""

    def __init__(self, app: web.Application, guard: Guard, *, head_seconds: float, shutdown_timeout: float) -> None:
        super().__init__(app, shutdown_timeout=shutdown_timeout, access_log=None)
        self._guard = guard
        # aiohttp's keep-alive timer starts with the connection and is not renewed by a partial head: it is the head's deadline, too.
        # Bodies are small JSON: a compressed one is refused rather than inflated.
        self._options = {"keepalive_timeout": head_seconds, "access_log": None, "lingering_time": 2.0, "auto_decompress": False}

    @property
    def guarded(self) -> "GuardedServer":
        """The protocol factory for `create_server`, after `setup`."""
        if not isinstance(self.server, GuardedServer):
            raise RuntimeError("set up first")
        return self.server

    async def _make_server(self) -> "web.Server":
        return GuardedServer(await super()._make_server(), self._guard, self._options)
