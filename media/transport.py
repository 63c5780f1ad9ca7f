"""What two peers must know of each other's transport: ICE credentials, certificate fingerprint, addresses. Pure data.

A server transport's credentials are its media ticket (see media/plane.py).
"""

from dataclasses import dataclass, replace
from typing import Final, Self

from media.sdp import Attribute

#: RFC 8445 section 5.1.2: host candidates; UDP before TCP, earlier addresses first.
_UDP_PREFERENCE: Final = 126 << 24
_TCP_PREFERENCE: Final = 90 << 24


@dataclass(frozen=True, kw_only=True)
class ServerTransport:
    """Our side: an ICE-lite, DTLS-passive transport reachable at every address on one UDP and, if given, one TCP port.

    `fingerprint` is upper-case hex with colons, of SHA-256 (RFC 8122).
    """

    ufrag: str
    pwd: str
    fingerprint: str
    addresses: tuple[str, ...]
    udp_port: int | None
    tcp_port: int | None
    session: str = "1"
    version: int = 1

    def after(self, old: Self) -> Self:
        """The same conversation one description later (RFC 3264 section 8: same session id, version one higher)."""
        return replace(self, session=old.session, version=old.version + 1)

    def candidates(self) -> tuple[Attribute, ...]:
        """Host candidates of component 1, ended (RFC 8840: no more will follow)."""
        found: list[Attribute] = []
        for index, address in enumerate(self.addresses):
            preference = (65535 - index) << 8 | 255
            if self.udp_port is not None:
                found.append(("candidate", f"u{index} 1 udp {_UDP_PREFERENCE | preference} {address} {self.udp_port} typ host"))
            if self.tcp_port is not None:
                text = f"t{index} 1 tcp {_TCP_PREFERENCE | preference} {address} {self.tcp_port} typ host tcptype passive"
                found.append(("candidate", text))
        return (*found, ("end-of-candidates", ""))


@dataclass(frozen=True, kw_only=True)
class RemoteTransport:
    """The client's side, as its description tells. `origin` names its RTCPeerConnection (the session id of its o= line)."""

    ufrag: str
    pwd: str
    fingerprint: str
    origin: str

    def same_connection(self, other: Self) -> bool:
        """Whether two descriptions come from the same RTCPeerConnection: same session id, same certificate."""
        return (self.origin, self.fingerprint) == (other.origin, other.fingerprint)
