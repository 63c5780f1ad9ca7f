"""Which addresses a destination may have: public ones, and any if its table says `private = true`.

Asked for every address at the moment a connection to it begins, after its name was resolved: a name that means another address a moment
later is no way around it. Redirects are followed nowhere (stores), and no proxy is taken from the environment.
"""

import ipaddress
import socket
from typing import Final

import aiohttp

_NAMED: Final = {"User-Agent": "jiangtai"}
#: all that is public in IPv6 (RFC 4291 section 2.4); what `is_global` says of the rest differs between versions of Python
_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
#: the rest of such an address is one of IPv4 (RFC 6052)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


class NotPublic(OSError):
    """An address is on this machine or in a private network."""

    def __init__(self) -> None:
        super().__init__("its address is not public; `private = true` in its table allows that")


def is_public(address: str) -> bool:
    """Whether anybody may be asked at an IP address; one of IPv4 within IPv6 is judged as such. ValueError if it is none."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        within = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF) if ip in _NAT64 else ip.ipv4_mapped or ip.sixtofour
        if within is None:
            return ip in _UNICAST and ip.is_global
        ip = within
    return ip.is_global and not ip.is_multicast


def session(*, private: bool) -> aiohttp.ClientSession:
    """Connections to destinations; without `private` a connection elsewhere than to a public address fails with NotPublic as its cause."""
    connector = aiohttp.TCPConnector(socket_factory=None if private else _public)
    return aiohttp.ClientSession(connector=connector, trust_env=False, headers=_NAMED)


def _public(info: aiohttp.AddrInfoType) -> socket.socket:
    family, kind, protocol, _, where = info
    # A zone (fe80::1%eth0) belongs to a link, which is no public place.
    if not is_public(str(where[0]).partition("%")[0]):
        raise NotPublic
    return socket.socket(family, kind, protocol)
