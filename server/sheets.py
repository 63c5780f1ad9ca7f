"""The attendance of a class as a table for spreadsheets: CSV (RFC 4180, UTF-8 with a byte order mark) and XLSX. Pure.

A cell of text that a spreadsheet could take for a formula gets an apostrophe before it, in both formats: names come from outside.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

import xlsxwriter

from moderation.attendance import Attendance
from moderation.presence_log import PresenceLog
from signaling.classroom.ids import Millis, ParticipantId
from signaling.classroom.policies import AttendanceStatus

Language: TypeAlias = Literal["zh-CN", "en"]
Cell: TypeAlias = str | int | float
#: what spreadsheets begin a formula with, full-width forms included
_STARTERS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_MINUTE_MS: Final = 60_000
_HEADERS: Final[Mapping[Language, tuple[str, ...]]] = MappingProxyType(
    {
        "zh-CN": (
            "姓名",
            "学员编号",
            "外部账号",
            "在名单",
            "状态",
            "系统判定",
            "计入分钟",
            "在线分钟",
            "收看分钟",
            "断线补计分钟",
            "在线比例",
            "首次进入",
            "最后在线",
            "签到应答",
            "签到发出",
            "学时",
            "更正人",
            "更正原因",
            "出勤规则",
        ),
        "en": (
            "Name",
            "Participant ID",
            "Account",
            "On the roster",
            "Status",
            "Computed status",
            "Counted minutes",
            "Connected minutes",
            "Minutes with media",
            "Bridged minutes",
            "Share connected",
            "First seen",
            "Last seen",
            "Checks answered",
            "Checks asked",
            "Study hours",
            "Overridden by",
            "Reason",
            "Policy",
        ),
    }
)
_STATUS: Final[Mapping[Language, Mapping[AttendanceStatus, str]]] = MappingProxyType(
    {
        "zh-CN": {
            AttendanceStatus.PRESENT: "出勤",
            AttendanceStatus.LATE: "迟到",
            AttendanceStatus.LEFT_EARLY: "早退",
            AttendanceStatus.ABSENT: "缺勤",
            AttendanceStatus.EXCUSED: "请假",
        },
        "en": {
            AttendanceStatus.PRESENT: "Present",
            AttendanceStatus.LATE: "Late",
            AttendanceStatus.LEFT_EARLY: "Left early",
            AttendanceStatus.ABSENT: "Absent",
            AttendanceStatus.EXCUSED: "Excused",
        },
    }
)
_YES_NO: Final[Mapping[Language, tuple[str, str]]] = MappingProxyType({"zh-CN": ("否", "是"), "en": ("no", "yes")})
_SHEET: Final[Mapping[Language, str]] = MappingProxyType({"zh-CN": "出勤", "en": "Attendance"})


def rows(
    log: PresenceLog, people: Sequence[Attendance], subjects: Mapping[ParticipantId, str], *, language: Language, offset_min: int
) -> list[list[Cell]]:
    """Header and one row per person, with the account outside that tells namesakes apart; times at `offset_min` minutes east of UTC."""
    return [list(_HEADERS[language]), *(_row(log, one, subjects.get(one.person, ""), language, offset_min) for one in people)]


def as_csv(table: Sequence[Sequence[Cell]]) -> bytes:
    """The table as CSV."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows([_safe(cell) for cell in row] for row in table)
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def as_xlsx(table: Sequence[Sequence[Cell]], *, language: Language) -> bytes:
    """The table as a workbook of one sheet; text stays text."""
    out = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(out, options) as book:
        sheet = book.add_worksheet(_SHEET[language])
        bold = book.add_format({"bold": True})
        for y, row in enumerate(table):
            for x, cell in enumerate(row):
                value = _safe(cell)
                if isinstance(value, str):
                    sheet.write_string(y, x, value, bold if y == 0 else None)
                else:
                    sheet.write_number(y, x, value)
        sheet.freeze_panes(1, 1)
        sheet.set_column(0, 1, 22)
        sheet.set_column(2, len(table[0]) - 1, 16)
    return out.getvalue()


def _safe(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.lstrip(" ").startswith(_STARTERS) else cell


def _row(log: PresenceLog, one: Attendance, subject: str, language: Language, offset_min: int) -> list[Cell]:
    override = one.override
    author = log.people.get(override.by or "") if override is not None else None
    return [
        one.name,
        one.person,
        subject,
        _YES_NO[language][one.expected],
        _STATUS[language][one.status],
        _STATUS[language][one.computed],
        one.minutes,
        round(one.connected_ms / _MINUTE_MS, 1),
        round(one.delivered_ms / _MINUTE_MS, 1),
        round(one.bridged_ms / _MINUTE_MS, 1),
        round(one.ratio, 3),
        _moment(one.first_at, offset_min),
        _moment(one.last_at, offset_min),
        one.checks_answered,
        one.checks_asked,
        one.hours,
        author.name if author is not None else "",
        override.event.reason if override is not None else "",
        f"{one.policy_id} v{one.policy_version}",
    ]


def _moment(at: Millis | None, offset_min: int) -> str:
    if at is None:
        return ""
    zone = timezone(timedelta(minutes=offset_min))
    return datetime.fromtimestamp(at / 1_000, UTC).astimezone(zone).isoformat(sep=" ", timespec="seconds")
