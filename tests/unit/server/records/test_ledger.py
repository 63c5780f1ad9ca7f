"""The ledger on disk: the same tree as the definition, checkpoints nobody can forge, receipts that hold offline, and every change found."""

import random
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server import keyring
from server.adapters.sqlite import Database
from server.adapters.sqlite_journal import SqliteJournal
from server.adapters.sqlite_ledger import SqliteLedger, leaf_of
from server.records import merkle
from server.records.checkpoint import BadCheckpoint, Checkpoint, Signer, opened, signed
from server.records.ledger import Ledger
from server.records.receipts import BadReceipt, check
from signaling.ports import Record
from tests.support.recorded import everything

SIGNER = Signer("class.example/ledger", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


class House:
    def __init__(self, path: Path) -> None:
        self.database = Database(path)
        self.journal = SqliteJournal(self.database)
        self.store = SqliteLedger(self.database)
        self.ledger = Ledger(self.store, SIGNER, lambda: 7)

    async def fill(self, session: str, count: int, at_once: int = 500) -> None:
        begin = await self.journal.last_seq(session)
        for start in range(begin, begin + count, at_once):
            numbers = range(start + 1, min(start + at_once, begin + count) + 1)
            records = [Record(seq=n, at=n, by="ann", op=None, event=msgspec.msgpack.encode({"type": "x", "n": n})) for n in numbers]
            await self.journal.append(session, start, records)

    async def naive_root(self, size: int) -> bytes:
        """From the records alone."""
        sql = "SELECT r.session, r.seq, r.at, r.by, r.op, r.event FROM leaf JOIN record r USING (session, seq) ORDER BY number LIMIT ?"
        rows = await self.database.read(lambda c: c.execute(sql, (size,)).fetchall())
        hashes = [merkle.leaf_hash(leaf_of(row)) for row in rows]
        while len(hashes) > 1:
            pairs = [merkle.node_hash(a, b) for a, b in zip(hashes[::2], hashes[1::2], strict=False)]
            hashes = pairs + hashes[len(pairs) * 2 :]
        return hashes[0]

    async def tamper(self, *statements: str) -> None:
        def job(connection: sqlite3.Connection) -> None:
            connection.execute("DROP TRIGGER record_is_never_changed")
            for statement in statements:
                connection.execute(statement)

        await self.database.write(job)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path / "node.db")
    await house.database.start()
    yield house
    await house.database.close()


@pytest.mark.parametrize("sizes", [[1], [255, 1, 1], [256], [300, 700, 24], [65_536, 1]])
async def test_the_tree_on_disk_is_the_tree_of_the_definition(house: House, sizes: list[int]) -> None:
    seen: list[tuple[int, bytes]] = []
    for number, count in enumerate(sizes):
        await house.fill(f"class-{number % 2}", count)
        found = await house.ledger.checkpoint()
        assert found is not None
        assert found.root == await house.naive_root(found.size)
        seen.append((found.size, found.root))
    last, root = seen[-1]
    for size, old in seen:
        assert merkle.verify_consistency(size, last, old, root, await house.ledger.consistency(size, last))
    for session in {f"class-{number % 2}" for number in range(len(sizes))}:
        for seq in (1, await house.journal.last_seq(session)):
            ((_, kept),) = await house.ledger.receipts(session, after=seq - 1, limit=1)
            vouched = check(msgspec.json.encode(kept), SIGNER.verifier)
            assert (vouched.session, vouched.seq, vouched.by, vouched.event["n"]) == (session, seq, "ann", seq)


async def test_a_checkpoint_is_made_when_the_log_has_grown_only(house: House) -> None:
    assert await house.ledger.checkpoint() is None
    await house.fill("class-1", 10)
    first = await house.ledger.checkpoint()
    assert await house.ledger.checkpoint() == first
    await house.fill("class-2", 1)
    second = await house.ledger.checkpoint()
    assert first is not None
    assert second is not None
    assert (first.size, second.size) == (10, 11)
    assert opened(second.note, SIGNER.verifier) == Checkpoint("class.example/ledger", 11, second.root)


async def test_events_of_real_classes_are_vouched_for(house: House) -> None:
    records = everything().records()
    await house.journal.append("class-1", 0, records)
    await house.ledger.checkpoint()
    receipts = await house.ledger.receipts("class-1", after=0, limit=500, by="ann")
    told = [check(msgspec.json.encode(kept), SIGNER.verifier).event["type"] for _, kept in receipts]
    assert len(told) == sum(record.by == "ann" for record in records)
    assert {"chat_posted", "poll_answered", "hand_raised"} <= set(told)


