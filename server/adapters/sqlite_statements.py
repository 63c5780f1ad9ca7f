"""From the journal to the outbox, inside the transaction that appends: no event without its statements, no statement without its event.

What the encoder remembers of a class is kept for the classes in progress and made anew from the log whenever the log stands elsewhere
than it does (after a restart, an undone append, a pause). A statement that is not valid is kept as a dead letter. An event the encoder
cannot take is counted and told to nobody; the class goes on, and `backfill` tells it once the encoder can.
"""

import json
import logging
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from server.adapters.sqlite_rollups import stand, standing
from server.records.attended import RollUp, attended
from server.records.encode import Statement, drafts, finish
from server.records.fold import ClassFold, Entry
from server.records.outbox import State
from server.records.statements import Identity, Json, Site
from server.records.validate import validate_statement
from signaling.classroom.ids import Millis, ParticipantId, SessionId
from signaling.messages import decode_event
from signaling.ports import Record, Unavailable

log = logging.getLogger("jiangtai.records")
#: classes whose fold is kept
_KEPT: Final = 512
_INSERT: Final = (
    "INSERT INTO statement (id, session, seq, kind, at, voids, flaw, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
)
_DELIVER: Final = (
    "INSERT INTO delivery (destination, statement, state, answer, settled_at)"
    " SELECT id, ?, ?, ?, ? FROM destination WHERE name IN (SELECT value FROM json_each(?))"
)
_READ: Final = "SELECT seq, at, by, op, event FROM record WHERE session = ? AND seq > ? AND seq <= ? ORDER BY seq"


