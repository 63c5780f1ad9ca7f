"""The engine's SRTP against libsrtp: the recorded packets are libsrtp's own, byte for byte, in both directions.

`libsrtp.txt` holds master keys, plain packets and what libsrtp made of them. The engine's own test
(media/engine/core/src/srtp/tests) seals the plain ones to exactly these bytes and opens these bytes to the plain ones; here
libsrtp proves that it still makes them, and that it opens them. Run this file as a script to record it anew.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from pylibsrtp import Error, Policy, Session

RECORDED = Path(__file__).parents[3] / "media/engine/core/src/srtp/tests/libsrtp.txt"

#: DTLS-SRTP profile number -> (libsrtp profile, length of master key and salt).
PROFILES = {
    1: (Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 30),
    7: (Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 28),
    8: (Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 44),
}
#: Jumps, reordering and two rollovers, always less than half the number space ahead and a few packets back.
SEQUENCES = [1000, 1001, 1003, 1002, 30_000, 60_000, 65_534, 0, 65_535, 1, 20_000, 50_000, 65_533, 3, 2, 9000]


def session(profile: int, key: bytes, direction: int) -> Session:
    policy = Policy(key=key, ssrc_type=direction, srtp_profile=PROFILES[profile][0])
    return Session(policy=policy)


def rtp(random: Random, ssrc: int, sequence: int) -> bytes:
    """A packet with random payload and, now and then, CSRCs, an extension block and padding."""
    csrcs = random.choice([0, 0, 0, 2, 15])
    extension = random.random() < 0.5
    padding = random.choice([0, 0, 0, 1, 4, 255])
    first = 0x80 | (0x20 if padding else 0) | (0x10 if extension else 0) | csrcs
    header = bytes([first, random.randrange(128)]) + sequence.to_bytes(2, "big") + random.randbytes(4) + ssrc.to_bytes(4, "big")
    header += random.randbytes(4 * csrcs)
    if extension:
        words = random.randrange(5)
        header += b"\xbe\xde" + words.to_bytes(2, "big") + random.randbytes(4 * words)
    payload = random.randbytes(random.choice([0, 1, 15, 16, 17, 60, 160]))
    return header + payload + (bytes(padding - 1) + bytes([padding]) if padding else b"")


def rtcp(random: Random, ssrc: int) -> bytes:
    """A receiver report with `blocks` random report blocks."""
    blocks = random.randrange(4)
    words = 1 + 6 * blocks
    return bytes([0x80 | blocks, 201]) + words.to_bytes(2, "big") + ssrc.to_bytes(4, "big") + random.randbytes(24 * blocks)


def record() -> Iterator[str]:
    """Lines "profile N", "key HEX", "rtp PLAIN SEALED", "rtcp PLAIN SEALED"; the order is the order of sealing."""
    random = Random(7714)
    for profile, (_, length) in PROFILES.items():
        key = random.randbytes(length)
        yield f"profile {profile}"
        yield f"key {key.hex()}"
        sender = session(profile, key, Policy.SSRC_ANY_OUTBOUND)
        for sequence in SEQUENCES:
            for ssrc in (0x11223344, 0xFFFFFFFE):
                plain = rtp(random, ssrc, sequence)
                yield f"rtp {plain.hex()} {sender.protect(plain).hex()}"
        for _ in range(10):
            plain = rtcp(random, 0x11223344)
            yield f"rtcp {plain.hex()} {sender.protect_rtcp(plain).hex()}"


def recorded() -> list[str]:
    return RECORDED.read_text().splitlines()


def test_libsrtp_still_makes_the_recorded_packets() -> None:
    assert list(record()) == recorded()


def test_libsrtp_opens_what_the_engine_seals() -> None:
    receiver: Session | None = None
    profile = opened = 0
    for kind, *words in (line.split() for line in recorded()):
        if kind == "profile":
            profile = int(words[0])
        elif kind == "key":
            receiver = session(profile, bytes.fromhex(words[0]), Policy.SSRC_ANY_INBOUND)
        else:
            assert receiver is not None
            plain, sealed = map(bytes.fromhex, words)
            unprotect = receiver.unprotect if kind == "rtp" else receiver.unprotect_rtcp
            assert unprotect(sealed) == plain
            with pytest.raises(Error):
                unprotect(sealed)
            opened += 1
    assert opened == len(PROFILES) * (2 * len(SEQUENCES) + 10)


if __name__ == "__main__":
    RECORDED.write_text("".join(f"{line}\n" for line in record()))
