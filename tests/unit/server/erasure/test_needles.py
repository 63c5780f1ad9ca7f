"""What counts as found, and as what: spelt in any way, short words, namesakes, what others wrote."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from server.erasure.needles import Find, Needle, Whom, decoded, judge, needles, pattern
from server.erasure.work import Person

PERSON = Person("https://lms.example", "employee-4711")
WHOM = Whom(PERSON, {"ann-as-she-was-16", "nobody-now-16-ch"})


def one(text: str, what: str = "subject") -> Needle:
    if what == "subject":
        return needles(Person("i", text), [], [])[0]
    return needles(PERSON, [text] if what == "name" else [], [text] if what == "id" else [])[1]


@pytest.mark.parametrize("text", ["4711", "工号", "a\"b\\c'd", "\u200fمدرسة", "𠮷野家", "per%cent/slash", "a" * 4096])
def test_a_needle_is_found_however_it_is_spelt(text: str) -> None:
    for spelt in (text, json.dumps(text), json.dumps(text, ensure_ascii=False), quote(text, safe="")):
        assert pattern(one(text)).search(b"before " + spelt.encode() + b" after"), spelt


def test_short_needles_are_words_and_very_short_ones_whole_values() -> None:
    assert one("4711").within("no. 4711!")
    assert not one("4711").within("47110")
    assert not one("4711").within("x4711")
    assert one("47").within("47")
    assert not one("47").within("no. 47")
    assert not one("47").in_bytes
    assert one("4711").in_bytes
    assert not one("4711").everywhere
    assert one("employee-4711").within("xemployee-4711x")


def test_names_too_short_to_mean_anybody_are_not_looked_for() -> None:
    found = needles(PERSON, ["Ann", "王芳", "Anne", "王", "Anne"], [])
    assert [needle.text for needle in found] == [PERSON.subject, "王芳", "Anne"]


@pytest.mark.parametrize(
    ("value", "find"),
    [
        ({"id": "bob", "name": "Ann Archer"}, Find.NAMESAKE),
        ({"id": "nobody-now-16-ch", "name": "Ann Archer"}, Find.TRACE),
        ({"participant": "bob", "who": {"name": "Ann Archer"}}, Find.TRACE),  # whose it is cannot be told
        ({"id": "m7", "by": "bob", "text": "ask Ann Archer"}, Find.MENTION),
        ({"options": ["Ann Archer", "Bob"]}, Find.MENTION),
        ({"title": "with Ann Archer"}, Find.MENTION),
        ({"folder": "Ann Archer"}, Find.TRACE),
        ({"Ann Archer": 1}, Find.TRACE),
        ({"id": "m7", "by": "bob", "name": "Bob"}, None),
    ],
)
def test_a_name_is_judged_by_where_it_stands(value: Any, find: Find | None) -> None:
    assert list(judge(value, one("Ann Archer", "name"), WHOM)) == ([find] if find else [])


@pytest.mark.parametrize(
    ("home", "find"),
    [
        ("https://lms.example", Find.TRACE),
        ("https://class.example/issuers/https%3A%2F%2Flms.example", Find.TRACE),
        ("https://other.example", Find.NAMESAKE),
    ],
)
def test_the_same_subject_of_another_issuer_is_another_person(home: str, find: Find) -> None:
    statement = {"actor": {"account": {"homePage": home, "name": PERSON.subject}}}
    assert list(judge(statement, one(PERSON.subject), WHOM)) == [find]


def test_an_id_is_a_trace_wherever_it_stands() -> None:
    for value in (
        {"text": "ann-as-she-was-16"},
        ["ann-as-she-was-16"],
        {"ann-as-she-was-16": {}},
        {"id": "x", "name": "ann-as-she-was-16"},
    ):
        assert list(judge(value, one("ann-as-she-was-16", "id"), WHOM)) == [Find.TRACE]


def test_bytes_of_any_kind_are_decoded_or_not() -> None:
    assert decoded(b'{"a": 1}') == {"a": 1}
    assert decoded(b"\x81\xa1a\x01") == {"a": 1}
    assert decoded(b"\x92\xa1a\xa1b") == ["a", "b"]
    for junk in (b"", b"\xc1", b"\x91" * 100_000, b"[" * 100_000, bytes(range(256))):
        assert decoded(junk) is None
