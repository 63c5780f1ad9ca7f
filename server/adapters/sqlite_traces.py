"""Looks through every text and every blob of every table for what an erasure should have left nothing of."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Set
from typing import Any, Final, NamedTuple

import msgspec

from moderation.pseudonyms import PERSONAL, Kind, free_texts, names
from server.adapters.sqlite import Database
from server.erasure.needles import Find, Needle, Whom, decoded, judge
from signaling.classroom.ids import SessionId
from signaling.messages import decode_event

#: columns that hold what people wrote, or what others answered to that
_WORDS: Final = frozenset(
    {("class", "title"), ("delivery", "answer"), ("publication", "why"), ("packaging", "error"), ("statement", "flaw")}
)

#: rows that may neither be changed nor removed, whomever they name
_LAWFUL: Final = frozenset({"hold"})


class Rows(NamedTuple):
    """What was found in how many tables: finds by what they are, rows with a trace by table, needles of which a find is rightly there."""

    tables: int
    finds: Counter[Find]
    traces: Counter[str]
    rightly: frozenset[Needle]


async def look_through(database: Database, needles: tuple[Needle, ...], whom: Whom, refused: Set[SessionId]) -> Rows:
    """Look for the needles; rows of refused classes are kept on purpose. Raises Unavailable."""
    return await database.read(lambda connection: _look_through(connection, needles, whom, refused))


def _look_through(connection: sqlite3.Connection, needles: tuple[Needle, ...], whom: Whom, refused: Set[SessionId]) -> Rows:
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
    finds: Counter[Find] = Counter()
    traces: Counter[str] = Counter()
    rightly: set[Needle] = set()
    for table in tables:
        for row in _hits(connection, table, needles):
            for needle in needles:
                found = set(_judged(table, row, needle, whom))
                if not found:
                    continue
                worst = min(found, key=list(Find).index)
                if worst is Find.TRACE and (row.get("session") in refused or table in _LAWFUL):
                    worst = Find.KEPT
                finds[worst] += 1
                if worst is Find.TRACE:
                    traces[table] += 1
                else:
                    rightly.add(needle)
    return Rows(len(tables), finds, traces, frozenset(rightly))


def _hits(connection: sqlite3.Connection, table: str, needles: tuple[Needle, ...]) -> Iterator[dict[str, Any]]:
    """Rows that may hold a needle, each once."""
    columns = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")') if row[2] in ("TEXT", "BLOB")]
    wanted = sorted({one for needle in needles if needle.in_bytes for one in needle.spellings})
    short = [needle.text for needle in needles if not needle.in_bytes]
    tests = [f'instr(CAST("{name}" AS BLOB), ?{number})' for name in columns for number in range(1, len(wanted) + 1)]
    for number, _ in enumerate(short):
        whole, quoted = len(wanted) + 2 * number + 1, len(wanted) + 2 * number + 2
        tests += [f'"{name}" = ?{whole} OR instr(CAST("{name}" AS BLOB), ?{quoted})' for name in columns]
    if not tests:
        return
    values = [*wanted, *(value for text in short for value in (text, msgspec.json.encode(text)))]
    cursor = connection.execute(f'SELECT * FROM "{table}" WHERE {" OR ".join(tests)}', values)  # noqa: S608 - names from the schema
    named = [column[0] for column in cursor.description]
    for row in cursor:
        yield dict(zip(named, row, strict=True))


def _judged(table: str, row: dict[str, Any], needle: Needle, whom: Whom) -> Iterator[Find]:
    for column, value in row.items():
        if isinstance(value, str):
            if needle.within(value):
                yield _of_text(table, column, row, needle, whom)
        elif isinstance(value, bytes):
            yield from _of_event(row, value, needle, whom) if (table, column) == ("record", "event") else _of_bytes(value, needle, whom)


def _of_text(table: str, column: str, row: dict[str, Any], needle: Needle, whom: Whom) -> Find:
    if (table, column) in _WORDS and needle.what != "id":
        return Find.MENTION
    another = "issuer" in row and (row["issuer"], row["subject"]) != tuple(whom.person)
    if another and column in ("name", "subject") and needle.what != "id":
        return Find.NAMESAKE
    return Find.TRACE


def _of_bytes(data: bytes, needle: Needle, whom: Whom) -> Iterator[Find]:
    value = decoded(data)
    if value is not None:
        yield from judge(value, needle, whom)
    elif needle.everywhere and any(one in data for one in needle.spellings):
        yield Find.TRACE


def _of_event(row: dict[str, Any], data: bytes, needle: Needle, whom: Whom) -> Iterator[Find]:
    try:
        event = decode_event(data)
    except msgspec.MsgspecError:
        yield from _of_bytes(data, needle, whom)
        return
    for owner, name in names(event, row["by"]):
        if needle.within(name):
            yield Find.TRACE if needle.what == "id" or owner in whom.ids else Find.NAMESAKE
    for text in free_texts(event):
        if needle.within(text):
            yield Find.TRACE if needle.what == "id" else Find.MENTION
    for name, kind in PERSONAL[type(event)].items():
        if kind in (Kind.PLAIN, Kind.ID):
            yield from judge(msgspec.to_builtins(getattr(event, name)), needle, whom)
