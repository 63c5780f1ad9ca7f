"""Offers and answers: what is accepted, in which words it is answered, what is planned."""

from pathlib import Path

import pytest

from media.devices import plan_player
from media.negotiation import (
    SlotOffer,
    Source,
    answer_publish,
    answer_subscribe,
    media_lines,
    offer_subscribe,
    read_subscribe_answer,
)
from media.sdp import parse
from media.transport import ServerTransport
from signaling.classroom.errors import Rejected

OFFERS = Path(__file__).parent / "offers"
CHROMIUM = (OFFERS / "chromium.sdp").read_text()
FIREFOX = (OFFERS / "firefox.sdp").read_text()
LAYERED = {kind: (OFFERS / f"{kind}-simulcast.sdp").read_text() for kind in ("chromium", "firefox")}
PLAYERS = {kind: (OFFERS / f"{kind}-player.sdp").read_text() for kind in ("chromium", "firefox")}
FINGERPRINT = ":".join(["AB"] * 32)
TRANSPORT = ServerTransport(
    ufrag="abcd1234",
    pwd="p" * 22,
    fingerprint=FINGERPRINT,
    addresses=("127.0.0.1", "192.0.2.7"),
    udp_port=40000,
    tcp_port=40001,
)
ALL: dict[str, Source] = {"0": "microphone", "1": "camera", "2": "screen", "3": "screen_audio"}
SLOTS = [
    SlotOffer(mid="0", use="audio", ssrc=1),
    SlotOffer(mid="1", use="screen", ssrc=2, rtx_ssrc=3),
    SlotOffer(mid="2", use="main", ssrc=4, rtx_ssrc=5),
    SlotOffer(mid="3", use="screen_audio", ssrc=6),
]


def refused(offer: str, tracks: dict[str, Source] | None = None) -> None:
    with pytest.raises(Rejected) as caught:
        answer_publish(offer, tracks or {"0": "microphone"}, TRANSPORT)
    assert caught.value.code == "bad_sdp"


def test_chromium_publishes_in_our_order_of_codecs() -> None:
    sdp, plan = answer_publish(CHROMIUM, ALL, TRANSPORT)
    by_source = {track.source: track for track in plan.tracks}
    assert by_source["microphone"].codecs == ((111, "opus", None), (63, "red", None))
    assert by_source["camera"].codecs == ((96, "vp8", 97), (108, "h264", 109), (98, "vp9", 99), (45, "av1", 46))
    assert by_source["camera"].ssrcs[0][1] is not None
    assert plan.extensions == {"audio_level": 1, "abs_send_time": 2, "twcc": 3, "mid": 4, "rid": 10, "rrid": 11}
    assert all(track.rids == () for track in plan.tracks)
    assert plan.remote.ufrag == "lb3w"
    assert plan.remote.fingerprint.startswith("83:16:52")
    answer = parse(sdp)
    assert [section.formats for section in answer.sections][:2] == [("111", "63"), ("96", "97", "108", "109", "98", "99", "45", "46")]
    assert all(section.has("recvonly") and section.first("setup") == "passive" for section in answer.sections)
    assert "goog-remb" not in sdp
    wishes = [value for value in answer.sections[1].values("rtcp-fb") if value.startswith("96 ")]
    assert set(wishes) == {"96 nack", "96 nack pli", "96 ccm fir", "96 transport-cc"}
    assert {"45 level-idx=5;profile=0;tier=0", "98 profile-id=0"} <= set(answer.sections[1].values("fmtp"))


def test_firefox_publishes_what_it_encodes_by_itself() -> None:
    _, plan = answer_publish(FIREFOX, ALL, TRANSPORT)
    codecs = {track.source: track.codecs for track in plan.tracks}
    assert codecs["camera"] == ((120, "vp8", 124), (121, "vp9", 125), (99, "av1", 100))
    assert codecs["microphone"] == ((109, "opus", None),)
    # Its playout-delay and csrc levels are receive-only offers and none of ours.
    assert plan.extensions == {"audio_level": 1, "mid": 3, "abs_send_time": 4, "twcc": 7}


def test_answer_is_ice_lite_with_udp_and_passive_tcp_at_every_address() -> None:
    sdp, _ = answer_publish(CHROMIUM, ALL, TRANSPORT)
    answer = parse(sdp)
    assert ("ice-lite", "") in answer.attributes
    candidates = list(answer.sections[0].values("candidate"))
    assert [[*line.split(" ")[2:6:2], line.split(" ")[5]] for line in candidates] == [
        ["udp", "127.0.0.1", "40000"],
        ["tcp", "127.0.0.1", "40001"],
        ["udp", "192.0.2.7", "40000"],
        ["tcp", "192.0.2.7", "40001"],
    ]
    priorities = [int(line.split(" ")[3]) for line in candidates]
    assert len(set(priorities)) == 4
    assert min(priorities[0], priorities[2]) > max(priorities[1], priorities[3])
    assert not any(section.has("candidate") for section in answer.sections[1:])


