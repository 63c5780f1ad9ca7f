"""Forged connectivity checks and forged source addresses: no answer, no state, no way in (G01, G06)."""

import hashlib
import hmac
import os
import socket
import struct
import zlib

from tests.support.legs import Picture, bystanders, until

COOKIE = 0x2112A442


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def check(username: str, password: str | None, *, fingerprint: bool = True) -> bytes:
    """A Binding request as ICE sends it (RFC 8445 section 7.2.2)."""
    body = (
        attribute(0x0006, username.encode())
        + attribute(0x0024, struct.pack("!I", 1))
        + attribute(0x802A, bytes(8))
        + attribute(0x0025, b"")
    )
    transaction = os.urandom(12)

    def head(length: int) -> bytes:
        return struct.pack("!HHI", 1, length, COOKIE) + transaction

    if password is not None:
        tag = hmac.new(password.encode(), head(len(body) + 24) + body, hashlib.sha1).digest()
        body += attribute(0x0008, tag)
    if fingerprint:
        crc = zlib.crc32(head(len(body) + 8) + body) ^ 0x5354554E
        body += attribute(0x8028, struct.pack("!I", crc))
    return head(len(body)) + body


def answers(sock: socket.socket) -> list[bytes]:
    got = []
    sock.settimeout(0.3)
    while True:
        try:
            got.append(sock.recv(2048))
        except TimeoutError:
            return got


async def test_g01_checks_without_the_password_get_no_answer_and_leave_no_state() -> None:
    async with bystanders() as good:
        engine = good.stage.engine
        remote = good.teacher.pc.remoteDescription.sdp
        ufrag = next(line.split(":", 1)[1] for line in remote.splitlines() if line.startswith("a=ice-ufrag:")).strip()
        broken = bytearray(check(f"{ufrag}:x", "guess"))
        broken[-1] ^= 1
        long_attribute = bytearray(check(f"{ufrag}:x", "guess"))
        long_attribute[22:24] = b"\xff\xff"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", engine.udp_ports[0]))
            for datagram in (
                check(f"{ufrag}:x", None),
                check(f"{ufrag}:x", "guess"),
                check("nobody:x", "guess"),
                check("", None, fingerprint=False),
                bytes(broken),
                bytes(long_attribute),
                struct.pack("!HHI", 1, 0, COOKIE) + bytes(12),
                b"\x00",
                b"",
            ):
                for _ in range(20):
                    sock.send(datagram)
            assert answers(sock) == []
        counted = engine.metrics()
        names = ("dropped_stun_integrity", "dropped_stun_unknown_user", "dropped_stun_fingerprint", "dropped_stun_malformed")
        assert all(counted[name] >= 20 for name in names), counted
        assert counted["peers"] == 2
        await good.flow()


async def test_g06_media_from_an_unchecked_address_is_neither_taken_nor_answered() -> None:
    async with bystanders() as good:
        engine = good.stage.engine
        before = engine.metrics()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", engine.udp_ports[0]))
            for first in (0x80, 0x90, 0xBF, 22, 20, 63, 64, 79, 127, 192, 255):
                for size in (1, 12, 28, 1200, 1500, 9000):
                    sock.send(bytes([first, 200 if size == 28 else 96]) + os.urandom(size - 1))
            # The real thing, from the wrong place.
            sock.send(good.teacher.seal(struct.pack("!BBHII", 0x80, 96, 1, 1, 77) + b"stolen"))
            assert answers(sock) == []
        await until(lambda: engine.metrics()["dropped_no_pair"] >= before["dropped_no_pair"] + 31)
        assert engine.metrics()["dropped_srtp_auth"] == before["dropped_srtp_auth"]
        await good.flow()


async def test_g16_junk_at_speed_does_not_disturb_a_class() -> None:
    async with bystanders() as good:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", good.stage.engine.udp_ports[0]))
            junk = [os.urandom(200) for _ in range(64)]
            for n in range(40_000):
                sock.send(junk[n % 64])
        await good.flow()
        other = await good.stage.publish({"camera": Picture()})
        await until(lambda: good.stage.told("connected", other.peer))
