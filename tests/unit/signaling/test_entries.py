"""Entries: redacted once per lane, encoded once per redaction, loaded from any journal."""

import msgspec

from signaling.classroom.base import Origin
from signaling.classroom.hands import RaiseHand
from signaling.classroom.participants import Connect
from signaling.classroom.roles import Role
from signaling.classroom.session import StartClass
from signaling.classroom.settings import Profile
from signaling.entries import entry_of, load
from signaling.messages import encode_event
from signaling.metrics import Counters
from signaling.ports import Record
from tests.support.classroom import Lesson
from tests.support.journal import MemoryJournal


def lesson() -> Lesson:
    lesson = Lesson(Profile.LARGE)
    lesson.do("tina", Connect(connection="c1", name="Tina", role=Role.TRAINER))
    lesson.do("tina", StartClass())
    lesson.do("ann", Connect(connection="c2", name="Ann", role=Role.TRAINEE))
    return lesson


def test_lanes_that_see_the_same_share_one_encoding() -> None:
    held = lesson()
    held.do("ann", RaiseHand(), op="secret-op")
    seq, origin, event = held.journal[-1]
    entry = entry_of(held.room, seq, origin, event)
    assert entry.told["staff"] is entry.told["inspector"]
    assert entry.audience.participants == ("ann",)
    assert "trainee" in entry.told, "the author stands there"
    told = msgspec.msgpack.decode(entry.told["trainee"])
    assert (told["seq"], told["by"], told["event"]["type"]) == (seq, "ann", "hand_raised")
    assert b"secret-op" not in bytes(entry.told["staff"])


def test_event_of_the_node_has_no_author() -> None:
    held = lesson()
    held.do(None, StartClass())
    entry = entry_of(held.room, 2, Origin(at=1), held.journal[3][2])
    assert "by" not in msgspec.msgpack.decode(entry.told["staff"])


async def test_loading_keeps_the_newest_entries_and_the_name_of_the_journal() -> None:
    held, journal = lesson(), MemoryJournal()
    records = [Record(seq=s, at=o.at, by=o.by, op=o.op, event=encode_event(e)) for s, o, e in held.journal]
    await journal.append("s1", 0, records)
    loaded = await load(journal, "s1", Counters())
    assert loaded is not None
    assert loaded.room == held.room
    assert [entry.seq for entry in loaded.recent] == [record.seq for record in records]
    assert loaded.epoch == f"{records[0].at:x}"
    assert await load(journal, "other", Counters()) is None