def test_only_screen_sound_is_asked_for_in_stereo() -> None:
    sdp, _ = answer_publish(CHROMIUM, ALL, TRANSPORT)
    fmtp = [next(section.values("fmtp")) for section in parse(sdp).sections if section.kind == "audio"]
    assert "stereo=1" not in fmtp[0]
    assert "stereo=1" in fmtp[1]
    assert all("useinbandfec=1" in line and "usedtx=1" in line for line in fmtp)


def test_undeclared_m_lines_are_declined_in_place() -> None:
    sdp, plan = answer_publish(CHROMIUM, {"1": "camera"}, TRANSPORT)
    answer = parse(sdp)
    assert [section.port for section in answer.sections] == [0, 9, 0, 0]
    assert answer.first("group") == "BUNDLE 1"
    assert [track.mid for track in plan.tracks] == ["1"]
    assert list(answer.sections[1].values("candidate"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a=rtcp-mux\r\n", ""),
        ("a=group:BUNDLE 0 1 2 3", "a=group:BUNDLE 0 1"),
        ("a=group:BUNDLE 0 1 2 3", "a=group:BUNDLE 0 1\r\na=group:BUNDLE 2 3"),
        ("a=group:BUNDLE 0 1 2 3\r\n", ""),
        ("a=mid:1\r\n", "a=mid:0\r\n"),
        ("a=mid:1\r\n", "a=mid:" + "1" * 17 + "\r\n"),
        ("a=mid:1\r\n", "a=mid:<b>\r\n"),
        ("a=mid:1\r\n", ""),
        ("a=setup:actpass", "a=setup:passive"),
        ("a=setup:actpass\r\n", ""),
        ("a=ice-ufrag:lb3w\r\n", ""),
        ("a=ice-ufrag:lb3w", "a=ice-ufrag:l b"),
        ("a=ice-pwd:epsYTjteWAxZbr11kq8N8/G+", "a=ice-pwd:short"),
        ("a=fingerprint:sha-256 83", "a=fingerprint:sha-256 8"),
        ("a=fingerprint:sha-256", "a=fingerprint:sha-1"),
        ("UDP/TLS/RTP/SAVPF 111", "RTP/AVP 111"),
        ("a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid", "a=extmap:2 urn:ietf:params:rtp-hdrext:sdes:mid"),
        ("a=rtpmap:111 opus/48000/2", "a=rtpmap:111 speex/16000"),
        ("a=ssrc:85706284", "a=ssrc:99999999999"),
    ],
)
def test_offers_that_break_a_rule_are_refused(old: str, new: str) -> None:
    text = CHROMIUM.replace("\n", "\r\n") if "\r\n" not in CHROMIUM else CHROMIUM
    assert old in text
    refused(text.replace(old, new), dict(ALL))


def test_one_m_line_with_another_transport_is_refused() -> None:
    head, last = CHROMIUM.rsplit("a=ice-ufrag:lb3w", 1)
    refused(head + "a=ice-ufrag:abcd" + last)


def test_tracks_must_exist_and_be_of_their_kind() -> None:
    refused(CHROMIUM, {"9": "microphone"})
    refused(CHROMIUM, {"0": "camera"})
    refused(CHROMIUM, {"1": "microphone"})
    refused(CHROMIUM.replace("a=sendonly", "a=recvonly"))


def test_data_channels_are_declined() -> None:
    extra = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\n"
    common = "a=ice-ufrag:lb3w\na=ice-pwd:epsYTjteWAxZbr11kq8N8/G+\na=setup:actpass\na=mid:4\na=sctp-port:5000\n"
    offer = CHROMIUM.replace("\r\n", "\n").replace("BUNDLE 0 1 2 3", "BUNDLE 0 1 2 3 4") + extra + common
    sdp, plan = answer_publish(offer, ALL, TRANSPORT)
    assert parse(sdp).sections[4].port == 0
    assert len(plan.tracks) == 4


