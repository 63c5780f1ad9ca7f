"""C06: session descriptions made to exhaust or confuse. Each is refused with bad_sdp within 20 ms and nothing is left behind."""

import time
from pathlib import Path

import pytest

from media.negotiation import SlotOffer, answer_publish, read_subscribe_answer
from media.transport import ServerTransport
from signaling.classroom.errors import Rejected

OFFER = (Path(__file__).parents[1] / "unit/media/offers/chromium.sdp").read_text()
TRANSPORT = ServerTransport(
    ufrag="u" * 8, pwd="p" * 24, fingerprint=":".join(["00"] * 32), addresses=("127.0.0.1",), udp_port=1, tcp_port=2
)
SECTION = OFFER[OFFER.index("m=audio") : OFFER.index("m=video")]
HEAD = OFFER[: OFFER.index("m=audio")]

BOMBS = {
    "10,000 m-lines": HEAD + SECTION * 10_000,
    "10,000 bare m-lines": HEAD + "m=audio 9 UDP/TLS/RTP/SAVPF 0\n" * 10_000,
    "41 m-lines": HEAD + "m=audio 9 UDP/TLS/RTP/SAVPF 0\n" * 41,
    "1 MB line": OFFER + "a=x:" + "A" * 1_000_000,
    "1 MB of newlines": OFFER + "\n" * 1_000_000,
    "100,000 candidates": OFFER + "a=candidate:1 1 udp 1 10.0.0.1 9 typ host\n" * 100_000,
    "65 candidates": OFFER + "a=candidate:1 1 udp 1 10.0.0.1 9 typ host\n" * 65,
    "65,536 fmtp": OFFER + "".join(f"a=fmtp:{n % 128} x={n}\n" for n in range(65_536)),
    "fmtp of 60 kB": OFFER.replace("a=fmtp:111 ", "a=fmtp:111 " + ";" * 60_000),
    "60 kB mid": OFFER.replace("a=mid:0", "a=mid:" + "9" * 40_000),
    "mid with markup": OFFER.replace("a=mid:0", "a=mid:<script>"),
    "mid with line end": OFFER.replace("a=mid:0", "a=mid:0\ra=mid:1"),
    "equal mids": OFFER.replace("a=mid:1", "a=mid:0"),
    "mid in another script": OFFER.replace("a=mid:0", "a=mid:０"),
    "thousand ssrcs": OFFER.replace("a=ssrc:85706284", "".join(f"a=ssrc:{n} x\n" for n in range(1, 300)) + "a=ssrc:85706284", 1),
    "huge numbers": OFFER.replace("m=audio 49968", "m=audio " + "9" * 4_000),
    "huge origin": OFFER.replace("IN IP4 127.0.0.1", "9" * 5_000, 1).replace("o=- 1317832197202900055 2 ", "o=- 1 " + "9" * 5_000 + " "),
    "no bundle": OFFER.replace("a=group:BUNDLE 0 1 2 3\n", ""),
    "two certificates": OFFER.replace("83:16", "84:16", 1),
    "lone surrogate": OFFER.replace("a=mid:0", "a=mid:\ud800"),
    "nul bytes": OFFER.replace("a=mid:0", "a=mid:0\0"),
    "30,000 layers": OFFER.replace("a=mid:0", "a=mid:0\na=simulcast:send " + "a;" * 30_000 + "a"),
    "30,000 words of layers": OFFER.replace("a=mid:0", "a=mid:0\na=simulcast:send" + " a" * 30_000),
    "30,000 restrictions": OFFER.replace("a=mid:0", "a=mid:0\na=rid:a send " + "b;" * 30_000 + "\na=simulcast:send a"),
    "300 names of layers": OFFER.replace("a=mid:0", "a=mid:0\na=simulcast:send a" + "\na=rid:a send" * 300),
    "extension ids that collide": OFFER.replace("a=extmap:4 urn", "a=extmap:3 urn"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_is_refused_quickly(name: str) -> None:
    offer = BOMBS[name]
    took = []
    for _ in range(3):
        start = time.perf_counter()
        with pytest.raises(Rejected) as caught:
            answer_publish(offer, {"0": "microphone"}, TRANSPORT)
        took.append(time.perf_counter() - start)
        assert caught.value.code == "bad_sdp"
    assert min(took) < 0.020, f"{name}: {min(took) * 1000:.1f} ms"


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_as_an_answer_is_refused_quickly(name: str) -> None:
    start = time.perf_counter()
    with pytest.raises(Rejected) as caught:
        read_subscribe_answer(BOMBS[name], [SlotOffer(mid="0", use="audio", ssrc=1)])
    assert caught.value.code == "bad_sdp"
    assert time.perf_counter() - start < 0.5


def test_the_untouched_offer_is_answered() -> None:
    start = time.perf_counter()
    sdp, _ = answer_publish(OFFER, {"0": "microphone"}, TRANSPORT)
    assert sdp.startswith("v=0\r\n")
    assert time.perf_counter() - start < 0.5
