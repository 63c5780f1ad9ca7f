"""Erasing a person from one class on SQLite: its log made nameless, its rows deleted, in one transaction; and the jobs that do it.

A record that is changed leaves the hash of its leaf behind (`erased_leaf`), after it was compared with the hash the ledger holds: erasing
hides no change that somebody made before. The record `participant_erased` is appended in the same transaction.
"""

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

import msgspec

from moderation import pseudonyms
from server.adapters import sqlite_places
from server.adapters.sqlite import Database
from server.adapters.sqlite_journal import link
from server.adapters.sqlite_ledger import hash_at, leaf_of
from server.adapters.sqlite_outbox import may_be_alive
from server.erasure.work import Part, Person, Seal, Work
from server.records import merkle
from signaling.classroom.base import Event
from signaling.classroom.erasure import ParticipantErased
from signaling.classroom.ids import Millis, ParticipantId, SessionId
from signaling.classroom.participants import ConnectionClosed, ConnectionOpened
from signaling.classroom.session import ClassEnded
from signaling.messages import decode_event, encode_event
from signaling.ports import Record

#: stands where an entry nobody can read named the person: nil, which nobody can read either
_UNREADABLE: Final = b"\xc0"
_people: Final = msgspec.msgpack.Decoder(list[str])
_READ: Final = "SELECT seq, at, by, op, event FROM record WHERE session = ? ORDER BY seq"
#: rows that are the person's alone, by kind; the place of each is (session, participant)
_OWN: Final = {
    "operations": "operation WHERE session = ? AND by = ?",
    "seats": "seat WHERE session = ? AND participant = ?",
    "revocations": "revocation WHERE session = ? AND participant = ?",
    "identities": "identity WHERE session = ? AND participant = ?",
    "watched": "watched WHERE session = ? AND participant = ?",
    "viewings": "viewing WHERE session = ? AND participant = ?",
}


class Moved(Exception):
    """The log, the ledger or a hold is not what it was when it was looked at: look again."""


class Broken(Exception):
    """A record is not what the ledger says it was."""


class Change(NamedTuple):
    """A record as it is to be, and the hashes of its leaf before and then."""

    record: Record
    before: bytes
    after: bytes


class Look(NamedTuple):
    """What a class says of one participant. `kinds`: how many rows of each kind would go or change."""

    session: SessionId
    title: str
    over: bool
    #: whether the person is, by name
    held: bool
    upto: int
    #: connections that no entry has closed
    left_open: int
    changes: tuple[Change, ...]
    names: frozenset[str]
    #: recordings that still have files
    recordings: int
    kinds: dict[str, int]


class Job(NamedTuple):
    """An erasure on its way."""

    id: str
    at: Millis
    by: str
    sealed: bytes


class Standing(NamedTuple):
    """An erasure, under way or done; the note is there when it is."""

    id: str
    at: Millis
    by: str
    state: str
    note: str | None


