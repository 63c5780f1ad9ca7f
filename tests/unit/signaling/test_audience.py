"""Who is told what: lanes, redaction, snapshots, resume. The stateful tests hold the general laws; here are the cases by name."""

import msgspec
import pytest

from signaling.classroom import audience, participants, polls, sanctions, session, stage
from signaling.classroom.base import Command, Event, Origin
from signaling.classroom.chat import Channel, DeleteChat, PostChat
from signaling.classroom.hands import RaiseHand
from signaling.classroom.ids import ParticipantId
from signaling.classroom.reactions import React, Reaction
from signaling.classroom.roles import Role
from signaling.classroom.room import EVOLVERS
from signaling.classroom.seats import Permissions
from signaling.classroom.settings import Profile, Settings
from signaling.classroom.tracks import SetMicrophone
from tests.support.classroom import Lesson, kinds, live

EVERYBODY = {"tom", "eve", "ivy", "ann", "bob"}


def told(lesson: Lesson, actor: str | None, command: Command) -> dict[str, set[ParticipantId]]:
    """Event type -> who is told of it."""
    before = len(lesson.journal)
    lesson.do(actor, command)
    return {
        type(e).__name__: {p for p in lesson.room.participants if audience.visible(lesson.room, p, o, e)}
        for _, o, e in lesson.journal[before:]
    }


def test_each_person_stands_in_one_lane() -> None:
    lesson = live(settings=Settings(waiting_room=True))
    lesson.do("tom", participants.Admit(participants=["ann"]))
    lesson.join("cat")
    lesson.do("tom", sanctions.Remove(participant="cat", ban=True))
    lanes = {who: audience.lane_of(lesson.room, who) for who in [*lesson.room.participants, "stranger"]}
    assert lanes == {
        "tom": "staff",
        "eve": "staff",
        "ivy": "inspector",
        "ann": "trainee",
        "bob": "waiting",
        "cat": "out",
        "stranger": "out",
    }


def test_every_event_has_an_audience() -> None:
    assert set(audience._AUDIENCES) == set(EVOLVERS)


@pytest.mark.parametrize(
    ("actor", "channel", "to", "reached"),
    [
        ("ann", Channel.EVERYONE, None, EVERYBODY),
        ("ann", Channel.STAFF, None, {"tom", "eve", "ann"}),
        ("eve", Channel.STAFF, None, {"tom", "eve"}),
        ("eve", Channel.PRIVATE, "ann", {"eve", "ann"}),
        ("eve", Channel.PRIVATE, "tom", {"eve", "tom"}),
    ],
)
def test_a_message_reaches_its_channel_and_so_does_its_deletion(actor: str, channel: Channel, to: str | None, reached: set[str]) -> None:
    lesson = live()
    assert told(lesson, actor, PostChat(text="x", channel=channel, to=to)) == {"ChatPosted": reached}
    assert told(lesson, actor, DeleteChat(message=lesson.room.chat[-1].id)) == {"ChatDeleted": reached}
    for viewer in EVERYBODY:
        assert bool(audience.view_for(lesson.room, viewer).chat) == (viewer in reached)


def test_people_who_wait_are_known_to_staff_alone() -> None:
    lesson = live()
    lesson.do("tom", session.ChangeSettings(waiting_room=True))
    assert told(lesson, "cat", participants.Connect(connection="c", name="Cat", role=Role.TRAINEE)) == {
        "ParticipantJoined": {"tom", "eve", "cat"},
        "ConnectionOpened": {"tom", "eve", "cat"},
    }
    assert told(lesson, "tom", sanctions.Remove(participant="cat", ban=True))["ParticipantRemoved"] == {"tom", "eve", "cat"}


def test_who_waits_sees_phases_and_the_own_seat() -> None:
    lesson = live(settings=Settings(waiting_room=True, slow_mode_s=9))
    lesson.do("tom", PostChat(text="x"))
    assert "ann" in told(lesson, "tom", session.TakeBreak(minutes=1))["BreakStarted"]
    assert "ann" not in told(lesson, "tom", session.ChangeSettings(locked=True))["SettingsChanged"]
    view = audience.view_for(lesson.room, "ann")
    assert view.session.phase is session.Phase.BREAK
    assert view.session.settings == Settings()
    assert [person.id for person in view.participants] == ["ann"]
    assert (view.chat, view.present, view.capabilities, view.waiting) == ([], 0, [], [])


