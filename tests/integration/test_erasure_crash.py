"""An erasure is killed in the middle: what was begun is finished by whoever comes next, once, and the ledger is whole all the time."""

import asyncio
import os
import signal
import sqlite3
import sys
from pathlib import Path

import pytest

from server import keys
from server.adapters.sqlite import Database
from server.adapters.sqlite_ledger import SqliteLedger
from server.config import load
from server.erasure import receipt
from server.erasure.commands import open_erasing
from server.erasure.work import Person
from tests.support.erased import bytes_left, operator
from tests.support.house import house
from tests.support.lessons import ISSUER, Store

SUBJECT = "employee-4711"
CLASSES = 40


def done(var: Path) -> int:
    """Classes in which somebody was made nobody so far."""
    with sqlite3.connect(f"file:{var / 'jiangtai.sqlite'}?mode=ro", uri=True) as reader:
        count = reader.execute("SELECT count(*) FROM pseudonym").fetchone()[0]
    reader.close()
    return int(count)


async def erase_until(var: Path, classes: int) -> None:
    """Begin on the command line, and kill it after so many classes."""
    words = [sys.executable, "-m", "server.cli", "erase", "person", ISSUER, SUBJECT, "--yes", "--var", str(var)]
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(60):
            while process.returncode is None and done(var) < classes:  # noqa: ASYNC110 - another process is waited for
                await asyncio.sleep(0.005)
    finally:
        if process.returncode is None:
            os.kill(process.pid, signal.SIGKILL)
        await process.communicate()
    assert process.returncode == -signal.SIGKILL, "it was over before it could be killed"


@pytest.mark.parametrize("classes", [0, 1, CLASSES // 2])
async def test_a_killed_erasure_is_taken_up_again_by_the_node(tmp_path: Path, classes: int) -> None:
    ids: list[str] = []
    async with Store(tmp_path) as store:
        for number in range(CLASSES):
            made = await store.hold(f"class-{number:02}", {SUBJECT: "Ann Archer", "employee-4712": "Bob Baker"})
            ids.append(made[SUBJECT])
    if classes == 0:
        async with Store(tmp_path) as store:  # begun, and nothing done
            config = load(environ={}, overrides={"var": str(tmp_path)})
            await open_erasing(config, store.database, lambda: 1).begin(Person(ISSUER, SUBJECT), "cli")
    else:
        await erase_until(tmp_path, classes)
        assert 0 < done(tmp_path) < CLASSES
    database = Database(tmp_path / "jiangtai.sqlite")
    await database.start()
    assert (await SqliteLedger(database).verify()).flaw is None
    await database.close()

    async with house(tmp_path, **{"limits.requests_per_minute": 100_000}) as home:
        assert home.node is not None
        cookie = await operator(home)
        wanted = {"issuer": ISSUER, "subject": SUBJECT, "confirm": SUBJECT}
        asked = (await home.call("POST", "/erasures", wanted, operator=cookie)).body
        async with asyncio.timeout(60):
            while asked["state"] != "done":
                await asyncio.sleep(0.05)
                asked = (await home.call("GET", f"/erasures/{asked['id']}", operator=cookie)).body
        told = receipt.opened(asked["note"], home.node.app[keys.LEDGER].verifier)
        assert (await SqliteLedger(home.node.app[keys.DATABASE]).verify()).flaw is None
    assert told.complete, told.search
    assert told.by == "cli"
    assert len(told.classes) == CLASSES
    assert done(tmp_path) == CLASSES
    assert bytes_left(tmp_path, SUBJECT, *ids) == []
    assert bytes_left(tmp_path, "employee-4712")
