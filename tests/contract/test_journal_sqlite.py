"""What only the SQLite store promises: group commit, the hash chain, honest refusal when the disk will not take more, crash safety."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.adapters.sqlite import Database, migrate, migrations
from server.adapters.sqlite_journal import EndProjection, SqliteDirectory, SqliteJournal
from signaling.classroom.chat import Channel, ChatPosted
from signaling.classroom.roles import Role
from signaling.classroom.session import ClassEnded
from signaling.messages import encode_event
from signaling.ports import Fenced, Record, Unavailable

OVER = encode_event(ClassEnded())
#: talks of it, and is none
SAID = encode_event(ChatPosted(message="m1", name="Ann", role=Role.TRAINEE, channel=Channel.EVERYONE, text="class_ended"))


def record(seq: int, event: bytes = b"event") -> Record:
    return Record(seq=seq, at=seq, by=None, op=None, event=event)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "node.db")
    await database.start()
    yield database
    await database.close()


async def test_appends_of_many_classes_share_commits(database: Database) -> None:
    journal = SqliteJournal(database)
    gate = threading.Event()
    held = asyncio.ensure_future(database.write(lambda _: gate.wait(10)))
    appends = [asyncio.ensure_future(journal.append(f"class-{n}", 0, [record(1)])) for n in range(200)]
    await asyncio.sleep(0)  # every task runs up to its first wait: all are queued now
    gate.set()
    await asyncio.gather(held, *appends)
    assert database.writes == 201
    assert database.commits <= 2


async def test_commits_are_synced_and_readers_are_not_blocked(database: Database) -> None:
    assert await database.write(lambda c: c.execute("PRAGMA synchronous").fetchone()[0]) == 2
    assert await database.write(lambda c: c.execute("PRAGMA journal_mode").fetchone()[0]) == "wal"
    gate = threading.Event()
    held = asyncio.ensure_future(database.write(lambda _: gate.wait(10)))
    assert await SqliteJournal(database).last_seq("class") == 0
    gate.set()
    await held


async def test_full_queue_refuses_at_once(tmp_path: Path) -> None:
    database = Database(tmp_path / "node.db", queue=3)
    await database.start()
    gate, begun = threading.Event(), threading.Event()

    def hold(_: sqlite3.Connection) -> None:
        begun.set()
        gate.wait(10)

    held = asyncio.ensure_future(database.write(hold))
    await asyncio.to_thread(begun.wait)
    waiting = [asyncio.ensure_future(database.write(lambda _: None)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await database.write(lambda _: None)
    gate.set()
    await asyncio.gather(held, *waiting)
    assert database.refused == 1
    await database.close()


async def test_readers_cannot_write(database: Database) -> None:
    with pytest.raises(Unavailable):
        await database.read(lambda c: c.execute("DELETE FROM record"))


async def test_records_cannot_be_rewritten(database: Database) -> None:
    await SqliteJournal(database).append("class", 0, [record(1)])
    with pytest.raises(Unavailable, match="append-only"):
        await database.write(lambda c: c.execute("UPDATE record SET by = 'me'"))


async def test_full_disk_is_unavailable_and_loses_nothing(database: Database) -> None:
    journal = SqliteJournal(database)
    await journal.append("class", 0, [record(1)])
    pages = await database.write(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    await database.write(lambda c: c.execute(f"PRAGMA max_page_count = {pages + 2}").fetchone())
    with pytest.raises(Unavailable):
        await journal.append("class", 1, [record(2, bytes(100_000))])
    assert await journal.last_seq("class") == 1
    await database.write(lambda c: c.execute("PRAGMA max_page_count = 1000000").fetchone())
    await journal.append("class", 1, [record(2, bytes(100_000))])
    assert (await journal.verify("class")).records == 2


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE record SET event = x'00' WHERE seq = 50",
        "UPDATE record SET at = at + 1 WHERE seq = 50",
        "UPDATE record SET by = 'other' WHERE seq = 50",
        "DELETE FROM record WHERE seq = 50",
        "UPDATE record SET seq = 1000 WHERE seq = 50",
    ],
)
async def test_tampering_is_found_where_it_happened(database: Database, tampering: str) -> None:
    journal = SqliteJournal(database)
    await journal.append("class", 0, [record(n) for n in range(1, 101)])
    good = await journal.verify("class")
    assert (good.records, good.broken_at) == (100, None)

    def tamper(connection: sqlite3.Connection) -> None:
        connection.execute("DROP TRIGGER record_is_never_changed")
        connection.execute(tampering)

    await database.write(tamper)
    assert (await journal.verify("class")).broken_at == 50


def test_migrations_are_numbered_and_apply_once(tmp_path: Path) -> None:
    versions = [version for version, _, _ in migrations()]
    assert versions == sorted(set(versions))
    connection = sqlite3.connect(tmp_path / "node.db", isolation_level=None)
    migrate(connection)
    migrate(connection)
    assert [row[0] for row in connection.execute("SELECT version FROM migration ORDER BY version")] == versions
    connection.close()


async def test_another_process_taking_over_fences_this_one(tmp_path: Path) -> None:
    one, two = Database(tmp_path / "node.db"), Database(tmp_path / "node.db")
    await one.start()
    await two.start()
    await SqliteJournal(one).append("class", 0, [record(1)])
    await SqliteJournal(two).append("class", 1, [record(2)])
    with pytest.raises(Fenced):
        await SqliteJournal(one).append("class", 1, [record(2)])
    await one.close()
    await two.close()


#: Appends to three classes as fast as it can and prints "class seq" once the append has returned.
WRITER = """
import asyncio, os, sys
from server.adapters.sqlite import Database
from server.adapters.sqlite_journal import SqliteJournal
from signaling.ports import Record

