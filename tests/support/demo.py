"""A whole node as people start it: `jiangtai serve --demo` in a process of its own, on free ports, with a state directory of its own."""

import asyncio
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from media.peer import Peer, Watch
from tests.support import member
from tests.support.member import Member
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]


class DemoNode:
    """The node; `links` are the paths printed per role, `url` the origin."""

    def __init__(self, var: Path, **environment: str) -> None:
        self.var = var
        self.port = free_port()
        self.links: dict[str, str] = {}
        self.process: asyncio.subprocess.Process
        self._log = open(var / "node.log", "ab")  # noqa: SIM115 - lives as long as the node
        self._environment = {
            **os.environ,
            "JIANGTAI_PRIVATE_PORT": str(free_port()),
            "JIANGTAI_MEDIA_UDP_PORTS": str(free_port(socket.SOCK_DGRAM)),
            "JIANGTAI_MEDIA_TCP_PORT": str(free_port()),
            **environment,
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def private_url(self) -> str:
        """Where /metrics is."""
        return f"http://127.0.0.1:{self._environment['JIANGTAI_PRIVATE_PORT']}"

    @property
    def media_port(self) -> int:
        """The one UDP port of its media."""
        return int(self._environment["JIANGTAI_MEDIA_UDP_PORTS"])

    async def start(self) -> None:
        """Start, or start again in the same place; returns when READY was printed."""
        command = [sys.executable, "-m", "server.cli", "serve", "--demo", "--var", str(self.var), "--port", str(self.port)]
        self.process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=self._log, cwd=ROOT, env=self._environment
        )
        async with asyncio.timeout(30):
            await self._read_links()

    async def _read_links(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            words = line.decode().split()
            if words and words[0] == "READY":
                return
            if len(words) == 2 and words[1].startswith(self.url):
                self.links[words[0]] = words[1].removeprefix(self.url)
        raise RuntimeError((self.var / "node.log").read_text()[-3000:])

    async def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End the process by a signal and wait for it."""
        if self.process.returncode is None:
            self.process.send_signal(how)
        await asyncio.wait_for(self.process.wait(), 40)

    def close(self) -> None:
        self._log.close()

    async def run(self, *arguments: str) -> str:
        """What `jiangtai` prints for these arguments on this node."""
        command = [sys.executable, "-m", "server.cli", *arguments, "--var", str(self.var), "--url", self.url]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=ROOT, env=self._environment
        )
        async with asyncio.timeout(30):
            out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return out.decode().strip()

    async def create(self, profile: str) -> str:
        """Make a class; returns its id."""
        return await self.run("class", "create", "--title", "Knots", "--profile", profile)

    async def link(self, session: str, role: str, name: str, who: str | None = None) -> str:
        """Path of a join link for one person (`who` in the issuer's terms), used once."""
        printed = await self.run("token", "--class", session, "--role", role, "--sub", who or name, "--name", name)
        return "/join" + printed.split()[-1].partition("/join")[2]

    async def metrics(self) -> dict[str, float]:
        """What the private listener exports, by full sample name."""
        async with aiohttp.ClientSession() as http, http.get(f"{self.private_url}/metrics") as answer:
            text = await answer.text()
        lines = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in lines}


@asynccontextmanager
async def demo_node(**environment: str) -> AsyncIterator[DemoNode]:
    """A started node, configured by these variables too, killed and forgotten at the end."""
    with tempfile.TemporaryDirectory(prefix="jiangtai-") as var:
        node = DemoNode(Path(var), **environment)
        try:
            await node.start()
            yield node
        finally:
            await node.kill()
            node.close()


class Bot:
    """A person without a browser: a real seat, a real socket and, if wanted, real media."""

    def __init__(self, seat: dict[str, Any], signaling: Member) -> None:
        self.seat = seat
        self.signaling = signaling
        self.peer = Peer(self._call)

    @property
    def id(self) -> str:
        return str(self.seat["participant"])

    async def _call(self, type_: str, fields: Any) -> dict[str, Any]:
        answer = await self.signaling.command(type_, **fields)
        assert "error" not in answer, answer
        return answer


async def take_seat(node: DemoNode, role: str, name: str) -> tuple[dict[str, Any], str]:
    """Come in by the role's link; returns (seat, cookie)."""
    invite = node.links[role].partition("#invite=")[2]
    async with aiohttp.ClientSession(node.url, headers={"Origin": node.url}, cookie_jar=aiohttp.DummyCookieJar()) as http:
        async with http.post("/api/v1/invitations", json={"invite": invite, "name": name}) as answer:
            assert answer.status == 201, await answer.text()
            token = (await answer.json())["token"]
        async with http.post("/api/v1/seats", json={"token": token}) as answer:
            assert answer.status == 201, await answer.text()
            return await answer.json(), "; ".join(f"{key}={morsel.value}" for key, morsel in answer.cookies.items())


@asynccontextmanager
async def bot(node: DemoNode, role: str, name: str, watch: Watch | None = None) -> AsyncIterator[Bot]:
    """Somebody who came in by the role's link and is connected."""
    seat, cookie = await take_seat(node, role, name)
    async with AsyncExitStack() as stack:
        signaling = Member(await stack.enter_async_context(member.socket(node, {"Cookie": cookie})))
        await signaling.connect({"seat": seat["seat"], "tab": f"bot-{name}"})
        found = Bot(seat, signaling)
        found.peer.watch = watch
        stack.push_async_callback(found.peer.close)
        yield found
        await signaling.leave()
