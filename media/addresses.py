"""Which of this machine's addresses clients may be told to send media to, when the operator names none. Linux, IPv4."""

import fcntl
import socket
import struct
from typing import Final

_SIOCGIFADDR: Final = 0x8915
#: more candidates cost every client connectivity checks
MOST: Final = 4


def local_addresses() -> list[str]:
    """Addresses of this machine's interfaces, the one towards the default route first, 127.0.0.1 last; at most four.

    Loopback alone is not enough even for browsers on this machine: some never try it.
    """
    found = [address for address in (_towards_the_world(), *map(_of_interface, _interfaces())) if address is not None]
    outward = [address for address in dict.fromkeys(found) if not address.startswith("127.")]
    return [*outward[: MOST - 1], "127.0.0.1"]


def _interfaces() -> list[str]:
    return [name for _, name in socket.if_nameindex()]


def _towards_the_world() -> str | None:
    """Source address of the default route; connecting a UDP socket sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address: str = probe.getsockname()[0]
        return address


def _of_interface(name: str) -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
        except OSError:
            return None
        return socket.inet_ntoa(answer[20:24])