async def one(journal, name):
    seq = await journal.last_seq(name)
    while True:
        batch = [Record(seq=seq + i, at=i, by="p", op=f"{seq}-{i}", event=os.urandom(200)) for i in range(1, 4)]
        await journal.append(name, seq, batch)
        seq += 3
        os.write(1, f"{name} {seq}\\n".encode())

async def main():
    database = Database(sys.argv[1])
    await database.start()
    journal = SqliteJournal(database)
    await asyncio.gather(*(one(journal, name) for name in ("a", "b", "c")))

asyncio.run(main())
"""


@pytest.mark.parametrize("kills", [20])
async def test_acknowledged_appends_survive_being_killed_in_mid_commit(tmp_path: Path, kills: int) -> None:
    path = tmp_path / "node.db"
    acked = {"a": 0, "b": 0, "c": 0}
    for kill in range(kills):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)  # noqa: ASYNC220
        assert writer.stdout is not None
        for _ in range(5 + 7 * kill % 40):
            name, seq = writer.stdout.readline().split()
            acked[name.decode()] = int(seq)
        writer.send_signal(signal.SIGKILL)
        for line in writer.stdout:
            if line.endswith(b"\n"):
                acked[line.split()[0].decode()] = int(line.split()[1])
        writer.stdout.close()
        writer.wait()
    database = Database(path)
    await database.start()
    journal = SqliteJournal(database)
    for known, last in acked.items():
        verdict = await journal.verify(known)
        assert verdict.broken_at is None
        assert verdict.records >= last
        assert verdict.records % 3 == 0, "an append is stored whole or not at all"
        assert verdict.records <= last + 3 * kills, "nothing is stored that was never attempted"
    await database.close()


async def ended_at(database: Database, session: str) -> int | None:
    found = await SqliteDirectory(database).get(session)
    assert found is not None
    return found["ended_at"]  # type: ignore[no-any-return]


async def test_the_end_of_a_class_is_in_the_directory_with_its_record(database: Database) -> None:
    """Whatever the node does after the commit, or no longer does."""
    journal, directory = SqliteJournal(database, (EndProjection(),)), SqliteDirectory(database)
    for name in ("over", "on"):
        await directory.create(name, name, "small", None)
    await journal.append("on", 0, [record(1, SAID)])
    await journal.append("over", 0, [record(1), record(2, OVER), record(3)])
    assert (await ended_at(database, "over"), await ended_at(database, "on")) == (2, None)
    with pytest.raises(Fenced):
        await journal.append("on", 0, [record(1, OVER)])
    assert await ended_at(database, "on") is None


def test_an_end_that_only_the_log_tells_is_put_right_once(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "node.db", isolation_level=None)
    migrate(connection)
    logs = {"crashed": [record(1), record(2, OVER), record(3)], "said": [record(1, SAID)], "marked": [record(1), record(2, OVER)]}
    for name, records in logs.items():
        row = (name, name, "small", 99 if name == "marked" else None)
        connection.execute("INSERT INTO class (session, title, profile, ended_at) VALUES (?, ?, ?, ?)", row)
        rows = [(name, one.seq, one.at, one.by, one.op, one.event, bytes(32)) for one in records]
        connection.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    connection.execute("DELETE FROM migration WHERE name = '0520_ended.sql'")
    migrate(connection)
    assert dict(connection.execute("SELECT session, ended_at FROM class")) == {"crashed": 2, "said": None, "marked": 99}
    connection.close()
