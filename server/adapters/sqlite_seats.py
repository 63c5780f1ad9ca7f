"""Seats, used tokens and operator logins on SQLite; good seats are also kept in memory, since every reconnect asks for one."""

import hashlib
import sqlite3
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import msgspec

from server.adapters.sqlite import Database
from server.auth import BadToken, Claims
from server.seats import SEATS_PER_COOKIE, Banned, Revoked, Seat
from signaling.classroom.ids import Millis, ParticipantId, SessionId
from signaling.classroom.roles import Role
from signaling.ports import Unavailable

_CACHE: Final = 50_000
#: tokens remembered as used at one time
MAX_USED: Final = 1_000_000
_COLUMNS: Final = "id, cookie, session, participant, issuer, subject, name, role, epoch, expires_at"
_LIVE: Final = (
    "SELECT s.id, s.cookie, s.session, s.participant, s.issuer, s.subject, s.name, s.role, s.epoch, s.expires_at FROM seat s"
    " LEFT JOIN revocation r ON r.session = s.session AND r.participant = s.participant"
    " WHERE s.epoch = coalesce(r.epoch, 0)"
)
_SELECT_LIVE: Final = _LIVE + " AND s.id = ?"
_SELECT_OWNED: Final = _LIVE + " AND s.cookie = ?"


class SqliteSeats:
    """seats.SeatBook, and the operator's logins."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cache: OrderedDict[str, Seat] = OrderedDict()
        #: raised whenever seats become void, so that a read begun before it cannot fill the cache after it
        self._generation = 0
        self._used = 0
        #: sent out, the revocation not yet stored
        self._shut: set[tuple[SessionId, ParticipantId]] = set()

    async def redeem(self, claims: Claims, seat: Seat, now: Millis) -> Seat:
        """See seats.SeatBook.redeem."""
        if self._used >= MAX_USED:
            raise Unavailable("too many used tokens are remembered")
        generation = self._generation
        kept, gone = await self._database.write(lambda connection: _redeem(connection, claims, seat, now))
        self._used += 1
        self._remember(kept, generation)
        if gone:
            self._drop(gone)
        return kept

    async def find(self, seat: str, now: Millis) -> Seat | None:
        """See seats.SeatBook.find."""
        found = self._cache.get(seat)
        if found is None:
            seats = await self._live(_SELECT_LIVE, seat)
            if not seats:
                return None
            found = seats[0]
        return found if self._is_good(found, now) else None

    async def owned(self, cookie: bytes, now: Millis) -> list[Seat]:
        """Every good seat of a cookie; they are remembered, since one will be asked for next."""
        return [seat for seat in await self._live(_SELECT_OWNED, cookie) if self._is_good(seat, now)]

    def shut(self, session: SessionId, participant: ParticipantId) -> None:
        """Let a person in by no seat from now on, while the revocation is on its way to the store."""
        self._shut.add((session, participant))

    async def revoke(self, session: SessionId, participant: ParticipantId, *, at: Millis, banned: bool) -> None:
        """See seats.SeatBook.revoke."""
        self.shut(session, participant)
        await self._database.write(
            lambda connection: (
                connection.execute(
                    "INSERT INTO revocation VALUES (?, ?, 1, ?, ?) ON CONFLICT (session, participant) DO UPDATE"
                    " SET epoch = epoch + 1, at = excluded.at, banned = excluded.banned",
                    (session, participant, at, int(banned)),
                ).rowcount
            )
        )
        self._drop([key for key, seat in self._cache.items() if (seat.session, seat.participant) == (session, participant)])
        self._shut.discard((session, participant))

    async def standing(self, session: SessionId, participant: ParticipantId) -> tuple[int, bool]:
        """(how often this person was sent out, whether no token lets them in)."""
        sql = "SELECT epoch, banned FROM revocation WHERE session = ? AND participant = ?"
        row = await self._database.read(lambda connection: connection.execute(sql, (session, participant)).fetchone())
        return (int(row[0]), bool(row[1])) if row else (0, False)

    async def forgive(self, session: SessionId, participant: ParticipantId) -> None:
        """See seats.SeatBook.forgive."""
        sql = "UPDATE revocation SET banned = 0 WHERE session = ? AND participant = ?"
        await self._database.write(lambda connection: connection.execute(sql, (session, participant)).rowcount)

    async def release(self, seat: str) -> None:
        """See seats.SeatBook.release."""
        await self._database.write(lambda connection: connection.execute("DELETE FROM seat WHERE id = ?", (seat,)).rowcount)
        self._drop([seat])

    def forget(self, session: SessionId) -> None:
        """Ask the store again for every seat of a class: some may be gone from it."""
        self._drop([key for key, seat in self._cache.items() if seat.session == session])

    async def use_once(self, claims: Claims) -> None:
        """Use up a token that opens no seat; raises BadToken (token_used)."""
        await self._database.write(lambda connection: _use(connection, claims))

    async def open_operator(self, cookie: bytes, expires_at: Millis) -> None:
        """Remember an operator's browser."""
        sql = "INSERT OR REPLACE INTO operator_login VALUES (?, ?)"
        await self._database.write(lambda connection: connection.execute(sql, (cookie, expires_at)).rowcount)

    async def close_operator(self, cookie: bytes) -> None:
        """Forget an operator's browser."""
        sql = "DELETE FROM operator_login WHERE cookie = ?"
        await self._database.write(lambda connection: connection.execute(sql, (cookie,)).rowcount)

    async def is_operator(self, cookie: bytes, now: Millis) -> bool:
        """Whether this browser is logged in as operator."""
        sql = "SELECT 1 FROM operator_login WHERE cookie = ? AND expires_at > ?"
        return bool(await self._database.read(lambda connection: connection.execute(sql, (cookie, now)).fetchone()))

    async def prune(self, now: Millis) -> None:
        """Drop what has expired; call it every minute."""
        self._used = await self._database.write(lambda connection: _prune(connection, now))
        for seat in [key for key, kept in self._cache.items() if kept.expires_at <= now]:
            del self._cache[seat]

    async def _live(self, sql: str, key: str | bytes) -> list[Seat]:
        """Seats that are not revoked, and remember them; read again if one was voided meanwhile, which the rows may not know."""
        while True:
            generation = self._generation
            rows = await self._database.read(lambda connection: connection.execute(sql, (key,)).fetchall())
            if generation == self._generation:
                seats = [_seat(row) for row in rows]
                for seat in seats:
                    self._remember(seat, generation)
                return seats

    def _drop(self, seats: Sequence[str]) -> None:
        """Know nothing of these, whatever is being read."""
        self._generation += 1
        for seat in seats:
            self._cache.pop(seat, None)

    def _is_good(self, seat: Seat, now: Millis) -> bool:
        return seat.expires_at > now and (seat.session, seat.participant) not in self._shut

    def _remember(self, seat: Seat, generation: int) -> None:
        if generation != self._generation:
            return
        self._cache[seat.id] = seat
        while len(self._cache) > _CACHE:
            self._cache.popitem(last=False)


