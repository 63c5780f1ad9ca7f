"""Junk for a media port, at a rate: `python -m tests.support.junk PORT RATE SECONDS` prints what was sent and how fast, as JSON.

A process of its own, so that the load it makes is not the class's. Many datagrams go with one system call (sendmmsg), from sixteen sockets
in turn and of all sizes, so that the kernel can join none of them.
"""

import ctypes
import json
import os
import random
import socket
import sys
import time

SOCKETS = 16
BATCH = 64
#: different datagrams; they come again and again
KINDS = 2048
LONGEST = 1200


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("len", ctypes.c_size_t))


class _Header(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_len", ctypes.c_uint32),
        ("vectors", ctypes.POINTER(_Vector)),
        ("vectors_len", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_len", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    _fields_ = (("header", _Header), ("sent", ctypes.c_uint))


def kinds(seed: int = 1) -> list[bytes]:
    """Noise of every first byte, and what looks like STUN, DTLS, RTP and RTCP; every size differs from its neighbours'."""
    dice = random.Random(seed)
    made = []
    for n in range(KINDS):
        body = dice.randbytes(1 + (n * 37 + dice.randrange(30)) % LONGEST)
        starts = (b"", b"\x00\x01\x00\x10\x21\x12\xa4\x42", b"\x16\xfe\xfd\x00\x00", b"\x80\x60", b"\x80\xc8\x00\x06", b"\x90\xef")
        made.append((dice.choice(starts) + body)[:LONGEST])
    return made


def batches(datagrams: list[bytes]) -> list[ctypes.Array[_Message]]:
    """Ready-made arguments of sendmmsg."""
    made = []
    for first in range(0, len(datagrams), BATCH):
        messages = (_Message * BATCH)()
        for message, datagram in zip(messages, datagrams[first : first + BATCH], strict=True):
            # The arrays keep what they point at alive.
            vector = _Vector(ctypes.cast(ctypes.c_char_p(datagram), ctypes.c_void_p), len(datagram))
            message.header.vectors = ctypes.pointer(vector)
            message.header.vectors_len = 1
        made.append(messages)
    return made


def flood(port: int, rate: float, seconds: float) -> dict[str, float]:
    """Send at this rate, or as fast as it goes."""
    libc = ctypes.CDLL(None, use_errno=True)
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(SOCKETS)]
    for sock in sockets:
        sock.connect(("127.0.0.1", port))
    datagrams = kinds()
    ready = batches(datagrams)
    begun = time.monotonic()
    sent = n = 0
    while (now := time.monotonic()) < begun + seconds:
        if sent > rate * (now - begun):
            time.sleep(0.0005)
            continue
        taken = libc.sendmmsg(sockets[n % SOCKETS].fileno(), ready[n % len(ready)], BATCH, 0)
        if taken < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        sent += taken
        n += 1
    span = time.monotonic() - begun
    return {"sent": sent, "seconds": span, "rate": sent / span}


if __name__ == "__main__":
    print(json.dumps(flood(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))))
