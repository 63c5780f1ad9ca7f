"""Events and their statements are one transaction: after any kill, any undone append, any restart, the outbox is what the log tells."""

import asyncio
import random
import signal
import sqlite3
import sys
from pathlib import Path

import msgspec
import pytest

from server.adapters.sqlite_statements import StatementProjection
from server.records.attended import RollUp
from server.records.encode import drafts, finish
from server.records.fold import ClassFold, Entry
from server.records.statements import statement_id
from signaling.messages import decode_event
from signaling.ports import Fenced, Unavailable
from tests.support.filled import Filled
from tests.support.process import ROOT
from tests.support.recorded import SITE, START, Log, everything


async def told_by_the_log(filled: Filled) -> dict[str, bytes]:
    """Statements made anew from every class's log."""
    told: dict[str, bytes] = {}
    sessions = await filled.database.read(lambda c: [row[0] for row in c.execute("SELECT DISTINCT session FROM record")])
    for session in sessions:
        fold = ClassFold(site=SITE, session=session)
        async for record in filled.journal.read(session, 0, 1_000_000):
            entry = Entry(seq=record.seq, at=record.at, by=record.by, event=decode_event(record.event))
            for draft in drafts(fold, entry):
                statement = finish(SITE, session, record.seq, draft, lambda who, session=session: SITE.stranger(session, who))
                told[statement.id] = statement.body
    return told


async def hold(tmp_path: Path, kills: int) -> None:
    path = tmp_path / "node.db"
    for seed in range(kills):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.support.recorder", str(path), str(seed), stdout=asyncio.subprocess.PIPE, cwd=ROOT
        )
        assert process.stdout is not None
        await asyncio.wait_for(process.stdout.readline(), 20)
        await asyncio.sleep(random.uniform(0.05, 0.5))
        process.send_signal(signal.SIGKILL)
        await process.wait()
        async with Filled(path, ("lrs", "hook")) as filled:
            told = await told_by_the_log(filled)
            assert await filled.bodies() == told
            assert set(await filled.states("lrs")) == set(await filled.states("hook")) == set(told)
    print(f"\n{kills} kills: {len(told)} statements, exactly those the log tells")
    assert told


async def test_after_every_kill_the_outbox_is_what_the_log_tells(tmp_path: Path) -> None:
    await hold(tmp_path, 3)


@pytest.mark.prove
async def test_after_fifty_kills_the_outbox_is_what_the_log_tells(tmp_path: Path) -> None:
    await hold(tmp_path, 50)


async def test_an_undone_append_leaves_no_statement_and_no_memory(tmp_path: Path) -> None:
    records = everything().records()
    async with Filled(tmp_path / "node.db") as filled:
        await filled.journal.append("class-1", 0, records[:10])
        before = await filled.bodies()
        with pytest.raises(Fenced):
            await filled.journal.append("class-1", 5, records[5:8])

        class Breaks:
            def appended(self, connection: sqlite3.Connection, session: str, before: int, records: object) -> None:
                raise Unavailable("the disk is full")

        spoilt = type(filled.journal)(filled.database, (filled.projection, Breaks()))
        with pytest.raises(Unavailable):
            await spoilt.append("class-1", 10, records[10:20])
        assert await filled.bodies() == before
        assert await filled.journal.last_seq("class-1") == 10
        await filled.journal.append("class-1", 10, records[10:])
        assert await filled.bodies() == await told_by_the_log(filled)


async def test_a_restart_in_the_middle_of_a_class_changes_nothing(tmp_path: Path) -> None:
    records = everything().records()
    for position, record in enumerate(records):
        async with Filled(tmp_path / "node.db") as filled:
            await filled.journal.append("class-1", position, [record])
    async with Filled(tmp_path / "node.db") as filled:
        assert await filled.bodies() == await told_by_the_log(filled)


