"""Which codecs and header extensions are spoken, and how one m-line's choice is read and written. Pure.

Forwarded: Opus (and RED around it), VP8, H.264 (packetization mode 1, constrained baseline), VP9 (profile 0), AV1 (main profile), each
video codec with RTX. The order here is the order of preference in answers: VP8 first, since every browser decodes it; a client that wants
another offers only that.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from media.sdp import Attribute, Section, number

Kind: TypeAlias = Literal["audio", "video"]
CodecName: TypeAlias = Literal["opus", "red", "vp8", "h264", "vp9", "av1"]
#: (payload type, codec, RTX payload type or None), as media._engine takes it
Codec: TypeAlias = tuple[int, CodecName, int | None]

#: extension name -> URI, of those a server offers or accepts. RFC 8843, RFC 8852, RFC 6464 and WebRTC drafts.
EXTENSIONS: Final[Mapping[str, str]] = {
    "audio_level": "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "abs_send_time": "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    "twcc": "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    "mid": "urn:ietf:params:rtp-hdrext:sdes:mid",
    "rid": "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
    "rrid": "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
}
#: the ids in our own offers; small enough for one-byte headers (RFC 8285)
OFFERED_IDS: Final[Mapping[str, int]] = {"audio_level": 1, "abs_send_time": 2, "twcc": 3, "mid": 4}
_NAMES: Final[Mapping[str, str]] = {uri: name for name, uri in EXTENSIONS.items()}
#: extensions that make sense on an m-line of this kind; names of simulcast streams are never offered by us, we send one stream per m-line
EXTENSIONS_OF: Final[Mapping[Kind, tuple[str, ...]]] = {
    "audio": ("audio_level", "abs_send_time", "twcc", "mid"),
    "video": ("abs_send_time", "twcc", "mid", "rid", "rrid"),
}
_FEEDBACK: Final[Mapping[Kind, tuple[str, ...]]] = {
    "audio": ("transport-cc",),
    "video": ("nack", "nack pli", "ccm fir", "transport-cc"),
}
_ORDER: Final[Mapping[Kind, tuple[CodecName, ...]]] = {"audio": ("opus", "red"), "video": ("vp8", "h264", "vp9", "av1")}
_WRITTEN: Final[Mapping[CodecName, str]] = {
    "opus": "opus/48000/2",
    "red": "red/48000/2",
    "vp8": "VP8/90000",
    "h264": "H264/90000",
    "vp9": "VP9/90000",
    "av1": "AV1/90000",
}
_RTPMAP: Final[Mapping[str, CodecName]] = {written.lower(): name for name, written in _WRITTEN.items()}
_H264_OFFER: Final = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
#: what our offers propose, by kind: codec, payload type, RTX payload type, fmtp
OFFERED: Final[Mapping[Kind, tuple[tuple[Codec, str], ...]]] = {
    "audio": (((111, "opus", None), "minptime=10;useinbandfec=1"), ((63, "red", None), "111/111")),
    "video": (
        ((96, "vp8", 97), ""),
        ((98, "h264", 99), _H264_OFFER),
        ((100, "vp9", 101), "profile-id=0"),
        ((102, "av1", 103), "level-idx=5;profile=0;tier=0"),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Formats:
    """The payload formats of one m-line that both sides speak; `fmtp` and `feedback` by payload type."""

    codecs: tuple[Codec, ...]
    fmtp: Mapping[int, str] = field(default_factory=dict)
    feedback: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


def _by_payload_type(section: Section, name: str) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for value in section.values(name):
        head, _, rest = value.partition(" ")
        if number(head, 128):
            found.setdefault(int(head), []).append(rest.strip())
    return found


def parameters(fmtp: str) -> dict[str, str]:
    """`a=1;b` as {"a": "1", "b": ""}, keys in lower case."""
    pairs = (part.partition("=") for part in fmtp.split(";"))
    return {key.strip().lower(): value.strip() for key, _, value in pairs if key.strip()}


def _speaks(codec: CodecName, fmtp: str) -> bool:
    wanted = parameters(fmtp)
    match codec:
        case "h264":  # RFC 6184 section 8.1: profile_idc 42 is (constrained) baseline, decodable by every H.264 receiver.
            return wanted.get("packetization-mode") == "1" and wanted.get("profile-level-id", "42e01f").lower().startswith("42")
        case "vp9":  # RFC 9628 section 6: 8 bits, 4:2:0
            return wanted.get("profile-id", "0") == "0"
        case "av1":  # RTP Payload Format For AV1, section 7.2.1: the main profile
            return wanted.get("profile", "0") == "0"
        case _:
            return True


def read_formats(section: Section, kind: Kind) -> Formats:
    """Our codecs among the m-line's, in our order, one payload type each; empty when there is none."""
    fmtp = {pt: ";".join(values) for pt, values in _by_payload_type(section, "fmtp").items()}
    feedback = _by_payload_type(section, "rtcp-fb")
    everywhere = [value.partition(" ")[2].strip() for value in section.values("rtcp-fb") if value.startswith("* ")]
    listed = {int(name) for name in section.formats if number(name, 128)}
    rtx: dict[int, int] = {}
    found: dict[CodecName, int] = {}
    preferred: dict[CodecName, bool] = {}
    for pt, values in _by_payload_type(section, "rtpmap").items():
        name = values[0].lower()
        if pt not in listed:
            continue
        if name == "rtx/90000":
            apt = parameters(fmtp.get(pt, "")).get("apt", "")
            if number(apt, 128):
                rtx.setdefault(int(apt), pt)
            continue
        codec = _RTPMAP.get(name)
        if codec is None or codec not in _ORDER[kind] or not _speaks(codec, fmtp.get(pt, "")):
            continue
        constrained = codec == "h264" and "42e01f" in fmtp.get(pt, "").lower()
        if codec not in found or (constrained and not preferred[codec]):
            found[codec], preferred[codec] = pt, constrained
    codecs = tuple((found[codec], codec, rtx.get(found[codec])) for codec in _ORDER[kind] if codec in found)
    if not any(codec != "red" for _, codec, _ in codecs):
        return Formats(codecs=())
    return Formats(
        codecs=codecs,
        fmtp={pt: fmtp[pt] for pt, _, _ in codecs if pt in fmtp},
        feedback={
            pt: tuple(wish for wish in _FEEDBACK[kind] if wish in feedback.get(pt, ()) or wish in everywhere)
            for pt, codec, _ in codecs
            if codec != "red"
        },
    )


