"""Replayed, forged and malformed RTP of an authenticated peer: dropped and counted, the class goes on (G05, G08)."""

import os
import struct

import pytest

from media.codecs import EXTENSIONS
from tests.support.legs import Bystanders, Leg, Picture, bystanders, until


def rtp(sequence: int, *, first: int = 0x80, pt: int = 96, timestamp: int = 0, ssrc: int = 77, rest: bytes = b"\x10\x00payload") -> bytes:
    return struct.pack("!BBHII", first, pt, sequence, timestamp, ssrc) + rest


async def sender(good: Bystanders) -> Leg:
    leg = await good.stage.publish({"camera": Picture()})
    await until(lambda: good.stage.told("track", leg.tracks["camera"], True))
    return leg


async def test_g05_replays_bad_tags_and_stumps_are_dropped() -> None:
    async with bystanders() as good:
        engine, leg = good.stage.engine, await sender(good)
        sealed = leg.seal(rtp(1))
        for _ in range(1000):
            await leg.send_raw(sealed)
        await until(lambda: engine.metrics()["dropped_srtp_replay"] >= 900)
        before = engine.metrics()
        forged = bytearray(leg.seal(rtp(2)))
        forged[-1] ^= 1
        ancient = bytearray(leg.seal(rtp(3)))
        ancient[2] ^= 0x80
        for datagram in (bytes(forged), bytes(ancient)):
            await leg.send_raw(datagram)
        fresh = leg.seal(rtp(5))
        for size in (1, 2, 11, 12, 15, 27):
            await leg.send_raw(fresh[:size])
        for size in (2, 4, 8, 12, 20, 23):
            await leg.send_raw((b"\x80\xc8" + os.urandom(64))[:size])
        await leg.send_raw(b"\x80\xc8\x00\x06" + os.urandom(40))

        def more(name: str) -> int:
            return engine.metrics()[name] - before[name]

        await until(lambda: more("dropped_srtp_auth") >= 1 and more("dropped_srtp_short") >= 6)
        await until(lambda: more("dropped_srtcp_short") + more("dropped_srtcp_auth") >= 4)
        # The same source is still heard: no counter moved.
        unknown = engine.metrics()["dropped_unknown_ssrc"]
        await leg.send_raw(fresh)
        await until(lambda: engine.metrics()["dropped_unknown_ssrc"] > unknown)
        await good.flow()


MALFORMED = {
    "padding longer than the payload": rtp(10, first=0xA0, rest=b"\x10\x00ab\xff"),
    "padding of nothing": rtp(11, first=0xA0, rest=b"\x10\x00ab\x00"),
    "padding without payload": rtp(12, first=0xA0, rest=b""),
}
REFUSED_UNOPENED = {
    "extension beyond the end": rtp(13, first=0x90, rest=b"\xbe\xde\xff\xff" + bytes(20)),
    "fifteen sources in a short packet": rtp(14, first=0x8F, rest=bytes(8)),
    "version 3": rtp(15, first=0xC0),
    "version 1": rtp(15, first=0x40),
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_g08_malformed_packets_are_dropped_after_decryption(name: str) -> None:
    async with bystanders() as good:
        engine, leg = good.stage.engine, await sender(good)
        await leg.send_raw(leg.seal(MALFORMED[name]))
        await until(lambda: engine.metrics()["dropped_rtp_malformed"] == 1)
        await good.flow()


async def test_g05_packets_that_cannot_be_opened_are_dropped_before() -> None:
    async with bystanders() as good:
        engine, leg = good.stage.engine, await sender(good)
        before = engine.metrics()
        for packet in REFUSED_UNOPENED.values():
            await leg.send_raw(packet + bytes(16))
        await leg.send_raw(bytes(65_000))
        await leg.send_raw(b"\x80" + bytes(65_000))

        def more(*names: str) -> int:
            return sum(engine.metrics()[name] - before[name] for name in names)

        await until(lambda: more("dropped_srtp_short", "dropped_unknown_kind", "dropped_oversize") >= 6)
        assert engine.metrics()["panics"] == 0
        await good.flow()


async def test_g08_extension_blocks_of_every_shape_harm_nobody() -> None:
    async with bystanders() as good:
        engine, leg = good.stage.engine, await sender(good)
        for n in range(500):
            words = os.urandom(4 * (n % 20))
            profile = (b"\xbe\xde", b"\x10\x00", b"\x10\x0f", b"\x00\x00")[n % 4]
            block = profile + struct.pack("!H", len(words) // 4) + words
            await leg.send_raw(leg.seal(rtp(100 + n, first=0x90, rest=block + os.urandom(n))))
        await good.flow()
        assert engine.metrics()["panics"] == 0
        assert EXTENSIONS["mid"].endswith("mid")
