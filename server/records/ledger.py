"""The node's ledger: a checkpoint when a class ends and every hour, receipts, consistency. The key is one of its own, made at first start.

Checkpoints protect against whoever changes the log later only as far as somebody else keeps one: fetch them (`GET
/api/v1/ledger/checkpoint`), or let the audit trail and the receipts carry them out of the house.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server import keyring
from server.adapters.sqlite import Database
from server.adapters.sqlite_ledger import Found, SqliteLedger
from server.config import Config
from server.records.checkpoint import Checkpoint, Signer, note_of, signed
from server.records.receipts import Receipt, receipt
from signaling.classroom.ids import ParticipantId, SessionId
from signaling.classroom.session import ClassEnded
from signaling.entries import Entry
from signaling.ports import Clock, Unavailable

log = logging.getLogger("jiangtai.ledger")
EVERY_S: Final = 3600.0


def signer_of(config: Config) -> Signer:
    """The ledger's signer; makes its key if there is none. Raises KeyProblem, OSError."""
    key = keyring.open_ring(key_file(config)).own.key.private_key
    if not isinstance(key, Ed25519PrivateKey):
        raise keyring.KeyProblem("the ledger's key must be Ed25519")
    host = urlsplit(config.public_url or config.records.site).netloc or "localhost"
    return Signer(f"{host}/ledger", key)


def key_file(config: Config) -> Path:
    """Where the ledger's key is kept."""
    return config.var_dir / "keys" / "ledger.json"


def open_ledger(config: Config, database: Database, clock: Clock) -> "Ledger":
    """The ledger of a node. Raises KeyProblem, OSError."""
    return Ledger(SqliteLedger(database), signer_of(config), clock)


class Ledger:
    """Checkpoints and receipts of one node."""

    def __init__(self, store: SqliteLedger, signer: Signer, clock: Clock) -> None:
        self._store = store
        self._signer = signer
        self._clock = clock
        self._due = asyncio.Event()
        self.checkpoints = 0
        self.size = 0

    @property
    def verifier(self) -> str:
        """The verifier key to publish."""
        return self._signer.verifier

    def watch(self, session: SessionId, room: object, entries: Sequence[Entry]) -> None:
        """For the hub: these entries are durable."""
        if any(isinstance(entry.event, ClassEnded) for entry in entries):
            self._due.set()

    async def run(self) -> None:
        """A checkpoint at the end of classes and every hour, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), EVERY_S)
            self._due.clear()
            try:
                await self.checkpoint()
            except Unavailable:
                log.warning("no checkpoint now: the store does not serve")

    async def checkpoint(self) -> Found | None:
        """The newest checkpoint, made now if the log has grown; None for an empty log. Raises Unavailable."""
        size, newest = await self._store.grow(), await self._store.newest()
        self.size = size
        if size == 0 or (newest is not None and newest.size >= size):
            return newest
        root = await self._store.root(size)
        made = Found(size, self._clock(), root, signed(Checkpoint(self._signer.name, size, root), self._signer))
        await self._store.keep(made)
        self.checkpoints += 1
        return made

    async def grow(self) -> int:
        """See SqliteLedger.grow."""
        return await self._store.grow()

    def sign(self, text: str) -> str:
        """A signed note of this text."""
        return note_of(text, self._signer)

    async def newest(self) -> Found | None:
        """The newest checkpoint there is."""
        return await self._store.newest()

    async def receipts(self, session: SessionId, *, after: int, limit: int, by: ParticipantId | None = None) -> list[tuple[int, Receipt]]:
        """(seq, receipt) for records of a class the newest checkpoint covers, of one author if given."""
        newest = await self._store.newest()
        if newest is None:
            return []
        proved = await self._store.prove(session, newest.size, after=after, limit=limit, by=by)
        return [(one.seq, receipt(one.leaf, one.place, one.proof, newest.note, self.verifier)) for one in proved]

    async def consistency(self, first: int, second: int) -> list[bytes]:
        """See SqliteLedger.consistency."""
        return await self._store.consistency(first, second)