def test_staff_sees_who_waits_and_who_is_barred() -> None:
    lesson = live(settings=Settings(waiting_room=True))
    lesson.do("tom", sanctions.Remove(participant="bob", ban=True))
    for viewer in ("tom", "eve"):
        view = audience.view_for(lesson.room, viewer)
        assert ([p.id for p in view.waiting], [p.id for p in view.banned]) == (["ann"], ["bob"])
    view = audience.view_for(lesson.room, "ivy")
    assert (view.waiting, view.banned) == ([], [])


def test_in_a_large_class_the_audience_comes_and_goes_unannounced_but_for_staff() -> None:
    lesson = live(Profile.LARGE)
    joined = told(lesson, "cat", participants.Connect(connection="c", name="Cat", role=Role.TRAINEE))
    assert joined == {"ParticipantJoined": {"tom", "eve", "ivy", "cat"}, "ConnectionOpened": {"tom", "eve", "ivy", "cat"}}
    assert told(lesson, "ann", RaiseHand()) == {"HandRaised": {"tom", "eve", "ivy", "ann"}}
    assert told(lesson, "tom", stage.BringOnStage(participant="ann"))["StageJoined"] == EVERYBODY | {"cat"}
    assert told(lesson, "ann", SetMicrophone(on=True)) == {"MicrophoneChanged": EVERYBODY | {"cat"}}
    gone = told(lesson, "ann", participants.Disconnect(connection="ann-1", reason="lost"))
    assert gone["ConnectionClosed"] == EVERYBODY | {"cat"}


def test_in_a_large_class_snapshots_list_staff_stage_hands_and_oneself() -> None:
    lesson = live(Profile.LARGE, trainees=["ann", "bob", "cat", "dan"])
    lesson.do("tom", stage.BringOnStage(participant="ann"))
    lesson.do("ann", RaiseHand())
    lesson.do("bob", RaiseHand())
    staff, trainee = audience.view_for(lesson.room, "tom"), audience.view_for(lesson.room, "cat")
    assert [p.id for p in staff.participants] == ["tom", "eve", "ivy", "ann", "bob"]
    assert staff.hands == ["ann", "bob"]
    assert [p.id for p in trainee.participants] == ["tom", "eve", "ivy", "ann", "cat"]
    assert trainee.hands == []
    assert [p.hand_at for p in trainee.participants] == [None] * 5
    assert audience.view_for(lesson.room, "bob").hands == ["bob"]
    assert trainee.present == 7


def test_a_second_device_is_news_to_staff_and_oneself() -> None:
    lesson = live()
    assert told(lesson, "ann", participants.Connect(connection="ann-2", name="Ann", role=Role.TRAINEE)) == {
        "ConnectionOpened": {"tom", "eve", "ivy", "ann"}
    }


def test_reactions_are_told_to_nobody() -> None:
    assert told(live(), "ann", React(reaction=Reaction.HEART)) == {"Reacted": set()}


def redacted(lesson: Lesson, lane: audience.Lane) -> Event:
    return audience.redact(lesson.room, lane, lesson.journal[-1][2])


def test_the_way_of_a_poll_from_draft_to_result() -> None:
    lesson = live()
    assert told(lesson, "tom", polls.CreatePoll(question="?", options=["a", "b"], anonymous=True, open=False)) == {
        "PollCreated": {"tom", "eve"}
    }
    poll = next(iter(lesson.room.polls))
    assert told(lesson, "tom", polls.OpenPoll(poll=poll)) == {"PollOpened": EVERYBODY}
    assert told(lesson, "ann", polls.AnswerPoll(poll=poll, choices=[1])) == {"PollAnswered": {"ann"}}
    shown = {viewer: audience.view_for(lesson.room, viewer).polls[0] for viewer in EVERYBODY}
    assert {viewer: view.mine for viewer, view in shown.items()} == {"tom": None, "eve": None, "ivy": None, "ann": [1], "bob": None}
    assert {viewer: view.tally for viewer, view in shown.items()} == {"tom": [0, 1], "eve": [0, 1], "ivy": [0, 1], "ann": None, "bob": None}
    assert told(lesson, "tom", polls.ClosePoll(poll=poll)) == {"PollClosed": EVERYBODY}
    assert redacted(lesson, "staff") == polls.PollClosed(poll=poll, tally=[0, 1], voters=1)
    assert redacted(lesson, "trainee") == polls.PollClosed(poll=poll)
    lesson.do("tom", polls.RevealPoll(poll=poll))
    assert audience.view_for(lesson.room, "bob").polls[0].tally == [0, 1]


