"""First inputs for the fuzz targets, from the recorded payloads: `python -m tests.support.fuzz_seeds`.

What the fuzzer finds on the way is added by `.ci/fuzz keep`.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from tests.support.payloads import CUT, recorded

ENGINE = Path(__file__).parents[2] / "media/engine"
#: The heads matter; the rest of a picture is noise to the engine.
LONGEST = 200


def payloads(codec: str) -> Iterator[bytes]:
    """The first and second payload of one key frame and two other pictures of each recorded stream."""
    for path in sorted((ENGINE / "core/src" / codec / "tests").glob("*.txt")):
        for stream in recorded(path):
            keys = [picture for picture, size in stream.pictures if size]
            others = [picture for picture, size in stream.pictures if not size]
            for picture in keys[:1] + others[:2]:
                yield from (payload[:LONGEST] for payload in picture[:2])


# --- steps of the shard target (media/engine/fuzz/fuzz_targets/shard.rs) ---------------------------------------------
TRAINER, TRAINEE = 0, 1
#: places in the target's table of sources
VIDEO, VIDEO_RTX, AUDIO, OTHER = 0, 1, 2, 4
#: places in its table of payload types
VP8, RTX, OPUS, RED, H264, VP9, AV1 = range(7)


def rtp(
    who: int, source: int, payload: bytes, *, kind: int = VP8, step: int = 1, ticks: int = 100, words: bytes = b"", layered: bool = False
) -> bytes:
    """One packet; of a layered one the source is the layer."""
    flags = 0x80 if layered else 0x10 if words else 0
    return bytes([0, who, flags, 0x80 | kind, source, step & 0xFF, ticks, len(words) // 4, len(payload)]) + words + payload


def rtcp(who: int, compound: bytes) -> bytes:
    return bytes([3, who, len(compound)]) + compound


def report(ssrc: int) -> bytes:
    return struct.pack("!BBHI", 0x80, 201, 1, ssrc)


def nack(media: int, first: int, mask: int) -> bytes:
    return struct.pack("!BBHIIHH", 0x81, 205, 3, 1, media, first & 0xFFFF, mask)


def pli(media: int) -> bytes:
    return struct.pack("!BBHII", 0x81, 206, 2, 1, media)


def sender_report(ssrc: int) -> bytes:
    return struct.pack("!BBHIQIII", 0x80, 200, 6, ssrc, 0xE8000000 << 32, 0xFFFF0000, 9, 900)


def command(what: int, a: int, b: int, c: int) -> bytes:
    return bytes([8, what, a, b, c])


def passing(ms: int) -> bytes:
    return bytes([7, ms & 0xFE])


def joining(*damages: tuple[int, int, int]) -> bytes:
    """One (times, place, change) for each record of the handshake."""
    return bytes([9]) + b"".join(map(bytes, damages or [(1, 0, 0)] * 12))


def lessons() -> Iterator[bytes]:
    """Short classes: media with losses and repairs, audio, a switch of sources, moves and ends."""
    vp8 = [payload[:60] for payload in payloads("vp8")]
    twcc = b"\x31\x00\x07\x10\x9e\x00\x00\x00"
    level = b"\x10\x9e\x00\x00"
    yield b"".join(rtp(TRAINER, VIDEO, payload, words=twcc) for payload in vp8[:6]) + passing(60)
    yield b"".join(
        [
            rtp(TRAINER, VIDEO, vp8[0]),
            rtp(TRAINER, VIDEO, vp8[1], step=3),
            passing(20),
            rtp(TRAINER, VIDEO_RTX, struct.pack("!H", 65_502) + vp8[2], kind=RTX),
            *(rtcp(TRAINEE, report(1) + nack(2000, n, 0xFFFF)) for n in (1100, 1112)),
            rtcp(TRAINEE, report(1) + pli(2000)),
            rtcp(TRAINER, sender_report(1000)),
            passing(200),
        ]
    )
    yield b"".join(rtp(TRAINER, AUDIO, b"\x78\x01\x02\x03\x04", kind=OPUS, ticks=32, words=level) + passing(20) for _ in range(8))
    yield b"".join(
        [
            rtp(TRAINER, VIDEO, vp8[0]),
            command(4, TRAINER, 2, 2),
            command(9, 0, 2, 1),
            rtp(TRAINER, OTHER, vp8[0]),
            rtp(TRAINER, OTHER, vp8[1]),
            command(5, 0, 0, 0),
            command(6, 0, 2, 0),
            command(11, 0, 0, 0),
        ]
    )
    red = b"\xef\x0f\x00\x03\x6f" + b"\x78\x01\x02" + b"\x78\x03\x04\x05"
    yield b"".join(rtp(TRAINER, AUDIO, red, kind=RED, ticks=32, words=level) + passing(20) for _ in range(4))
    prepared = command(4, TRAINER, 2, 2) + command(7, TRAINEE, 0, 0x12) + command(9, 0, 2, 0x11)
    for kind, codec in ((H264, "h264"), (VP9, "vp9"), (AV1, "av1")):
        pictures = [payload[:60] for payload in payloads(codec)]
        yield prepared + b"".join(rtp(TRAINER, OTHER, payload, kind=kind) for payload in pictures[:5])
        yield b"".join(rtp(TRAINER, layer, payload, kind=kind, layered=True) for payload in pictures[:3] for layer in range(3))
    yield b"".join(rtp(TRAINER, layer, payload, layered=True) for payload in vp8[:3] for layer in (2, 1, 0)) + passing(60)
    yield b"".join(
        [joining(), bytes([5, TRAINEE, 9, 1]), bytes([5, TRAINEE, 11, 3]), bytes([6, TRAINEE]), command(2, TRAINEE, 0, 1), passing(100)]
    )
    yield joining((1, 0, 0), (1, 3, 1), *[(2, 0, 0)] * 10) + passing(250)
    yield joining((1, 0, 0), *[(1, 0, 0), (0, 0, 0)] * 5) + passing(250)
    yield b"".join([command(3, TRAINEE, 0, 0), command(7, TRAINER, 0, 0x12), command(8, TRAINEE, 0, 0), command(1, 0, 1, 0), passing(254)])
    yield b"".join(
        bytes([4, TRAINER, len(datagram)]) + datagram
        for datagram in (b"\x16\xfe\xfd" + bytes(60), b"\x00\x01\x00\x00" + bytes(16), b"\x80")
    )


def main() -> None:
    found = {codec: list(payloads(codec)) for codec in CUT} | {"shard": list(lessons())}
    for target, inputs in found.items():
        path = ENGINE / "fuzz/seeds" / f"{target}.txt"
        known = {bytes.fromhex(line) for line in path.read_text().splitlines()} if path.exists() else set()
        ordered = sorted(known | set(inputs), key=lambda data: (len(data), data))
        path.write_text("".join(f"{data.hex()}\n" for data in ordered))


if __name__ == "__main__":
    main()
