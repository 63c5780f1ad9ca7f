"""The ledger on SQLite: leaves numbered by a trigger, hashes of whole subtrees in tiles, checkpoints.

A leaf is the MessagePack array [session, seq, at, by, op, event] of a record. Leaves are hashed when a checkpoint is made, never while a
class waits for its append.
"""

import sqlite3
from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Final, NamedTuple

import msgspec

from server.adapters.sqlite import Database
from server.records import merkle
from signaling.classroom.ids import Millis, ParticipantId, SessionId

_TILE: Final = 256
_TILE_BITS: Final = 8
_HASH: Final = 32
#: leaves hashed in one transaction
_GROW: Final = 1_000
_ROW: Final = "l.number, r.session, r.seq, r.at, r.by, r.op, r.event"


class Found(NamedTuple):
    """A stored checkpoint."""

    size: int
    at: Millis
    root: bytes
    note: str


class Proved(NamedTuple):
    """A record with its place in the tree of a checkpoint; `place` counts from 0."""

    seq: int
    leaf: bytes
    place: int
    proof: list[bytes]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of reading the whole ledger: what was read, and the first thing that is wrong (None = all is whole).

    Of `erased` records only the hash is left; the tree proves that it is the one it was.
    """

    records: int
    erased: int
    checkpoints: int
    flaw: str | None


class SqliteLedger:
    """Grows with the journal; one growing call at a time is enough, several do no harm."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def grow(self) -> int:
        """Hash the leaves that are new; returns how many there are now."""
        while True:
            size, more = await self._database.write(_grow)
            if not more:
                return size

    async def root(self, size: int) -> bytes:
        """The root of the tree of that size (grown at least so far)."""
        return await self._database.read(lambda c: merkle.root_of(partial(_subtree, c), 0, size))

    async def newest(self) -> Found | None:
        """The newest checkpoint."""
        found = await self._database.read(lambda c: c.execute("SELECT * FROM checkpoint ORDER BY size DESC LIMIT 1").fetchone())
        return Found(*found) if found else None

    async def keep(self, checkpoint: Found) -> None:
        """Store a checkpoint; the first of its size stays."""
        await self._database.write(
            lambda c: c.execute("INSERT INTO checkpoint VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", checkpoint).rowcount
        )

    async def prove(
        self, session: SessionId, size: int, *, after: int = 0, limit: int = 1, by: ParticipantId | None = None
    ) -> list[Proved]:
        """Records of a class (of one author, if given) with seq > after that the tree of that size holds, proved in it."""
        return await self._database.read(lambda c: _prove(c, session, size, after, limit, by))

    async def consistency(self, first: int, second: int) -> list[bytes]:
        """The proof that the tree of `second` leaves continues that of `first`; raises ValueError."""
        return await self._database.read(lambda c: merkle.consistency_proof(partial(_subtree, c), first, second))

    async def verify(self) -> Verdict:
        """Hash every record again and compare with the tiles and every checkpoint's root."""
        return await self._database.read(_verify)


def leaf_of(row: tuple[SessionId, int, Millis, ParticipantId | None, str | None, bytes]) -> bytes:
    """The data of a leaf."""
    return msgspec.msgpack.encode(tuple(row))


def hash_at(connection: sqlite3.Connection, number: int) -> bytes | None:
    """The hash the tree holds of leaf `number` (from 1 on); None if it has not grown so far."""
    tile, within = divmod(number - 1, _TILE)
    return _tile(connection, 0, tile)[within * _HASH :][:_HASH] or None


def _size(connection: sqlite3.Connection) -> int:
    found = connection.execute("SELECT number, length(hashes) FROM tile WHERE level = 0 ORDER BY number DESC LIMIT 1").fetchone()
    return found[0] * _TILE + found[1] // _HASH if found else 0


def _grow(connection: sqlite3.Connection) -> tuple[int, bool]:
    size = _size(connection)
    sql = f"SELECT {_ROW} FROM leaf l JOIN record r USING (session, seq) WHERE l.number > ? ORDER BY l.number LIMIT ?"  # noqa: S608
    rows = connection.execute(sql, (size, _GROW)).fetchall()
    hashes: list[bytes] = []
    for number, *row in rows:
        if number != size + len(hashes) + 1:
            break  # a record is missing: the tree ends here, and verify says why
        hashes.append(merkle.leaf_hash(leaf_of(tuple(row))))
    _extend(connection, 0, size, hashes)
    return size + len(hashes), len(hashes) == _GROW


def _extend(connection: sqlite3.Connection, level: int, start: int, hashes: list[bytes]) -> None:
    """Append hashes to a level of tiles, and the roots of the tiles they fill to the next."""
    filled: list[bytes] = []
    first_filled = start // _TILE
    while hashes:
        number, used = divmod(start, _TILE)
        taken, hashes = hashes[: _TILE - used], hashes[_TILE - used :]
        before = _tile(connection, level, number)[: used * _HASH]
        whole = before + b"".join(taken)
        connection.execute("INSERT OR REPLACE INTO tile VALUES (?, ?, ?)", (level, number, whole))
        start += len(taken)
        if len(whole) == _TILE * _HASH:
            filled.append(_fold([whole[at : at + _HASH] for at in range(0, len(whole), _HASH)]))
    if filled:
        _extend(connection, level + 1, first_filled, filled)


