"""The encoder: golden statements, one fold for one log, nobody's words and nobody's anonymous answer."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.records import vocabulary as v
from server.records.attended import RollUp, Segment, Told, attended
from server.records.checks import question_answered, question_asked
from server.records.encode import HANDLERS, drafts, finish
from server.records.fold import ClassFold, Entry
from server.records.statements import Identity, Site, duration, number, timestamp
from server.records.untold import UNTOLD
from server.records.validate import validate_statement
from signaling.classroom.chat import PostChat
from signaling.classroom.hands import AllHandsLowered
from signaling.classroom.participants import Disconnect, Leave
from signaling.classroom.roles import Role
from signaling.classroom.session import EndClass, StartClass
from signaling.classroom.settings import Settings
from signaling.classroom.tracks import SetMicrophone
from signaling.messages import EVENTS
from tests.support.recorded import SITE, START, Log, everything, identity, recorded_class, statements_of

GOLDEN = Path(__file__).with_name("golden.jsonl")


def verbs(statements: list[Any]) -> list[tuple[str, str]]:
    return [(v.DISPLAY[s.json["verb"]["id"]], s.json["actor"]["account"]["name"].removeprefix("sub-")) for s in statements]


def test_the_statements_of_a_whole_class_are_as_they_were_agreed() -> None:
    """The file is the contract with stores: a change of one byte would be a conflict there."""
    made = b"".join(statement.body + b"\n" for statement in statements_of(everything().entries))
    assert made == GOLDEN.read_bytes()


def test_every_statement_is_valid_and_ids_differ() -> None:
    statements = statements_of(everything().entries)
    for statement in statements:
        assert validate_statement(json.loads(statement.body)) == []
    assert len({statement.id for statement in statements}) == len(statements)
    told = {statement.json["verb"]["id"] for statement in statements}
    assert told == set(v.DISPLAY) - {v.CHECKED_IN, v.ATTENDED, v.VOIDED, v.COMPLETED}


def test_the_fold_is_a_function_of_the_events_wherever_it_is_interrupted() -> None:
    entries = everything().entries
    whole = [statement.body for statement in statements_of(entries)]
    for cut in range(len(entries)):
        fold = ClassFold(site=SITE, session="class-1")
        first = statements_of(entries[:cut], fold)
        again = ClassFold(site=SITE, session="class-1")
        for entry in entries[:cut]:
            drafts(again, entry)
        assert again == fold
        assert [s.body for s in first + statements_of(entries[cut:], again)] == whole


def test_two_devices_are_one_arrival_and_one_departure() -> None:
    log = Log()
    log.join("ann")
    log.join("ann", connection="phone")
    log.lose("ann")
    log.lose("ann", "phone")
    assert verbs(statements_of(log.entries)) == [("initialized", "ann"), ("joined", "ann"), ("left", "ann")]


def departure(log: Log) -> tuple[int, str]:
    """When the last who left did, in seconds since the class began, and how long that person had been in."""
    left = [one.json for one in statements_of(log.entries) if one.json["verb"]["id"] == v.LEFT][-1]
    at = next(at for at in range(600_000) if timestamp(START + at) == left["timestamp"])
    return at // 1000, left["result"]["duration"]


def test_who_was_found_gone_after_a_crash_left_at_the_last_sign_of_life() -> None:
    log = Log()
    log.join("ann")
    log.lesson.now += 180_000
    log.do("ann", Disconnect(connection="ann", reason="recovered", seen=START + 61_000))
    assert departure(log) == (61, "PT60S")


def test_of_several_devices_the_one_that_was_alive_last_tells_the_departure() -> None:
    log = Log()
    log.join("ann")
    log.join("ann", connection="phone")
    log.lesson.now += 180_000
    log.do("ann", Disconnect(connection="phone", reason="lost", seen=START + 91_000))
    log.do("ann", Disconnect(connection="ann", reason="lost", seen=START + 61_000))
    assert departure(log) == (91, "PT90S")


def test_nobody_leaves_before_coming_and_without_a_sign_it_is_the_last_entry_before_the_crash() -> None:
    log = Log()
    log.join("ann")
    log.do("ann", Disconnect(connection="ann", reason="lost", seen=START - 5_000))
    assert departure(log) == (1, "PT0S")
    log = Log()
    log.join("tina", Role.TRAINER)
    log.do("tina", StartClass())
    log.do("tina", SetMicrophone(on=True))
    log.lesson.now = START + 60_000
    log.do("tina", PostChat(text="hello"))
    log.lesson.now += 180_000
    log.do("tina", Disconnect(connection="tina", reason="recovered"))
    assert departure(log) == (61, "PT60S")


def test_who_waits_is_not_in_class() -> None:
    log = Log(settings=Settings(waiting_room=True))
    log.join("ann")
    log.do("ann", Leave())
    assert statements_of(log.entries) == []


def test_the_end_tells_everybody_s_departure_once_and_before_it() -> None:
    log = Log()
    log.join("tina", Role.TRAINER)
    log.join("ann")
    log.do("tina", EndClass())
    log.lose("ann")
    log.lose("tina")
    told = verbs(statements_of(log.entries))
    assert told[-3:] == [("left", "tina"), ("left", "ann"), ("terminated", "tina")]


def test_no_words_and_no_anonymous_answer_leave_the_house() -> None:
    body = b"".join(statement.body for statement in statements_of(everything().entries)).decode()
    assert "hello" not in body
    assert "psst" not in body
    assert "tina" not in body.replace("sub-tina", "")
    answered = [s for s in statements_of(everything().entries) if s.json["verb"]["id"] == v.ANSWERED]
    assert len(answered) == 2
    assert answered[0].json["result"] == {"response": "0[,]1"}


ROLLUP = RollUp(
    participant="ann",
    minutes=41.5,
    ratio=0.9222,
    met=True,
    segments=(Segment(start=START, end=START + 60_000), Segment(start=START + 90_000, end=START + 120_000, bridged=True)),
    policy="default",
    policy_version="1",
    checks_asked=3,
    checks_answered=2,
)


def test_a_roll_up_is_valid_and_its_replacement_voids_it() -> None:
    (draft,) = attended(SITE, "class-1", ROLLUP, START)
    told = finish(SITE, "class-1", 70, draft, identity)
    assert validate_statement(told.json) == []
    assert told.json["result"]["duration"] == "PT2490S"
    former = Told(told.id, json.loads(told.body)["result"])
    assert attended(SITE, "class-1", ROLLUP, START + 1, former) == []
    second = msgspec.structs.replace(ROLLUP, minutes=45, ratio=1.0, policy_version="2", status="present", computed="late", hours=1.0)
    void, new = (finish(SITE, "class-1", 90, draft, identity) for draft in attended(SITE, "class-1", second, START, former))
    assert void.voids == void.json["object"]["id"] == told.id
    assert validate_statement(void.json) == []
    assert validate_statement(new.json) == []
    assert new.json["result"]["score"] == {"scaled": 1}
    verdict = new.json["result"]["extensions"]["https://class.example/xapi/extensions/attendance"]
    assert verdict == {"status": "present", "computed": "late", "hours": 1}
    assert new.id != told.id


def test_questions_of_the_node_can_be_told() -> None:
    fold = ClassFold(site=SITE, session="class-1")
    asked = Entry(seq=5, at=START, by=None, event=AllHandsLowered())
    answered = Entry(seq=6, at=START + 2_500, by="ann", event=AllHandsLowered())
    made = [
        finish(SITE, "class-1", entry.seq, draft, identity).json
        for entry, told in (
            (asked, question_asked(fold, asked, "check", "k5")),
            (answered, question_answered(fold, answered, "check", "k5")),
        )
        for draft in told
    ]
    assert [validate_statement(one) for one in made] == [[], []]
    assert made[0]["object"]["id"] == made[1]["object"]["id"]
    assert made[1]["result"] == {"duration": "PT2.5S"}


def test_every_event_there_is_is_told_or_left_out_for_a_reason() -> None:
    assert set(HANDLERS) | set(UNTOLD) == set(EVENTS)
    assert set(HANDLERS) & set(UNTOLD) == set()
    assert all(len(reason) > 10 for reason in UNTOLD.values())


def test_a_recording_is_told_when_it_begins_and_ends_as_the_video_it_becomes() -> None:
    statements = statements_of(recorded_class().entries)
    assert [validate_statement(one.json) for one in statements] == [[]] * len(statements)
    began, asked, again, ended = [one.json for one in statements if one.json["object"].get("definition", {}).get("type") == v.VIDEO]
    assert [one["verb"]["id"] for one in (began, asked, again, ended)] == [v.STARTED, v.STOPPED, v.STARTED, v.STOPPED]
    assert began["object"]["id"] == asked["object"]["id"] != again["object"]["id"]
    assert began["context"]["contextActivities"]["parent"][0]["id"] == SITE.activity("class-1")
    assert {one["actor"]["account"]["name"] for one in (began, asked, again, ended)} == {"sub-tina"}
    assert [one.json["verb"]["id"] for one in statements][-1] == v.TERMINATED


@pytest.mark.parametrize(
    ("milliseconds", "text"), [(0, "PT0S"), (-5, "PT0S"), (1_000, "PT1S"), (1_500, "PT1.5S"), (1_239, "PT1.23S"), (3_600_000, "PT3600S")]
)
def test_durations_have_one_spelling(milliseconds: int, text: str) -> None:
    assert duration(milliseconds) == text


def test_times_and_numbers_have_one_spelling() -> None:
    assert timestamp(1_800_000_000_007) == "2027-01-15T08:00:00.007Z"
    assert [number(value) for value in (0.5, 1.0, 0.123456)] == [0.5, 1, 0.1235]


def test_an_issuer_that_is_no_address_lives_under_the_site() -> None:
    site = Site(root="https://a.example")
    assert site.account(Identity("my lms", "7"))["account"] == {"homePage": "https://a.example/issuers/my%20lms", "name": "7"}
    assert site.account(Identity("https://lms", "7"))["account"]["homePage"] == "https://lms"
    assert site.account(Identity("https://a b", "7"))["account"]["homePage"] == "https://a.example/issuers/https%3A%2F%2Fa%20b"