def test_subscribe_offer_has_one_named_m_line_per_slot() -> None:
    offer = parse(offer_subscribe(SLOTS, TRANSPORT))
    assert offer.first("group") == "BUNDLE 0 1 2 3"
    assert [section.kind for section in offer.sections] == ["audio", "video", "video", "audio"]
    assert all(section.has("sendonly") and section.first("setup") == "actpass" for section in offer.sections)
    assert offer.sections[1].first("ssrc-group") == "FID 2 3"
    names = [section.first("msid") for section in offer.sections]
    assert len(set(names)) == 4
    # Screen and its sound play in step.
    assert names[1].split(" ")[0] == names[3].split(" ")[0]  # type: ignore[union-attr]


def answer_to(offer: str, *, drop: tuple[str, ...] = (), without: tuple[str, ...] = ()) -> str:
    """What a browser would answer: the same m-lines turned round, some declined, some lines left out."""
    lines = []
    for line in offer.split("\r\n"):
        if line.startswith(("a=candidate", "a=end-of", "a=ssrc", "a=ice-lite", *without)):
            continue
        line = line.replace("a=sendonly", "a=recvonly").replace("a=setup:actpass", "a=setup:active")
        lines.append(line.replace("a=ice-ufrag:abcd1234", "a=ice-ufrag:WXYZ"))
    text = "\r\n".join(lines)
    for mid in drop:
        head, _, tail = text.partition(f"a=mid:{mid}\r\n")
        start = head.rfind("m=")
        text = head[:start] + head[start:].replace(" 9 ", " 0 ", 1) + f"a=mid:{mid}\r\n" + tail.replace("a=recvonly", "a=inactive", 1)
    return text


def test_answer_tells_codecs_and_extensions_per_slot() -> None:
    plan = read_subscribe_answer(answer_to(offer_subscribe(SLOTS, TRANSPORT)), SLOTS)
    assert plan.slots["1"] == ((96, "vp8", 97), (98, "h264", 99), (100, "vp9", 101), (102, "av1", 103))
    assert plan.slots["0"] == ((111, "opus", None), (63, "red", None))
    assert plan.extensions == {"audio_level": 1, "abs_send_time": 2, "twcc": 3, "mid": 4}
    assert plan.remote.ufrag == "WXYZ"


def test_viewer_without_other_codecs_or_rtx_gets_plain_vp8() -> None:
    offer = offer_subscribe(SLOTS, TRANSPORT)
    unknown = ("a=rtpmap:97", "a=rtpmap:98", "a=rtpmap:99", "a=rtpmap:10")
    plan = read_subscribe_answer(answer_to(offer, without=unknown), SLOTS)
    assert plan.slots["1"] == ((96, "vp8", None),)


def test_declined_slots_are_absent() -> None:
    plan = read_subscribe_answer(answer_to(offer_subscribe(SLOTS, TRANSPORT), drop=("2",)), SLOTS)
    assert set(plan.slots) == {"0", "1", "3"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a=mid:2", "a=mid:7"),
        ("a=setup:active", "a=setup:passive"),
        ("a=setup:active", "a=setup:actpass"),
        ("a=extmap:4 ", "a=extmap:5 "),
        ("m=video 9", "m=audio 9"),
        ("a=extmap:2 http", "a=extmap:9 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\na=extmap:2 http"),
    ],
)
def test_answers_that_do_not_fit_the_offer_are_refused(old: str, new: str) -> None:
    answer = answer_to(offer_subscribe(SLOTS, TRANSPORT))
    assert old in answer
    with pytest.raises(Rejected):
        read_subscribe_answer(answer.replace(old, new), SLOTS)


def test_unoffered_payload_types_are_ignored() -> None:
    answer = answer_to(offer_subscribe(SLOTS, TRANSPORT)).replace("96", "120")
    assert read_subscribe_answer(answer, SLOTS).slots["1"] == ((98, "h264", 99), (100, "vp9", 101), (102, "av1", 103))


@pytest.mark.parametrize(("kind", "ids"), [("chromium", {"mid": 4, "rid": 10, "rrid": 11}), ("firefox", {"mid": 3, "rid": 9, "rrid": 10})])
def test_layers_of_a_browser_are_accepted_and_mirrored(kind: str, ids: dict[str, int]) -> None:
    sdp, plan = answer_publish(LAYERED[kind], {"0": "microphone", "1": "camera"}, TRANSPORT)
    camera = plan.tracks[1]
    assert camera.rids == ("q", "h", "f")
    assert camera.ssrcs == ()
    assert ids.items() <= plan.extensions.items()
    answered = parse(sdp).sections[1]
    assert answered.first("simulcast") == "recv q;h;f"
    assert list(answered.values("rid")) == ["q recv", "h recv", "f recv"]
    extensions = set(answered.values("extmap"))
    assert {
        f"{ids['rid']} urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
        f"{ids['mid']} urn:ietf:params:rtp-hdrext:sdes:mid",
    } <= extensions


