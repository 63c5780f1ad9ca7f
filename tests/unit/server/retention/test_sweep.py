"""The sweep over a real store: what goes when, what stays and why, failures that are tried again, being killed in the middle."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from recording import deletion
from recording.catalog import Held
from recording.publication import MANIFEST
from server.records.checkpoint import Signer
from server.retention.due import DAY_MS, Kind
from server.retention.policy import Days, Policy
from signaling.loop import Probe
from signaling.metrics import Histogram
from signaling.ports import Fenced, Record, Unavailable
from tests.support.aged import ALL, END, KEY, RECORDING, Shelf, shelf


@pytest.fixture
async def found(tmp_path: Path) -> AsyncIterator[Shelf]:
    async with shelf(tmp_path) as found:
        yield found


async def whole_class(found: Shelf, session: str) -> None:
    await found.hold_class(session)
    await found.record(session)
    await found.watch(session, END + DAY_MS)


async def test_each_kind_goes_in_its_time_and_not_before(found: Shelf) -> None:
    await whole_class(found, "s1")
    assert await found.at(0.01), "this reads the replay whole"
    await found.at(7)
    assert len(found.raw("s1")) == 2, "a week after it was read, not after the end"
    await found.at(7.02)
    assert (found.raw("s1"), found.copies()) == ([], 4)
    await found.at(29)
    assert found.copies() == 4
    await found.at(30.1)
    assert found.copies() == 0
    [row] = await found.recordings.rows("s1")
    assert row.state == "purged"
    await found.at(60)
    assert await found.count("watched", "s1") == 1
    await found.at(61.1)
    assert await found.count("watched", "s1") == 0
    await found.at(89)
    assert await found.records("s1") == 20
    await found.at(90.1)
    assert await found.records("s1") == 0
    assert await found.acts("s1") == [("journal", 2, True), ("replay", 1, True), ("watched", 1, True), ("log", 20, True)]
    acts = await found.store.acts(after=0, limit=9)
    assert [act.policy for act in acts[:2]] == ["journal_days=7 tenant=house", "replay_days=30 tenant=house"]
    assert acts[0].bytes == 2 * 356
    assert {kind: one.expired for kind, one in found.sweep.figures.items()} == {
        Kind.JOURNAL: 1, Kind.REPLAY: 1, Kind.LOG: 1, Kind.WATCHED: 1, Kind.TORN: 0,
    }  # fmt: skip


async def test_raw_media_without_a_whole_replay_never_goes(found: Shelf) -> None:
    for session in ("none", "broken", "short", "lost"):
        await found.hold_class(session)
        await found.record(session, publish=session != "none")
    folders = {
        v.session: v.path(found.published.root) for s in ("broken", "short", "lost") for v in await found.published.store.versions(s)
    }
    (folders["broken"] / MANIFEST).write_text("{")
    (folders["short"] / "mix.m4a").write_bytes(b"SECRET")
    (folders["lost"] / "t.json").unlink()
    for days in (0, 8, 8.1, 400):
        assert not await found.at(days)
    assert all(len(found.raw(session)) == 2 for session in folders)
    assert found.raw("none") == ["000001.rj", "000002.rj"]
    assert await found.records("none") == 20, "a log stays as long as there is a recording nobody could publish"
    assert await found.store.acts(after=0, limit=9) == []
    assert found.sweep.figures[Kind.JOURNAL].failures == 12
    assert "short" in found.sweep.figures[Kind.JOURNAL].last_failure
    assert not found.sweep._again, "reading it every five minutes makes nothing whole"


async def test_a_replay_that_broke_after_it_was_read_keeps_its_raw_media(found: Shelf) -> None:
    await whole_class(found, "s1")
    await found.at(0)
    [version] = await found.published.store.versions("s1")
    file = version.path(found.published.root) / "mix.m4a"
    content = file.read_bytes()
    file.unlink()
    assert not await found.at(8)
    assert len(found.raw("s1")) == 2
    assert found.sweep.figures[Kind.JOURNAL].oldest_due_s == DAY_MS / 1000
    file.write_bytes(content)
    assert await found.at(9)
    assert found.raw("s1") == []
    assert found.sweep.figures[Kind.JOURNAL].oldest_due_s == 0


async def test_a_new_version_gives_the_raw_media_its_days_anew(found: Shelf) -> None:
    await whole_class(found, "s1")
    await found.at(0)
    await found.publish("s1", END + 6 * DAY_MS)
    await found.at(8)
    assert len(found.raw("s1")) == 2
    await found.at(15)
    assert found.raw("s1") == []


async def test_a_class_that_goes_on_or_is_packaged_keeps_everything(found: Shelf) -> None:
    await whole_class(found, "s1")
    await found.directory.create("live", "Live", "small", None)
    await found.database.write(
        lambda c: c.execute("INSERT INTO packaging VALUES ('s1', ?, 'working', 1, 0, 0, NULL)", (RECORDING,)).rowcount
    )
    await found.at(400)
    assert (len(found.raw("s1")), found.copies(), await found.records("s1")) == (2, 4, 20)
    await found.database.write(lambda c: c.execute("UPDATE packaging SET state = 'published'").rowcount)
    found.awake.add("s1")
    await found.at(408)
    assert (found.raw("s1"), found.copies(), await found.records("s1")) == ([], 0, 20), "somebody is in it: the log waits"
    found.awake.clear()
    await found.at(409)
    assert await found.records("s1") == 0


async def test_a_tenants_days_and_a_class_s_wish_count(tmp_path: Path) -> None:
    policy = Policy(house=Days(journal_days=7), tenants={"academy": Days(journal_days=2)})
    async with shelf(tmp_path, policy) as found:
        for session in ("a1", "h1", "h2"):
            await whole_class(found, session)
        await found.store.wish("h2", {Kind.JOURNAL: 1, Kind.REPLAY: 3})
        await found.at(0)
        await found.at(1)
        assert [len(found.raw(session)) for session in ("a1", "h1", "h2")] == [2, 2, 0]
        await found.at(2)
        assert [len(found.raw(session)) for session in ("a1", "h1")] == [0, 2]
        await found.at(3.1)
        assert len(await found.published.store.versions("h2")) == 1
        assert (await found.recordings.rows("h2"))[0].state == "purged", "for ever, but the class asked for three days"
        assert [act.policy for act in await found.store.acts(after=0, limit=9, session="h2")][
            1
        ] == "replay_days=3 asked by the class tenant=house"
        with pytest.raises(ValueError, match="days"):
            await found.store.wish("h1", {Kind.LOG: 0})


async def test_nothing_of_a_held_class_goes_by_any_way(found: Shelf) -> None:
    await whole_class(found, "s1")
    await found.at(0)
    hold = await found.holds.add(session="s1", issuer="", subject="", reason="court order 7", by="operator", at=END)
    assert hold is not None
    (found.journals / "s1" / "000009.torn").write_bytes(b"x")
    await found.at(1000)
    assert (len(found.raw("s1")), found.copies(), await found.records("s1"), await found.count("watched", "s1")) == (3, 4, 20, 1)
    [row] = await found.recordings.rows("s1")
    with pytest.raises(Held):
        await deletion.delete(found.recordings, found.journals, row, now=END, by="cli", published=found.published)
    page = await found.store.page("", 9)
    for thing in page.things:
        with pytest.raises(Held):
            await found.store.begin(thing, "rule", END)
    for sql in (
        "DELETE FROM record WHERE session = 's1'",
        "UPDATE record SET event = x'00' WHERE session = 's1'",
        "UPDATE recording SET deleted_at = 1 WHERE session = 's1'",
        "DELETE FROM hold",
        "UPDATE hold SET reason = 'other'",
        "UPDATE hold SET lifted_at = 1",
    ):
        with pytest.raises(Unavailable):
            await found.database.write(lambda c, sql=sql: c.execute(sql).rowcount)  # type: ignore[misc]
    await found.database.write(lambda c: c.execute("DELETE FROM identity WHERE session = 's1'").rowcount)
    assert await found.count("identity", "s1") == 2
    await found.holds.lift(hold.number, by="operator", at=END)
    await found.at(1001)
    assert (found.raw("s1"), found.copies(), await found.records("s1")) == (["000009.torn"], 0, 0)


async def test_a_hold_set_while_something_goes_stops_it_there(found: Shelf) -> None:
    await whole_class(found, "s1")
    await found.at(0)
    things = {thing.kind: thing for thing in (await found.store.page("", 9)).things}
    await found.recordings.mark("s1", RECORDING, "deleted", END, "cli", "{}")
    act = await found.store.begin(things[Kind.LOG], "rule", END)
    assert act is not None
    await found.removal._ledger.grow()
    assert await found.store.erase_log(act, 1000, 7, "class:s1") == 7
    await found.holds.add(session="", issuer="lms", subject="u1", reason="inquiry", by="operator", at=END)
    await found.at(1000)
    assert (await found.records("s1"), len(found.raw("s1")), found.copies()) == (13, 2, 4)
    assert await found.acts("s1") == [("log", 7, False)]
    assert (await found.ledger.verify()).flaw is None
    await found.holds.lift(1, by="operator", at=END)
    await found.at(1001)
    assert (await found.records("s1"), found.raw("s1"), found.copies()) == (0, [], 0)
    assert ("log", 20, True) in await found.acts("s1")


async def test_holds_set_while_a_sweep_runs_stop_what_it_has_not_begun(found: Shelf) -> None:
    sessions = [f"s{number:02}" for number in range(30)]
    for session in sessions:
        await whole_class(found, session)
    await found.at(0)

    async def hold() -> list[bool]:
        """From the last on, as the sweep comes from the first; whether something had begun to go when the hold was there."""
        begun = []
        for session in reversed(sessions):
            await found.holds.add(session=session, issuer="", subject="", reason="inquiry", by="operator", at=END)
            begun.append(bool(await found.store.acts(after=0, limit=1, session=session)))
        return begun[::-1]

    swept, begun = await asyncio.gather(found.at(400), hold())
    assert swept
    assert (begun[0], begun[-1]) == (True, False), "they met on the way"
    await asyncio.gather(found.at(401), found.at(401, sweep=found.sweeper(ALL)))
    for session, gone in zip(sessions, begun, strict=True):
        if not gone:
            assert await found.store.acts(after=0, limit=9, session=session) == []
            assert (await found.records(session), len(found.raw(session))) == (20, 2)
    assert (await found.ledger.verify()).flaw is None


async def test_two_sweeps_at_a_time_remove_everything_once(found: Shelf) -> None:
    for number in range(10):
        await whole_class(found, f"s{number}")
    await found.at(0)
    await asyncio.gather(*(found.at(400, sweep=found.sweeper(ALL)) for _ in range(3)))
    assert await found.at(400), "what one took from under the other was tried again"
    for number in range(10):
        acts = await found.acts(f"s{number}")
        assert all(done for _, _, done in acts)
        assert sum(count for kind, count, _ in acts if kind == "log") == 20
        assert (await found.records(f"s{number}"), found.raw(f"s{number}")) == (0, [])
    assert (await found.ledger.verify()).flaw is None


async def test_the_ledger_stays_good_when_a_log_goes_and_counts_it(found: Shelf) -> None:
    for session in ("s1", "s2"):
        await found.hold_class(session, records=1234)
    await found.ledger.grow()
    await found.hold_class("s3")
    before = await found.ledger.root(2468)
    await found.at(91)
    verdict = await found.ledger.verify()
    assert (verdict.flaw, verdict.records, verdict.erased) == (None, 2488, 2488)
    assert await found.ledger.root(2468) == before
    assert await found.ledger.prove("s1", 2468, limit=5) == []
    notes = await found.database.read(lambda c: c.execute("SELECT id, kind, by, note FROM erasure ORDER BY id").fetchall())
    assert [row[:3] for row in notes] == [(f"class:s{n}", "class", "retention") for n in (1, 2, 3)]
    assert "records 1234\n" in notes[0][3]
    assert f"\u2014 {Signer('test/ledger', KEY).name} " in notes[0][3]
    for table in ("snapshot", "operation", "identity", "life_sign", "delivered_window", "watched"):
        assert await found.count(table, "s1") == 0, table


async def test_nothing_is_written_into_a_log_that_is_no_longer_kept(found: Shelf) -> None:
    await found.hold_class("s1")
    await found.at(91)
    for expected in (0, 20):
        with pytest.raises((Unavailable, Fenced)):
            await found.journal.append("s1", expected, [Record(seq=expected + 1, at=1, by=None, op=None, event=b"x")])
    await found.journal.save_snapshot("s1", 20, b"SECRET")
    assert await found.journal.load_snapshot("s1") is None
    described = await found.directory.get("s1")
    assert described is not None
    assert described["expired_at"] == END + 91 * DAY_MS


async def test_a_recording_whose_raw_media_is_gone_is_not_packaged_again(found: Shelf) -> None:
    from server.adapters.sqlite_packaging import SqliteJobs

    await whole_class(found, "s1")
    await found.at(0)
    jobs = SqliteJobs(found.database)
    assert await jobs.take(("s1", RECORDING), END, END + 5) is not None
    await jobs.settle(("s1", RECORDING), "published", END, 0, None)
    await found.at(8)
    assert await found.store.journal_expired_at("s1", RECORDING) == END + 8 * DAY_MS
    assert await jobs.take(("s1", RECORDING), END, END + 5) is None


async def test_torn_files_go_by_their_own_age(found: Shelf) -> None:
    await found.hold_class("s1")
    for session in ("s1", "unknown"):
        (found.journals / session).mkdir(parents=True)
        (found.journals / session / "000001.torn").write_bytes(bytes(10))
    now = time.time() * 1000
    days = (now - END) / DAY_MS
    await found.at(days + 29)
    assert found.raw("s1") == ["000001.torn"]
    await found.at(days + 31)
    assert (found.raw("s1"), found.raw("unknown")) == ([], ["000001.torn"])
    assert ("torn", 1, True) in await found.acts("s1")


async def test_what_fails_is_told_and_tried_again(found: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    await whole_class(found, "s1")
    await whole_class(found, "s2")
    await found.at(0)
    (found.journals / "s1" / "000001.rj").unlink()
    (found.journals / "s1" / "000001.rj").mkdir()  # a file that cannot be read or unlinked: an input/output error by other means
    assert not await found.at(8)
    assert (len(found.raw("s1")), found.raw("s2")) == (2, []), "one failure keeps nobody else"
    assert found.sweep._again
    figures = found.sweep.figures[Kind.JOURNAL]
    assert (figures.failures, figures.expired, figures.oldest_due_s) == (1, 1, DAY_MS / 1000)
    assert figures.last_failure.startswith("s1: ")
    (found.journals / "s1" / "000001.rj").rmdir()
    assert await found.at(9)
    assert found.raw("s1") == []


async def test_deleting_that_failed_half_way_is_ended_by_the_sweep(found: Shelf) -> None:
    await whole_class(found, "s1")
    await found.directory.create("s2", "not over", "small", None)
    await found.record("s2")
    for session in ("s1", "s2"):
        await found.recordings.mark(session, RECORDING, "deleted", END, "cli", "{}")
    await found.at(0)
    assert (found.raw("s1"), found.raw("s2"), found.copies()) == ([], [], 0)


async def test_sweeping_again_changes_nothing(found: Shelf) -> None:
    await whole_class(found, "s1")
    for days in (0, 400, 400, 401):
        assert await found.at(days)
    assert len(await found.store.acts(after=0, limit=99)) == 4 - 1, "raw media went with its replay or before it"


@pytest.mark.parametrize("when", range(6))
async def test_a_removal_cut_at_any_step_is_taken_up_again(found: Shelf, monkeypatch: pytest.MonkeyPatch, when: int) -> None:
    """Each step that removes something fails once, after it was done, as a process that is killed there leaves things."""
    await whole_class(found, "s1")
    await found.at(0)

    class Cut(BaseException):
        pass

    calls = 0
    store = found.store
    steps = ("begin", "erase_log", "forget", "unwatch", "note", "finish")
    original = getattr(store, steps[when])

    async def once(*arguments: object, **more: object) -> object:
        nonlocal calls
        done = await original(*arguments, **more)
        calls += 1
        if calls == 1:
            raise Cut
        return done

    monkeypatch.setattr(store, steps[when], once)
    with pytest.raises(Cut):
        await found.at(400)
    after = found.sweeper(ALL)
    assert await found.at(400, sweep=after)
    assert (found.raw("s1"), found.copies(), await found.records("s1"), await found.count("watched", "s1")) == ([], 0, 0, 0)
    acts = await found.acts("s1")
    assert all(done for _, _, done in acts)
    assert len({kind for kind, _, _ in acts}) == len(acts)
    assert ("log", 20, True) in acts
    assert (await found.ledger.verify()).flaw is None


async def test_killed_in_mid_sweep_again_and_again(tmp_path: Path) -> None:
    sessions = [f"s{number:03}" for number in range(30)]
    async with shelf(tmp_path) as found:
        for session in sessions:
            await found.hold_class(session, records=600)
            await found.record(session)
        await found.holds.add(session="s007", issuer="", subject="", reason="inquiry", by="operator", at=END)
        await found.at(0)
    for round_ in range(6):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.support.aged", str(tmp_path), str(END + 400 * DAY_MS), stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        for _ in range(1 + round_):
            line = await process.stdout.readline()
            if line == b"OVER\n":
                break
        process.send_signal(signal.SIGKILL)
        await process.wait()
        async with shelf(tmp_path) as found:
            assert (await found.ledger.verify()).flaw is None, round_
            assert (len(found.raw("s007")), await found.records("s007")) == (2, 600)
    async with shelf(tmp_path) as found:
        assert await found.at(400), {k: f.last_failure for k, f in found.sweep.figures.items()}
        for session in sessions:
            kept = session == "s007"
            assert (await found.records(session) > 0, bool(found.raw(session))) == (kept, kept), session
            assert kept or ("log", 600, True) in await found.acts(session)
        verdict = await found.ledger.verify()
        assert (verdict.flaw, verdict.erased) == (None, 600 * 29)


async def test_ten_thousand_classes_are_swept_in_bounded_turns(tmp_path: Path) -> None:
    async with shelf(tmp_path) as found:

        def fill(c: object) -> int:
            names = [(f"c{number:05}",) for number in range(10_000)]
            c.executemany(
                "INSERT INTO class (session, title, profile, ended_at) VALUES (?, 't', 'small', ?)", [(*name, END) for name in names]
            )  # type: ignore[attr-defined]
            c.executemany("INSERT INTO record VALUES (?, 1, 1, NULL, NULL, x'00', zeroblob(32))", names)  # type: ignore[attr-defined]
            return 0

        await found.database.write(fill)
        late = Histogram()
        probe = Probe(late, every_s=0.01, tell=lambda _: None)
        turns, longest = 0, 0.0
        more = True
        while more:
            began = time.perf_counter()
            more = await found.sweep.turn(END + 80 * DAY_MS)
            longest = max(longest, time.perf_counter() - began)
            turns += 1
        probe.stop()
        assert turns == 51
        print(f"\n10,000 classes: {turns} turns, the longest {longest * 1000:.0f} ms, the loop at most {late.max * 1000:.0f} ms late")
        assert await found.store.acts(after=0, limit=9) == []
