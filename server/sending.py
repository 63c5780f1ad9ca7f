"""Answers a request with a published file: a file of this machine, a redirect to its store, or ranges of it through the node.

What comes from a store is read in blocks, each when the one before is gone: a player that pauses holds one block and no request to the
store, and memory is at most MAX_STREAMS blocks. A file of this machine is sent by the kernel and costs two descriptors and what the socket
holds. Who takes nothing for some minutes loses the connection (server/guard.py). Who may have the file was decided before.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from recording.objects import Object, ObjectStore
from server import ranges
from server.problems import Problem

log = logging.getLogger("jiangtai.replay")

BLOCK: Final = 512 * 1024
#: files on their way through the node, of all and of one caller
MAX_STREAMS: Final = 1024
MAX_STREAMS_EACH: Final = 32
#: files of this machine on their way to one caller
MAX_FILES_EACH: Final = 64
#: a client that takes nothing for so long asks again when it goes on
_STALLED_S: Final = 300.0
_KEEP: Final = "private, max-age=31536000, immutable"


class Sender:
    """`presigned_s`: media come from the store itself by addresses good for so long; None: all files come through the node."""

    def __init__(self, presigned_s: int | None) -> None:
        self.presigned_s = presigned_s
        self._each: Counter[str] = Counter()
        self._files: Counter[str] = Counter()
        self.streams = 0
        self.refused = 0
        self.broken = 0
        self.redirects = 0
        self.bytes = 0

    @property
    def local_files(self) -> int:
        """Files of this machine on their way."""
        return self._files.total()

    async def send(
        self, request: web.Request, who: str, store: ObjectStore, found: Object, kind: str, saved_as: str | None = None
    ) -> web.StreamResponse:
        """The answer; `saved_as` is its Content-Disposition. Raises OSError (FileNotFoundError, StoreAway), Problem (overloaded)."""
        named = {"Content-Disposition": saved_as} if saved_as else {}
        path = store.path(found.key)
        if path is not None and not ranges.is_stale(request.headers, found.etag):
            if self._files[who] >= MAX_FILES_EACH:
                self.refused += 1
                raise Problem("overloaded")
            return _LocalFile(path, {"Cache-Control": _KEEP, "Content-Type": kind} | named, _counted(self._files, who))
        # Only media: what pages fetch by script would need the bucket's consent (CORS) and is small; a store knows no name to save by.
        if path is None and not named and self.presigned_s is not None and kind.startswith(("video/", "audio/")):
            address = await store.url(found.key, self.presigned_s)
            if address is not None:
                self.redirects += 1
                return web.Response(status=302, headers={"Location": address, "Cache-Control": "no-store"})
        part = ranges.part(request.headers, found.size, found.etag)
        headers = {"Cache-Control": _KEEP, "Accept-Ranges": "bytes", "ETag": f'"{found.etag}"'} | named
        if (told := part.content_range(found.size)) is not None:
            headers["Content-Range"] = told
        if part.stop <= part.start:
            return web.Response(status=part.status, headers=headers)
        if self.streams >= MAX_STREAMS or self._each[who] >= MAX_STREAMS_EACH:
            self.refused += 1
            raise Problem("overloaded")
        self.streams += 1
        try:
            with _counted(self._each, who):
                return await self._stream(request, store, found, part, headers | {"Content-Type": kind})
        finally:
            self.streams -= 1

    async def _stream(
        self, request: web.Request, store: ObjectStore, found: Object, part: ranges.Part, headers: dict[str, str]
    ) -> web.StreamResponse:
        # The first block is there before anything is answered, so that what fails then has a code.
        block = await _block(store, found, part.start, part.stop)
        response = web.StreamResponse(status=part.status, headers=headers)
        response.content_length = part.stop - part.start
        await response.prepare(request)
        at = part.start
        try:
            while True:
                async with asyncio.timeout(_STALLED_S):
                    await response.write(block)
                at += len(block)
                self.bytes += len(block)
                if at >= part.stop:
                    break
                block = await _block(store, found, at, part.stop)
        except ConnectionError:
            raise
        except OSError as error:  # TimeoutError, too: the answer cannot be taken back, only broken off
            self.broken += 1
            log.warning("a file broke off", extra={"why": str(error) or type(error).__name__})
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError("broken off") from None
        await response.write_eof()
        return response


class _LocalFile(web.FileResponse):
    """A file of this machine, counted from its head to its last byte."""

    def __init__(self, path: Path, headers: Mapping[str, str], counted: contextlib.AbstractContextManager[None]) -> None:
        super().__init__(path, headers=headers)
        self._counted = counted

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send it."""
        with self._counted:
            return await super().prepare(request)


@contextlib.contextmanager
def _counted(counts: Counter[str], who: str) -> Iterator[None]:
    counts[who] += 1
    try:
        yield
    finally:
        counts[who] -= 1
        if not counts[who]:
            del counts[who]


async def _block(store: ObjectStore, found: Object, at: int, stop: int) -> memoryview:
    wanted = min(stop, at + BLOCK) - at
    block = await store.read(found.key, at, at + wanted)
    if len(block) != wanted:
        raise OSError("an object is shorter than it was")
    return block
