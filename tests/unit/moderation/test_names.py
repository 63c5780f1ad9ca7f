"""Display names: cleaned for show, folded for comparing looks."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.names import MAX_NAME, BadName, likeness, normalise
from signaling.classroom.participants import TITLES


@pytest.mark.parametrize(
    "name", ["王 老师", "张伟", "阿迪力·买买提", "José Núñez", "O'Brien-Smith", "Nguyễn Thị Ánh", "علی\u200cرضا", "क्\u200dष", "ท่านผู้"]
)
def test_names_of_real_people_stay_as_they_are(name: str) -> None:
    assert normalise(name) == unicodedata.normalize("NFKC", name)


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("  王   伟  ", "王 伟"),
        ("王\u3000伟", "王 伟"),
        ("王\n伟\t", "王 伟"),
        ("Ａｎｎａ", "Anna"),
        ("An\u200bna\ufeff", "Anna"),
        ("\u202eannA", "annA"),
        ("\u2067Anna\u2069", "Anna"),
        ("An\u00adna", "Anna"),
        ("Anna\u3164\u2800", "Anna"),
        ("An\x07na\x1b", "Anna"),
        ("An\ufe0fna", "Anna"),
        ("A\U000e0041nna", "Anna"),
        ("👨\u200d👩\u200d👧 Bo", "👨👩👧 Bo"),
    ],
)
def test_invisible_and_direction_changing_characters_are_dropped(given_name: str, shown: str) -> None:
    assert normalise(given_name) == shown


def test_a_tower_of_combining_marks_is_cut_to_three() -> None:
    shown = normalise("x" + "\u0336" * 500 + "y")
    assert shown == "x\u0336\u0336\u0336y"


def test_a_mark_without_a_letter_is_dropped() -> None:
    assert normalise("\u0301a \u0301b") == "a b"


def test_ten_kilobytes_become_sixty_four_characters() -> None:
    assert normalise("很长" * 5_000) == "很长" * 32


@pytest.mark.parametrize("name", ["", "   ", "🙂", "🙂🙂🙂", "...", "\u3164", "\u200b", "-"])
def test_a_name_that_tells_nobody_who_is_there_is_refused(name: str) -> None:
    with pytest.raises(BadName):
        normalise(name)


@pytest.mark.parametrize("name", ["Anna\0", "\ud800Anna", "Anna\udfff"])
def test_what_is_no_text_is_refused(name: str) -> None:
    with pytest.raises(BadName):
        normalise(name)


@given(st.text(max_size=200))
def test_every_accepted_name_is_short_visible_and_stable(name: str) -> None:
    try:
        shown = normalise(name)
    except BadName:
        return
    assert 1 <= len(shown) <= MAX_NAME
    assert shown == shown.strip()
    assert normalise(shown) == shown
    assert not any(unicodedata.category(c) in ("Cc", "Cs", "Co", "Cn", "Zl", "Zp") for c in shown)
    assert not any(c in shown for c in "\u200b\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
    assert len(likeness(shown)) <= 256


@pytest.mark.parametrize(
    ("staff", "imitation"),
    [
        ("Trainer", "Тrаiner"),  # Cyrillic Т and а
        ("Trainer", "Тгаіпег"),  # Cyrillic throughout
        ("Norton", "Νοгτοп"),  # Greek and Cyrillic
        ("Trainer", "T r a i n e r"),
        ("Trainer", "TRAINER"),
        ("Trainer", "Tra1ner"),
        ("Trainer", "Traıner"),
        ("Modern", "Modem"),
        ("Allen", "AIIen"),
        ("Olga", "0lga"),
        ("Anna", "Änna"),
        ("Anna", "𝓐𝓷𝓷𝓪"),
        ("王力", "王カ"),  # katakana ka
        ("王老师", "王·老师"),
        ("王老师", "王老师🙂"),
    ],
)
def test_names_that_look_alike_have_one_likeness(staff: str, imitation: str) -> None:
    assert likeness(normalise(staff)) == likeness(normalise(imitation))


@pytest.mark.parametrize(("one", "other"), [("王伟", "王力"), ("Anna", "Hanna"), ("王老师", "李老师"), ("Tom", "Tim"), ("张三", "张三丰")])
def test_different_names_have_different_likenesses(one: str, other: str) -> None:
    assert likeness(normalise(one)) != likeness(normalise(other))


@pytest.mark.parametrize("title", sorted(TITLES))
def test_titles_reserved_for_staff_are_written_as_likenesses(title: str) -> None:
    assert likeness(normalise(title)) == title
