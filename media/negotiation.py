"""Offers and answers (JSEP, RFC 9429) as pure functions: text in, text and a plan out. No sockets, no randomness, no clock.

Two one-way conversations. *Publish*: the client offers what it sends, we answer. *Subscribe*: we offer a fixed set of slots, the client
answers; or (WHEP) the client offers what it can play and we answer. We are always ICE-lite and DTLS-passive, everything is bundled on one
transport and multiplexed with its RTCP.

A description that breaks a rule (media/bundle.py has the common ones) is refused with Rejected("bad_sdp") before anything is built from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias, cast

from media.bundle import PROTOCOL, assemble, declined, direction, read, remote, transport_lines
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
from media.sdp import Attribute, Malformed, Section, number
from media.simulcast import Simulcast, read_simulcast
from media.transport import RemoteTransport, ServerTransport
from signaling.classroom.errors import Rejected

Source: TypeAlias = Literal["microphone", "camera", "screen", "screen_audio"]
#: `focus`: the screen while one is shared, else the main place
Use: TypeAlias = Literal["screen", "main", "tile", "focus", "audio", "screen_audio"]

KIND_OF: Final[Mapping[Source, Kind]] = {"microphone": "audio", "camera": "video", "screen": "video", "screen_audio": "audio"}
KIND_FOR: Final[Mapping[Use, Kind]] = {
    "screen": "video",
    "main": "video",
    "tile": "video",
    "focus": "video",
    "audio": "audio",
    "screen_audio": "audio",
}
MAX_SSRCS: Final = 8


@dataclass(frozen=True, kw_only=True)
class TrackPlan:
    """One thing the client will send: the arguments of Engine.add_track; `rids` are its simulcast layers, lowest first."""

    mid: str
    source: Source
    kind: Kind
    ssrcs: tuple[tuple[int, int | None], ...]
    codecs: tuple[Codec, ...]
    rids: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PublishPlan:
    """What to open for a publishing client."""

    remote: RemoteTransport
    extensions: Mapping[str, int]
    tracks: tuple[TrackPlan, ...]


@dataclass(frozen=True, kw_only=True)
class SlotOffer:
    """One place of a receiving client; `rtx_ssrc` is None for audio."""

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
    offer: str,
    tracks: Mapping[str, Source],
    transport: ServerTransport,
    *,
    known: Mapping[str, int] | None = None,
    lowest_first: bool = True,
) -> tuple[str, PublishPlan]:
    """Answer a client's offer; `tracks` says what each mid carries, other m-lines are declined.

    The client becomes the DTLS client, we ask for our codecs in our order. `known`, for a later offer on the same transport, are the
    extension ids it was opened with: no others are taken. `lowest_first`: see read_simulcast. Raises Rejected("bad_sdp").
    """
    description = read(offer, setups=("actpass", "active"))
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
            answered.append(declined(section))
            continue
        own = read_extensions(section, KIND_OF[source])
        if known is not None:
            own = {name: ident for name, ident in own.items() if known.get(name) == ident}
        _agree(extensions, own)
        plan, formats, simulcast = _plan_track(section, mid, source, own, lowest_first=lowest_first)
        plans.append(plan)
        answered.append(_answer_section(section, plan.kind, mid, formats, own, transport, [("recvonly", ""), *simulcast.answer()]))
    sdp = assemble(transport, answered, [plan.mid for plan in plans])
    return sdp, PublishPlan(remote=remote(description), extensions=extensions, tracks=tuple(plans))


def answer_check(offer: str, transport: ServerTransport) -> tuple[str, RemoteTransport]:
    """Answer an offer whose only use is to try the way: one audio m-line that will carry nothing. Raises Rejected("bad_sdp")."""
    description = read(offer, setups=("actpass", "active"))
    section = description.sections[0]
    mid = section.first("mid") or ""
    formats = _spoken(section, "audio")
    if len(description.sections) != 1 or section.kind != "audio":
        raise Rejected("bad_sdp")
    sends = direction(description, section) in ("sendonly", "sendrecv")
    way = [("recvonly" if sends else "inactive", "")]
    return assemble(transport, [_answer_section(section, "audio", mid, formats, {}, transport, way)], [mid]), remote(description)


def offer_subscribe(slots: Sequence[SlotOffer], transport: ServerTransport) -> str:
    """Offer one sendonly m-line per slot, each with its announced SSRC (and RTX SSRC) and a name of its own that never changes."""
    sections = [_offer_section(slot, transport) for slot in slots]
    return assemble(transport, sections, [slot.mid for slot in slots])


def read_subscribe_answer(sdp: str, slots: Sequence[SlotOffer]) -> SubscribePlan:
    """Read the answer to such an offer; a slot the client declined is absent. Raises Rejected("bad_sdp")."""
    description = read(sdp, setups=("active",))
    if [section.first("mid") for section in description.sections] != [slot.mid for slot in slots]:
        raise Rejected("bad_sdp")
    accepted: dict[str, tuple[Codec, ...]] = {}
    extensions: dict[str, int] = {}
    for section, slot in zip(description.sections, slots, strict=True):
        if section.kind != slot.kind:
            raise Rejected("bad_sdp")
        if not section.port or direction(description, section) in ("inactive", "sendonly"):
            continue
        codecs = tuple(codec for codec in read_formats(section, slot.kind).codecs if _was_offered(codec, slot.kind))
        if not codecs:
            continue
        accepted[slot.mid] = codecs
        for name, ident in read_extensions(section, slot.kind).items():
            if OFFERED_IDS.get(name) != ident:
                raise Rejected("bad_sdp")
            extensions[name] = ident
    return SubscribePlan(remote=remote(description), extensions=extensions, slots=accepted)


def media_lines(offer: str, way: Literal["sends", "receives"]) -> list[tuple[str, Kind]]:
    """(mid, kind) of every m-line of a one-way client (WHIP, WHEP), in order; raises Rejected("bad_sdp") if one goes the other way."""
    description = read(offer, setups=("actpass", "active"))
    allowed = ("sendonly", "sendrecv") if way == "sends" else ("recvonly", "sendrecv")
    found = []
    for section in description.sections:
        if not section.live or section.kind not in ("audio", "video") or direction(description, section) not in allowed:
            raise Rejected("bad_sdp")
        found.append((section.first("mid") or "", cast(Kind, section.kind)))
    return found


def answer_subscribe(offer: str, slots: Sequence[SlotOffer], transport: ServerTransport) -> tuple[str, SubscribePlan]:
    """Answer the offer of a client that receives (WHEP): one slot per m-line, by mid, in payload types of the client's choice.

    All slots are tracks of one stream (draft-ietf-wish-whep, "Single MediaStream"). Raises Rejected("bad_sdp").
    """
    description = read(offer, setups=("actpass", "active"))
    if [section.first("mid") for section in description.sections] != [slot.mid for slot in slots]:
        raise Rejected("bad_sdp")
    answered: list[Section] = []
    accepted: dict[str, tuple[Codec, ...]] = {}
    extensions: dict[str, int] = {}
    for section, slot in zip(description.sections, slots, strict=True):
        if section.kind != slot.kind or section.protocol != PROTOCOL:
            raise Rejected("bad_sdp")
        formats = _spoken(section, slot.kind)
        own = {name: ident for name, ident in read_extensions(section, slot.kind).items() if name in OFFERED_IDS}
        _agree(extensions, own)
        accepted[slot.mid] = formats.codecs
        repaired = any(rtx is not None for _, _, rtx in formats.codecs)
        lines = [("sendonly", ""), ("msid", f"class {slot.use}-{slot.mid}"), *_sources(slot if repaired else replace(slot, rtx_ssrc=None))]
        answered.append(_answer_section(section, slot.kind, slot.mid, formats, own, transport, lines))
    sdp = assemble(transport, answered, [slot.mid for slot in slots])
    return sdp, SubscribePlan(remote=remote(description), extensions=extensions, slots=accepted)


def _was_offered(codec: Codec, kind: Kind) -> bool:
    return any(codec[:2] == ours[:2] and codec[2] in (None, ours[2]) for ours in offered_formats(kind).codecs)


def _agree(extensions: dict[str, int], own: Mapping[str, int]) -> None:
    """Add an m-line's extension ids; one id means the same thing on every bundled m-line (RFC 8843 section 15)."""
    for name, ident in own.items():
        if extensions.setdefault(name, ident) != ident:
            raise Rejected("bad_sdp")
    if len(set(extensions.values())) != len(extensions):
        raise Rejected("bad_sdp")


