"""Screening of texts: what is no text, and listed words however they are dressed up."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.screening import MAX_WORDS, WordScreen

SCREEN = WordScreen(["shit", "傻逼", "spam word", "Straße"])


@pytest.mark.parametrize(
    "text",
    [
        "shit",
        "oh SHIT!",
        "s.h-i_t",
        "s h i t",
        "ｓｈｉｔ",
        "s\u200bh\u200bi\u200bt",
        "s\u0336h\u0336i\u0336t\u0336",
        "𝓼𝓱𝓲𝓽",
        "他是傻逼吧",
        "傻*逼",
        "傻 \n 逼",
        "a spam, word b",
        "STRASSE",
    ],
)
def test_listed_words_are_found_however_they_are_written(text: str) -> None:
    assert SCREEN.check(text) == "text_refused"


@pytest.mark.parametrize("text", ["pass hit", "his hit", "shitake", "a class", "傻瓜", "", "🙂", "第一行\n第二行\tx", "spam words"])
def test_words_that_merely_contain_a_listed_one_pass(text: str) -> None:
    assert SCREEN.check(text) is None


@pytest.mark.parametrize("text", ["a\0b", "a\x07b", "\ud800", "\x1b[31m", "z" + "\u0336" * 9, "x" * 10_001])
def test_what_is_no_text_is_refused_without_any_list(text: str) -> None:
    assert WordScreen().check(text) == "text_refused"


@pytest.mark.parametrize("words", [["..."], [""], ["x" * 33], ["ab"] * (MAX_WORDS + 1)])
def test_a_word_list_out_of_bounds_is_refused(words: list[str]) -> None:
    with pytest.raises(ValueError, match="list"):
        WordScreen(words)


@given(st.text(alphabet="shit.- 傻逼abc", max_size=60))
def test_screening_agrees_with_a_plain_search_for_chinese_words(text: str) -> None:
    bare = "".join(c for c in text if c.isalnum())
    found = WordScreen(["傻逼"]).check(text) is not None
    assert found == ("傻逼" in bare)


def test_the_worst_text_is_walked_in_bounded_time() -> None:
    screen = WordScreen(["a" * 31 + "b", *(f"word{n}" for n in range(5_000))])
    begin = time.perf_counter()
    assert screen.check("a " * 1_000) is None
    assert time.perf_counter() - begin < 0.5
