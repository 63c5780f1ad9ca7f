"""Lessons played at random with one person made nobody: everybody else's state, attendance, replay and audit is what it was.

JIANGTAI_LONG=1 plays more lessons.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from moderation.attendance import evaluate
from moderation.audit import told
from moderation.presence_log import PresenceLog
from moderation.pseudonyms import GONE, NOBODY, nameless
from recording import timeline
from server.adapters.sqlite_journal import SqliteJournal
from server.adapters.sqlite_ledger import SqliteLedger
from server.erasure.work import Person
from signaling.classroom import room as rooms
from signaling.classroom.base import Event, Origin
from signaling.classroom.recording import RecordingStarted
from signaling.classroom.room import Room
from signaling.entries import load
from signaling.messages import encode_event
from signaling.metrics import Counters
from signaling.ports import Record
from tests.stateful.test_simulation import CREW, TRAINEES, play
from tests.support.lessons import Store
from tests.unit.server.erasure.test_erasing import eraser

SEEDS = range(100 if os.environ.get("JIANGTAI_LONG") == "1" else 10)
PEOPLE = ("person-ann", "person-bob", "person-tom", "person-eve")
NOW_ID = "q7w3e5r2t9y4u6i1"
Journal = Sequence[tuple[int, Origin, Event]]


def erased(journal: Journal, person: str) -> list[tuple[int, Origin, Event]]:
    def author(origin: Origin) -> Origin:
        return Origin(at=origin.at, by=NOW_ID) if origin.by == person else origin

    return [(seq, author(origin), nameless(event, origin.by, person, NOW_ID)) for seq, origin, event in journal]


def renamed(value: Any, person: str) -> Any:
    """A state with another id in the person's place and nothing said of that person but the id."""
    if isinstance(value, dict):
        made = {(NOW_ID if key == person else key): renamed(inner, person) for key, inner in value.items()}
        if isinstance(made.get(NOW_ID), str):  # on the roster
            made[NOW_ID] = NOBODY
        if NOW_ID in (made.get("id"), made.get("by"), made.get("person")) and "name" in made:
            made["name"] = NOBODY
            made.pop("likeness", None)
            made.pop("recent", None)  # operation ids of the person are gone
            if made.get("text"):
                made["text"] = GONE
        return made
    if isinstance(value, list | tuple):
        return [renamed(inner, person) for inner in value]
    return NOW_ID if value == person else value


def state(room: Room) -> dict[str, Any]:
    built: dict[str, Any] = msgspec.to_builtins(room)
    built.pop("chat_characters")  # counts what is kept, and less is said now
    return built


def attendance(journal: Journal) -> list[dict[str, Any]]:
    """Everybody's, but for the reasons somebody gave."""
    log = PresenceLog()
    for seq, origin, event in journal:
        log.feed(seq, origin.at, origin.by, event)
    found = msgspec.to_builtins(evaluate(log, now=journal[-1][1].at))
    for one in found:
        if one["override"]:
            del one["override"]["event"]["reason"]
    return found  # type: ignore[no-any-return]


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("seed", SEEDS)
def test_everything_but_the_person_is_what_it_was(seed: int, person: str) -> None:
    lesson = play(seed).lesson
    after = erased(lesson.journal, person)
    room = rooms.replay(after)
    assert renamed(state(room), person) == renamed(state(lesson.room), person)
    assert person not in room.participants
    assert {id: room.polls[id].tally for id in room.polls} == {id: poll.tally for id, poll in lesson.room.polls.items()}
    assert renamed(attendance(after), NOW_ID) == renamed(attendance(lesson.journal), person)


def _without_reasons(entry: Any) -> Any:
    """An audit entry but for what was written in it."""
    built = msgspec.to_builtins(entry)
    if built is not None:
        built["details"].pop("reason", None) if built["act"] == "attendance_overridden" else None
        built["details"] = {name: value for name, value in built["details"].items() if name not in ("name", "author")}
    return built


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("seed", SEEDS)
def test_replay_and_audit_go_on_and_name_the_person_nowhere(seed: int, person: str) -> None:
    journal = play(seed).lesson.journal
    after = erased(journal, person)
    for event in (event for _, _, event in journal if isinstance(event, RecordingStarted)):
        before_files = timeline.build(journal, event.recording)
        files = timeline.build(after, event.recording)
        assert renamed(msgspec.to_builtins(files.changes), person) == renamed(msgspec.to_builtins(before_files.changes), person)
        assert f"Name {person}" not in repr(files)
    for (seq, origin, event), (_, new_origin, new) in zip(journal, after, strict=True):
        entry, new_entry = told(seq, origin.at, origin.by, event), told(seq, new_origin.at, new_origin.by, new)
        assert renamed(_without_reasons(entry), person) == _without_reasons(new_entry)
        assert f"Name {person}" not in repr(new_entry)


def test_two_people_of_one_class_can_be_erased_one_after_the_other() -> None:
    journal = play(1).lesson.journal
    first = erased(journal, "person-ann")
    both = [
        (
            seq,
            Origin(at=origin.at, by="second") if origin.by == "person-tom" else origin,
            nameless(event, origin.by, "person-tom", "second"),
        )
        for seq, origin, event in first
    ]
    room = rooms.replay(both)
    assert {"second", NOW_ID} <= set(room.participants) <= {"second", NOW_ID, *CREW, *TRAINEES}
    assert not {"person-ann", "person-tom"} & set(room.participants)


@pytest.mark.parametrize("seed", range(4))
async def test_a_random_class_in_a_store_is_woken_from_what_is_left(tmp_path: Path, seed: int) -> None:
    """The same through the store: erased by it, its chain and ledger whole, and folded again."""
    lesson, person = play(seed).lesson, "person-ann"
    async with Store(tmp_path) as store:
        journal = SqliteJournal(store.database)
        records = [
            Record(seq=seq, at=origin.at, by=origin.by, op=origin.op, event=encode_event(event)) for seq, origin, event in lesson.journal
        ]
        await journal.append("random", 0, records)
        await store.database.write(lambda c: c.execute("INSERT INTO identity VALUES ('random', ?, 'node', 'ann')", (person,)).rowcount)
        erasing = eraser(store, tmp_path)
        standing = await erasing.begin(Person("node", "ann"), "operator")
        assert await erasing.carry_out(standing.id) is not None
        (pseudonym,) = await erasing.store.nobodies("random")
        loaded = await load(journal, "random", Counters())
        assert loaded is not None
        assert loaded.room.seq == lesson.room.seq + 1
        loaded.room.seq = lesson.room.seq
        assert renamed(state(loaded.room), pseudonym) == renamed(state(lesson.room), person)
        assert (await journal.verify("random")).broken_at is None
        assert (await SqliteLedger(store.database).verify()).flaw is None
