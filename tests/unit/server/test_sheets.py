"""Spreadsheets of attendance: nothing in them is a formula, headers speak the reader's language, both formats say the same."""

import csv
import io
import re
import zipfile
from typing import get_args

import pytest

from moderation.attendance import evaluate
from moderation.presence_log import PresenceLog
from server import sheets
from signaling.classroom.expected import ChangeExpected, Expected
from signaling.classroom.overrides import OverrideAttendance
from signaling.classroom.policies import AttendanceStatus
from signaling.classroom.roles import Role
from signaling.classroom.session import EndClass, StartClass
from signaling.classroom.settings import Profile
from tests.support.classroom import Lesson

EVIL = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =cmd|' /C calc'!A0", "＝1", '=HYPERLINK("http://x","y")']


def table(language: sheets.Language = "en", names: list[str] | None = None) -> list[list[sheets.Cell]]:
    lesson = Lesson(Profile.LARGE)
    lesson.join("tom", Role.TRAINER, name="=Boss")
    lesson.do("tom", StartClass())
    for n, name in enumerate(names or ["王伟", 'Ann "A", B']):
        lesson.join(f"p{n}", name=name)
    lesson.pass_seconds(3_600)
    lesson.do("tom", EndClass())
    lesson.do("tom", OverrideAttendance(participant="p0", status=AttendanceStatus.EXCUSED, reason="@reason"))
    roster = [Expected(participant="p0", name="王伟"), Expected(participant="never", name="=never()")]
    lesson.do(None, ChangeExpected(people=roster))
    log = PresenceLog()
    for seq, origin, event in lesson.journal:
        log.feed(seq, origin.at, origin.by, event)
    people = [one for one in evaluate(log, now=lesson.now) if one.role is Role.TRAINEE]
    subjects = {"p0": "lms:u-7", "never": "=HYPERLINK(1)"}
    return sheets.rows(log, people, subjects, language=language, offset_min=480)


def test_csv_opens_in_a_spreadsheet_with_chinese_names_and_local_times() -> None:
    raw = sheets.as_csv(table("zh-CN"))
    assert raw.startswith(b"\xef\xbb\xbf")
    head, first, second, absent = csv.reader(io.StringIO(raw[3:].decode(), newline=""))
    assert head[:5] == ["姓名", "学员编号", "外部账号", "在名单", "状态"]
    assert (first[0], first[2], first[3], first[4], first[5], first[6]) == ("王伟", "lms:u-7", "是", "请假", "出勤", "60")
    assert first[11] == "2023-11-15 06:13:20+08:00"
    assert (second[0], second[2], second[3]) == ('Ann "A", B', "", "否")
    assert absent[:7] == ["'=never()", "never", "'=HYPERLINK(1)", "是", "缺勤", "缺勤", "0"]


def test_cells_that_look_like_formulas_are_text_in_both_formats() -> None:
    rows = table(names=EVIL)
    for row in csv.reader(io.StringIO(sheets.as_csv(rows)[3:].decode(), newline="")):
        for cell in row:
            assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "＝")), cell
    book = zipfile.ZipFile(io.BytesIO(sheets.as_xlsx(rows, language="en")))
    sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "hyperlink" not in sheet
    strings = re.findall(r"<t[^>]*>([^<]*)</t>", book.read("xl/sharedStrings.xml").decode())
    assert any(text == "'@reason" for text in strings)
    assert not any(text.lstrip(" ").startswith(("=", "+", "-", "@")) for text in strings)


@pytest.mark.parametrize("language", get_args(sheets.Language))
def test_every_row_has_a_cell_for_every_header_and_every_status_a_name(language: sheets.Language) -> None:
    head, *rows = table(language)
    assert all(len(row) == len(head) for row in rows)
    assert set(sheets._STATUS[language]) == set(AttendanceStatus)
    assert len(set(head)) == len(head)


def test_three_hundred_people_are_a_workbook() -> None:
    rows = table(names=[f"Person {n}" for n in range(300)])
    book = zipfile.ZipFile(io.BytesIO(sheets.as_xlsx(rows, language="en")))
    assert book.read("xl/worksheets/sheet1.xml").decode().count("<row ") == 302
