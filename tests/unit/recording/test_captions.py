"""Captions: what is taken from a file, and what is refused with which words."""

import time

import pytest

from recording.captions import MAX_BYTES, MAX_CUES, MAX_TEXT, BadCaptions, Cue, label, language, read, write

HOUR = 3_600_000
GOOD = """\ufeffWEBVTT - made by hand
Kind: captions

NOTE
not shown

STYLE
::cue { background: url(https://elsewhere.example/x) }

1
00:01.000 --> 00:04.000 align:start position:10%
大家好

REGION
id:fred

second
00:00:04.000 --> 01:00:05.500
<v Tom>Good <i>morning</i>
everybody &amp; welcome
"""


def test_times_and_words_are_kept_and_nothing_else() -> None:
    cues = read(GOOD.encode(), HOUR)
    assert cues == [Cue(1_000, 4_000, "大家好"), Cue(4_000, HOUR + 5_500, "<v Tom>Good <i>morning</i>\neverybody &amp; welcome")]
    written = write(cues)
    assert b"elsewhere" not in written
    assert b"align" not in written
    assert read(written, HOUR) == cues


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_lines_may_end_as_on_any_system(end: str) -> None:
    assert len(read(GOOD.replace("\n", end).encode(), HOUR)) == 2


def cue(times: str, words: str = "x") -> bytes:
    return f"WEBVTT\n\n{times}\n{words}\n".encode()


REFUSED = {
    "nothing": (b"", "line 1: a WebVTT file begins with WEBVTT"),
    "subrip": (b"1\n00:00:01,000 --> 00:00:02,000\nx\n", "line 1"),
    "nearly": (b"WEBVTTX\n\n00:01.000 --> 00:02.000\nx", "line 1"),
    "no cue": (b"WEBVTT\n\nNOTE nothing\n", "no cue"),
    "binary": (b"\xff\xd8\xff\xe0" * 10, "not UTF-8 at byte 0"),
    "nul": (cue("00:01.000 --> 00:02.000", "a\0b"), "line 4: a control character"),
    "escape": (cue("00:01.000 --> 00:02.000", "\x1b[2J"), "a control character"),
    "comma": (cue("00:00:01,000 --> 00:00:02,000"), "line 3: times look like"),
    "backwards": (cue("00:02.000 --> 00:01.000"), "line 3: ends before it begins"),
    "no time": (cue("00:02.000 --> 00:02.000"), "ends before"),
    "minutes": (cue("00:60.000 --> 00:61.000"), "times look like"),
    "digits of elsewhere": (cue("0\u0661:02.000 --> 00:03.000"), "times look like"),
    "after the end": (cue("01:00:20.000 --> 01:00:21.000"), "lies after the end"),
    "hours": (cue("99999999999999:00:00.000 --> 99999999999999:00:01.000"), "times look like"),
    "out of order": (cue("00:05.000 --> 00:06.000") + b"\n00:01.000 --> 00:02.000\ny\n", "line 6: begins before"),
    "glued": (cue("00:01.000 --> 00:02.000", "x\n00:02.000 --> 00:03.000\ny"), "an empty line is missing"),
    "no words": (b"WEBVTT\n\n00:01.000 --> 00:02.000\n", "no words"),
    "a page": (cue("00:01.000 --> 00:02.000", "x" * (MAX_TEXT + 1)), "characters at once"),
    "too long": (b"WEBVTT\n" + b" " * MAX_BYTES, "more than 4 MB"),
    "too many": (b"WEBVTT\n\n" + b"00:01.000 --> 00:02.000\nx\n\n" * (MAX_CUES + 1), f"more than {MAX_CUES} cues"),
}


@pytest.mark.parametrize(("data", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_a_file_that_is_none_is_refused_with_its_line(data: bytes, told: str) -> None:
    with pytest.raises(BadCaptions, match=told):
        read(data, HOUR)


@pytest.mark.parametrize("piece", [b" ", b"-->", b"0:", b"\n\n", b"<", b"NOTE\n\n", b"00:01.000 --> "])
def test_a_file_made_to_be_slow_is_not(piece: bytes) -> None:
    data = b"WEBVTT\n\n" + piece * ((MAX_BYTES - 10) // len(piece))
    began = time.process_time()
    with pytest.raises(BadCaptions):
        read(data, HOUR)
    assert time.process_time() - began < 20


def test_a_language_is_a_tag_and_a_label_is_short() -> None:
    assert [language(tag) for tag in ("zh", "ZH-cn", "en-gb", "zh-Hant-TW")] == ["zh", "zh-CN", "en-GB", "zh-Hant-TW"]
    assert [label(tag, None) for tag in ("zh-CN", "en-GB", "fr")] == ["中文", "English", "fr"]
    assert label("zh", " 普通话 ") == "普通话"
    for bad in ("", "z", "../zh", "zh/..", "zh\0", "zh-" + "a" * 90, "中文", "zh-a-b-c-d-e"):
        with pytest.raises(BadCaptions):
            language(bad)
    for bad in (" ", "x" * 41, "a\nb", "\u202eab"):
        with pytest.raises(BadCaptions):
            label("zh", bad)
