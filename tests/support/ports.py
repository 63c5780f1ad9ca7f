"""Ports for programs that are told theirs: below those the system gives to connections, so that none takes one between asking and use."""

import itertools
import os
import socket

_FIRST, _COUNT = 10_000, 20_000
# Each process goes its own way round: two that run at once start far from each other.
_turns = itertools.count(os.getpid() * 977)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port nobody uses now and this process gave to nobody before."""
    for turn in itertools.islice(_turns, _COUNT):
        port = _FIRST + turn % _COUNT
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no port is free")
