"""The TCP door (RFC 6544): frames that are none, connections that say nothing or will not read."""

import asyncio
import os
import socket
import struct

from tests.hostile.test_media_checks import check
from tests.support.legs import bystanders, until

GUESS = check("nobody:x", "guess")


def framed(datagram: bytes) -> bytes:
    return struct.pack("!H", len(datagram)) + datagram


async def closes(port: int, *chunks: bytes, limit: float = 5) -> bool:
    """Whether the server ends a connection that sends these."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
        return await asyncio.wait_for(reader.read(), limit) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    finally:
        writer.close()


async def test_connections_that_do_not_begin_with_a_known_check_are_closed() -> None:
    async with bystanders() as good:
        port = good.stage.engine.tcp_port
        assert port is not None
        for chunks in (
            (b"GET / HTTP/1.1\r\n\r\n",),
            (b"\xff\xff" + os.urandom(4000),),
            (framed(os.urandom(40)),),
            (framed(GUESS),),
            (framed(GUESS)[:10], framed(GUESS)[10:]),
            (framed(bytes([0x80]) + os.urandom(60)),),
            (framed(bytes([22]) + os.urandom(60)),),
            (b"\x00\x00" * 2000 + framed(GUESS),),
        ):
            assert await closes(port, *chunks), chunks
        await good.flow()
        assert good.stage.engine.metrics()["tcp_connections"] == 0


async def test_a_silent_connection_is_closed_after_ten_seconds_and_many_do_not_shut_the_door() -> None:
    async with bystanders() as good:
        port = good.stage.engine.tcp_port
        assert port is not None
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(600)]
        try:
            await good.flow()
            reader, writer = await asyncio.open_connection(sock=silent.pop(0))
            assert await asyncio.wait_for(reader.read(), 13) == b""
            writer.close()
            assert await closes(port, framed(GUESS))
        finally:
            for sock in silent:
                sock.close()
        await good.flow()


async def test_a_peer_over_tcp_that_will_not_read_is_cut_off_from_nothing_but_itself() -> None:
    async with bystanders() as good:
        engine = good.stage.engine
        engine.open_peer(
            900,
            1,
            shard=0,
            local_ufrag="slow",
            local_pwd="slow-reader-password-00",
            remote_ufrag="them",
            remote_pwd="their-password-is-not-used",
            fingerprint=":".join(["AB"] * 32),
            extensions={},
        )
        sock = socket.create_connection(("127.0.0.1", engine.tcp_port or 0))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await until(lambda: engine.metrics()["peers"] == 3)
        request = framed(check("slow:them", "slow-reader-password-00")) * 100
        waiting = memoryview(b"")
        try:
            for _ in range(4000):
                waiting = waiting or memoryview(request)
                try:
                    waiting = waiting[sock.send(waiting) :]
                except BlockingIOError:
                    await asyncio.sleep(0.001)
                if engine.metrics()["dropped_tcp_full"] > 0:
                    break
            assert engine.metrics()["tcp_connections"] == 1
            assert engine.metrics()["dropped_tcp_full"] > 0
            await good.flow()
        finally:
            sock.close()
        await until(lambda: engine.metrics()["tcp_connections"] == 0)
