"""An erasure on a store of its own: what goes, what stays, what is refused, what is found, and that it may be repeated at any step."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recording.watched import Report, Stretch
from server.adapters.sqlite_attendance import SqliteAttendance
from server.adapters.sqlite_holds import SqliteHolds
from server.adapters.sqlite_journal import SqliteDirectory, SqliteJournal
from server.adapters.sqlite_ledger import SqliteLedger
from server.adapters.sqlite_publications import SqliteWatches
from server.adapters.sqlite_retention import SqliteRetention
from server.adapters.sqlite_seats import SqliteSeats
from server.adapters.sqlite_viewings import SqliteViewings
from server.erasure import receipt
from server.erasure.erasing import Erasing, NoSuchPerson, NotNow
from server.erasure.receipt import Receipt
from server.erasure.work import Media, Person
from server.records.attended import RollUp
from server.records.checkpoint import Signer
from server.retention.due import Kind, Thing
from signaling.messages import decode_event
from signaling.ports import Unavailable
from tests.support.erased import bytes_left
from tests.support.lessons import DAY, ISSUER, Store
from tests.support.recorded import START

SIGNER = Signer("class.example/ledger", Ed25519PrivateKey.generate())
ANN, BOB = Person(ISSUER, "employee-4711"), Person(ISSUER, "employee-4712")
PEOPLE = {ANN.subject: "Ann Archer", BOB.subject: "Bob Baker"}

_HOLD = "INSERT INTO hold (session, issuer, subject, reason, by, at) VALUES (?, ?, ?, 'court', 'o', 1)"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store(tmp_path) as store:
        yield store


def eraser(store: Store, var: Path, **more: Any) -> Erasing:
    held = more.pop("held", SqliteHolds(store.database).held)
    return Erasing(store.database, SIGNER, lambda: 1_900_000_000_000, var, held=held, **more)


async def erase(erasing: Erasing, person: Person) -> Receipt:
    standing = await erasing.begin(person, "operator")
    note = await erasing.carry_out(standing.id)
    assert note is not None
    return receipt.opened(note, SIGNER.verifier)


async def tampered(store: Store, sql: str, *values: Any) -> None:
    """What somebody with the file could do."""

    def job(connection: sqlite3.Connection) -> None:
        connection.execute("DROP TRIGGER IF EXISTS record_is_never_changed")
        assert connection.execute(sql, values).rowcount == 1

    await store.database.write(job)


async def test_one_person_goes_and_the_others_stay(store: Store, tmp_path: Path) -> None:
    ids = [(await store.hold(f"class-{number}", PEOPLE)) for number in (1, 2)]
    before = await store.journal.last_seq("class-1")
    told = await erase(eraser(store, tmp_path), ANN)
    assert told.complete, told.search
    assert [(one.session, one.outcome) for one in told.classes] == [("class-1", "erased"), ("class-2", "erased")]
    assert told.search.mentions >= 2
    assert bytes_left(tmp_path, ANN.subject, *(each[ANN.subject] for each in ids)) == []
    assert bytes_left(tmp_path, BOB.subject)
    records = [record async for record in store.journal.read("class-1", 0, 1000)]
    assert len(records) == before + 1
    texts = [getattr(decode_event(record.event), "text", None) for record in records]
    assert f"the words of {ids[0][BOB.subject]}" in texts
    assert "well said, Ann Archer" in texts
    whole = await SqliteLedger(store.database).verify()
    assert (whole.flaw, whole.erased) == (None, sum(one.records for one in told.classes))
    assert (await SqliteJournal(store.database).verify("class-1")).broken_at is None
    kept = await eraser(store, tmp_path).store.digests(told.id)
    assert {one.session: (one.records, bytes.fromhex(one.digest)) for one in told.classes} == kept


async def test_both_people_of_a_class_are_erased_one_after_the_other(store: Store, tmp_path: Path) -> None:
    """Their records overlap nowhere but in what the trainer did to both; the ledger keeps the first hash of each."""
    await store.hold("class-1", PEOPLE)
    erasing = eraser(store, tmp_path)
    first, second = await erase(erasing, ANN), await erase(erasing, BOB)
    assert first.complete
    assert second.complete
    assert (await SqliteLedger(store.database).verify()).flaw is None
    for told in (first, second):
        kept = await erasing.store.digests(told.id)
        assert kept["class-1"] == (told.classes[0].records, bytes.fromhex(told.classes[0].digest))


async def test_the_old_bytes_of_a_store_that_did_not_overwrite_are_found_and_go(store: Store, tmp_path: Path) -> None:
    """A file from before secure_delete: the person's seat was deleted long ago, its bytes were not."""
    ids = await store.hold("class-1", PEOPLE)
    await store.database.scrub()
    with sqlite3.connect(tmp_path / "jiangtai.sqlite") as careless:
        careless.execute("PRAGMA secure_delete = OFF")
        careless.execute("CREATE TABLE old (text TEXT)")
        careless.executemany("INSERT INTO old VALUES (?)", [(f"{ids[ANN.subject]} {'x' * 900}",)] * 50)
        careless.execute("DROP TABLE old")
    careless.close()
    told = await erase(eraser(store, tmp_path), ANN)
    assert told.search.rewritten
    assert told.complete
    assert bytes_left(tmp_path, ANN.subject, ids[ANN.subject]) == []


