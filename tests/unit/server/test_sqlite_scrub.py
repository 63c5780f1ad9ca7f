"""What was deleted is in no file of the store, and nobody waits long for that."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.adapters.sqlite import Database
from tests.support.erased import bytes_left


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "store.sqlite")
    await database.start()
    yield database
    await database.close()


async def write(database: Database, sql: str, *values: object) -> int:
    return int(await database.write(lambda connection: connection.execute(sql, values).rowcount))


async def test_deleted_bytes_are_gone_once_the_log_is_emptied(database: Database, tmp_path: Path) -> None:
    for number in range(200):
        await write(database, "INSERT INTO untold VALUES (?)", f"a-word-nobody-else-uses-{number}")
    await write(database, "DELETE FROM untold")
    assert bytes_left(tmp_path, "a-word-nobody-else-uses")
    assert await database.scrub()
    assert bytes_left(tmp_path, "a-word-nobody-else-uses") == []


async def test_a_reader_in_the_way_is_told_and_holds_up_no_write(database: Database, tmp_path: Path) -> None:
    await write(database, "INSERT INTO untold VALUES ('x')")
    reader = sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM untold").fetchall()
    await write(database, "INSERT INTO untold VALUES ('y')")
    begun = time.monotonic()
    assert not await database.scrub()
    assert await write(database, "INSERT INTO untold VALUES ('z')") == 1
    assert time.monotonic() - begun < 2
    reader.execute("COMMIT")
    reader.close()
    assert await database.scrub()


async def test_writes_around_it_are_kept_in_order(database: Database) -> None:
    jobs = [write(database, "INSERT INTO untold VALUES (?)", f"w{number}") for number in range(50)]
    done = await asyncio.gather(*jobs[:25], database.scrub(rewrite=True), *jobs[25:], database.scrub())
    assert all(done)
    assert await database.read(lambda c: c.execute("SELECT count(*) FROM untold").fetchone()[0]) == 50
