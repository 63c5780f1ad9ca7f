"""Which formats of an m-line are spoken."""

import pytest

from media.codecs import answered_fmtp, parameters, read_extensions, read_formats
from media.sdp import Section


def section(formats: str, *attributes: tuple[str, str], kind: str = "video") -> Section:
    return Section(kind=kind, port=9, protocol="UDP/TLS/RTP/SAVPF", formats=tuple(formats.split()), attributes=attributes)


def test_constrained_baseline_is_preferred_among_h264_profiles() -> None:
    found = read_formats(
        section(
            "100 101 102",
            ("rtpmap", "100 H264/90000"),
            ("fmtp", "100 packetization-mode=1;profile-level-id=42001f"),
            ("rtpmap", "101 H264/90000"),
            ("fmtp", "101 packetization-mode=1;profile-level-id=42e01f"),
            ("rtpmap", "102 H264/90000"),
            ("fmtp", "102 packetization-mode=1;profile-level-id=640c1f"),
        ),
        "video",
    )
    assert found.codecs == ((101, "h264", None),)


@pytest.mark.parametrize(
    "fmtp", ["packetization-mode=0;profile-level-id=42e01f", "profile-level-id=42e01f", "packetization-mode=1;profile-level-id=640c1f"]
)
def test_other_h264_is_not_spoken(fmtp: str) -> None:
    assert read_formats(section("100", ("rtpmap", "100 H264/90000"), ("fmtp", f"100 {fmtp}")), "video").codecs == ()


@pytest.mark.parametrize(
    ("name", "fmtp", "spoken"),
    [
        ("VP9", "profile-id=0", True),
        ("VP9", "max-fs=12288;max-fr=60", True),
        ("VP9", "profile-id=2", False),
        ("AV1", "level-idx=5;profile=0;tier=0", True),
        ("AV1", "level-idx=8", True),
        ("AV1", "profile=1", False),
    ],
)
def test_of_vp9_and_av1_the_first_profile_is_spoken(name: str, fmtp: str, spoken: bool) -> None:
    found = read_formats(section("100", ("rtpmap", f"100 {name}/90000"), ("fmtp", f"100 {fmtp}")), "video")
    assert [codec for _, codec, _ in found.codecs] == ([name.lower()] if spoken else [])


def test_codecs_are_answered_in_our_order_whatever_theirs() -> None:
    names = ("AV1", "VP9", "H264", "VP8")
    lines = [("rtpmap", f"{100 + n} {name}/90000") for n, name in enumerate(names)] + [("fmtp", "102 packetization-mode=1")]
    found = read_formats(section("100 101 102 103", *lines), "video")
    assert [codec for _, codec, _ in found.codecs] == ["vp8", "h264", "vp9", "av1"]


def test_no_picture_size_is_asked_for_that_only_the_sender_named() -> None:
    assert answered_fmtp("vp9", "max-fs=12288;max-fr=60", stereo=False) == ""
    assert answered_fmtp("vp9", "profile-id=0;max-fs=1", stereo=False) == "profile-id=0"


def test_payload_types_not_on_the_m_line_do_not_count() -> None:
    assert read_formats(section("97", ("rtpmap", "96 VP8/90000")), "video").codecs == ()


def test_redundancy_without_opus_is_nothing() -> None:
    assert read_formats(section("63", ("rtpmap", "63 red/48000/2"), kind="audio"), "audio").codecs == ()


def test_wildcard_feedback_counts() -> None:
    found = read_formats(section("96", ("rtpmap", "96 VP8/90000"), ("rtcp-fb", "* nack"), ("rtcp-fb", "96 goog-remb")), "video")
    assert found.feedback == {96: ("nack",)}


def test_a_retransmission_format_belongs_to_what_it_names() -> None:
    lines = (
        ("rtpmap", "96 VP8/90000"),
        ("rtpmap", "97 rtx/90000"),
        ("fmtp", "97 apt=96"),
        ("rtpmap", "99 rtx/90000"),
        ("fmtp", "99 apt=x"),
    )
    assert read_formats(section("96 97 99", *lines), "video").codecs == ((96, "vp8", 97),)


@pytest.mark.parametrize(
    "value", ["0 urn:ietf:params:rtp-hdrext:sdes:mid", "15 urn:ietf:params:rtp-hdrext:sdes:mid", "x urn:x", "4 urn:none"]
)
def test_unusable_extension_ids_are_ignored(value: str) -> None:
    assert read_extensions(section("96", ("extmap", value)), "video") == {}


def test_opus_is_asked_for_repair_and_silence() -> None:
    assert parameters(answered_fmtp("opus", "", stereo=False)) == {"minptime": "10", "useinbandfec": "1", "usedtx": "1"}