def offered_formats(kind: Kind) -> Formats:
    """What our own offers propose."""
    return Formats(
        codecs=tuple(codec for codec, _ in OFFERED[kind]),
        fmtp={codec[0]: fmtp for codec, fmtp in OFFERED[kind] if fmtp},
        feedback={codec[0]: _FEEDBACK[kind] for codec, _ in OFFERED[kind] if codec[1] != "red"},
    )


def answered_fmtp(codec: CodecName, offered: str, *, stereo: bool) -> str:
    """Format parameters of our answer: what we ask the sender for (RFC 7587 section 6.1, RFC 6184 section 8.2.2, RFC 9628 section 6.2)."""
    if codec == "opus":
        # usedtx: no packets during silence; in-band FEC lets receivers repair single losses.
        base = "minptime=10;useinbandfec=1;usedtx=1"
        return f"{base};stereo=1;sprop-stereo=1" if stereo else base
    if codec == "h264":
        return offered or _H264_OFFER
    if codec == "vp9":
        return "profile-id=0" if "profile-id" in parameters(offered) else ""
    return "" if codec == "vp8" else offered


def write_formats(formats: Formats) -> tuple[tuple[str, ...], list[Attribute]]:
    """(payload types for the m-line, rtpmap/fmtp/rtcp-fb lines)."""
    names: list[str] = []
    lines: list[Attribute] = []
    for pt, codec, rtx in formats.codecs:
        names.append(str(pt))
        lines.append(("rtpmap", f"{pt} {_WRITTEN[codec]}"))
        lines.extend(("rtcp-fb", f"{pt} {wish}") for wish in formats.feedback.get(pt, ()))
        if formats.fmtp.get(pt):
            lines.append(("fmtp", f"{pt} {formats.fmtp[pt]}"))
        if rtx is not None:
            names.append(str(rtx))
            lines += [("rtpmap", f"{rtx} rtx/90000"), ("fmtp", f"{rtx} apt={pt}")]
    return tuple(names), lines


def read_extensions(section: Section, kind: Kind) -> dict[str, int]:
    """Ids of the extensions we know on this m-line that the other side may send (RFC 8285 section 5); ids 1-14 and 16-255."""
    found: dict[str, int] = {}
    for value in section.values("extmap"):
        head, _, rest = value.partition(" ")
        name = _NAMES.get(rest.partition(" ")[0])
        ident, _, direction = head.partition("/")
        usable = number(ident, 256) and int(ident) not in (0, 15) and direction in ("", "sendrecv", "sendonly", "recvonly")
        if name in EXTENSIONS_OF[kind] and usable and name is not None:
            found.setdefault(name, int(ident))
    return found


def write_extensions(ids: Mapping[str, int], names: Iterable[str]) -> list[Attribute]:
    """extmap lines for those of `names` that have an id."""
    return [("extmap", f"{ids[name]} {EXTENSIONS[name]}") for name in names if name in ids]