async def test_who_a_person_is_comes_from_the_seat_and_outlives_it(tmp_path: Path) -> None:
    async with Filled(tmp_path / "node.db") as filled:

        def seat(connection: sqlite3.Connection) -> None:
            row = ("s", bytes(32), "class-1", "ann", "https://lms.example", "u-7", "Ann", "trainee", 0, 0, 1)
            connection.execute("INSERT INTO seat VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            connection.execute("DELETE FROM seat")

        await filled.database.write(seat)
        log = Log()
        log.join("ann")
        await filled.append(log)
        body = b"".join((await filled.bodies()).values())
        assert b'"account":{"homePage":"https://lms.example","name":"u-7"}' in body
        assert b"Ann" not in body


async def test_a_class_opted_out_tells_nothing_and_may_come_back(tmp_path: Path) -> None:
    records = everything().records()
    async with Filled(tmp_path / "node.db") as filled:
        await filled.outbox.tell("class-1", wanted=False)
        await filled.journal.append("class-1", 0, records[:10])
        assert await filled.bodies() == {}
        await filled.outbox.tell("class-1", wanted=True)
        await filled.journal.append("class-1", 10, records[10:])
        told = await told_by_the_log(filled)
        some = await filled.bodies()
        assert some.items() < told.items()
        assert await filled.outbox.backfill(filled.projection, "class-1") == len(told) - len(some)
        assert await filled.bodies() == told
        assert await filled.outbox.backfill(filled.projection, "class-1") == 0


async def test_a_class_opted_out_is_neither_sent_again_nor_made_from_its_log(tmp_path: Path) -> None:
    async with Filled(tmp_path / "node.db") as filled:
        await filled.append(everything("class-1"), "class-1")
        await filled.append(everything("class-2"), "class-2")
        count = len(await filled.bodies()) // 2
        acknowledged = "UPDATE delivery SET state = 1"
        await filled.database.write(lambda c: c.execute(acknowledged).rowcount)
        await filled.database.write(lambda c: c.execute("DELETE FROM statement WHERE session = 'class-1' AND number > 3").rowcount)
        await filled.outbox.tell("class-1", wanted=False)
        assert not await filled.outbox.is_told("class-1")
        assert await filled.outbox.backfill(filled.projection, "class-1") == 0
        assert await filled.outbox.resend("lrs", session="class-1") == 0
        assert await filled.outbox.resend("lrs", since=0) == count
        await filled.database.write(lambda c: c.execute(acknowledged).rowcount)
        await filled.outbox.tell("class-1", wanted=True)
        assert await filled.outbox.is_told("class-1")
        assert await filled.outbox.resend("lrs", session="class-1") == 3


async def test_telemetry_alone_is_shed_and_counted(tmp_path: Path) -> None:
    async with Filled(tmp_path / "node.db") as filled:
        projection = StatementProjection(SITE, ("lrs",), shed=lambda: True)
        journal = type(filled.journal)(filled.database, (projection,))
        await journal.append("class-1", 0, everything().records())
        told = await told_by_the_log(filled)
        kept = await filled.bodies()
        shed = {id: body for id, body in told.items() if id not in kept}
        assert projection.shed == len(shed) == 7
        assert not any(word in body for body in shed.values() for word in (b"/join", b"leave", b"answered", b"asked", b"posted", b"1F590"))
        assert await filled.outbox.backfill(filled.projection, "class-1") == len(shed)


async def test_an_event_the_encoder_cannot_take_does_not_stop_the_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = everything().records()
    with monkeypatch.context() as broken:
        broken.setattr("server.records.encode.timestamp", lambda at: 1 / 0)
        async with Filled(tmp_path / "node.db") as filled:
            await filled.journal.append("class-1", 0, records)
            assert await filled.journal.last_seq("class-1") == len(records)
            assert filled.projection.failures > 0
            assert await filled.bodies() == {}
    async with Filled(tmp_path / "node.db") as filled:
        await filled.outbox.backfill(filled.projection, "class-1")
        assert await filled.bodies() == await told_by_the_log(filled)


async def test_a_statement_that_is_not_valid_is_kept_and_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.records.fold.duration", lambda milliseconds: "PT2")
    async with Filled(tmp_path / "node.db") as filled:
        await filled.journal.append("class-1", 0, everything().records())
        states = await filled.states()
        assert len(states) == len(await told_by_the_log(filled))
        letters = await filled.outbox.dead(after=0, limit=100)
        assert len(letters) == list(states.values()).count(2) == filled.projection.quarantined > 0
        assert letters[0].answer == ".result.duration: must be a duration"
        good = await filled.outbox.feed(after=0, limit=500)
        assert len(good) == len(states) - len(letters)
        assert await filled.outbox.requeue("lrs", []) == 0
        assert await filled.outbox.requeue("lrs", [letters[0].number]) == 0
        assert await filled.states() == states


async def test_acknowledged_statements_are_pruned_and_can_be_made_again(tmp_path: Path) -> None:
    async with Filled(tmp_path / "node.db") as filled:
        await filled.append(everything())
        told = await filled.bodies()
        await filled.database.write(lambda c: c.execute("UPDATE delivery SET state = 1 WHERE statement > 3").rowcount)
        assert await filled.outbox.prune(1 << 60, 1) == len(told) - 3
        assert len(await filled.states()) == 3
        await filled.outbox.backfill(filled.projection, "class-1")
        assert await filled.bodies() == told


async def test_one_spelling_for_ever(tmp_path: Path) -> None:
    async with Filled(tmp_path / "node.db") as filled:
        await filled.append(everything())
        with pytest.raises(Unavailable, match="one spelling"):
            await filled.database.write(lambda c: c.execute("UPDATE statement SET body = x'00'"))
        assert statement_id(SITE, "class-1", 3, "initialized") in await filled.bodies()


async def test_roll_ups_are_told_once_and_replaced_when_they_differ(tmp_path: Path) -> None:
    rollup = RollUp(participant="ann", minutes=40, ratio=0.9, met=True, segments=(), policy="default", policy_version="1")
    other = msgspec.structs.replace(rollup, participant="bob")
    async with Filled(tmp_path / "node.db") as filled:
        tell = filled.outbox.attended
        assert await tell(filled.projection, "class-1", 50, START, [rollup, other]) == 2
        assert await tell(filled.projection, "class-1", 51, START + 1, [rollup, other]) == 0
        better = msgspec.structs.replace(rollup, minutes=45)
        assert await tell(filled.projection, "class-1", 52, START + 2, [better, other]) == 2
        assert await tell(filled.projection, "class-1", 52, START + 2, [better, other]) == 0
        kinds = [msgspec.json.decode(body)["verb"]["display"]["en"] for body in (await filled.bodies()).values()]
        assert kinds == ["attended", "attended", "voided", "attended"]
        assert filled.projection.quarantined == 0
        await filled.outbox.tell("class-2", wanted=False)
        assert await tell(filled.projection, "class-2", 5, START, [rollup]) == 0


ROLLUP = RollUp(participant="ann", minutes=40, ratio=0.9, met=True, segments=(), policy="default", policy_version="1")
BETTER = msgspec.structs.replace(ROLLUP, minutes=45)


async def told_verbs(filled: Filled) -> list[str]:
    return [msgspec.json.decode(body)["verb"]["display"]["en"] for body in (await filled.bodies()).values()]


async def sendable(filled: Filled, destination: str) -> list[str]:
    """Ids of what may be sent there now."""
    lease = await filled.outbox.lease(destination, "here:1", filled.now, filled.now + 1, rows=10, size=100_000)
    await filled.outbox.release(destination, "here:1")
    return [row.id for row in lease.rows]


async def test_a_roll_up_that_was_pruned_is_voided_all_the_same(tmp_path: Path) -> None:
    async with Filled(tmp_path / "node.db") as filled:
        tell = filled.outbox.attended
        assert await tell(filled.projection, "class-1", 50, START, [ROLLUP]) == 1
        (first,) = await filled.bodies()
        await filled.database.write(lambda c: c.execute("UPDATE delivery SET state = 1").rowcount)
        assert await filled.outbox.prune(1 << 60, 1) == 1
        assert await tell(filled.projection, "class-1", 51, START + 1, [ROLLUP]) == 0
        assert await tell(filled.projection, "class-1", 52, START + 2, [BETTER]) == 2
        assert await told_verbs(filled) == ["voided", "attended"]
        void = next(iter((await filled.bodies()).values()))
        assert msgspec.json.decode(void)["object"]["id"] == first
        assert await sendable(filled, "lrs") == list(await filled.bodies())


async def test_pruning_what_is_to_be_voided_does_not_keep_the_voiding_statement_back(tmp_path: Path) -> None:
    async with Filled(tmp_path / "node.db") as filled:
        tell = filled.outbox.attended
        await tell(filled.projection, "class-1", 50, START, [ROLLUP])
        await filled.database.write(lambda c: c.execute("UPDATE delivery SET state = 1").rowcount)
        await tell(filled.projection, "class-1", 52, START + 2, [BETTER])
        assert await filled.outbox.prune(1 << 60, 1) == 1
        assert await told_verbs(filled) == ["voided", "attended"]
        assert await sendable(filled, "lrs") == list(await filled.bodies())


async def test_a_new_destination_gets_what_voids_a_statement_it_never_got(tmp_path: Path) -> None:
    async with Filled(tmp_path / "node.db") as filled:
        await filled.outbox.attended(filled.projection, "class-1", 50, START, [ROLLUP])
    async with Filled(tmp_path / "node.db", ("lrs", "new")) as filled:
        await filled.outbox.attended(filled.projection, "class-1", 52, START + 2, [BETTER])
        first, void, second = await filled.bodies()
        assert await sendable(filled, "lrs") == [first, second]
        assert await sendable(filled, "new") == [void, second]


async def test_what_was_voided_at_a_destination_is_not_asked_for_there(tmp_path: Path) -> None:
    async with Filled(tmp_path / "node.db", ("lrs", "slow")) as filled:
        await filled.outbox.attended(filled.projection, "class-1", 50, START, [ROLLUP])
        await filled.outbox.attended(filled.projection, "class-1", 52, START + 2, [BETTER])
        first, void, second = await filled.bodies()
        acked = (
            "UPDATE delivery SET state = 1 WHERE destination = (SELECT id FROM destination WHERE name = 'lrs')"
            " OR statement = (SELECT number FROM statement WHERE id = ?)"
        )
        await filled.database.write(lambda c: c.execute(acked, (first,)).rowcount)
        told = {name: [row.id for row in await filled.outbox.acked(name, "class-1", after=0, limit=10)] for name in ("lrs", "slow")}
        assert told == {"lrs": [void, second], "slow": [first]}


async def test_what_was_never_sent_is_not_voided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Filled(tmp_path / "node.db") as filled:
        tell = filled.outbox.attended
        with monkeypatch.context() as broken:
            broken.setattr("server.records.attended.duration", lambda milliseconds: "PT2")
            await tell(filled.projection, "class-1", 50, START, [ROLLUP])
        assert filled.projection.quarantined == 1
        await tell(filled.projection, "class-1", 51, START + 1, [ROLLUP])
        assert await told_verbs(filled) == ["attended", "attended"]


async def test_what_stands_of_a_person_goes_with_the_person_and_with_the_log(tmp_path: Path) -> None:
    async with Filled(tmp_path / "node.db") as filled:
        for session in ("class-1", "class-2", "class-3"):
            await filled.outbox.attended(filled.projection, session, 50, START, [ROLLUP])

        def forget(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO identity VALUES ('class-1', 'ann', 'lms', 'u-7')")
            connection.execute("DELETE FROM identity")
            gone = "INSERT INTO expiry (session, kind, recording, policy, begun_at, count, bytes) VALUES (?, ?, '', 'p', 1, 0, 0)"
            connection.executemany(gone, [("class-2", "log"), ("class-3", "watched")])

        await filled.database.write(forget)
        left = await filled.database.read(lambda c: c.execute("SELECT session, participant FROM rollup").fetchall())
        assert left == [("class-3", "ann")]


async def test_roll_ups_told_before_they_were_remembered_are_remembered(tmp_path: Path) -> None:
    """As a file of an older version: the newest statement of each person stands."""
    async with Filled(tmp_path / "node.db") as filled:
        tell = filled.outbox.attended
        await tell(filled.projection, "class-1", 50, START, [ROLLUP])
        await tell(filled.projection, "class-1", 52, START + 2, [BETTER])

        def older(connection: sqlite3.Connection) -> None:
            connection.execute("DROP TRIGGER nobody_has_a_rollup")
            connection.execute("DROP TRIGGER expired_log_has_no_rollup")
            connection.execute("DROP TABLE rollup")
            connection.execute("DELETE FROM migration WHERE version = 540")

        await filled.database.write(older)
    async with Filled(tmp_path / "node.db") as filled:
        tell = filled.outbox.attended
        assert await tell(filled.projection, "class-1", 53, START + 3, [BETTER]) == 0
        assert await tell(filled.projection, "class-1", 54, START + 4, [ROLLUP]) == 2
        *_, second, void, _ = (msgspec.json.decode(body) for body in (await filled.bodies()).values())
        assert void["object"]["id"] == second["id"]
