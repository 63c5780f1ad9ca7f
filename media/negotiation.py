"""Offers and answers (JSEP, RFC 9429) as pure functions: text in, text and a plan out. No sockets, no randomness, no clock.

Two one-way conversations. *Publish*: the client offers what it sends, we answer. *Subscribe*: we offer a fixed set of slots, the client
answers. We are always ICE-lite and DTLS-passive, everything is bundled on one transport and multiplexed with its RTCP.

A description that breaks a rule is refused with Rejected("bad_sdp") before anything is built from it. Refused are: more than 64 KiB,
40 m-lines, 400 lines or 64 candidates per m-line; an m-line that is not in the one BUNDLE group; missing rtcp-mux, ICE credentials or a
SHA-256 fingerprint; a client that insists on being the DTLS server; mids that are not 1-16 letters, digits, `-` or `_`, or occur twice.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from media.codecs import (
    EXTENSIONS_OF,
    OFFERED_IDS,
    Codec,
    Formats,
    Kind,
    answered_fmtp,
    offered_formats,
    read_extensions,
    read_formats,
    write_extensions,
    write_formats,
)
from media.sdp import Attribute, Description, Malformed, Section, number, parse, write
from media.transport import RemoteTransport, ServerTransport
from signaling.classroom.errors import Rejected

Source: TypeAlias = Literal["microphone", "camera", "screen", "screen_audio"]
Use: TypeAlias = Literal["screen", "main", "tile", "audio", "screen_audio"]

KIND_OF: Final[Mapping[Source, Kind]] = {"microphone": "audio", "camera": "video", "screen": "video", "screen_audio": "audio"}
KIND_FOR: Final[Mapping[Use, Kind]] = {"screen": "video", "main": "video", "tile": "video", "audio": "audio", "screen_audio": "audio"}
MAX_SSRCS: Final = 8
_MID: Final = re.compile(r"[A-Za-z0-9_-]{1,16}", re.ASCII)
# RFC 8839 section 5.4: ice-char, 4-256 for the fragment, 22-256 for the password.
_UFRAG: Final = re.compile(r"[A-Za-z0-9+/]{4,256}", re.ASCII)
_PWD: Final = re.compile(r"[A-Za-z0-9+/]{22,256}", re.ASCII)
_SHA256: Final = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){31}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class TrackPlan:
    """One thing the client will send: the arguments of Engine.add_track."""

    mid: str
    source: Source
    kind: Kind
    ssrcs: tuple[tuple[int, int | None], ...]
    codecs: tuple[Codec, ...]


@dataclass(frozen=True, kw_only=True)
class PublishPlan:
    """What to open for a publishing client."""

    remote: RemoteTransport
    extensions: Mapping[str, int]
    tracks: tuple[TrackPlan, ...]


@dataclass(frozen=True, kw_only=True)
class SlotOffer:
    """One place in a subscribe offer; `rtx_ssrc` is None for audio."""

    mid: str
    use: Use
    ssrc: int
    rtx_ssrc: int | None = None

    @property
    def kind(self) -> Kind:
        return KIND_FOR[self.use]


@dataclass(frozen=True, kw_only=True)
class SubscribePlan:
    """What to open for a receiving client: codecs per accepted mid, the arguments of Engine.add_slot."""

    remote: RemoteTransport
    extensions: Mapping[str, int]
    slots: Mapping[str, tuple[Codec, ...]]


def answer_publish(
    offer: str, tracks: Mapping[str, Source], transport: ServerTransport, *, known: Mapping[str, int] | None = None
) -> tuple[str, PublishPlan]:
    """Answer a client's offer; `tracks` says what each mid carries, other m-lines are declined.

    The client becomes the DTLS client, we ask for our codecs in our order. `known`, for a later offer on the same transport, are the
    extension ids it was opened with: no others are taken. Raises Rejected("bad_sdp").
    """
    description = _read(offer, setups=("actpass", "active"))
    mids = {section.first("mid") or "" for section in description.sections if section.live}
    if not tracks or not set(tracks) <= mids:
        raise Rejected("bad_sdp")
    plans: list[TrackPlan] = []
    answered: list[Section] = []
    extensions: dict[str, int] = {}
    for section in description.sections:
        mid = section.first("mid") or ""
        source = tracks.get(mid) if section.live else None
        if source is None:
            answered.append(_declined(section))
            continue
        plan, formats = _plan_track(section, mid, source)
        plans.append(plan)
        own = read_extensions(section, plan.kind)
        if known is not None:
            own = {name: ident for name, ident in own.items() if known.get(name) == ident}
        for name, ident in own.items():
            # RFC 8843 section 15: an id means the same thing on every bundled m-line.
            if extensions.setdefault(name, ident) != ident:
                raise Rejected("bad_sdp")
        answered.append(_answer_section(section, plan, formats, own, transport))
    if len(set(extensions.values())) != len(extensions):
        raise Rejected("bad_sdp")
    sdp = _assemble(transport, answered, [plan.mid for plan in plans])
    return sdp, PublishPlan(remote=_remote(description), extensions=extensions, tracks=tuple(plans))


def answer_check(offer: str, transport: ServerTransport) -> tuple[str, RemoteTransport]:
    """Answer an offer whose only use is to try the way: one audio m-line that will carry nothing. Raises Rejected("bad_sdp")."""
    description = _read(offer, setups=("actpass", "active"))
    section = description.sections[0]
    mid = section.first("mid") or ""
    formats = read_formats(section, "audio")
    if len(description.sections) != 1 or section.kind != "audio" or not formats.codecs:
        raise Rejected("bad_sdp")
    plan = TrackPlan(mid=mid, source="microphone", kind="audio", ssrcs=(), codecs=formats.codecs)
    answered = _answer_section(section, plan, formats, {}, transport)
    sends = _direction(description, section) in ("sendonly", "sendrecv")
    lines = tuple(("recvonly" if sends else "inactive", "") if name == "recvonly" else (name, value) for name, value in answered.attributes)
    return _assemble(transport, [replace(answered, attributes=lines)], [mid]), _remote(description)


def offer_subscribe(slots: Sequence[SlotOffer], transport: ServerTransport) -> str:
    """Offer one sendonly m-line per slot, each with its announced SSRC (and RTX SSRC) and a name of its own that never changes."""
    sections = [_offer_section(slot, transport) for slot in slots]
    return _assemble(transport, sections, [slot.mid for slot in slots])


def read_subscribe_answer(sdp: str, slots: Sequence[SlotOffer]) -> SubscribePlan:
    """Read the answer to such an offer; a slot the client declined is absent. Raises Rejected("bad_sdp")."""
    description = _read(sdp, setups=("active",))
    if [section.first("mid") for section in description.sections] != [slot.mid for slot in slots]:
        raise Rejected("bad_sdp")
    accepted: dict[str, tuple[Codec, ...]] = {}
    extensions: dict[str, int] = {}
    for section, slot in zip(description.sections, slots, strict=True):
        if section.kind != slot.kind:
            raise Rejected("bad_sdp")
        direction = _direction(description, section)
        if not section.port or direction in ("inactive", "sendonly"):
            continue
        codecs = tuple(codec for codec in read_formats(section, slot.kind).codecs if _was_offered(codec, slot.kind))
        if not codecs:
            continue
        accepted[slot.mid] = codecs
        for name, ident in read_extensions(section, slot.kind).items():
            if OFFERED_IDS[name] != ident:
                raise Rejected("bad_sdp")
            extensions[name] = ident
    return SubscribePlan(remote=_remote(description), extensions=extensions, slots=accepted)


def _was_offered(codec: Codec, kind: Kind) -> bool:
    return any(codec[:2] == ours[:2] and codec[2] in (None, ours[2]) for ours in offered_formats(kind).codecs)


def _read(text: str, setups: tuple[str, ...]) -> Description:
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
    _remote(description)
    return description


def _remote(description: Description) -> RemoteTransport:
    """The one transport all live m-lines share; what an m-line repeats must not differ from the others (RFC 8843 section 7.1)."""
    holders: list[Description | Section] = [description, *(section for section in description.sections if section.live)]
    ufrag = _common(holders, "ice-ufrag")
    pwd = _common(holders, "ice-pwd")
    if not _UFRAG.fullmatch(ufrag) or not _PWD.fullmatch(pwd):
        raise Rejected("bad_sdp")
    prints = {value for holder in holders for value in holder.values("fingerprint")}
    sha256 = {rest.strip().upper() for kind, _, rest in (value.partition(" ") for value in prints) if kind.lower() == "sha-256"}
    if len(sha256) != 1 or not _SHA256.fullmatch(next(iter(sha256))):
        raise Rejected("bad_sdp")
    return RemoteTransport(ufrag=ufrag, pwd=pwd, fingerprint=sha256.pop(), origin=description.origin[0])


def _common(holders: Sequence[Description | Section], name: str) -> str:
    values = {value for holder in holders for value in holder.values(name)}
    if len(values) != 1:
        raise Rejected("bad_sdp")
    return values.pop()


def _direction(description: Description, section: Section) -> str:
    for holder in (section.attributes, description.attributes):
        for name, _ in holder:
            if name in ("sendrecv", "sendonly", "recvonly", "inactive"):
                return name
    return "sendrecv"


def _plan_track(section: Section, mid: str, source: Source) -> tuple[TrackPlan, Formats]:
    kind = KIND_OF[source]
    if section.kind != kind or section.has("recvonly") or section.protocol != "UDP/TLS/RTP/SAVPF":
        raise Rejected("bad_sdp")
    formats = read_formats(section, kind)
    if not formats.codecs:
        raise Rejected("bad_sdp")
    fmtp = {pt: answered_fmtp(codec, formats.fmtp.get(pt, ""), stereo=source == "screen_audio") for pt, codec, _ in formats.codecs}
    formats = Formats(codecs=formats.codecs, fmtp=fmtp, feedback=formats.feedback)
    return TrackPlan(mid=mid, source=source, kind=kind, ssrcs=_ssrcs(section), codecs=formats.codecs), formats


def _ssrcs(section: Section) -> tuple[tuple[int, int | None], ...]:
    """(SSRC, RTX SSRC) pairs an m-line announces (RFC 5576); none when it relies on MID alone."""
    found: dict[int, int | None] = {}
    for value in section.values("ssrc"):
        head = value.partition(" ")[0]
        if not number(head, 2**32):
            raise Rejected("bad_sdp")
        found.setdefault(int(head), None)
    for value in section.values("ssrc-group"):
        semantics, *members = value.split(" ")
        if semantics == "FID" and len(members) == 2 and all(number(member, 2**32) for member in members):
            media, rtx = int(members[0]), int(members[1])
            if media in found and rtx in found and media != rtx:
                found[media] = rtx
    repair = {rtx for rtx in found.values() if rtx is not None}
    pairs = tuple((ssrc, rtx) for ssrc, rtx in found.items() if ssrc not in repair)
    if len(pairs) > MAX_SSRCS:
        raise Rejected("bad_sdp")
    return pairs


def _declined(section: Section) -> Section:
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


def _answer_section(section: Section, plan: TrackPlan, formats: Formats, ids: Mapping[str, int], transport: ServerTransport) -> Section:
    names, lines = write_formats(formats)
    attributes: list[Attribute] = [
        *_transport_lines(plan.mid, transport, "passive"),
        *write_extensions(ids, EXTENSIONS_OF[plan.kind]),
        ("recvonly", ""),
        ("rtcp-mux", ""),
    ]
    if section.has("rtcp-rsize"):
        attributes.append(("rtcp-rsize", ""))
    attributes += lines
    return Section(kind=plan.kind, port=9, protocol=section.protocol, formats=names, attributes=tuple(attributes))


def _offer_section(slot: SlotOffer, transport: ServerTransport) -> Section:
    names, lines = write_formats(offered_formats(slot.kind))
    # Streams that belong together share a stream id, so that browsers keep lips and sound in step; nothing else may wait for another.
    stream = "screen" if slot.use in ("screen", "screen_audio") else f"{slot.use}-{slot.mid}"
    attributes: list[Attribute] = [
        *_transport_lines(slot.mid, transport, "actpass"),
        *write_extensions(OFFERED_IDS, EXTENSIONS_OF[slot.kind]),
        ("sendonly", ""),
        ("msid", f"{stream} {slot.use}-{slot.mid}"),
        ("rtcp-mux", ""),
        ("rtcp-rsize", ""),
        *lines,
    ]
    if slot.rtx_ssrc is not None:
        attributes.append(("ssrc-group", f"FID {slot.ssrc} {slot.rtx_ssrc}"))
    for ssrc in (slot.ssrc, slot.rtx_ssrc):
        if ssrc is not None:
            attributes.append(("ssrc", f"{ssrc} cname:jiangtai"))
    return Section(kind=slot.kind, port=9, protocol="UDP/TLS/RTP/SAVPF", formats=names, attributes=tuple(attributes))


def _transport_lines(mid: str, transport: ServerTransport, setup: str) -> list[Attribute]:
    return [
        ("mid", mid),
        ("ice-ufrag", transport.ufrag),
        ("ice-pwd", transport.pwd),
        ("fingerprint", f"sha-256 {transport.fingerprint}"),
        ("setup", setup),
    ]


def _assemble(transport: ServerTransport, sections: Sequence[Section], bundled: Sequence[str]) -> str:
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
