"""The roster of a class: from JSON or CSV to people with names, every bad line named; then into the class's log.

Parsing is pure. Lines count from 1; in CSV the header is line 1. A roster with a bad line changes nothing.
"""

import asyncio
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple, TypeVar

from moderation.names import BadName, normalise
from server.adapters.sqlite_roster import SqliteRoster
from server.auth import participant_id
from server.problems import Flaw
from signaling.classroom.errors import Rejected
from signaling.classroom.expected import MAX_CHANGES, MAX_EXPECTED, ChangeExpected, Expected
from signaling.classroom.ids import SessionId
from signaling.hub import Hub

T = TypeVar("T")
#: bytes of a roster: 5,000 people with names of 20 Chinese characters and ids of 80 fit
MAX_BYTES: Final = 1 << 20
MAX_FLAWS: Final = 100
#: as in a join token
MAX_SUBJECT: Final = 200
_SUBJECT_HEADS: Final = frozenset({"subject", "sub", "id", "学号", "工号", "学员编号"})
_NAME_HEADS: Final = frozenset({"name", "姓名"})
#: cells of one line; what is beside subject and name is not looked at
_MAX_CELLS: Final = 50


class Line(NamedTuple):
    """One line as it came."""

    number: int
    subject: str
    name: str


class Listed(NamedTuple):
    """A person of a good roster; the name is as it will be shown."""

    subject: str
    name: str


class BadRoster(Exception):
    """Nothing was changed; `flaws` are the first bad lines."""

    def __init__(self, flaws: Sequence[Flaw]) -> None:
        super().__init__(f"{len(flaws)} bad lines")
        self.flaws = list(flaws)


class Change(NamedTuple):
    """What a roster changed."""

    added: int
    renamed: int
    removed: int


def csv_lines(text: str) -> Iterator[Line]:
    """The lines of a CSV (RFC 4180; comma, semicolon or tab) with a header that names subject and name. Raises BadRoster."""
    text = text.removeprefix("\ufeff")
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        heads = [cell.strip().casefold() for cell in next(rows, [])]
        columns = [next((i for i, cell in enumerate(heads) if cell in known), -1) for known in (_SUBJECT_HEADS, _NAME_HEADS)]
        if min(columns) < 0:
            raise BadRoster([Flaw(line=1, code="bad_header")])
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) <= max(columns) or len(row) > _MAX_CELLS:
                yield Line(rows.line_num, "", "")
                continue
            yield Line(rows.line_num, row[columns[0]].strip(), row[columns[1]])
    except csv.Error:
        raise BadRoster([Flaw(line=max(1, rows.line_num), code="bad_line")]) from None


def checked(lines: Iterable[Line]) -> list[Listed]:
    """The people of a roster, each subject once. Raises BadRoster with the first bad lines."""
    people: dict[str, Listed] = {}
    flaws: list[Flaw] = []
    for count, line in enumerate(lines, 1):
        if count > MAX_EXPECTED:
            flaws.append(Flaw(line=line.number, code="too_many"))
            break
        code, name = _judge(line, people)
        if code:
            flaws.append(Flaw(line=line.number, code=code))
            if len(flaws) >= MAX_FLAWS:
                break
        else:
            people[line.subject] = Listed(line.subject, name)
    if flaws:
        raise BadRoster(flaws)
    return list(people.values())


def _judge(line: Line, people: dict[str, Listed]) -> tuple[str, str]:
    """(what is wrong or "", the name as shown)."""
    if not line.subject and not line.name.strip():
        return "bad_line", ""
    if not line.subject or not line.subject.isprintable():
        return "bad_subject", ""
    if len(line.subject) > MAX_SUBJECT:
        return "subject_too_long", ""
    if line.subject in people:
        return "repeated", ""
    try:
        return "", normalise(line.name)
    except BadName:
        return "bad_name", ""


class Rosters:
    """Puts rosters into classes, one at a time."""

    def __init__(self, hub: Hub, store: SqliteRoster) -> None:
        self._hub = hub
        self._store = store
        self._turn = asyncio.Lock()

    async def replace(self, session: SessionId, issuer: str, people: Sequence[Listed]) -> Change:
        """Make these people, and nobody else, the expected ones; the same roster again changes nothing.

        Long rosters go in parts: after a crash in the middle the same call finishes it. Raises Rejected, Unavailable.
        """
        wanted = {participant_id(session, issuer, person.subject): person for person in people}
        async with self._turn:
            before = dict((await self._hub.runner(session)).room.expected)
            listed = [Expected(participant=id, name=one.name) for id, one in wanted.items() if before.get(id) != one.name]
            gone = [id for id in before if id not in wanted]
            # Who they are comes first: nobody is expected whose identity is not known.
            await self._store.identify(session, issuer, [(id, one.subject) for id, one in wanted.items()])
            await self._say(session, [ChangeExpected(gone=part) for part in _parts(gone)])
            await self._say(session, [ChangeExpected(people=part) for part in _parts(listed)])
            came = (await self._hub.runner(session)).room.participants
            await self._store.forget(session, [id for id in gone if id not in came])
        return Change(
            added=sum(one.participant not in before for one in listed),
            renamed=sum(one.participant in before for one in listed),
            removed=len(gone),
        )

    async def _say(self, session: SessionId, commands: Iterable[ChangeExpected]) -> None:
        for command in commands:
            reply = await self._hub.dispatch(session, None, command)
            if reply.error is not None:
                raise Rejected(reply.error)


def _parts(whole: Sequence[T]) -> Iterator[list[T]]:
    for start in range(0, len(whole), MAX_CHANGES):
        yield list(whole[start : start + MAX_CHANGES])
