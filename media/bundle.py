"""One transport for all m-lines: what every client's description must say of it, and how ours say it (BUNDLE, RFC 8843). Pure.

Refused with Rejected("bad_sdp"): more than 64 KiB, 40 m-lines, 400 lines or 64 candidates per m-line; an m-line that is not in the one
BUNDLE group; missing rtcp-mux, ICE credentials or a SHA-256 fingerprint; a client that insists on being the DTLS server; mids that are not
1-16 letters, digits, `-` or `_`, or occur twice.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from media.sdp import Attribute, Description, Malformed, Section, parse, write
from media.transport import RemoteTransport, ServerTransport
from signaling.classroom.errors import Rejected

PROTOCOL: Final = "UDP/TLS/RTP/SAVPF"
_MID: Final = re.compile(r"[A-Za-z0-9_-]{1,16}", re.ASCII)
# RFC 8839 section 5.4: ice-char, 4-256 for the fragment, 22-256 for the password.
_UFRAG: Final = re.compile(r"[A-Za-z0-9+/]{4,256}", re.ASCII)
_PWD: Final = re.compile(r"[A-Za-z0-9+/]{22,256}", re.ASCII)
_SHA256: Final = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){31}", re.ASCII)


def read(text: str, *, setups: tuple[str, ...]) -> Description:
    """A client's description that fits one transport; `setups` are the DTLS roles it may ask for."""
    try:
        description = parse(text)
    except Malformed as error:
        raise Rejected("bad_sdp") from error
    live = [section for section in description.sections if section.live]
    bundles = [value.split(" ")[1:] for value in description.values("group") if value.startswith("BUNDLE")]
    mids = [section.first("mid") for section in description.sections]
    if not live or len(bundles) != 1 or len(set(mids)) != len(mids):
        raise Rejected("bad_sdp")
    bundled = set(bundles[0])
    for section in live:
        mid = section.first("mid")
        if mid is None or not _MID.fullmatch(mid) or mid not in bundled:
            raise Rejected("bad_sdp")
        if section.kind in ("audio", "video") and not section.has("rtcp-mux"):
            raise Rejected("bad_sdp")
    # A bundle-only m-line leaves the transport's attributes to the one it borrows from.
    wishes = set(description.values("setup")).union(*(section.values("setup") for section in live))
    if not wishes or not wishes <= set(setups):
        raise Rejected("bad_sdp")
    remote(description)
    return description


def remote(description: Description) -> RemoteTransport:
    """The one transport all live m-lines share; what an m-line repeats must not differ from the others (RFC 8843 section 7.1)."""
    holders: list[Description | Section] = [description, *(section for section in description.sections if section.live)]
    ufrag, pwd = credentials(holders)
    prints = {value for holder in holders for value in holder.values("fingerprint")}
    sha256 = {rest.strip().upper() for kind, _, rest in (value.partition(" ") for value in prints) if kind.lower() == "sha-256"}
    if len(sha256) != 1 or not _SHA256.fullmatch(next(iter(sha256))):
        raise Rejected("bad_sdp")
    return RemoteTransport(ufrag=ufrag, pwd=pwd, fingerprint=sha256.pop(), origin=description.origin[0])


def credentials(holders: Sequence[Description | Section]) -> tuple[str, str]:
    """(user fragment, password) all of these agree on (RFC 8839 section 5.4)."""
    ufrag, pwd = _common(holders, "ice-ufrag"), _common(holders, "ice-pwd")
    if not _UFRAG.fullmatch(ufrag) or not _PWD.fullmatch(pwd):
        raise Rejected("bad_sdp")
    return ufrag, pwd


def _common(holders: Sequence[Description | Section], name: str) -> str:
    values = {value for holder in holders for value in holder.values(name)}
    if len(values) != 1:
        raise Rejected("bad_sdp")
    return values.pop()


def direction(description: Description, section: Section) -> str:
    """Which way an m-line's media goes (RFC 8866 section 6.7)."""
    for holder in (section.attributes, description.attributes):
        for name, _ in holder:
            if name in ("sendrecv", "sendonly", "recvonly", "inactive"):
                return name
    return "sendrecv"


def declined(section: Section) -> Section:
    """RFC 9429 section 5.3.1: a refused m-line keeps its place with port 0."""
    mid = section.first("mid")
    named = (("mid", mid),) if mid is not None and _MID.fullmatch(mid) else ()
    return Section(
        kind=section.kind,
        port=0,
        protocol=section.protocol,
        formats=section.formats[:1],
        attributes=(*named, ("inactive", "")),
    )


def transport_lines(mid: str, transport: ServerTransport, setup: str) -> list[Attribute]:
    """What each of our m-lines says of the transport."""
    return [
        ("mid", mid),
        ("ice-ufrag", transport.ufrag),
        ("ice-pwd", transport.pwd),
        ("fingerprint", f"sha-256 {transport.fingerprint}"),
        ("setup", setup),
    ]


def assemble(transport: ServerTransport, sections: Sequence[Section], bundled: Sequence[str]) -> str:
    """Our whole description; `bundled` are the mids of the m-lines in use, the first one leads the group."""
    # RFC 8843 section 7.1.3: candidates belong to the m-line whose mid leads the group.
    sections = [
        replace(section, attributes=section.attributes + transport.candidates()) if section.first("mid") == bundled[0] else section
        for section in sections
    ]
    return write(
        Description(
            origin=(transport.session, transport.version),
            attributes=(
                ("group", " ".join(["BUNDLE", *bundled])),
                ("extmap-allow-mixed", ""),
                ("ice-lite", ""),
                ("msid-semantic", " WMS *"),
            ),
            sections=tuple(sections),
        )
    )
