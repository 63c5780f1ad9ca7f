"""Where a person is named on SQLite: the classes somebody has been in, as whom, and the statements of one that tell of them.

`identity` says who was in a class, and goes with its log; a seat may outlive that. Statements and the rows of recordings stay and name
people all the same, so where the log is no longer kept they are asked instead. Every function is for a job of the caller.
"""

import sqlite3
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

import msgspec

from server.auth import participant_id
from server.erasure.work import Person
from signaling.classroom.ids import ParticipantId, SessionId

_KNOWN: Final = (
    "SELECT session, participant FROM identity WHERE issuer = ?1 AND subject = ?2"
    " UNION SELECT session, participant FROM seat WHERE issuer = ?1 AND subject = ?2"
)
_UNKEPT: Final = "session IN (SELECT session FROM expiry WHERE kind = 'log')"
_TOLD: Final = f"SELECT DISTINCT session FROM statement WHERE {_UNKEPT}"  # noqa: S608 - words of our own
_RECORDED: Final = (
    "SELECT session, who FROM (SELECT session, started_by AS who FROM recording UNION SELECT session, by FROM recording_act)"  # noqa: S608 - words of our own
    f" WHERE who <> '' AND {_UNKEPT}"
)


def places(connection: sqlite3.Connection, person: Person) -> list[tuple[SessionId, ParticipantId]]:
    """The classes that know the person, and as whom."""
    found: dict[SessionId, ParticipantId] = dict(connection.execute(_KNOWN, tuple(person)).fetchall())
    for session, who in connection.execute(_RECORDED):
        if session not in found and who == participant_id(session, *person):
            found[session] = who
    for (session,) in connection.execute(_TOLD).fetchall():
        if session not in found and statements(connection, session, who := participant_id(session, *person), person):
            found[session] = who
    return sorted(found.items())


def is_held(connection: sqlite3.Connection, person: Person) -> bool:
    """Whether a person is under a hold of their own; the view `held` knows it only of classes in which it is known who they were."""
    sql = "SELECT 1 FROM hold WHERE lifted_at IS NULL AND session = '' AND issuer = ? AND subject = ?"
    return connection.execute(sql, tuple(person)).fetchone() is not None


def statements(connection: sqlite3.Connection, session: SessionId, participant: ParticipantId, person: Person) -> dict[int, str]:
    """(number, id) of every statement of a class that names the person, and of those that void one of them."""
    subject = msgspec.json.encode(person.subject)
    sql = "SELECT number, id, kind, body FROM statement WHERE session = ? AND (instr(body, ?) OR instr(body, ?) OR instr(kind, ?))"
    found: dict[int, str] = {}
    for number, id, kind, body in connection.execute(sql, (session, subject, participant.encode(), participant)):
        accounts = list(_accounts(msgspec.json.decode(body)))
        if participant in kind or any(_is_account(one, person) or one.get("name") == participant for one in accounts):
            found[number] = id
    gone = set(found.values())
    voiding = "SELECT number, id, voids FROM statement WHERE session = ? AND voids <> ''"
    for number, id, voids in connection.execute(voiding, (session,)):
        if voids in gone:
            found[number] = id
    return found


def _is_account(found: dict[str, Any], person: Person) -> bool:
    """Whether a part of a statement is the person's account, wherever this site lives."""
    home = found.get("homePage")
    ours = isinstance(home, str) and (home == person.issuer or home.endswith(f"/issuers/{quote(person.issuer, safe='')}"))
    return ours and found.get("name") == person.subject


def _accounts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "homePage" in value:
            yield value
        for inner in value.values():
            yield from _accounts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _accounts(inner)
