"""A network line in user space: a UDP relay that delays, loses, reorders and slows down what passes, the same way for the same seed.

    python -m loadtests.relay LISTEN UPSTREAM [--up CONDITIONS] [--down CONDITIONS] [--seed N] [--per-client]

Many clients, one upstream address; each client gets a socket of its own towards it, as behind a NAT. Up is client to upstream. Both
directions are shared by all clients, like a home's line, unless --per-client. Standard input changes things while it runs, a line each:
`up CONDITIONS`, `down CONDITIONS`, `figures` (answered by one line of JSON); its end stops the relay, which tells its figures once more.
The first line told is the address listened on.

CONDITIONS is a line or a schedule as loadtests/link.py writes them, where the line itself is; here are the sockets.

How a client is pointed here: a media candidate is an address and a port, so the node binds one address and announces another where the
relay listens on the same port (`media.bind = 127.0.0.1`, `media.announce = [the machine's own address]`, `media.tcp_port = -1`).
"""

import argparse
import asyncio
import json
import os
import random
import selectors
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

from loadtests.link import OVERHEAD, Conditions, Link, conditions, schedule

#: select takes no more than 1,024 files
MOST_CLIENTS: Final = 500
#: a silent client's place may be given to a new one after this, seconds
IDLE_S: Final = 30.0
_READS: Final = 64
_DATAGRAM: Final = 65_535

Address = tuple[str, int]


class _Line:
    """A link and its timer: `deliver` is called with what has arrived."""

    def __init__(self, link: Link[Any], deliver: Callable[[Any], None]) -> None:
        self.link = link
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def send(self, packet: Any, size: int) -> None:
        now = self._loop.time()
        self.link.send(packet, size, now)
        self._turn(now)

    def change(self, conditions: Conditions) -> None:
        now = self._loop.time()
        self.link.change(conditions, now)
        self._turn(now)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _woken(self) -> None:
        self._timer = None
        self._turn(self._loop.time())

    def _turn(self, now: float) -> None:
        for packet in self.link.due(now):
            self._deliver(packet)
        wanted = self.link.next()
        if self._timer is not None and (wanted is None or wanted < self._timer.when()):
            self.close()
        if wanted is not None and self._timer is None:
            self._timer = self._loop.call_at(wanted, self._woken)


class _Client:
    """One address seen on the near side and its socket towards the far side."""

    def __init__(self, address: Address, far: socket.socket) -> None:
        self.address = address
        self.far = far
        self.heard = 0.0
        self.up: _Line
        self.down: _Line


