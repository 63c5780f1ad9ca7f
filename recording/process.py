"""A process of the packager: told everything by a line on stdin, answering with one line on stdout, ended if it comes to no end.

Media are decoded there and nowhere else: its memory and its faults are its own, and so is the licence of the codecs it loads.
"""

import asyncio
import contextlib
import errno
import os
import sys
from collections.abc import Callable
from typing import Any, Final

ERROR_BYTES: Final = 2_000
#: what a worker ends with when there is no room on the disk for what it makes
_FULL: Final = 3
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)


class Failed(Exception):
    """A worker could not do it; the message is for the row."""


async def run(module: str, order: bytes, over: asyncio.Event, limit_s: Callable[[], float]) -> bytes:
    """What `python -m <module>` answers. It is told when `over` is set and has limit_s() seconds from then on.

    Raises Failed, OSError (see `no_room`).
    """
    pipe = asyncio.subprocess.PIPE
    worker = await asyncio.create_subprocess_exec(sys.executable, "-m", module, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        out, err = await _answer(worker, order, over, limit_s)
    except TimeoutError as error:
        raise Failed("the worker came to no end") from error
    finally:
        if worker.returncode is None:
            worker.kill()
        await worker.wait()
    if worker.returncode == _FULL:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if worker.returncode != 0:
        raise Failed(err.decode(errors="replace").strip()[-ERROR_BYTES:] or f"the worker ended with {worker.returncode}")
    return out


async def _answer(
    worker: asyncio.subprocess.Process, order: bytes, over: asyncio.Event, limit_s: Callable[[], float]
) -> tuple[bytes, bytes]:
    if worker.stdin is None or worker.stdout is None or worker.stderr is None:
        raise Failed("the worker has no pipes")
    reading = asyncio.gather(worker.stdout.read(), worker.stderr.read())
    ending = asyncio.create_task(over.wait())
    try:
        worker.stdin.write(order + b"\n")
        first: set[asyncio.Future[Any]] = {reading, ending}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        with contextlib.suppress(ConnectionError):
            worker.stdin.write(b"\n")
            await worker.stdin.drain()
        async with asyncio.timeout(limit_s()):
            out, err = await reading
            await worker.wait()
        return out, err
    finally:
        ending.cancel()
        reading.cancel()


def no_room(error: BaseException) -> bool:
    """Whether something could not be made only because the disk is full."""
    # The engine tells the number in its words.
    told = isinstance(error, OSError) and error.errno is None and any(f"(os error {number})" in str(error) for number in _NO_ROOM)
    return told or (isinstance(error, OSError) and error.errno in _NO_ROOM)


def work(main: Callable[[], int]) -> int:
    """In a worker: what it ends with."""
    try:
        return main()
    except OSError as error:
        if not no_room(error):
            raise
        sys.stderr.write(f"{error}\n")
        return _FULL


def over() -> asyncio.Event:
    """The end of something that has ended."""
    event = asyncio.Event()
    event.set()
    return event
