"""What every Journal and Directory must do, whatever stores it. A new adapter adds itself to `STORES`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from server.adapters.sqlite import Database
from server.adapters.sqlite_journal import SqliteDirectory, SqliteJournal
from signaling.ports import Directory, DuplicateOperation, Fenced, Journal, Record
from tests.support.journal import MemoryDirectory, MemoryJournal


@asynccontextmanager
async def sqlite(folder: Path) -> AsyncIterator[tuple[Journal, Directory]]:
    database = Database(folder / "node.db")
    await database.start()
    try:
        yield SqliteJournal(database), SqliteDirectory(database)
    finally:
        await database.close()


def memory() -> Callable[[Path], AbstractAsyncContextManager[tuple[Journal, Directory]]]:
    """What unit tests use; it must keep the same promises (but for durability)."""
    journal, directory = MemoryJournal(), MemoryDirectory()

    @asynccontextmanager
    async def open_(folder: Path) -> AsyncIterator[tuple[Journal, Directory]]:
        yield journal, directory

    return open_


STORES: dict[str, Callable[[], Any]] = {"sqlite": lambda: sqlite, "memory": memory}


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Opens the store; calling it again opens the same data anew."""
    opener = STORES[request.param]()
    return lambda: opener(tmp_path)


def records(first: int, count: int, by: str | None = None, op: str | None = None) -> Sequence[Record]:
    return [Record(seq=n, at=1_000 + n, by=by, op=op, event=b"\x81event %d" % n) for n in range(first, first + count)]


async def stored(journal: Journal, session: str, after: int = 0, limit: int = 10_000) -> list[Record]:
    return [record async for record in journal.read(session, after, limit)]


async def test_records_come_back_as_written_and_in_order(store: Any) -> None:
    written = [
        Record(seq=1, at=5, by=None, op=None, event=b""),
        Record(seq=2, at=5, by="p1", op="op-1", event=b"\x00\xff"),
        Record(seq=3, at=6, by="p1", op="op-1", event="你好".encode()),
    ]
    async with store() as (journal, _):
        await journal.append("class", 0, written[:1])
        await journal.append("class", 1, written[1:])
        assert await stored(journal, "class") == written
        assert await journal.last_seq("class") == 3


async def test_records_survive_reopening(store: Any) -> None:
    async with store() as (journal, _):
        await journal.append("class", 0, records(1, 3))
    async with store() as (journal, _):
        assert await stored(journal, "class") == records(1, 3)
        await journal.append("class", 3, records(4, 1))


async def test_reading_pages_through_long_logs(store: Any) -> None:
    async with store() as (journal, _):
        await journal.append("class", 0, records(1, 1_700))
        assert [r.seq for r in await stored(journal, "class", after=100, limit=1_234)] == list(range(101, 1_335))
        assert [r.seq for r in await stored(journal, "class", after=1_699)] == [1_700]
        assert await stored(journal, "class", after=1_700) == []
        assert await stored(journal, "class", limit=0) == []


async def test_unknown_class_is_empty(store: Any) -> None:
    async with store() as (journal, directory):
        assert await journal.last_seq("nobody") == 0
        assert await stored(journal, "nobody") == []
        assert await journal.load_snapshot("nobody") is None
        assert await directory.get("nobody") is None


@pytest.mark.parametrize("expected", [0, 2, 4, 5])
async def test_writer_with_a_stale_number_is_fenced_and_changes_nothing(store: Any, expected: int) -> None:
    async with store() as (journal, _):
        await journal.append("class", 0, records(1, 3))
        with pytest.raises(Fenced):
            await journal.append("class", expected, records(expected + 1, 2))
        assert await stored(journal, "class") == records(1, 3)


async def test_of_two_racing_writers_exactly_one_wins(store: Any) -> None:
    async with store() as (journal, _):
        for seq in range(20):
            outcomes = await asyncio.gather(
                *(journal.append("class", seq, records(seq + 1, 1, by=f"w{w}", op=f"{seq}")) for w in range(4)), return_exceptions=True
            )
            assert sum(outcome is None for outcome in outcomes) == 1
            assert sum(isinstance(outcome, Fenced) for outcome in outcomes) == 3
        assert await journal.last_seq("class") == 20


async def test_numbers_must_follow_without_a_gap(store: Any) -> None:
    async with store() as (journal, _):
        with pytest.raises(ValueError, match="gap"):
            await journal.append("class", 0, [*records(1, 1), *records(3, 1)])
        assert await journal.last_seq("class") == 0


async def test_classes_do_not_share_numbers(store: Any) -> None:
    async with store() as (journal, _):
        await asyncio.gather(*(journal.append(f"class-{n}", 0, records(1, n + 1)) for n in range(30)))
        for n in range(30):
            assert await journal.last_seq(f"class-{n}") == n + 1


async def test_an_operation_is_stored_once_per_author(store: Any) -> None:
    async with store() as (journal, _):
        await journal.append("class", 0, records(1, 2, by="p1", op="same"))
        with pytest.raises(DuplicateOperation) as refused:
            await journal.append("class", 2, [*records(3, 1), *records(4, 1, by="p1", op="same")])
        assert (refused.value.by, refused.value.op, refused.value.seq) == ("p1", "same", 2)
        assert await journal.last_seq("class") == 2
        await journal.append("class", 2, records(3, 1, by="p2", op="same"))
        await journal.append("other", 0, records(1, 1, by="p1", op="same"))


async def test_stored_operations_are_found_and_no_others(store: Any) -> None:
    async with store() as (journal, _):
        await journal.append("class", 0, [*records(1, 2, by="p1", op="a"), *records(3, 1, by="p1", op="b")])
        asked = [("p1", "a"), ("p1", "b"), ("p1", "c"), ("p2", "a"), ("p1", "a")]
        assert await journal.operations("class", asked) == {("p1", "a"): 2, ("p1", "b"): 3}
        assert await journal.operations("other", asked) == {}
        assert await journal.operations("class", []) == {}


async def test_refused_append_leaves_its_neighbours_in_the_same_commit_alone(store: Any) -> None:
    async with store() as (journal, _):
        await journal.append("a", 0, records(1, 1))
        outcomes = await asyncio.gather(
            journal.append("b", 0, records(1, 1)),
            journal.append("a", 0, records(1, 1)),
            journal.append("c", 0, records(1, 1)),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == [type(None), Fenced, type(None)]
        assert [await journal.last_seq(name) for name in "abc"] == [1, 1, 1]


async def test_newest_snapshot_is_kept(store: Any) -> None:
    async with store() as (journal, _):
        await journal.save_snapshot("class", 500, b"five hundred")
        await journal.save_snapshot("class", 1_000, b"thousand")
        await journal.save_snapshot("class", 700, b"late")
        assert await journal.load_snapshot("class") == (1_000, b"thousand")


async def test_directory_lists_by_id_and_leaves_out_ended_classes(store: Any) -> None:
    async with store() as (_, directory):
        for name in ("c1", "c2", "c3"):
            await directory.create(name, f"Title {name}", "small", None)
        await directory.create("c1", "another title", "large", 7)
        await directory.mark_ended("c2", 99)
        await directory.mark_ended("c2", 100)
        assert [c["session"] for c in await directory.list(ended=False, after=None, limit=10)] == ["c1", "c3"]
        assert [c["session"] for c in await directory.list(ended=True, after="c1", limit=1)] == ["c2"]
        assert await directory.get("c2") == {
            "session": "c2",
            "title": "Title c2",
            "profile": "small",
            "starts_at": None,
            "ended_at": 99,
            "policy": None,
            "replay": "participants",
        }