def test_an_encoder_that_lists_the_preferred_layer_first_is_understood() -> None:
    offer = LAYERED["chromium"].replace("rid:q ", "rid:2 ").replace("rid:h ", "rid:1 ").replace("rid:f ", "rid:0 ")
    offer = offer.replace("simulcast:send q;h;f", "simulcast:send 0;1;2")
    sdp, plan = answer_publish(offer, {"1": "camera"}, TRANSPORT, lowest_first=False)
    assert plan.tracks[0].rids == ("2", "1", "0")
    assert parse(sdp).sections[1].first("simulcast") == "recv 0;1;2"


@pytest.mark.parametrize("name", ["sdes:rtp-stream-id", "sdes:mid"])
def test_layers_that_cannot_be_told_apart_are_not_accepted(name: str) -> None:
    sdp, plan = answer_publish(LAYERED["chromium"].replace(name, "none"), {"1": "camera"}, TRANSPORT)
    assert plan.tracks[0].rids == ()
    assert "simulcast" not in sdp
    assert "a=rid" not in sdp


@pytest.mark.parametrize(
    "line", ["send q;h;f;x", "send q;q", "send q;<b>", "send " + "q" * 17, "send q;;f", "send", "q;h", "send q;nobody"]
)
def test_layers_that_break_a_rule_are_refused(line: str) -> None:
    refused(LAYERED["chromium"].replace("simulcast:send q;h;f", f"simulcast:{line}"), {"1": "camera"})


@pytest.mark.parametrize("kind", ["chromium", "firefox"])
def test_a_player_is_answered_in_its_own_numbers(kind: str) -> None:
    lines = media_lines(PLAYERS[kind], "receives")
    assert lines == [("0", "audio"), ("1", "video")]
    slots = plan_player(lines, "focus")
    sdp, plan = answer_subscribe(PLAYERS[kind], slots, TRANSPORT)
    answer = parse(sdp)
    assert all(section.has("sendonly") and section.first("setup") == "passive" and section.live for section in answer.sections)
    assert {str(section.first("msid")).split(" ")[0] for section in answer.sections} == {"class"}
    assert answer.sections[1].first("ssrc-group") == f"FID {slots[1].ssrc} {slots[1].rtx_ssrc}"
    assert plan.slots["1"][0] == {"chromium": (96, "vp8", 97), "firefox": (120, "vp8", 124)}[kind]
    assert "rid" not in plan.extensions
    assert plan.extensions["mid"] == {"chromium": 4, "firefox": 3}[kind]


def test_a_player_without_retransmission_is_not_told_of_a_repair_stream() -> None:
    offer = PLAYERS["firefox"].replace("rtx/90000", "none/90000")
    sdp, _ = answer_subscribe(offer, plan_player(media_lines(offer, "receives"), "main"), TRANSPORT)
    assert "FID" not in sdp
    assert len([line for line in sdp.split("\r\n") if line.startswith("a=ssrc:")]) == 2


@pytest.mark.parametrize(
    ("offer", "way"),
    [
        (PLAYERS["chromium"], "sends"),
        (CHROMIUM, "receives"),
        (PLAYERS["chromium"].replace("a=recvonly", "a=inactive"), "receives"),
        (PLAYERS["chromium"].replace("m=video 9", "m=application 9"), "receives"),
    ],
)
def test_one_way_clients_that_go_the_other_way_are_refused(offer: str, way: str) -> None:
    with pytest.raises(Rejected):
        media_lines(offer, way)  # type: ignore[arg-type]


def test_a_player_with_nothing_it_can_decode_is_refused() -> None:
    offer = PLAYERS["firefox"].replace("opus/48000/2", "speex/8000")
    with pytest.raises(Rejected):
        answer_subscribe(offer, plan_player(media_lines(offer, "receives"), "main"), TRANSPORT)


def test_what_all_lines_share_may_stand_on_the_session_level() -> None:
    """As encoders on libdatachannel write it: one transport, told once."""
    shared = ("a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:", "a=setup:")
    lines = CHROMIUM.split("\n")
    once = list(dict.fromkeys(line for line in lines if line.startswith(shared)))
    rest = [line for line in lines if not line.startswith(shared)]
    at = next(index for index, line in enumerate(rest) if line.startswith("a=group"))
    _, plan = answer_publish("\n".join([*rest[:at], *once, *rest[at:]]), ALL, TRANSPORT)
    assert plan.remote == answer_publish(CHROMIUM, ALL, TRANSPORT)[1].remote
    assert len(plan.tracks) == 4
