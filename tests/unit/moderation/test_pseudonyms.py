"""What is personal in a log is known for every field of every event, and goes for one person alone."""

from typing import Any

import msgspec
import pytest

from moderation.pseudonyms import GONE, NOBODY, PERSONAL, Kind, concerns, free_texts, nameless, names
from signaling.classroom import chat, overrides, participants, polls, stage
from signaling.classroom.base import Event
from signaling.classroom.policies import AttendanceStatus
from signaling.classroom.roles import Role
from signaling.classroom.seats import Person, Seat
from signaling.messages import EVENTS, decode_event, encode_event
from tests.stateful.test_simulation import play


def test_every_field_of_every_event_is_judged() -> None:
    """A new event, or a new field of one, cannot be forgotten."""
    assert {kind: set(kind.__struct_fields__) for kind in EVENTS} == {kind: set(fields) for kind, fields in PERSONAL.items()}


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__struct_config__.tag)
def test_fields_that_hold_ids_and_introductions_are_judged_as_such(kind: type[Event]) -> None:
    """By their types: whatever is an id of a participant or an introduction must not pass as plain."""
    for field in msgspec.structs.fields(kind):
        judged = PERSONAL[kind][field.name]
        if field.name in ("participant", "author", "to"):
            assert judged is Kind.ID
        if field.type is Person:
            assert judged is Kind.WHO
        if field.name in ("name", "likeness", "text"):
            assert judged is not Kind.PLAIN


def test_the_person_becomes_nobody() -> None:
    joined = participants.ParticipantJoined(participant="ann", name="Ann Lee", role=Role.TRAINEE, seat=Seat.ADMITTED, likeness="annlee")
    assert nameless(joined, "ann", "ann", "x1") == msgspec.structs.replace(joined, participant="x1", name=NOBODY, likeness="")
    raised = stage.StageJoined(participant="ann", who=Person(name="Ann Lee", role=Role.TRAINEE))
    assert nameless(raised, "tom", "ann", "x1") == stage.StageJoined(participant="x1", who=Person(name=NOBODY, role=Role.TRAINEE))


def test_own_words_go_and_others_stay() -> None:
    def posted(by: str, to: str | None = None) -> tuple[Event, str]:
        channel = chat.Channel.PRIVATE if to else chat.Channel.EVERYONE
        return chat.ChatPosted(message="m1", name=by.title(), role=Role.TRAINER, channel=channel, text="Ann, please", to=to), by

    mine, _ = posted("ann")
    assert nameless(mine, "ann", "ann", "x1") == msgspec.structs.replace(mine, name=NOBODY, text=GONE)
    others, _ = posted("tom", to="ann")
    assert nameless(others, "tom", "ann", "x1") == msgspec.structs.replace(others, to="x1")
    about_nothing, _ = posted("tom")
    assert not concerns(about_nothing, "tom", "ann")
    assert nameless(about_nothing, "tom", "ann", "x1") is about_nothing


def test_reasons_go_where_the_person_gave_them_or_they_are_about_the_person() -> None:
    def override(who: str) -> overrides.AttendanceOverridden:
        return overrides.AttendanceOverridden(participant=who, status=AttendanceStatus.EXCUSED, reason="was ill")

    def reason(event: Event) -> Any:
        return getattr(event, "reason", None)

    assert reason(nameless(override("ann"), "tom", "ann", "x1")) == GONE
    assert reason(nameless(override("bob"), "ann", "ann", "x1")) == GONE
    assert reason(nameless(override("bob"), "tom", "ann", "x1")) == "was ill"
    assert nameless(override("bob"), "ann", "ann", "x1").participant == "bob"  # type: ignore[attr-defined]


def test_polls_stay_whoever_asked() -> None:
    poll = polls.PollOpened(poll="p1", question="Who is Ann?", options=["a", "b"], multiple=False, anonymous=False)
    assert nameless(poll, "ann", "ann", "x1") is poll
    assert set(free_texts(poll)) == {"Who is Ann?", "a", "b"}
    assert not list(names(poll, "ann"))


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_made_nameless_can_be_read_back_and_concerns_the_person_no_more(seed: int) -> None:
    for _, origin, event in play(seed).lesson.journal:
        made = nameless(event, origin.by, "person-ann", "x1")
        assert decode_event(encode_event(made)) == made
        assert not concerns(made, "x1" if origin.by == "person-ann" else origin.by, "person-ann")
        for name in ("participant", "author", "to"):
            assert getattr(made, name, None) != "person-ann"
        assert b"Name person-ann" not in encode_event(made)
