"""Reading and writing session descriptions."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.sdp import Description, Malformed, Section, parse, write

OFFERS = Path(__file__).parent / "offers"
HEAD = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"


@pytest.mark.parametrize("name", ["chromium", "firefox"])
def test_browser_offers_survive_reading_and_writing(name: str) -> None:
    first = parse((OFFERS / f"{name}.sdp").read_text())
    again = parse(write(first))
    assert again == first
    assert [section.kind for section in first.sections] == ["audio", "video", "video", "audio"]
    assert [section.first("mid") for section in first.sections] == ["0", "1", "2", "3"]


def test_bare_line_feeds_and_missing_last_newline_are_read() -> None:
    text = (HEAD + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0").replace("\r\n", "\n")
    assert parse(text).sections[0].first("mid") == "0"


def test_session_attributes_and_origin_are_kept() -> None:
    description = parse(HEAD + "a=group:BUNDLE 0 1\r\na=ice-lite\r\n")
    assert description.origin == ("1", 2)
    assert description.attributes == (("group", "BUNDLE 0 1"), ("ice-lite", ""))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0",
        "v=1\r\n",
        "v=0\r\n",
        HEAD + "nonsense\r\n",
        HEAD + "a=x\0y\r\n",
        HEAD + "a=x\ry\r\n",
        HEAD + "m=audio 9 UDP/TLS/RTP/SAVPF\r\n",
        HEAD + "m=audio 65536 UDP/TLS/RTP/SAVPF 0\r\n",
        HEAD + "m=audio ٣ UDP/TLS/RTP/SAVPF 0\r\n",
        HEAD.replace("1 2", "1 -2"),
        HEAD.replace(" IN IP4 127.0.0.1", ""),
        HEAD + "m=audio 9 X 0\r\n" * 41,
        HEAD + "m=audio 9 X 0\r\n" + "a=x\r\n" * 400,
        HEAD + "a=x\r\n" * 400,
        HEAD + "m=audio 9 X 0\r\n" + "a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n" * 65,
        HEAD + "a=x:" + "y" * 65_536,
        HEAD + "a=x:" + "讲" * 22_000,
    ],
)
def test_what_is_not_a_bounded_description_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse(text)


@given(st.text(max_size=400))
def test_any_text_is_read_or_refused(text: str) -> None:
    for candidate in (text, HEAD + text):
        try:
            description = parse(candidate)
        except Malformed:
            continue
        assert parse(write(description)) == description


_token = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12)
_value = st.text(st.characters(min_codepoint=32, max_codepoint=0xD7FF), max_size=30)


@given(
    st.lists(st.tuples(_token, _value), max_size=10),
    st.lists(
        st.builds(
            Section,
            kind=st.sampled_from(["audio", "video", "application"]),
            port=st.integers(0, 65535),
            protocol=st.just("UDP/TLS/RTP/SAVPF"),
            formats=st.lists(_token, min_size=1, max_size=5).map(tuple),
            attributes=st.lists(st.tuples(_token, _value), max_size=10).map(tuple),
        ),
        max_size=6,
    ),
)
def test_what_is_written_reads_back(attributes: list[tuple[str, str]], sections: list[Section]) -> None:
    description = Description(origin=("7", 3), attributes=tuple(attributes), sections=tuple(sections))
    assert parse(write(description)) == description
