"""The TCP door (RFC 6544): frames that are none, connections that say nothing or will not read."""

import asyncio
import contextlib
import os
import resource
import socket
import struct
from collections.abc import Iterator

from media._engine import Engine  # noqa: TID251 - the subject
from tests.hostile.test_media_checks import check
from tests.support.legs import bystanders, until

PASSWORD = "slow-reader-password-00"
KNOWN = check("slow:them", PASSWORD)
GUESS = check("nobody:x", "guess")


def announce(engine: Engine) -> None:
    """The peer that knows the password."""
    engine.open_peer(
        900,
        1,
        shard=0,
        local_ufrag="slow",
        local_pwd=PASSWORD,
        remote_ufrag="them",
        remote_pwd="their-password-is-not-used",
        fingerprint=":".join(["AB"] * 32),
        extensions={},
    )


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
        metrics = good.stage.engine.metrics()
        assert (metrics["tcp_connections"], metrics["dropped_tcp_unknown"], metrics["dropped_tcp_framing"]) == (0, 6, 2)


async def test_a_silent_connection_is_closed_after_ten_seconds() -> None:
    async with bystanders() as good:
        engine = good.stage.engine
        assert engine.tcp_port is not None
        assert await closes(engine.tcp_port, limit=13)
        assert engine.metrics()["dropped_tcp_silent"] == 1
        await good.flow()


async def test_hundreds_of_silent_connections_do_not_shut_the_door() -> None:
    async with bystanders() as good:
        engine = good.stage.engine
        announce(engine)
        silent = [socket.create_connection(("127.0.0.1", engine.tcp_port or 0)) for _ in range(600)]
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", engine.tcp_port)
            writer.write(framed(KNOWN))
            assert await asyncio.wait_for(reader.readexactly(4), 5)
            writer.close()
            # At most 512 wait: the first to come went first.
            assert 600 - 512 <= engine.metrics()["dropped_tcp_silent"] <= 600 - 512 + 1
            assert silent[0].recv(1) == b""
        finally:
            for sock in silent:
                sock.close()
        await good.flow()


async def test_a_peer_over_tcp_that_will_not_read_is_cut_off_from_nothing_but_itself() -> None:
    async with bystanders() as good:
        engine = good.stage.engine
        announce(engine)
        sock = socket.create_connection(("127.0.0.1", engine.tcp_port or 0))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await until(lambda: engine.metrics()["peers"] == 3)
        request = framed(KNOWN) * 100
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


@contextlib.contextmanager
def no_descriptor_left() -> Iterator[None]:
    """This process, engine included, can open nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(int(name) for name in os.listdir("/proc/self/fd")) + 1, hard))
    taken = []
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_without_a_descriptor_to_spare_media_flow_and_whoever_knocks_is_served_once_there_is_one() -> None:
    async with bystanders() as good:
        engine = good.stage.engine
        announce(engine)
        with socket.socket() as early, socket.socket() as late:
            late.settimeout(5)
            with no_descriptor_left():
                for sock in (early, late):
                    sock.connect(("127.0.0.1", engine.tcp_port or 0))
                late.send(framed(KNOWN))
                await until(lambda: engine.metrics()["tcp_accept_errors"] > 5)
                await good.flow()
                assert engine.metrics()["tcp_connections"] == 0
            assert await asyncio.to_thread(late.recv, 2)