def _spoken(section: Section, kind: Kind, *, stereo: bool = False) -> Formats:
    """Formats of our answer; raises Rejected("bad_sdp") when no codec is common."""
    formats = read_formats(section, kind)
    if not formats.codecs:
        raise Rejected("bad_sdp")
    fmtp = {pt: answered_fmtp(codec, formats.fmtp.get(pt, ""), stereo=stereo) for pt, codec, _ in formats.codecs}
    return replace(formats, fmtp=fmtp)


def _plan_track(
    section: Section, mid: str, source: Source, ids: Mapping[str, int], *, lowest_first: bool
) -> tuple[TrackPlan, Formats, Simulcast]:
    kind = KIND_OF[source]
    if section.kind != kind or section.has("recvonly") or section.protocol != PROTOCOL:
        raise Rejected("bad_sdp")
    formats = _spoken(section, kind, stereo=source == "screen_audio")
    try:
        simulcast = read_simulcast(section, lowest_first=lowest_first)
    except Malformed as error:
        raise Rejected("bad_sdp") from error
    if kind != "video" or not {"mid", "rid"} <= set(ids):
        simulcast = Simulcast()  # without names on the packets layers cannot be told apart: the client sends one
    # Layers are known by their names; which SSRC is which is not said.
    ssrcs = () if simulcast.rids else _ssrcs(section)
    plan = TrackPlan(mid=mid, source=source, kind=kind, ssrcs=ssrcs, codecs=formats.codecs, rids=simulcast.rids)
    return plan, formats, simulcast


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


