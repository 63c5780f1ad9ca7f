"""ICE news of WHIP and WHEP clients: read and written."""

import pytest

from media.fragment import read_fragment, write_fragment
from media.sdp import parse
from media.transport import ServerTransport
from signaling.classroom.errors import Rejected

# As an encoder sends it: credentials on the m-line that leads the group (RFC 9725 section 4.3.2) ...
ON_THE_LINE = (
    "a=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n"
    "a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host\r\na=end-of-candidates\r\n"
)
# ... and as the npm package whip-whep does: on the session level, m-lines only for candidates.
ON_THE_SESSION = "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n"
TRANSPORT = ServerTransport(
    ufrag="abcd1234", pwd="p" * 32, fingerprint=":".join(["AB"] * 32), addresses=("192.0.2.7",), udp_port=4000, tcp_port=None
)


@pytest.mark.parametrize("text", [ON_THE_LINE, ON_THE_SESSION, ON_THE_SESSION + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"])
def test_credentials_are_read_wherever_they_stand(text: str) -> None:
    assert read_fragment(text) == ("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        ON_THE_LINE.replace("a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n", ""),
        ON_THE_LINE.replace("EsAw", "E<w"),
        ON_THE_LINE + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=ice-ufrag:other\r\n",
        ON_THE_LINE + "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n" * 64,
        ON_THE_SESSION + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n" * 41,
        ON_THE_SESSION + "a=x:" + "y" * 65_536,
    ],
)
def test_fragments_that_break_a_rule_are_refused(text: str) -> None:
    with pytest.raises(Rejected) as caught:
        read_fragment(text)
    assert caught.value.code == "bad_sdp"


def test_our_fragment_tells_credentials_and_all_candidates_on_the_leading_line() -> None:
    text = write_fragment(TRANSPORT, [("0", "audio"), ("1", "video")])
    found = parse("v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\n" + text)
    assert found.first("group") == "BUNDLE 0 1"
    assert ("ice-lite", "") in found.attributes
    line = found.sections[0]
    assert (line.kind, line.first("mid"), line.first("ice-ufrag"), line.first("ice-pwd")) == ("audio", "0", "abcd1234", "p" * 32)
    assert len(list(line.values("candidate"))) == 1
    assert line.has("end-of-candidates")
    assert read_fragment(text) == ("abcd1234", "p" * 32)