def _open(family: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        made.setsockopt(socket.SOL_SOCKET, option, 4 << 20)
    return made


class Relay:
    """The relay on the running loop; `async with` opens and closes it. Raises OSError if the address cannot be bound."""

    def __init__(
        self,
        listen: Address,
        upstream: Address,
        *,
        up: Iterable[tuple[float, Conditions]] = (),
        down: Iterable[tuple[float, Conditions]] = (),
        seed: int = 0,
        per_client: bool = False,
    ) -> None:
        self._listen = listen
        self._upstream = upstream
        self._schedules = {"up": list(up), "down": list(down)}
        self._seed = seed
        self._per_client = per_client
        self._conditions = {"up": Conditions(), "down": Conditions()}
        self._lines: dict[str, list[_Line]] = {"up": [], "down": []}
        self._clients: dict[Address, _Client] = {}
        self._timers: list[asyncio.TimerHandle] = []
        self.counts = {"clients": 0, "refused_clients": 0, "send_errors": 0, "receive_errors": 0}

    async def __aenter__(self) -> "Relay":
        self._loop = asyncio.get_running_loop()
        self._family = socket.AF_INET6 if ":" in self._listen[0] else socket.AF_INET
        self._near = _open(self._family)
        try:
            self._near.bind(self._listen)
        except OSError:
            self._near.close()
            raise
        self._loop.add_reader(self._near, self._read_near)
        for direction, steps in self._schedules.items():
            for at, wanted in steps:
                if at <= 0:
                    self.change(direction, wanted)
                else:
                    self._timers.append(self._loop.call_later(at, self.change, direction, wanted))
        return self

    async def __aexit__(self, *_: object) -> None:
        for timer in self._timers:
            timer.cancel()
        for client in list(self._clients.values()):
            self._forget(client)
        for line in (*self._lines["up"], *self._lines["down"]):
            line.close()
        self._loop.remove_reader(self._near)
        self._near.close()

    @property
    def address(self) -> Address:
        """Where clients send to."""
        host, port = self._near.getsockname()[:2]
        return host, port

    def change(self, direction: str, wanted: Conditions) -> None:
        """Other conditions for "up" or "down" from now on, for present and future clients."""
        self._conditions[direction] = wanted
        for line in self._lines[direction]:
            line.change(wanted)

    def conditions(self, direction: str) -> Conditions:
        """Those of "up" or "down" now."""
        return self._conditions[direction]

    def figures(self, *, reset: bool = False) -> dict[str, Any]:
        """The relay's counters, and one entry per link and direction (Link.figures)."""
        return {
            **self.counts,
            **{way: [line.link.figures(reset=reset) for line in lines] for way, lines in self._lines.items()},
        }

    def _line(self, direction: str, deliver: Callable[[Any], None]) -> _Line:
        lines = self._lines[direction]
        if self._per_client or not lines:
            chance = random.Random(f"{self._seed} {direction} {self.counts['clients']}")
            lines.append(_Line(Link(self._conditions[direction], chance), deliver))
        return lines[-1]

    def _admit(self, address: Address) -> _Client | None:
        if len(self._clients) >= MOST_CLIENTS:
            oldest = min(self._clients.values(), key=lambda client: client.heard)
            if self._loop.time() - oldest.heard < IDLE_S:
                self.counts["refused_clients"] += 1
                return None
            self._forget(oldest)
        far = _open(self._family)
        try:
            far.connect(self._upstream)
        except OSError:
            far.close()
            self.counts["refused_clients"] += 1
            return None
        client = self._clients[address] = _Client(address, far)
        client.up = self._line("up", self._send_far)
        client.down = self._line("down", self._send_near)
        self.counts["clients"] += 1
        self._loop.add_reader(far, self._read_far, client)
        return client

    def _forget(self, client: _Client) -> None:
        del self._clients[client.address]
        self._loop.remove_reader(client.far)
        client.far.close()
        if self._per_client:
            for way, line in (("up", client.up), ("down", client.down)):
                line.close()
                self._lines[way].remove(line)

    def _read_near(self) -> None:
        for _ in range(_READS):
            try:
                data, address = self._near.recvfrom(_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:
                self.counts["receive_errors"] += 1
                return
            client = self._clients.get(address[:2]) or self._admit(address[:2])
            if client is not None:
                client.heard = self._loop.time()
                client.up.send((client, data), len(data) + OVERHEAD)

    def _read_far(self, client: _Client) -> None:
        for _ in range(_READS):
            try:
                data = client.far.recv(_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:
                self.counts["receive_errors"] += 1
                return
            client.down.send((client, data), len(data) + OVERHEAD)

    def _send_far(self, packet: tuple[_Client, bytes]) -> None:
        client, data = packet
        try:
            client.far.send(data)
        except OSError:
            self.counts["send_errors"] += 1

    def _send_near(self, packet: tuple[_Client, bytes]) -> None:
        client, data = packet
        try:
            self._near.sendto(data, client.address)
        except OSError:
            self.counts["send_errors"] += 1


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return host.strip("[]") or "127.0.0.1", int(port)


def _text(address: Address) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def obey(relay: Relay, line: str) -> dict[str, Any] | None:
    """Carry out one line of standard input; what is to be told, if anything."""
    word, _, rest = line.strip().partition(" ")
    if word == "figures":
        return relay.figures(reset=rest == "reset")
    if word not in ("up", "down"):
        return {"error": f"no such command: {word!r}"}
    try:
        relay.change(word, conditions(rest, relay.conditions(word)))
    except ValueError as error:
        return {"error": str(error)}
    return None


async def _run(options: argparse.Namespace) -> None:
    def tell(value: object) -> None:
        sys.stdout.write(json.dumps(value) + "\n")
        sys.stdout.flush()

    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    up, down = schedule(options.up), schedule(options.down)
    async with Relay(options.listen, options.upstream, up=up, down=down, seed=options.seed, per_client=options.per_client) as relay:
        tell({"address": relay.address})
        while line := await orders.readline():
            if (told := obey(relay, line.decode(errors="replace"))) is not None:
                tell(told)
        tell(relay.figures())


class RelayProcess:
    """The relay as a process of its own, for tests whose event loop has other work; made by `relay_process`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.address: Address = ("", 0)

    async def told(self) -> dict[str, Any]:
        """Its next line."""
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), 15)
        if not line:
            raise OSError(f"the relay ended with {await self._process.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found

    def change(self, direction: str, settings: str) -> None:
        """Other conditions for "up" or "down" from now on, as loadtests/link.py writes them."""
        conditions(settings)
        self._say(f"{direction} {settings}")

    async def figures(self, *, reset: bool = False) -> dict[str, Any]:
        """Relay.figures."""
        self._say("figures reset" if reset else "figures")
        return await self.told()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())


@asynccontextmanager
async def relay_process(
    listen: Address, upstream: Address, *, up: str = "", down: str = "", seed: int = 0, per_client: bool = False
) -> AsyncIterator[RelayProcess]:
    """`python -m loadtests.relay`, listening; ended at the end. Raises OSError if it could not listen."""
    arguments = [*map(_text, (listen, upstream)), f"--up={up}", f"--down={down}", f"--seed={seed}"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loadtests.relay", *arguments, *(["--per-client"] if per_client else [])),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    )
    running = RelayProcess(process)
    try:
        host, port = (await running.told())["address"]
        running.address = (host, port)
        yield running
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.communicate(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("listen", type=_address, help="HOST:PORT clients send to; port 0: any")
    parser.add_argument("upstream", type=_address, help="HOST:PORT of the server")
    parser.add_argument("--up", default="", metavar="CONDITIONS", help="client to server, or a schedule")
    parser.add_argument("--down", default="", metavar="CONDITIONS", help="server to client, or a schedule")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--per-client", action="store_true", help="a line for every client instead of one for all")
    options = parser.parse_args()
    # A line does not get slower because the machine's processors are busy.
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -15)
    # select waits to the microsecond, epoll only to the next millisecond, which is a third of a packet at 3 Mbit/s.
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        runner.run(_run(options))


if __name__ == "__main__":
    main()
