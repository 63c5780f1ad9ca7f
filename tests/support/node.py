"""A signaling node without accounts: the cookie `person=<session>.<participant>.<role>` is the seat. For tests and benches, on loopback.

Everything behind the door is real: gateway, hub, SQLite journal, classroom. `python -m tests.support.node <database> [port [window]]`
serves until SIGTERM and prints `READY <port>`; `GET /figures` tells counters, CPU and memory as JSON.
"""

import asyncio
import os
import resource
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from aiohttp import web

from server.adapters.sqlite import Database
from server.adapters.sqlite_journal import SqliteDirectory, SqliteJournal
from signaling.classroom.roles import Role
from signaling.classroom.settings import Profile
from signaling.fanout import WINDOW_S
from signaling.gateway import Gateway
from signaling.hub import Hub
from signaling.loop import BATCH, new_event_loop, settle, widen_backlog
from signaling.metrics import Counters, Histogram
from signaling.ports import Fields, SeatGrant, SendMany

try:
    from media import _engine  # noqa: TID251 - the native send alone

    native: SendMany | None = _engine.send_many
except ImportError:
    native = None


def python_send_many(fds: Any, frame: bytes) -> list[tuple[int, int]]:
    """ports.SendMany by one os-level send per descriptor."""
    short = []
    for index, fd in enumerate(fds):
        try:
            sent = os.write(fd, frame)
        except OSError as error:
            short.append((index, -(error.errno or 5)))
        else:
            if sent < len(frame):
                short.append((index, sent))
    return short


def cookie(session: str, participant: str, role: Role = Role.TRAINEE) -> dict[str, str]:
    """Request headers that open a seat on this node."""
    return {"Cookie": f"person={session}.{participant}.{role.value}"}


class OpenSeats:
    """ports.Seats: believes the cookie; `away` are seats that were taken away."""

    def __init__(self) -> None:
        self.away: set[tuple[str, str]] = set()

    async def open(self, cookies: Mapping[str, str], headers: Mapping[str, str], seat_id: str) -> SeatGrant | None:
        """The person the cookie names, if the seat asked for is the participant's id."""
        session, _, rest = cookies.get("person", "").partition(".")
        participant, _, role = rest.partition(".")
        if not session or not participant or seat_id != participant or (session, participant) in self.away:
            return None
        return SeatGrant(session=session, participant=participant, name=participant.replace("-", " "), role=Role(role))


class QuietMedia:
    """ports.MediaPlane without media: echoes requests, remembers what was dropped."""

    def __init__(self) -> None:
        self.dropped: list[str] = []
        self.followed = 0

    async def publish(self, session: str, participant: str, connection: str, request: Fields) -> Fields:
        """Echo."""
        return {"sdp": f"answer for {participant}: {request['sdp']}"}

    async def subscribe(self, session: str, participant: str, connection: str, request: Fields) -> Fields:
        """Echo."""
        return {"action": request["action"]}

    def follow(self, session: str, room: Any, event: Any) -> None:
        """Count."""
        self.followed += 1

    def hold(self, session: str) -> None:
        """Nothing to hold."""

    def reload(self, session: str, room: Any) -> None:
        """Nothing to bring in line."""

    def drop(self, session: str, connection: str) -> None:
        """Remember."""
        self.dropped.append(connection)

    def close(self, session: str) -> None:
        """Nothing to close."""


class NoScreen:
    """ports.Screen: refuses texts that contain "forbidden"."""

    def check(self, text: str) -> str | None:
        """See ports.Screen."""
        return "text_refused" if "forbidden" in text else None


class Node:
    """What a test may look at."""

    def __init__(self, port: int, hub: Hub, gateway: Gateway, seats: OpenSeats, media: QuietMedia, database: Database) -> None:
        self.port = port
        self.hub = hub
        self.gateway = gateway
        self.seats = seats
        self.media = media
        self.database = database
        self.journal = SqliteJournal(database)

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"http://127.0.0.1:{self.port}"

    async def create(self, session: str, profile: Profile = Profile.SMALL) -> None:
        """Make a class."""
        await self.hub.create(session, f"Class {session}", profile, None)


@asynccontextmanager
async def serve(
    path: Path | str, *, port: int = 0, send_many: SendMany | None = native or python_send_many, **options: Any
) -> AsyncIterator[Node]:
    """A node on loopback; options go to the gateway."""
    database = Database(path)
    await database.start()
    media, seats, counters = QuietMedia(), OpenSeats(), Counters()
    clock = lambda: time.time_ns() // 1_000_000  # noqa: E731
    hub = Hub(
        journal=SqliteJournal(database), directory=SqliteDirectory(database), media=media, screen=NoScreen(), clock=clock, counters=counters
    )
    gateway = Gateway(hub=hub, seats=seats, send_many=send_many, origins=["http://allowed.example"], clock=clock, **options)
    await gateway.start()
    app = web.Application()
    app.router.add_get("/rt/", gateway.handle)
    node = Node(0, hub, gateway, seats, media, database)
    app[NODE] = node
    app.router.add_get("/figures", figures)
    app.router.add_post("/classes/{session}/{profile}", create)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    assert runner.server is not None
    server = await asyncio.get_running_loop().create_server(runner.server, "127.0.0.1", port, backlog=BATCH)
    widen_backlog(server)
    node.port = server.sockets[0].getsockname()[1]
    try:
        yield node
    finally:
        server.close()
        await hub.drain()
        await gateway.stop()
        await runner.cleanup()
        await database.close()


NODE = web.AppKey("node", Node)


async def create(request: web.Request) -> web.Response:
    """Make a class."""
    await request.app[NODE].create(request.match_info["session"], Profile(request.match_info["profile"]))
    return web.Response()


async def figures(request: web.Request) -> web.Response:
    """Counters, CPU seconds and resident bytes of this process; `?reset` empties the loop lateness."""
    counters = request.app[NODE].hub.counters
    usage = resource.getrusage(resource.RUSAGE_SELF)
    values: dict[str, Any] = {
        name: {"counts": value.counts, "count": value.count, "max": value.max} if isinstance(value, Histogram) else value
        for name, value in vars(counters).items()
    }
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    values |= {
        "cpu": usage.ru_utime + usage.ru_stime,
        "journal_cpu": request.app[NODE].database.cpu_seconds,
        "resident": resident,
        "native": native is not None,
    }
    if "reset" in request.query:
        counters.loop_late_seconds.__init__()  # type: ignore[misc]
    return web.json_response(values)


async def _main(path: str, port: int, window_s: float) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    async with serve(path, port=port, window_s=window_s) as node:
        settle()
        sys.stdout.write(f"READY {node.port}\n")
        sys.stdout.flush()
        await stop.wait()


def main() -> None:
    """Serve until told to stop."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        path, port, window_s = [*sys.argv[1:], *("", "0", str(WINDOW_S))[len(sys.argv) - 1 :]]
        runner.run(_main(path, int(port), float(window_s)))


if __name__ == "__main__":
    main()