async def test_nothing_is_erased_of_a_class_whose_records_are_not_what_the_ledger_says(store: Store, tmp_path: Path) -> None:
    ids = await store.hold("class-1", PEOPLE)
    ledger = SqliteLedger(store.database)
    await ledger.grow()
    await tampered(store, "UPDATE record SET at = at + 1 WHERE seq = (SELECT min(seq) FROM record WHERE by = ?)", ids[ANN.subject])
    told = await erase(eraser(store, tmp_path), ANN)
    assert [(one.outcome, one.code) for one in told.classes] == [("refused", "ledger_broken")]
    assert "was changed" in ((await ledger.verify()).flaw or "")


@pytest.mark.parametrize("column", ["at", "event"])
async def test_a_change_after_the_erasure_is_found_in_erased_records_and_in_others(store: Store, tmp_path: Path, column: str) -> None:
    await store.hold("class-1", PEOPLE)
    await erase(eraser(store, tmp_path), ANN)
    ledger = SqliteLedger(store.database)
    changed = {"at": "at = at + 1", "event": "event = CAST(event || x'00' AS BLOB)"}[column]
    for which in ("IN", "NOT IN"):
        seq = await store.database.read(
            lambda c, which=which: c.execute(  # type: ignore[misc]
                f"SELECT min(seq) FROM record WHERE seq > 1 AND seq {which} (SELECT seq FROM erased_leaf)"
            ).fetchone()[0]
        )
        was = await store.database.read(lambda c, seq=seq: c.execute("SELECT at, event FROM record WHERE seq = ?", (seq,)).fetchone())  # type: ignore[misc]
        await tampered(store, f"UPDATE record SET {changed} WHERE seq = ?", seq)
        assert (await ledger.verify()).flaw is not None
        assert (await store.journal.verify("class-1")).broken_at == seq
        await tampered(store, "UPDATE record SET at = ?, event = ? WHERE seq = ?", *was, seq)
    assert (await ledger.verify()).flaw is None


async def test_what_a_destination_has_is_told_by_its_ids(store: Store, tmp_path: Path) -> None:
    await store.hold("class-1", {ANN.subject: "Ann Archer"})
    await store.database.write(lambda c: c.execute("UPDATE delivery SET state = 1 WHERE statement % 2 = 0").rowcount)
    sql = "SELECT s.id, d.state FROM statement s JOIN delivery d ON d.statement = s.number WHERE instr(s.body, ?)"
    mine = dict(await store.database.read(lambda c: c.execute(sql, (ANN.subject.encode(),)).fetchall()))
    told = await erase(eraser(store, tmp_path), ANN)
    assert set(told.statements.held["lrs"]) == {id for id, state in mine.items() if state == 1}
    assert set(told.statements.perhaps["lrs"]) == {id for id, state in mine.items() if state == 0}
    assert told.counts["statements"] == len(mine) > 4


