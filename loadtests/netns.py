"""A network of the bench's own: servers live in a namespace, the load outside of it, one pair of virtual Ethernet ends between them.

Some servers refuse loopback (Janus skips it when it gathers candidates), and a bench must not touch any other network. Addresses are of
198.18.0.0/15, which RFC 2544 set aside for benches; names and addresses derive from the process id, so that two benches do not meet.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PREFIX: Final = "jiangtai-"


class Unavailable(Exception):
    """This machine or user cannot make a namespace; the text says why."""


@dataclass(frozen=True)
class Namespace:
    """A namespace, the address of servers in it and the address of the load."""

    name: str
    inside: str
    outside: str

    def command(self, words: Sequence[str]) -> list[str]:
        """The same command line, run inside; the process id is that of the command itself."""
        return ["ip", "netns", "exec", self.name, *words]


def plan(pid: int) -> Namespace:
    """Name and addresses a process uses: one of 16,384 networks of four addresses."""
    network = pid & 0x3FFF
    host = f"198.18.{network >> 6}."
    low = (network & 0x3F) * 4
    return Namespace(f"{_PREFIX}{pid}", f"{host}{low + 2}", f"{host}{low + 1}")


def left_behind(names: str, alive: set[int]) -> list[str]:
    """Namespaces in the answer of `ip netns list` whose bench is gone."""
    found = [line.split()[0] for line in names.splitlines() if line.startswith(_PREFIX)]
    return [name for name in found if (pid := name.removeprefix(_PREFIX)).isdigit() and int(pid) not in alive]


@contextmanager
def namespace() -> Iterator[Namespace]:
    """A namespace with its link up, taken away at the end. Raises Unavailable, saying what is missing."""
    if os.geteuid() != 0:
        raise Unavailable("a network namespace needs root")
    _sweep()
    planned = plan(os.getpid())
    near, far = f"jt{os.getpid()}a", f"jt{os.getpid()}b"
    try:
        _ip("netns", "add", planned.name)
        _ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", planned.name)
        _ip("address", "add", f"{planned.outside}/30", "dev", near)
        _ip("link", "set", near, "up")
        for words in (("address", "add", f"{planned.inside}/30", "dev", far), ("link", "set", far, "up"), ("link", "set", "lo", "up")):
            _ip("-netns", planned.name, *words)
        yield planned
    finally:
        # The link first: a namespace takes its own down only some time after it was deleted.
        for gone in (("link", "delete", near), ("netns", "delete", planned.name)):
            subprocess.run(["ip", *gone], capture_output=True, check=False, timeout=20)


def _sweep() -> None:
    """Remove what benches that were killed have left."""
    alive = {int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
    for name in left_behind(_ip("netns", "list"), alive):
        _ip("netns", "delete", name)


def _ip(*words: str) -> str:
    try:
        done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False, timeout=20)
    except FileNotFoundError:
        raise Unavailable("the command `ip` is missing (package iproute2)") from None
    if done.returncode != 0:
        raise Unavailable(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout
