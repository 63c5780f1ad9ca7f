"""A TCP relay on loopback in front of a server: as slow as asked, and away when asked."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

_PIECE = 65_536


class Relay:
    """`away`: connections are refused and open ones broken. `bytes_per_s`: towards the server, None for as fast as it goes."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.bytes_per_s: float | None = None
        self.carried = 0

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"http://127.0.0.1:{self.port}"

    async def come(self) -> None:
        """Be there, on the same port as before."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def go(self) -> None:
        """Be away."""
        if self._server is not None:
            self._server.close()
            for writer in list(self._open):
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        there: asyncio.StreamWriter | None = None
        try:
            answers, there = await asyncio.open_connection("127.0.0.1", self._target)
            self._open.add(there)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._copy(reader, there, slow=True))
                group.create_task(self._copy(answers, writer, slow=False))
        except* OSError:
            pass
        finally:
            for each in filter(None, (writer, there)):
                self._open.discard(each)
                each.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, slow: bool) -> None:
        while data := await reader.read(_PIECE):
            if slow and self.bytes_per_s is not None:
                await asyncio.sleep(len(data) / self.bytes_per_s)
            writer.write(data)
            await writer.drain()
            self.carried += len(data) * slow
        with contextlib.suppress(OSError):
            writer.write_eof()


@contextlib.asynccontextmanager
async def relay(target: int) -> AsyncIterator[Relay]:
    """A relay that is there."""
    made = Relay(target)
    await made.come()
    try:
        yield made
    finally:
        await made.go()