@pytest.mark.parametrize(
    ("tampering", "words"),
    [
        ("UPDATE record SET event = x'00' WHERE seq = 50", "record 50 of class class-1 was changed"),
        ("UPDATE record SET at = at + 1 WHERE seq = 50", "record 50 of class class-1 was changed"),
        ("UPDATE record SET by = NULL WHERE seq = 50", "record 50 of class class-1 was changed"),
        ("DELETE FROM record WHERE seq = 50", "record 50 of class class-1 is missing"),
        ("DELETE FROM leaf WHERE number > 90", "a checkpoint tells of 100 records"),
        ("UPDATE tile SET hashes = zeroblob(3200)", "record 1 of class class-1 was changed"),
        ("UPDATE checkpoint SET root = zeroblob(32)", "the checkpoint of 100 records has another root"),
    ],
)
async def test_tampering_is_found(house: House, tampering: str, words: str) -> None:
    await house.fill("class-1", 100)
    await house.ledger.checkpoint()
    whole = await house.store.verify()
    assert (whole.records, whole.checkpoints, whole.flaw) == (100, 1, None)
    await house.tamper(tampering)
    assert (await house.store.verify()).flaw == words


async def test_a_log_rewritten_with_its_hashes_differs_from_a_kept_checkpoint(house: House) -> None:
    await house.fill("class-1", 100)
    kept = await house.ledger.checkpoint()
    assert kept is not None
    await house.tamper("UPDATE record SET event = x'00' WHERE seq = 50", "DELETE FROM tile", "DELETE FROM checkpoint")
    again = await house.ledger.checkpoint()
    assert again is not None
    assert (await house.store.verify()).flaw is None
    assert again.size == kept.size
    assert again.root != kept.root


async def test_one_flipped_byte_of_a_hundred_thousand_records_is_found(house: House) -> None:
    await house.fill("class-1", 100_000, at_once=5_000)
    await house.ledger.checkpoint()
    seq = random.randrange(1, 100_001)
    (event,) = await house.database.read(lambda c: c.execute("SELECT event FROM record WHERE seq = ?", (seq,)).fetchone())
    at = random.randrange(len(event))
    flipped = bytearray(event)
    flipped[at] ^= 1 << random.randrange(8)
    await house.tamper(f"UPDATE record SET event = x'{flipped.hex()}' WHERE seq = {seq}")
    verdict = await house.store.verify()
    assert verdict.flaw == f"record {seq} of class class-1 was changed"


async def test_a_receipt_vouches_for_nothing_else(house: House) -> None:
    await house.fill("class-1", 300)
    await house.ledger.checkpoint()
    ((_, kept),) = await house.ledger.receipts("class-1", after=41, limit=1)
    good = msgspec.json.encode(kept)
    assert check(good).seq == 42
    other = Signer("class.example/ledger", Ed25519PrivateKey.generate())
    with pytest.raises(BadReceipt, match="not signed by this key"):
        check(good, other.verifier)
    ((_, neighbour),) = await house.ledger.receipts("class-1", after=42, limit=1)
    for spoilt in (
        msgspec.structs.replace(kept, record=neighbour.record),
        msgspec.structs.replace(kept, index=kept.index + 1),
        msgspec.structs.replace(kept, proof=neighbour.proof),
        msgspec.structs.replace(kept, proof=kept.proof[:-1]),
    ):
        with pytest.raises(BadReceipt, match="not in the log"):
            check(msgspec.json.encode(spoilt))
    for text in (b"", b"{}", b"[]", good[:-1], good.replace(b'"index":41', b'"index":"x"')):
        with pytest.raises(BadReceipt):
            check(text)


def test_a_note_is_signed_whole() -> None:
    note = signed(Checkpoint("class.example/ledger", 4096, bytes(range(32))), SIGNER)
    assert note.startswith("class.example/ledger\n4096\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n\u2014 class.example/ledger ")
    assert opened(note, SIGNER.verifier).size == 4096
    for spoilt in (
        note.replace("4096", "4097"),
        note.replace("class.example/ledger\n4", "class.example/other\n4"),
        note[:-2],
        "",
        "\n\n",
        note * 40,
    ):
        with pytest.raises(BadCheckpoint):
            opened(spoilt, SIGNER.verifier)
    for verifier in ("", "a+b+c", SIGNER.verifier[:-4], SIGNER.verifier.replace("class", "klass")):
        with pytest.raises(BadCheckpoint):
            opened(note, verifier)


def test_the_key_is_made_once_and_kept(tmp_path: Path) -> None:
    first = keyring.open_ring(tmp_path / "keys" / "ledger.json").own.key.private_key
    second = keyring.open_ring(tmp_path / "keys" / "ledger.json").own.key.private_key
    assert isinstance(first, Ed25519PrivateKey)
    assert isinstance(second, Ed25519PrivateKey)
    assert first.private_bytes_raw() == second.private_bytes_raw()