class SqliteErasures:
    """Everything of this module, job by job. All raise Unavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def places(self, person: Person) -> list[tuple[SessionId, ParticipantId]]:
        """The classes that know a person, and as whom."""
        return await self._database.read(lambda c: sqlite_places.places(c, person))

    async def look(self, part: Part, person: Person) -> Look:
        """What a class says of the person; changes nothing."""
        return await self._database.read(partial(_look, part=part, person=person))

    async def erase(self, job: Job, work: Work, number: int, look: Look, at: Millis, seal: Seal) -> Work:
        """Do to part `number` what was seen, and keep what becomes of the work by it, both or neither. Raises Moved, Broken."""
        return await self._database.write(lambda c: _erase(c, job, work, number, look, at, seal))

    async def add(self, job: Job, whom: bytes, most: int) -> bool:
        """Keep a job; False if `most` are under way."""

        def insert(connection: sqlite3.Connection) -> bool:
            if connection.execute("SELECT count(*) FROM erasure_job WHERE state = 'working'").fetchone()[0] >= most:
                return False
            row = (job.id, whom, job.at, job.by, job.sealed)
            connection.execute("INSERT INTO erasure_job VALUES (?, ?, ?, ?, 'working', '', 0, ?)", row)
            return True

        return await self._database.write(insert)

    async def take(self, owner: str, now: Millis, until: Millis, id: str | None = None) -> Job | None:
        """A job that nobody is at (or that one), for oneself until then; the one tried least lately first. The dead are at none."""

        def lease(connection: sqlite3.Connection) -> Job | None:
            which = "state = 'working' AND ? IN (id, '') ORDER BY lease_until, at"
            sql = f"SELECT owner, lease_until, id, at, by, sealed FROM erasure_job WHERE {which}"  # noqa: S608 - names of our own
            for holder, lease_until, *found in connection.execute(sql, (id or "",)):
                if now >= lease_until or not may_be_alive(holder, owner):
                    connection.execute("UPDATE erasure_job SET owner = ?, lease_until = ? WHERE id = ?", (owner, until, found[0]))
                    return Job(*found)
            return None

        return await self._database.write(lease)

    async def renew(self, job: Job, until: Millis) -> None:
        """Go on being at it."""
        sql = "UPDATE erasure_job SET lease_until = ? WHERE id = ?"
        await self._database.write(lambda c: c.execute(sql, (until, job.id)).rowcount)

    async def keep(self, job: Job, sealed: bytes, until: Millis) -> None:
        """How far it has come; for oneself until then."""
        sql = "UPDATE erasure_job SET sealed = ?, lease_until = ? WHERE id = ? AND state = 'working'"
        await self._database.write(lambda c: c.execute(sql, (sealed, until, job.id)).rowcount)

    async def release(self, job: Job, now: Millis) -> None:
        """Leave a job to others as it is, behind those not tried yet."""
        sql = "UPDATE erasure_job SET lease_until = ? WHERE id = ?"
        await self._database.write(lambda c: c.execute(sql, (now, job.id)).rowcount)

    async def finish(self, job: Job, at: Millis, note: str) -> None:
        """Keep the receipt and forget whom it was about."""

        def end(connection: sqlite3.Connection) -> None:
            row = (job.id, at, job.by, "person", note)
            connection.execute("INSERT INTO erasure (id, at, by, kind, note) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", row)
            connection.execute("UPDATE erasure_job SET state = 'done', sealed = NULL WHERE id = ?", (job.id,))

        await self._database.write(end)

    async def standing(self, *, id: str | None = None, whom: bytes | None = None) -> Standing | None:
        """An erasure by its id, or the newest one of a person."""
        sql = (
            "SELECT j.id, j.at, j.by, j.state, e.note FROM erasure_job j LEFT JOIN erasure e USING (id)"
            " WHERE j.id = ? OR j.whom = ? ORDER BY j.at DESC, j.id DESC LIMIT 1"
        )
        found = await self._database.read(lambda c: c.execute(sql, (id, whom)).fetchone())
        return Standing(*found) if found is not None else None

    async def changed_since(self, number: int) -> list[tuple[int, SessionId]]:
        """(number, class) of everybody made nobody behind that number, in order."""
        sql = "SELECT number, session FROM pseudonym WHERE number > ? ORDER BY number LIMIT 1000"
        return await self._database.read(lambda c: c.execute(sql, (number,)).fetchall())

    async def nobodies(self, session: SessionId) -> frozenset[ParticipantId]:
        """The made-up participants of a class."""
        sql = "SELECT participant FROM pseudonym WHERE session = ?"
        return frozenset(row[0] for row in await self._database.read(lambda c: c.execute(sql, (session,)).fetchall()))

    async def digests(self, id: str) -> dict[SessionId, tuple[int, bytes]]:
        """Per class how many records an erasure changed, and the digest of their leaves as the ledger keeps them now."""

        def job(connection: sqlite3.Connection) -> dict[SessionId, tuple[int, bytes]]:
            sql = (
                "SELECT session, e.hash FROM erasure_record r LEFT JOIN erased_leaf e USING (session, seq) WHERE r.erasure = ?"
                " ORDER BY session, seq"
            )
            found: dict[SessionId, list[bytes]] = {}
            for session, hash in connection.execute(sql, (id,)):
                found.setdefault(session, []).append(hash or b"")
            return {session: (len(hashes), digest(hashes)) for session, hashes in found.items()}

        return await self._database.read(job)


def digest(leaves: Sequence[bytes]) -> bytes:
    """One hash for many leaves: the root of their tree."""
    tree = merkle.Frontier()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


# ---- what is there ----


def _look(connection: sqlite3.Connection, part: Part, person: Person) -> Look:
    place = (part.session, part.participant)
    described = connection.execute("SELECT title, ended_at FROM class WHERE session = ?", (part.session,)).fetchone()
    over, upto, connections = described is not None and described[1] is not None, 0, set()
    changes: list[Change] = []
    names: set[str] = set()
    for seq, at, by, op, data in connection.execute(_READ, (part.session,)):
        record, upto = Record(seq=seq, at=at, by=by, op=op, event=data), seq
        try:
            event: Event | None = decode_event(data)
        except msgspec.MsgspecError:
            event = None
        if event is not None:
            over = over or isinstance(event, ClassEnded)
            if isinstance(event, ConnectionOpened):
                connections.add((event.participant, event.connection))
            elif isinstance(event, ConnectionClosed):
                connections.discard((event.participant, event.connection))
            names |= {name for owner, name in pseudonyms.names(event, by) if owner == part.participant and name}
        if changed := _changed(record, event, part):
            before, after = (merkle.leaf_hash(_leaf(part.session, one)) for one in (record, changed))
            changes.append(Change(changed, before, after))
    names |= {row[0] for row in connection.execute("SELECT name FROM seat WHERE session = ? AND participant = ?", place)}
    recordings = "SELECT count(*) FROM recording WHERE session = ? AND purged_at IS NULL"
    kinds = {kind: connection.execute(f"SELECT count(*) FROM {where}", place).fetchone()[0] for kind, where in _OWN.items()}  # noqa: S608
    kinds["statements"] = len(sqlite_places.statements(connection, *place, person))
    return Look(
        session=part.session,
        title=described[0] if described else "",
        over=over or (described is None and upto == 0),
        held=sqlite_places.is_held(connection, person),
        upto=upto,
        left_open=len(connections),
        changes=tuple(changes),
        names=frozenset(names),
        recordings=connection.execute(recordings, (part.session,)).fetchone()[0],
        kinds={"records": len(changes), **kinds},
    )


def _changed(record: Record, event: Event | None, part: Part) -> Record | None:
    """The record as it is to be; None if it stays."""
    who, nobody = part.participant, part.pseudonym
    if event is None:
        if record.by != who and who.encode() not in record.event:
            return None
        event_data = _UNREADABLE
    elif pseudonyms.concerns(event, record.by, who):
        event_data = encode_event(pseudonyms.nameless(event, record.by, who, nobody))
    else:
        return None
    own = record.by == who
    return msgspec.structs.replace(record, by=nobody if own else record.by, op=None if own else record.op, event=event_data)


def _leaf(session: SessionId, record: Record) -> bytes:
    return leaf_of((session, record.seq, record.at, record.by, record.op, record.event))


# ---- and what goes ----


def _erase(connection: sqlite3.Connection, job: Job, work: Work, number: int, look: Look, at: Millis, seal: Seal) -> Work:
    new = msgspec.msgpack.decode(msgspec.msgpack.encode(work), type=Work)
    part = new.parts[number]
    head, chain = connection.execute(
        "SELECT seq, chain FROM record WHERE session = ? ORDER BY seq DESC LIMIT 1", (part.session,)
    ).fetchone() or (0, b"")
    if head != look.upto or sqlite_places.is_held(connection, Person(work.issuer, work.subject)):
        raise Moved
    leaves = [_release(connection, job.id, part.session, change) for change in look.changes]
    sql = "UPDATE record SET by = ?, op = ?, event = ? WHERE session = ? AND seq = ?"
    connection.executemany(sql, [(c.record.by, c.record.op, c.record.event, part.session, c.record.seq) for c in look.changes])
    seq = 0
    if look.changes:
        seq = head + 1
        event = encode_event(ParticipantErased(participant=part.pseudonym))
        record = Record(seq=seq, at=at, by=None, op=None, event=event)
        row = (part.session, seq, at, None, None, event, link(chain, record))
        connection.execute("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    connection.execute("INSERT INTO pseudonym (session, participant, seq) VALUES (?, ?, ?)", (part.session, part.pseudonym, seq))
    _forget(connection, part, look, new)
    _forget_statements(connection, part, Person(work.issuer, work.subject), new)
    part.state, part.records, part.digest = "nameless", len(leaves), digest(leaves)
    new.count("records", len(leaves))
    new.names = sorted({*new.names, *look.names})
    connection.execute("UPDATE erasure_job SET sealed = ? WHERE id = ?", (seal(new), job.id))
    return new


def _release(connection: sqlite3.Connection, erasure: str, session: SessionId, change: Change) -> bytes:
    """Let one record be changed; the hash that the ledger keeps of it."""
    place = (session, change.record.seq)
    former = connection.execute("SELECT hash, now FROM erased_leaf WHERE session = ? AND seq = ?", place).fetchone()
    if former is None:
        number = connection.execute("SELECT number FROM leaf WHERE session = ? AND seq = ?", place).fetchone()
        held = hash_at(connection, number[0]) if number else None
        if held is None:
            raise Moved
        if held != change.before:
            raise Broken
        row = (*place, held, erasure, change.after)
        connection.execute("INSERT INTO erased_leaf (session, seq, hash, erasure, now) VALUES (?, ?, ?, ?, ?)", row)
    else:
        held, now = former
        if now is not None and now != change.before:
            raise Broken
        connection.execute("UPDATE erased_leaf SET now = ? WHERE session = ? AND seq = ?", (change.after, *place))
    connection.execute("INSERT INTO erasure_record VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (erasure, *place))
    return bytes(held)


def _forget(connection: sqlite3.Connection, part: Part, look: Look, work: Work) -> None:
    place = (part.session, part.participant)
    for kind, where in _OWN.items():
        work.count(kind, connection.execute(f"DELETE FROM {where}", place).rowcount)  # noqa: S608 - names of our own
    work.count("snapshots", connection.execute("DELETE FROM snapshot WHERE session = ?", (part.session,)).rowcount)
    if not look.left_open:  # else they tell until when the others were there
        work.count("life_signs", connection.execute("DELETE FROM life_sign WHERE session = ?", (part.session,)).rowcount)
    renamed = (part.pseudonym, *place)
    for sql in (
        "UPDATE recording SET started_by = ? WHERE session = ? AND started_by = ?",
        "UPDATE recording_act SET by = ? WHERE session = ? AND by = ?",
    ):
        work.count("recording_rows", connection.execute(sql, renamed).rowcount)
    sql = "SELECT window, people FROM delivered_window WHERE session = ? AND instr(people, ?)"
    windows = connection.execute(sql, (part.session, part.participant.encode())).fetchall()
    for window, data in windows:
        people = sorted(part.pseudonym if one == part.participant else one for one in _people.decode(data))
        sql = "UPDATE delivered_window SET people = ? WHERE session = ? AND window = ?"
        connection.execute(sql, (msgspec.msgpack.encode(people), part.session, window))
    work.count("delivered_windows", len(windows))


def _forget_statements(connection: sqlite3.Connection, part: Part, person: Person, work: Work) -> None:
    found = sqlite_places.statements(connection, part.session, part.participant, person)
    sql = "SELECT n.name, d.state FROM delivery d JOIN destination n ON n.id = d.destination WHERE d.statement = ?"
    for number, id in found.items():
        for name, state in connection.execute(sql, (number,)):
            # 1: acknowledged. Due or refused ones may have got there without an answer that came back.
            (work.held if state == 1 else work.perhaps).setdefault(name, []).append(id)
        connection.execute("DELETE FROM delivery WHERE statement = ?", (number,))
        connection.execute("DELETE FROM statement WHERE number = ?", (number,))
    work.count("statements", len(found))
    needles = (part.participant, person.subject)
    sql = "UPDATE delivery SET answer = '' WHERE answer <> '' AND (instr(answer, ?1) OR (length(?2) > 3 AND instr(answer, ?2)))"
    work.count("answers", connection.execute(sql, needles).rowcount if found else 0)
