"""A transport that takes only so many bytes, for connections without sockets."""

import asyncio
from typing import Any


class SlowTransport:
    """As much of asyncio.Transport as a connection uses. `room` is how much the peer's side will take before `read` is called."""

    def __init__(self, room: int = 10**9) -> None:
        self.room = room
        self.received = b""
        self.buffer = b""
        self.aborted = False
        self.closed = False
        self.ended = False
        self.paused = False

    def get_extra_info(self, name: str) -> Any:
        """No socket: nothing is written natively."""
        return None

    def write(self, data: bytes | memoryview) -> None:
        """Take what fits, buffer the rest."""
        self.buffer += bytes(data)
        self.read(0)

    def read(self, size: int) -> None:
        """The peer makes room for so many bytes more."""
        self.room += size
        taken = self.buffer[: self.room]
        self.received += taken
        self.buffer = self.buffer[len(taken) :]
        self.room -= len(taken)

    def get_write_buffer_size(self) -> int:
        """Bytes not yet taken."""
        return len(self.buffer)

    def can_write_eof(self) -> bool:
        """As TCP."""
        return True

    def write_eof(self) -> None:
        """Half close."""
        self.ended = True

    def is_closing(self) -> bool:
        """Whether closed or aborted."""
        return self.closed or self.aborted

    def close(self) -> None:
        """Close."""
        self.closed = True

    def abort(self) -> None:
        """Cut."""
        self.aborted = True

    def pause_reading(self) -> None:
        """Read nothing more."""
        self.paused = True


def transport(room: int = 10**9) -> Any:
    """A SlowTransport, typed as nothing in particular."""
    return SlowTransport(room)


async def turns(count: int = 3) -> None:
    """Let the event loop go round."""
    for _ in range(count):
        await asyncio.sleep(0)