class StatementProjection:
    """A projection of the journal (sqlite_journal.Projection). Runs on the writer's thread alone, except for its counters."""

    def __init__(self, site: Site, destinations: Sequence[str], *, shed: Callable[[], bool] = lambda: False) -> None:
        """shed: whether telemetry (devices, reactions) is left out for now."""
        self.site = site
        self._names = json.dumps(list(destinations))
        self._shed = shed
        self._folds: OrderedDict[SessionId, ClassFold] = OrderedDict()
        self.statements = 0
        self.quarantined = 0
        self.shed = 0
        self.failures = 0
        self.rebuilt = 0

    def appended(self, connection: sqlite3.Connection, session: SessionId, before: int, records: Sequence[Record]) -> None:
        """Insert what these records, stored just now after number `before`, tell."""
        if connection.execute("SELECT 1 FROM untold WHERE session = ?", (session,)).fetchone():
            self._folds.pop(session, None)
            return
        fold = self._folds.get(session)
        if fold is None or fold.seq != before:
            fold = self._rebuild(connection, session, before)
        shedding = self._shed()
        for record in records:
            self.tell(connection, record.at, self._told(connection, fold, record, shedding))
        self._keep(session, fold)

    def backfill(self, connection: sqlite3.Connection, fold: ClassFold, limit: int) -> int:
        """Tell what the next `limit` records of a class tell and is not there; returns how many records were looked at."""
        records = list(_records(connection, fold.session, fold.seq, fold.seq + limit))
        nobody = _pseudonyms(connection, fold.session)
        for record in records:
            self.tell(connection, record.at, self._told(connection, fold, record, shedding=False, nobody=nobody))
        return len(records)

    def attended(self, connection: sqlite3.Connection, session: SessionId, seq: int, at: Millis, rollups: Iterable[RollUp]) -> int:
        """Tell roll-ups evaluated when the log stood at `seq`, voiding former ones that differ; returns how many statements were made.

        Repeating it changes nothing. One evaluation per `seq`: a class's log grows with every reason for another. Raises Unavailable if
        somebody was erased since: it would name who is nobody.
        """
        if connection.execute("SELECT 1 FROM pseudonym WHERE session = ? AND seq > ?", (session, seq)).fetchone():
            raise Unavailable("evaluated before an erasure")
        made = self.statements
        actors, nobody = self.actors_of(connection, session), _pseudonyms(connection, session)
        for rollup in rollups:
            who = rollup.participant
            if who in nobody:
                continue
            new = attended(self.site, session, rollup, at, standing(connection, session, who))
            told = [finish(self.site, session, seq, draft, actors) for draft in new]
            self.tell(connection, at, told)
            if told:
                stand(connection, who, told[-1])
        return self.statements - made

    def _told(
        self,
        connection: sqlite3.Connection,
        fold: ClassFold,
        record: Record,
        shedding: bool,
        nobody: frozenset[ParticipantId] = frozenset(),
    ) -> list[Statement]:
        """`nobody`: participants of whom nothing is told; a class that is not over has none."""
        try:
            told = [draft for draft in drafts(fold, _entry(record)) if draft.by not in nobody]
            kept = [draft for draft in told if not (shedding and draft.telemetry)]
            self.shed += len(told) - len(kept)
            actors = self.actors_of(connection, fold.session)
            return [finish(self.site, fold.session, record.seq, draft, actors) for draft in kept]
        except sqlite3.Error:
            raise
        except Exception:
            self.failures += 1
            fold.seq = record.seq
            log.exception("an event could not be encoded", extra={"session": fold.session, "seq": record.seq})
            return []

    def tell(self, connection: sqlite3.Connection, at: Millis, statements: Iterable[Statement]) -> None:
        """Insert finished statements with a delivery for each destination, within the caller's transaction; one known by its id stays."""
        for statement in statements:
            flaws = validate_statement(statement.json)
            self._store(connection, statement, at, "; ".join(flaws)[:2000])
            self.quarantined += bool(flaws)

    def _store(self, connection: sqlite3.Connection, statement: Statement, at: Millis, flaw: str) -> None:
        row = (statement.id, statement.session, statement.seq, statement.kind, at, statement.voids, flaw, statement.body)
        made = connection.execute(_INSERT, row)
        if made.rowcount:
            self.statements += 1
            state = State.DEAD if flaw else State.DUE
            connection.execute(_DELIVER, (made.lastrowid, state, flaw, at if flaw else 0, self._names))

    def _rebuild(self, connection: sqlite3.Connection, session: SessionId, upto: int) -> ClassFold:
        fold = ClassFold(site=self.site, session=session)
        self.rebuilt += upto > 0
        for record in _records(connection, session, 0, upto):
            try:
                drafts(fold, _entry(record))
            except Exception:
                self.failures += 1
                fold.seq = record.seq
        return fold

    def _keep(self, session: SessionId, fold: ClassFold) -> None:
        self._folds[session] = fold
        self._folds.move_to_end(session)
        if len(self._folds) > _KEPT:
            self._folds.popitem(last=False)

    def actors_of(self, connection: sqlite3.Connection, session: SessionId) -> Callable[[ParticipantId], Json]:
        """Who the people of a class are outside."""

        def actor(participant: ParticipantId) -> Json:
            sql = "SELECT issuer, subject FROM identity WHERE session = ? AND participant = ?"
            found = connection.execute(sql, (session, participant)).fetchone()
            return self.site.account(Identity(*found)) if found else self.site.stranger(session, participant)

        return actor


def _pseudonyms(connection: sqlite3.Connection, session: SessionId) -> frozenset[ParticipantId]:
    """Those of a class who were erased."""
    return frozenset(row[0] for row in connection.execute("SELECT participant FROM pseudonym WHERE session = ?", (session,)))


def _entry(record: Record) -> Entry:
    return Entry(seq=record.seq, at=record.at, by=record.by, event=decode_event(record.event))


def _records(connection: sqlite3.Connection, session: SessionId, after: int, upto: int) -> Iterator[Record]:
    for seq, at, by, op, event in connection.execute(_READ, (session, after, upto)):
        yield Record(seq=seq, at=at, by=by, op=op, event=event)
