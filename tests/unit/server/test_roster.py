"""Rosters as they come: JSON lines and CSV of any spreadsheet, every bad line named, nothing unbounded."""

import pytest

from server.roster import MAX_FLAWS, BadRoster, Line, Listed, checked, csv_lines
from signaling.classroom.expected import MAX_EXPECTED


def flaws(lines: list[Line]) -> list[tuple[int, str]]:
    with pytest.raises(BadRoster) as error:
        checked(lines)
    return [(flaw.line, flaw.code) for flaw in error.value.flaws]


def bad_csv(text: str) -> list[tuple[int, str]]:
    with pytest.raises(BadRoster) as error:
        checked(csv_lines(text))
    return [(flaw.line, flaw.code) for flaw in error.value.flaws]


@pytest.mark.parametrize(
    "text",
    [
        "subject,name\r\nu1,王伟\r\nu2,Ann\r\n",
        "\ufeff姓名;班级;学号\n王伟;1;u1\n\nAnn;2;u2\n",
        'Name\tID\n"王伟"\t u1 \nAnn\tu2',
    ],
)
def test_a_csv_from_any_spreadsheet_is_read(text: str) -> None:
    assert checked(csv_lines(text)) == [Listed("u1", "王伟"), Listed("u2", "Ann")]


def test_names_are_shown_as_at_the_door() -> None:
    assert checked([Line(1, "u1", "  Ａnn \u200b  Lee ")]) == [Listed("u1", "Ann Lee")]


def test_namesakes_are_two_and_the_same_subject_twice_is_an_error() -> None:
    assert len(checked([Line(1, "u1", "王伟"), Line(2, "u2", "王伟")])) == 2
    assert flaws([Line(1, "u1", "王伟"), Line(2, "u1", "Ann")]) == [(2, "repeated")]


def test_every_bad_line_is_named_with_its_reason() -> None:
    lines = [
        Line(2, "u1", "Good"),
        Line(3, "", "No subject"),
        Line(4, "x" * 201, "Long"),
        Line(5, "u5", "\u200b"),
        Line(6, "a\nb", "Break"),
        Line(7, "", " "),
        Line(8, "u8", "a\0b"),
    ]
    expected = ["bad_subject", "subject_too_long", "bad_name", "bad_subject", "bad_line", "bad_name"]
    assert flaws(lines) == list(zip(range(3, 9), expected, strict=True))


def test_a_broken_csv_says_where() -> None:
    assert bad_csv("") == [(1, "bad_header")]
    assert bad_csv("who,what\nu1,Ann\n") == [(1, "bad_header")]
    assert bad_csv("subject,name\nu1,Ann\nu2\n") == [(3, "bad_line")]
    assert bad_csv('subject,name\nu1,"Ann\n') == [(2, "bad_line")]
    assert bad_csv('subject,name\nu1,"An"n\n') == [(2, "bad_line")]
    assert bad_csv("subject,name\nu1,Ann" + ",x" * 60 + "\n") == [(2, "bad_line")]


def test_what_is_told_and_what_is_read_are_bounded() -> None:
    assert len(flaws([Line(n, "", "x") for n in range(1, 5_000)])) == MAX_FLAWS
    many = [Line(n, f"u{n}", "Ann") for n in range(1, MAX_EXPECTED + 2)]
    assert len(checked(many[:-1])) == MAX_EXPECTED
    assert flaws(many) == [(MAX_EXPECTED + 1, "too_many")]
    assert bad_csv("subject,name\nu1," + "x" * 200_000) == [(2, "bad_line")]