async def test_held_classes_are_refused_and_the_others_done(store: Store, tmp_path: Path) -> None:
    for number in (1, 2):
        await store.hold(f"class-{number}", PEOPLE)

    await store.database.write(lambda c: c.execute(_HOLD, ("class-1", "", "")).rowcount)
    told = await erase(eraser(store, tmp_path), ANN)
    assert [(one.session, one.outcome, one.code) for one in told.classes] == [("class-1", "refused", "held"), ("class-2", "erased", None)]
    assert told.search.kept > 0
    assert (told.search.rows, told.search.files) == (0, 0)
    assert not told.complete


async def test_a_hold_that_came_at_the_last_moment_stops_what_was_begun(store: Store, tmp_path: Path) -> None:
    """The node asked before it was there; the store itself refuses, and the next try is refused in words."""
    await store.hold("class-1", PEOPLE)

    async def not_yet(session: str) -> bool:
        return False

    early = eraser(store, tmp_path, held=not_yet)
    standing = await early.begin(ANN, "operator")
    await store.database.write(lambda c: c.execute(_HOLD, ("class-1", "", "")).rowcount)
    with pytest.raises(Unavailable):
        await early.carry_out(standing.id)
    note = await eraser(store, tmp_path).carry_out()
    assert note is not None
    assert [one.code for one in receipt.read(note).classes] == ["held"]


async def test_a_lifted_hold_keeps_whom_it_named_and_stops_nothing(store: Store, tmp_path: Path) -> None:
    await store.hold("class-1", PEOPLE)
    await store.database.write(lambda c: c.execute(_HOLD, ("", *ANN)).rowcount)
    held = await erase(eraser(store, tmp_path), ANN)
    assert [one.code for one in held.classes] == ["held"]
    await store.database.write(lambda c: c.execute("UPDATE hold SET lifted_at = 2, lifted_by = 'o'").rowcount)
    told = await erase(eraser(store, tmp_path), ANN)
    assert told.complete
    assert told.search.kept == 1


async def recorded(store: Store, session: str) -> None:
    sql = "INSERT INTO recording (session, id, started_at, started_by, ended_at) VALUES (?, 'r5', 1, 'x', 2)"
    await store.database.write(lambda c: c.execute(sql, (session,)).rowcount)


async def test_a_recorded_class_is_refused_where_nobody_can_take_people_out(store: Store, tmp_path: Path) -> None:
    await store.hold("class-1", PEOPLE)
    await recorded(store, "class-1")
    told = await erase(eraser(store, tmp_path), ANN)
    assert [one.code for one in told.classes] == ["recordings_stay"]


class Cutter:
    """A redactor that fails as often as it is told to, and remembers what the log said when it was asked."""

    def __init__(self, look: Callable[[str], Awaitable[bool]], failures: int) -> None:
        self.look = look
        self.failures = failures
        self.asked: list[tuple[str, str, bool]] = []

    async def redact(self, session: str, participant: str) -> Media:
        """See erasing.Redactor."""
        self.asked.append((session, participant, await self.look(session)))
        if self.failures and session == "class-1":
            self.failures -= 1
            raise RuntimeError("no room on the disk")
        return Media(recordings=1, files=2, bytes=300, deleted=["r5"])


async def test_media_come_after_the_log_and_are_tried_again(store: Store, tmp_path: Path) -> None:
    ids = await store.hold("class-1", PEOPLE)
    await recorded(store, "class-1")

    async def nameless(session: str) -> bool:
        return bool(await store.database.read(lambda c: c.execute("SELECT 1 FROM pseudonym WHERE session = ?", (session,)).fetchone()))

    cutter = Cutter(nameless, failures=1)
    erasing = eraser(store, tmp_path, redactor=cutter)
    standing = await erasing.begin(ANN, "operator")
    with pytest.raises(NotNow):
        await erasing.carry_out(standing.id)
    assert (await erasing.begin(ANN, "operator")).id == standing.id
    note = await erasing.carry_out()
    assert note is not None
    told = receipt.read(note)
    assert cutter.asked == [("class-1", ids[ANN.subject], True)] * 2
    assert msgspec.structs.asdict(told.media) == {"recordings": 1, "files": 2, "bytes": 300, "deleted": ["r5"]}
    assert told.complete