def _redeem(connection: sqlite3.Connection, claims: Claims, seat: Seat, now: Millis) -> tuple[Seat, list[str]]:
    """The new seat, and those that gave way to it."""
    _use(connection, claims)
    sql = "SELECT epoch, at, banned FROM revocation WHERE session = ? AND participant = ?"
    epoch, at, banned = connection.execute(sql, (seat.session, seat.participant)).fetchone() or (0, -1, 0)
    if banned:
        raise Banned
    if claims.iat * 1000 <= at:
        raise Revoked
    owned = connection.execute(
        "SELECT id, role FROM seat WHERE cookie = ? AND session = ? AND participant = ? AND epoch = ?",
        (seat.cookie, seat.session, seat.participant, epoch),
    ).fetchone()
    if owned:
        connection.execute("DELETE FROM seat WHERE id = ?", (owned[0],))
    seat = msgspec.structs.replace(seat, epoch=epoch, id=owned[0] if owned and owned[1] == seat.role else seat.id)
    connection.execute(
        f"INSERT INTO seat (opened_at, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - column names are ours
        (
            now,
            seat.id,
            seat.cookie,
            seat.session,
            seat.participant,
            seat.issuer,
            seat.subject,
            seat.name,
            seat.role,
            epoch,
            seat.expires_at,
        ),
    )
    beyond = "SELECT id FROM seat WHERE cookie = ? AND id <> ? ORDER BY opened_at DESC LIMIT -1 OFFSET ?"
    gone = [row[0] for row in connection.execute(beyond, (seat.cookie, seat.id, SEATS_PER_COOKIE - 1)).fetchall()]
    connection.executemany("DELETE FROM seat WHERE id = ?", [(id,) for id in gone])
    return seat, gone if owned is None or owned[0] == seat.id else [owned[0], *gone]


def _use(connection: sqlite3.Connection, claims: Claims) -> None:
    key = hashlib.sha256(f"{claims.iss}\0{claims.jti}".encode()).digest()
    sql = "INSERT INTO used_token VALUES (?, ?) ON CONFLICT DO NOTHING"
    if not connection.execute(sql, (key, (claims.exp + 60) * 1000)).rowcount:
        raise BadToken("used before", "token_used")


def _prune(connection: sqlite3.Connection, now: Millis) -> int:
    for table in ("seat", "used_token", "operator_login"):
        connection.execute(f"DELETE FROM {table} WHERE expires_at <= ?", (now,))  # noqa: S608 - table names are ours
    return int(connection.execute("SELECT count(*) FROM used_token").fetchone()[0])


def _seat(row: tuple[str, bytes, str, str, str, str, str, str, int, int]) -> Seat:
    seat, cookie, session, participant, issuer, subject, name, role, epoch, expires_at = row
    return Seat(
        id=seat,
        cookie=cookie,
        session=session,
        participant=participant,
        issuer=issuer,
        subject=subject,
        name=name,
        role=Role(role),
        epoch=epoch,
        expires_at=expires_at,
    )
