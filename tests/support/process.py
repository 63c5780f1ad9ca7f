"""The test node as a process of its own, so that it can be killed."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

ROOT = Path(__file__).parents[2]


class NodeProcess:
    """A running `tests.support.node`; looks like a Node to `member.join`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.port = 0
        self.process: asyncio.subprocess.Process

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start, or start again on the same port and database."""
        arguments = [sys.executable, "-m", "tests.support.node", str(self.path), str(self.port)]
        self.process = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), 20)
        self.port = int(line.split()[1])

    async def end(self, how: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal and wait; returns the exit status."""
        if self.process.returncode is None:
            self.process.send_signal(how)
        return await asyncio.wait_for(self.process.wait(), 20)

    async def create(self, session: str, profile: str = "small") -> None:
        """Make a class."""
        async with aiohttp.ClientSession() as http, http.post(f"{self.url}/classes/{session}/{profile}") as answer:
            assert answer.status == 200


@asynccontextmanager
async def spawn(path: Path) -> AsyncIterator[NodeProcess]:
    """A node process, killed at the end."""
    node = NodeProcess(path)
    await node.start()
    try:
        yield node
    finally:
        await node.end()