def test_a_poll_closed_after_the_reveal_tells_all_the_result() -> None:
    lesson = live()
    lesson.do("tom", polls.CreatePoll(question="?", options=["a", "b"]))
    poll = next(iter(lesson.room.polls))
    lesson.do("tom", polls.RevealPoll(poll=poll))
    lesson.do("tom", polls.ClosePoll(poll=poll))
    assert redacted(lesson, "trainee") == polls.PollClosed(poll=poll, tally=[0, 0], voters=0)


def test_restrictions_of_a_person_are_told_to_the_person_and_those_who_oversee() -> None:
    lesson = live()
    assert told(lesson, "eve", sanctions.SetPermissions(participant="ann", chat=False)) == {
        "PermissionsChanged": {"tom", "eve", "ivy", "ann"}
    }
    lesson.do("ann", RaiseHand())
    for lane, seen in [("staff", Permissions(chat=False)), ("inspector", Permissions(chat=False)), ("trainee", Permissions())]:
        event = redacted(lesson, lane)  # type: ignore[arg-type]
        assert event.who.permissions == seen
    assert {p.id: p.permissions.chat for p in audience.view_for(lesson.room, "bob").participants}["ann"]
    assert not {p.id: p.permissions.chat for p in audience.view_for(lesson.room, "ann").participants}["ann"]


def test_likenesses_and_the_creation_stay_in_the_node() -> None:
    lesson = Lesson()
    lesson.join("ann", likeness="ann")
    joined = lesson.journal[1][2]
    assert isinstance(joined, participants.ParticipantJoined)
    assert joined.likeness == "ann"
    for lane in audience.LANES:
        assert b"likeness" not in msgspec.msgpack.encode(audience.redact(lesson.room, lane, joined))
    assert audience.audience(lesson.room, Origin(at=0), lesson.journal[0][2]) == audience.Audience(frozenset())


def test_admission_gives_a_new_snapshot_and_bars_resuming_from_before() -> None:
    lesson = live(settings=Settings(waiting_room=True))
    stood_at = lesson.room.seq
    assert audience.can_resume(lesson.room, "ann", stood_at)
    events = lesson.do("tom", participants.Admit(participants=["ann"]))
    assert [audience.relocated(event) for event in events] == ["ann"]
    assert not audience.can_resume(lesson.room, "ann", stood_at)
    assert audience.can_resume(lesson.room, "ann", lesson.room.seq)
    assert audience.can_resume(lesson.room, "bob", stood_at)
    assert not audience.can_resume(lesson.room, "bob", lesson.room.seq + 1)


def test_a_new_role_is_a_relocation_and_a_removed_person_cannot_resume() -> None:
    lesson = live()
    events = lesson.join("ann", Role.ASSISTANT, "ann-2")
    assert "ann" in [audience.relocated(event) for event in events]
    lesson.do("tom", sanctions.Remove(participant="bob"))
    assert not audience.can_resume(lesson.room, "bob", lesson.room.seq)
    assert not audience.can_resume(lesson.room, "stranger", 1)


def test_somebody_unlisted_is_introduced_by_the_event() -> None:
    lesson = live(Profile.LARGE)
    lesson.do("tom", stage.BringOnStage(participant="ann"))
    event = lesson.journal[-1][2]
    assert isinstance(event, stage.StageJoined)
    assert (event.who.name, event.who.role, event.who.present) == ("Ann", Role.TRAINEE, True)
    assert kinds([event]) == ["StageJoined"]


def test_capabilities_of_a_view_are_the_roles() -> None:
    lesson = live()
    assert "end_class" in audience.view_for(lesson.room, "tom").capabilities
    assert "end_class" not in audience.view_for(lesson.room, "eve").capabilities
    assert audience.view_for(lesson.room, "ivy").capabilities == ["see_attendance", "see_everybody", "see_tallies"]


def test_newcomers_of_a_large_class_get_the_newest_hundred_messages_they_may_see() -> None:
    lesson = live(Profile.LARGE)
    for n in range(130):
        lesson.do("tom", PostChat(text=f"{n}", channel=Channel.STAFF if n >= 120 else Channel.EVERYONE))
    assert [message.text for message in audience.view_for(lesson.room, "ann").chat] == [str(n) for n in range(20, 120)]
    assert [message.text for message in audience.view_for(lesson.room, "eve").chat] == [str(n) for n in range(30, 130)]