async def test_an_erasure_that_cannot_go_on_keeps_no_other_waiting(store: Store, tmp_path: Path) -> None:
    await store.hold("class-1", {ANN.subject: "Ann Archer"})
    await store.hold("class-2", {BOB.subject: "Bob Baker"})
    await recorded(store, "class-1")

    async def never(session: str) -> bool:
        return True

    erasing = eraser(store, tmp_path, redactor=Cutter(never, failures=10))
    await erasing.begin(ANN, "operator")
    with pytest.raises(NotNow):
        await erasing.carry_out()
    await erasing.begin(BOB, "operator")
    note = await erasing.carry_out()
    assert note is not None
    assert receipt.read(note).is_about(BOB)


async def test_what_a_node_noted_before_is_not_written_after(store: Store, tmp_path: Path) -> None:
    """Attendance evaluated, media delivered, a replay watched: each a moment before the erasure, each on its way to the store."""
    id = (await store.hold("class-1", PEOPLE))[ANN.subject]
    seq = await store.journal.last_seq("class-1")
    told = RollUp(participant=id, minutes=1, ratio=1, met=True, segments=(), policy="standard", policy_version="1")
    await erase(eraser(store, tmp_path), ANN)
    with pytest.raises(Unavailable):
        await store.outbox.attended(store.projection, "class-1", seq, 1, [told])
    await SqliteAttendance(store.database).keep({}, {("class-1", 7): {id}})
    report = Report("class-1", "r5", id, "op", 1, [Stretch(from_ms=0, to_ms=9)])
    await SqliteWatches(store.database).add(report, 100)
    await store.database.scrub()
    assert bytes_left(tmp_path, id) == []


async def test_nobody_is_nobody(store: Store, tmp_path: Path) -> None:
    await store.hold("class-1", PEOPLE)
    erasing = eraser(store, tmp_path)
    for person in (Person(ISSUER, "who"), Person("node", ANN.subject), Person(ANN.subject, ISSUER)):
        with pytest.raises(NoSuchPerson):
            await erasing.begin(person, "operator")


async def test_a_snapshot_from_before_is_not_kept_any_more(store: Store, tmp_path: Path) -> None:
    await store.hold("class-1", PEOPLE)
    seq = await store.journal.last_seq("class-1")
    await store.journal.save_snapshot("class-1", seq, b"old state with Ann Archer")
    await erase(eraser(store, tmp_path), ANN)
    await store.journal.save_snapshot("class-1", seq, b"old state with Ann Archer")
    assert await store.journal.load_snapshot("class-1") is None
    await store.journal.save_snapshot("class-1", seq + 1, b"new state")
    assert await store.journal.load_snapshot("class-1") == (seq + 1, b"new state")


async def expire(store: Store, session: str) -> None:
    """What retention leaves of a class when its log is due."""
    retention, later = SqliteRetention(store.database), START + 400 * DAY
    await SqliteDirectory(store.database).mark_ended(session, START)
    await SqliteSeats(store.database).prune(later)
    act = await retention.begin(Thing(session=session, kind=Kind.LOG), "log_days", later)
    assert act is not None
    while await retention.erase_log(act, await SqliteLedger(store.database).grow(), 500, f"class:{session}"):
        pass
    while await retention.forget(act, 500):
        pass
    await retention.finish(act.number, later)