def _answer_section(
    section: Section,
    kind: Kind,
    mid: str,
    formats: Formats,
    ids: Mapping[str, int],
    transport: ServerTransport,
    own: Sequence[Attribute],
) -> Section:
    """Our side of an accepted m-line; `own` are the lines that tell the direction and the streams."""
    names, lines = write_formats(formats)
    attributes: list[Attribute] = [
        *transport_lines(mid, transport, "passive"),
        *write_extensions(ids, EXTENSIONS_OF[kind]),
        *own,
        ("rtcp-mux", ""),
    ]
    if section.has("rtcp-rsize"):
        attributes.append(("rtcp-rsize", ""))
    attributes += lines
    return Section(kind=kind, port=9, protocol=section.protocol, formats=names, attributes=tuple(attributes))


def _offer_section(slot: SlotOffer, transport: ServerTransport) -> Section:
    names, lines = write_formats(offered_formats(slot.kind))
    # Streams that belong together share a stream id, so that browsers keep lips and sound in step; nothing else may wait for another.
    stream = "screen" if slot.use in ("screen", "screen_audio") else f"{slot.use}-{slot.mid}"
    attributes: list[Attribute] = [
        *transport_lines(slot.mid, transport, "actpass"),
        *write_extensions(OFFERED_IDS, EXTENSIONS_OF[slot.kind]),
        ("sendonly", ""),
        ("msid", f"{stream} {slot.use}-{slot.mid}"),
        ("rtcp-mux", ""),
        ("rtcp-rsize", ""),
        *lines,
        *_sources(slot),
    ]
    return Section(kind=slot.kind, port=9, protocol=PROTOCOL, formats=names, attributes=tuple(attributes))


def _sources(slot: SlotOffer) -> list[Attribute]:
    """The SSRCs a slot sends with (RFC 5576, RFC 4588 section 8.4)."""
    group = [("ssrc-group", f"FID {slot.ssrc} {slot.rtx_ssrc}")] if slot.rtx_ssrc is not None else []
    return [*group, *(("ssrc", f"{ssrc} cname:jiangtai") for ssrc in (slot.ssrc, slot.rtx_ssrc) if ssrc is not None)]
