"""Forged handshakes and certificates: only the leg in question suffers (G02, G03, G04)."""

import contextlib
import os
import socket
import struct

from tests.support.legs import Picture, bystanders, until


def record(kind: int, body: bytes, *, epoch: int = 0, sequence: int = 0) -> bytes:
    """A DTLS 1.2 record (RFC 6347 section 4.1)."""
    return struct.pack("!BHH", kind, 0xFEFD, epoch) + sequence.to_bytes(6, "big") + struct.pack("!H", len(body)) + body


def hello(suites: bytes) -> bytes:
    """A ClientHello with these cipher suites."""
    body = struct.pack("!H", 0xFEFD) + os.urandom(32) + b"\0\0" + struct.pack("!H", len(suites)) + suites + b"\x01\0" + b"\0\0"
    return struct.pack("!B", 1) + len(body).to_bytes(3, "big") + bytes(2) + bytes(3) + len(body).to_bytes(3, "big") + body


NULL_CIPHER = b"\x00\x02\xc0\x06"


async def test_g02_a_hello_from_an_unchecked_address_gets_no_answer() -> None:
    async with bystanders() as good:
        engine = good.stage.engine
        before = engine.metrics()["dtls_in"]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", engine.udp_ports[0]))
            for _ in range(200):
                sock.send(record(22, hello(b"\xc0\x2b")))
            sock.settimeout(0.3)
            answered = False
            with contextlib.suppress(TimeoutError):
                answered = bool(sock.recv(2048))
        assert not answered
        assert engine.metrics()["dtls_in"] == before
        await good.flow()


async def test_g03_a_wrong_certificate_closes_its_leg_only() -> None:
    async with bystanders() as good:
        intruder = await good.stage.publish({"camera": Picture()}, fingerprint=":".join(["AB"] * 32))
        await until(lambda: good.stage.told("closed", intruder.peer, "fingerprint"))
        assert not good.stage.told("connected", intruder.peer)
        assert good.stage.engine.metrics()["dtls_failures"] == 1
        await good.flow()


async def test_g02_garbage_handshakes_from_a_checked_address_cost_that_leg_at_most() -> None:
    async with bystanders() as good:
        for garbage in (
            record(22, hello(NULL_CIPHER)),
            record(22, b""),
            record(22, bytes(12)),
            record(22, b"\x0b" + (100_000).to_bytes(3, "big") + bytes(2) + bytes(3) + (1000).to_bytes(3, "big") + bytes(1000)),
            record(21, b"\x02\x28"),
            record(20, b"\x01"),
            record(23, os.urandom(1400), epoch=1),
            b"\x16",
            os.urandom(13),
        ):
            leg = await good.stage.publish({"camera": Picture()})
            await until(lambda leg=leg: leg.dtls.transport.state == "completed")
            for _ in range(20):
                await leg.send_raw(garbage)
            await leg.close()
            good.stage.engine.close_peer(leg.peer)
            await until(lambda leg=leg: good.stage.told("closed", leg.peer))
        await good.flow()
        assert good.stage.engine.metrics()["panics"] == 0


async def test_g04_records_with_a_bad_mac_do_not_move_the_window() -> None:
    async with bystanders() as good:
        for epoch in (0, 1, 2, 0xFFFF):
            for sequence in (0, 1, 1 << 32, (1 << 48) - 1):
                for kind in (20, 21, 22, 23):
                    await good.teacher.send_raw(record(kind, os.urandom(60), epoch=epoch, sequence=sequence))
        await good.flow()
        # A close_notify with the next real sequence number still counts.
        await good.teacher.pc.close()
        await until(lambda: good.stage.told("closed", good.teacher.peer, "dtls"))