async def test_who_was_in_a_class_whose_log_is_no_longer_kept_is_erased_from_what_is(store: Store, tmp_path: Path) -> None:
    """Statements wait for their store, or stay for the feed, longer than the log they were made from."""
    expired, kept = [await store.hold(f"class-{number}", PEOPLE) for number in (1, 2)]
    await expire(store, "class-1")
    assert bytes_left(tmp_path, ANN.subject)
    erasing = eraser(store, tmp_path)
    assert [(one.session, one.kinds["statements"] > 0) for one in await erasing.foresee(ANN)] == [("class-1", True), ("class-2", True)]
    told = await erase(erasing, ANN)
    assert told.complete, told.search
    outcomes = [(one.session, one.outcome, one.records > 0) for one in told.classes]
    assert outcomes == [("class-1", "erased", False), ("class-2", "erased", True)]
    assert bytes_left(tmp_path, ANN.subject, expired[ANN.subject], kept[ANN.subject]) == []
    sql = "SELECT count(*) FROM statement WHERE session = 'class-1' AND instr(body, ?)"
    assert await store.database.read(lambda c: c.execute(sql, (BOB.subject.encode(),)).fetchone()[0]) > 0
    assert (await SqliteLedger(store.database).verify()).flaw is None
    assert (await erasing.begin(ANN, "operator")).id == told.id


async def test_who_began_a_recording_of_a_class_without_a_log_becomes_nobody_there(store: Store, tmp_path: Path) -> None:
    ids = await store.hold("class-1", PEOPLE)
    await expire(store, "class-1")
    await store.database.write(lambda c: c.execute("DELETE FROM statement").rowcount)
    columns = "session, id, started_at, started_by, ended_at, deleted_at, purged_at"
    sql = f"INSERT INTO recording ({columns}) VALUES ('class-1', 'r5', 1, ?, 2, 3, 3)"
    await store.database.write(lambda c: c.execute(sql, (ids[ANN.subject],)).rowcount)
    told = await erase(eraser(store, tmp_path), ANN)
    assert told.complete, told.search
    assert bytes_left(tmp_path, ids[ANN.subject]) == []
    with pytest.raises(NoSuchPerson):
        await eraser(store, tmp_path).begin(BOB, "operator")


async def test_a_hold_of_a_person_keeps_what_names_them_where_the_log_is_gone(store: Store, tmp_path: Path) -> None:
    """No row says any more that the class is the person's, so no hold of the class's is found."""
    await store.hold("class-1", PEOPLE)
    await expire(store, "class-1")
    await store.database.write(lambda c: c.execute(_HOLD, ("", *ANN)).rowcount)
    told = await erase(eraser(store, tmp_path), ANN)
    assert [one.code for one in told.classes] == ["held"]
    sql = "SELECT count(*) FROM statement WHERE instr(body, ?)"
    assert await store.database.read(lambda c: c.execute(sql, (ANN.subject.encode(),)).fetchone()[0]) > 0


async def test_who_was_erased_is_not_told_of_again_by_a_seat_that_a_node_still_remembers(store: Store, tmp_path: Path) -> None:
    """Between the log and the end of the media, which takes its time, they may go on watching."""
    ids = await store.hold("class-1", PEOPLE)
    watches = SqliteWatches(store.database, SqliteViewings(store.database, store.projection).noted)
    sql = "SELECT kind FROM statement WHERE kind LIKE 'viewing/%'"
    during: list[list[tuple[str]]] = []

    async def watch(session: str) -> bool:
        for number, subject in enumerate((ANN.subject, BOB.subject)):
            report = Report(session, "r5", ids[subject], f"op{number}", START, [Stretch(from_ms=0, to_ms=1)])
            assert await watches.add(report, 100)
        during.append(await store.database.read(lambda c: c.execute(sql).fetchall()))
        return True

    await recorded(store, "class-1")
    told = await erase(eraser(store, tmp_path, redactor=Cutter(watch, failures=0)), ANN)
    assert told.complete, told.search
    assert [[ids[BOB.subject] in kind for (kind,) in kinds] for kinds in during] == [[True]]
    assert bytes_left(tmp_path, ids[ANN.subject]) == []