def _tile(connection: sqlite3.Connection, level: int, number: int) -> bytes:
    found = connection.execute("SELECT hashes FROM tile WHERE level = ? AND number = ?", (level, number)).fetchone()
    return found[0] if found else b""


def _fold(hashes: list[bytes]) -> bytes:
    """The root over a power of two of hashes."""
    while len(hashes) > 1:
        hashes = [merkle.node_hash(hashes[at], hashes[at + 1]) for at in range(0, len(hashes), 2)]
    return hashes[0]


def _subtree(connection: sqlite3.Connection, level: int, index: int) -> bytes:
    """merkle.Subtree from the tiles; raises ValueError where they do not reach."""
    tile_level, within = divmod(level, _TILE_BITS)
    number, start = divmod(index << within, _TILE)
    hashes = _tile(connection, tile_level, number)[start * _HASH : (start + (1 << within)) * _HASH]
    if len(hashes) != _HASH << within:
        raise ValueError("the tree is smaller")
    return _fold([hashes[at : at + _HASH] for at in range(0, len(hashes), _HASH)])


def _prove(connection: sqlite3.Connection, session: SessionId, size: int, after: int, limit: int, by: ParticipantId | None) -> list[Proved]:
    sql = (
        f"SELECT {_ROW} FROM record r JOIN leaf l USING (session, seq) WHERE r.session = ? AND r.seq > ? AND l.number <= ?"  # noqa: S608
        " AND NOT EXISTS (SELECT 1 FROM erased_leaf e WHERE e.session = r.session AND e.seq = r.seq)"
        " AND (? IS NULL OR r.by = ?) ORDER BY r.seq LIMIT ?"
    )
    rows = connection.execute(sql, (session, after, size, by, by, limit)).fetchall()
    subtree = lru_cache(maxsize=4096)(partial(_subtree, connection))  # neighbours share most of their proofs
    return [Proved(row[1], leaf_of(tuple(row)), number - 1, merkle.inclusion_proof(subtree, number - 1, size)) for number, *row in rows]


def _records(connection: sqlite3.Connection) -> Iterator[tuple[int, tuple[SessionId, int], bytes | None, bool, bool]]:
    """(number, name, hash, whether it is all that is left, whether what stands in its place is as it was put there) of every leaf in
    order; no hash where the record is gone."""
    sql = (
        f"SELECT l.session, l.seq, e.hash, e.now, {_ROW} FROM leaf l LEFT JOIN record r USING (session, seq)"  # noqa: S608 - names of our own
        " LEFT JOIN erased_leaf e USING (session, seq) ORDER BY l.number"
    )
    for session, seq, erased, now, number, *row in connection.execute(sql):
        stands = merkle.leaf_hash(leaf_of(tuple(row))) if row[0] is not None else None
        if erased is not None:
            yield number, (session, seq), erased, True, now is None or stands in (None, now)
        else:
            yield number, (session, seq), stands, False, True


def _verify(connection: sqlite3.Connection) -> Verdict:
    connection.execute("BEGIN")  # one view of a log that grows meanwhile
    try:
        return _read_whole(connection)
    finally:
        connection.execute("COMMIT")


def _read_whole(connection: sqlite3.Connection) -> Verdict:
    checkpoints: dict[int, bytes] = dict(connection.execute("SELECT size, root FROM checkpoint"))
    passed, erased, tile = 0, 0, b""
    frontier = merkle.Frontier()

    def flaw(text: str) -> Verdict:
        return Verdict(records=frontier.size, erased=erased, checkpoints=passed, flaw=text)

    for number, (session, seq), hash, gone, kept in _records(connection):
        index = frontier.size
        if number != index + 1:
            return flaw(f"leaf {index + 1} is missing")
        if hash is None:
            return flaw(f"record {seq} of class {session} is missing")
        if index % _TILE == 0:
            tile = _tile(connection, 0, index // _TILE)
        known = tile[index % _TILE * _HASH :][:_HASH]
        if known and known != hash:
            return flaw(f"record {seq} of class {session} was changed")
        if gone and not known:
            return flaw(f"record {seq} of class {session} was erased before the tree held it")
        if not kept:
            return flaw(f"what stands for record {seq} of class {session} was changed")
        erased += gone
        frontier.append(hash)
        if frontier.size in checkpoints:
            if checkpoints[frontier.size] != frontier.root():
                return flaw(f"the checkpoint of {frontier.size} records has another root")
            passed += 1
    if passed < len(checkpoints):
        return flaw(f"a checkpoint tells of {max(checkpoints)} records")
    left = "SELECT count(*) FROM record r LEFT JOIN leaf l USING (session, seq) WHERE l.number IS NULL"
    if connection.execute(left).fetchone()[0]:
        return flaw("records that are no leaves")
    return Verdict(records=frontier.size, erased=erased, checkpoints=passed, flaw=None)
