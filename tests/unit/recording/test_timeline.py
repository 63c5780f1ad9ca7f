"""The timeline of a recording: what it tells, that it is the same however one comes to a moment, and that nothing private is in it."""

import json

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recording import chapters as chaptering
from recording import timeline
from recording.manifest import CHUNK_MS, SNAPSHOT_MS
from signaling.classroom import chat, hands, participants, polls, recording, sanctions, session, stage, tracks
from signaling.classroom.audience import view_for
from signaling.classroom.base import Command
from signaling.classroom.roles import Role
from signaling.classroom.seats import Seat
from signaling.classroom.settings import Profile
from tests.support.classroom import Lesson, live

EVERYONE, STAFF = chat.Channel.EVERYONE, chat.Channel.STAFF


def recorded(profile: Profile = Profile.SMALL) -> Lesson:
    lesson = live(profile)
    lesson.do("tom", recording.StartRecording())
    return lesson


def built(lesson: Lesson) -> timeline.Built:
    name = next(event.recording for _, _, event in lesson.journal if isinstance(event, recording.RecordingStarted))
    return timeline.build(lesson.journal, name)


def said(lesson: Lesson) -> str:
    """All bytes a replay would be served, as text."""
    made = built(lesson)
    chunks, snapshots = timeline.files(made, 600_000)
    return (b"".join([*chunks, *snapshots])).decode() + chaptering.vtt(chaptering.chapters(made), 600_000)


def test_what_happened_stands_at_its_moment() -> None:
    lesson = recorded()
    lesson.pass_seconds(2.5)
    lesson.do("ann", chat.PostChat(text="hello"))
    lesson.pass_seconds(40)
    lesson.do("bob", hands.RaiseHand())
    made = built(lesson)
    [message, hand] = made.changes
    assert (message.at, message.what) == (
        2_500,
        timeline.MessageShown(id=lesson.room.chat[-1].id, by="ann", name="Ann", role=Role.TRAINEE, text="hello"),
    )
    assert hand.at == 42_500
    assert isinstance(hand.what, timeline.PersonShown)
    assert (hand.what.id, hand.what.hand) == ("bob", 42_500)
    chunks, snapshots = timeline.files(made, 61_000)
    assert [len(timeline.read_chunk(chunk)) for chunk in chunks] == [1, 1, 0]
    assert len(snapshots) == 1
    assert set(timeline.read_snapshot(snapshots[0]).people) == {"tom", "eve", "ivy", "ann", "bob"}


def test_what_was_said_before_the_recording_or_after_it_is_not_there() -> None:
    lesson = live()
    lesson.do("ann", chat.PostChat(text="too-early"))
    lesson.do("tom", recording.StartRecording())
    lesson.do("ann", chat.PostChat(text="within"))
    lesson.do("tom", recording.StopRecording())
    lesson.do("ann", chat.PostChat(text="too-late"))
    told = said(lesson)
    assert "within" in told
    assert "too-" not in told


def test_a_second_recording_of_the_class_begins_anew() -> None:
    lesson = recorded()
    lesson.do("ann", chat.PostChat(text="first-part"))
    lesson.do("tom", recording.StopRecording())
    lesson.pass_seconds(60)
    lesson.do("tom", recording.StartRecording())
    lesson.do("ann", chat.PostChat(text="second-part"))
    names = [event.recording for _, _, event in lesson.journal if isinstance(event, recording.RecordingStarted)]
    [change] = timeline.build(lesson.journal, names[1]).changes
    assert change.at == 0
    assert "second-part" in repr(change)


def test_an_unknown_recording_is_told() -> None:
    with pytest.raises(timeline.NoSuchRecording):
        timeline.build(recorded().journal, "r999")


def test_a_deleted_message_leaves_no_text_even_if_deleted_after_the_recording() -> None:
    lesson = recorded()
    lesson.do("ann", chat.PostChat(text="regretted"))
    message = lesson.room.chat[-1].id
    lesson.do("tom", recording.StopRecording())
    lesson.do("ann", chat.DeleteChat(message=message))
    assert "regretted" not in said(lesson)
    [change] = built(lesson).changes
    assert isinstance(change.what, timeline.MessageShown)
    assert change.what.deleted


def test_staff_chat_private_messages_drafts_and_answers_are_in_no_file() -> None:
    lesson = recorded()
    lesson.do("tom", chat.PostChat(text="staff-secret", channel=STAFF))
    lesson.do("tom", chat.PostChat(text="private-secret", channel=chat.Channel.PRIVATE, to="ann"))
    lesson.do("tom", polls.CreatePoll(question="draft-secret", options=["a", "b"], open=False))
    lesson.do("tom", polls.CreatePoll(question="open-question", options=["a", "b"]))
    poll = list(lesson.room.polls)[-1]
    lesson.do("ann", polls.AnswerPoll(poll=poll, choices=[1]))
    lesson.do("tom", polls.ClosePoll(poll=poll))
    told = said(lesson)
    assert "secret" not in told
    assert "open-question" in told
    assert '"tally"' not in told, "not revealed"
    lesson.do("tom", polls.RevealPoll(poll=poll))
    assert '"tally":[0,1]' in said(lesson)


def test_who_waits_is_declined_or_sent_out_is_not_listed() -> None:
    lesson = recorded()
    lesson.do("tom", session.ChangeSettings(waiting_room=True))
    lesson.join("zoe", name="Zoe-waits")
    lesson.join("yan", name="Yan-declined")
    lesson.do("tom", participants.Decline(participant="yan"))
    assert "Zoe" not in said(lesson)
    assert "Yan" not in said(lesson)
    lesson.do("tom", sanctions.Remove(participant="ann", ban=True))
    assert built(lesson).changes[-1].what == timeline.PersonGone(id="ann")
    assert "banned" not in said(lesson)


def test_who_is_left_out_cannot_be_told() -> None:
    def lesson_with(left_out: bool) -> str:
        lesson = recorded()
        lesson.do("tom", tracks.SetCamera(on=True))
        if left_out:
            lesson.do("eve", recording.LeaveOut(participant="ann", left_out=True))
        lesson.do("ann", tracks.SetMicrophone(on=True))
        lesson.do("ann", hands.RaiseHand())
        return said(lesson)

    assert lesson_with(True) == lesson_with(False)


def test_the_screen_of_a_person_left_out_is_never_told() -> None:
    lesson = recorded()
    lesson.do("tom", recording.LeaveOut(participant="eve", left_out=True))
    lesson.do("eve", tracks.StartScreen())
    assert built(lesson).changes == []


def test_a_large_class_lists_staff_and_stage_and_no_hands() -> None:
    lesson = recorded(Profile.LARGE)
    lesson.do("ann", hands.RaiseHand())
    assert built(lesson).changes == []
    assert set(built(lesson).first.people) == {"tom", "eve", "ivy"}
    lesson.do("tom", stage.BringOnStage(participant="ann"))
    [change] = built(lesson).changes
    assert isinstance(change.what, timeline.PersonShown)
    assert (change.what.id, change.what.on_stage, change.what.hand) == ("ann", True, None)


def test_chapters_say_what_began_where() -> None:
    lesson = recorded()
    lesson.pass_seconds(10)
    lesson.do("tom", tracks.StartScreen())
    lesson.pass_seconds(2)
    lesson.do("tom", polls.CreatePoll(question="a < b & c\n--> d?", options=["a", "b"]))
    lesson.pass_seconds(60)
    lesson.do("tom", stage.SetMain(participant="ann"))
    lesson.pass_seconds(60)
    lesson.do("tom", session.TakeBreak(minutes=5))
    lesson.pass_seconds(60)
    lesson.do("tom", session.ResumeClass())
    found = chaptering.chapters(built(lesson))
    assert [(chapter.at, chapter.kind) for chapter in found] == [
        (0, "start"), (12_000, "poll"), (72_000, "main"), (132_000, "break"), (192_000, "resume"),
    ]  # fmt: skip
    text = chaptering.vtt(found, 200_000)
    assert text.startswith("WEBVTT\n\nstart-0\n00:00:00.000 --> 00:00:12.000\n课\n")
    assert "poll-1\n00:00:12.000 --> 00:01:12.000\na &lt; b &amp; c --&gt; d?\n" in text


def test_chapters_are_bounded() -> None:
    lesson = recorded()
    for turn in range(500):
        lesson.pass_seconds(6)
        lesson.do("tom", stage.SetMain(participant=("ann", "bob")[turn % 2]))
    assert len(chaptering.chapters(built(lesson))) == chaptering.MAX_CHAPTERS


people = st.sampled_from(["tom", "eve", "ivy", "ann", "bob", "cat"])
commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(chat.PostChat, text=st.sampled_from(["open-1", "open-2"])),
    st.builds(chat.PostChat, text=st.just("SECRET-staff"), channel=st.just(STAFF)),
    st.builds(chat.PostChat, text=st.just("SECRET-private"), channel=st.just(chat.Channel.PRIVATE), to=people),
    st.builds(chat.DeleteChat, message=st.integers(10, 60).map(lambda number: f"m{number}")),
    st.sampled_from([hands.RaiseHand(), hands.LowerAllHands(), tracks.StartScreen(), tracks.StopScreen(), stage.LeaveStage()]),
    st.builds(tracks.SetCamera, on=st.booleans()),
    st.builds(recording.LeaveOut, participant=people, left_out=st.booleans()),
    st.builds(polls.CreatePoll, question=st.just("Q"), options=st.just(["a", "b"]), open=st.just(True)),
    st.builds(polls.CreatePoll, question=st.just("SECRET-draft"), options=st.just(["a", "b"]), open=st.just(False)),
    st.builds(polls.AnswerPoll, poll=st.integers(10, 60).map(lambda number: f"p{number}"), choices=st.just([0])),
    st.builds(polls.ClosePoll, poll=st.integers(10, 60).map(lambda number: f"p{number}")),
    st.builds(polls.RevealPoll, poll=st.integers(10, 60).map(lambda number: f"p{number}")),
    st.builds(session.ChangeSettings, waiting_room=st.booleans()),
    st.builds(participants.Admit, participants=st.just([])),
    st.builds(sanctions.Remove, participant=people, ban=st.booleans()),
    st.builds(stage.SetMain, participant=st.none() | people),
    st.builds(stage.BringOnStage, participant=people),
    st.sampled_from([session.TakeBreak(minutes=1), session.ResumeClass()]),
)
steps = st.lists(st.tuples(people, commands, st.integers(0, 40_000)), max_size=40)


def played(profile: Profile, script: list[tuple[str, Command, int]]) -> Lesson:
    lesson = recorded(profile)
    for who, command, pause in script:
        lesson.now += pause
        lesson.refusal(who, command)
        if isinstance(command, session.ChangeSettings) and "cat" not in lesson.room.participants:
            lesson.join("cat", name="CAT-NAME")
    return lesson


def _let_in(event: object, who: str) -> bool:
    let_in = isinstance(event, participants.ParticipantAdmitted) or getattr(event, "seat", None) is Seat.ADMITTED
    return let_in and getattr(event, "participant", "") == who


SEARCH = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@SEARCH
@given(profile=st.sampled_from(Profile), script=steps)
def test_from_a_snapshot_or_from_the_start_it_is_the_same(profile: Profile, script: list[tuple[str, Command, int]]) -> None:
    lesson = played(profile, script)
    made = built(lesson)
    duration = max([1, *(change.at for change in made.changes)])
    chunks, snapshots = timeline.files(made, duration)
    decoded = [timeline.read_chunk(chunk) for chunk in chunks]
    assert [change for chunk in decoded for change in chunk] == made.changes
    state, per_snapshot = made.first, SNAPSHOT_MS // CHUNK_MS
    for number, chunk in enumerate(decoded):
        if number % per_snapshot == 0:
            assert timeline.read_snapshot(snapshots[number // per_snapshot]) == state
        state = timeline.apply(state, chunk)
        assert timeline.apply(state, chunk[:0]) == state
    assert len(snapshots) == -(-len(chunks) // per_snapshot)


@SEARCH
@given(profile=st.sampled_from(Profile), script=steps)
def test_the_replay_shows_no_more_than_a_trainee_in_class_saw(profile: Profile, script: list[tuple[str, Command, int]]) -> None:
    lesson = played(profile, script)
    told = said(lesson)
    assert "SECRET" not in told
    if not any(_let_in(event, "cat") for _, _, event in lesson.journal):
        assert "CAT-NAME" not in told
    made = built(lesson)
    end = timeline.apply(made.first, made.changes)
    for trainee, person in lesson.room.participants.items():
        if person.role is not Role.TRAINEE or person.seat is not Seat.ADMITTED:
            continue
        view = view_for(lesson.room, trainee)
        seen = {listed.id: listed for listed in view.participants}
        assert set(end.people) <= set(seen)
        assert all(end.people[id].name == seen[id].name for id in end.people)
        assert {id for id, shown in end.people.items() if shown.hand is not None} <= set(view.hands)
        assert end.scene.main == view.main
        assert end.scene.screen in (None, view.screen)
        assert set(end.polls) <= {poll.id for poll in view.polls}
        assert all(poll.revealed for poll in view.polls if (mine := end.polls.get(poll.id)) and mine.tally is not None)
        assert {kept.what.text for kept in end.chat} - {""} <= {message.text for message in view.chat}


def test_files_are_plain_json_without_log_numbers_or_operations() -> None:
    lesson = recorded()
    lesson.do("ann", chat.PostChat(text="hi"), op="an-operation")
    chunks, snapshots = timeline.files(built(lesson), 1_000)
    assert "an-operation" not in said(lesson)
    assert json.loads(chunks[0])[0].keys() == {"at", "what"}
    assert set(json.loads(snapshots[0])) == {"scene", "people", "polls", "chat"}
    assert msgspec.json.decode(chunks[0], type=list[timeline.Change]) == built(lesson).changes


def set_in_class(by_s: float) -> tuple[Lesson, list[tuple[int, int]]]:
    """A class whose clock is set after a minute, and when its entries really came; something is said before and after."""
    lesson, real, moments = recorded(), 0, []

    # Each by another person: the class itself lets nobody write before their last message.
    def say(who: str, after_s: float) -> None:
        nonlocal real
        real += round(after_s * 1000)
        lesson.pass_seconds(after_s)
        lesson.do(who, chat.PostChat(text="hello"))
        moments.append((lesson.room.seq, real + 40))

    moments.append((lesson.room.seq, 20))
    say("ann", 60)
    lesson.pass_seconds(by_s)
    say("eve", 30)
    lesson.pass_seconds(5)
    lesson.do("bob", hands.RaiseHand())
    moments.append((lesson.room.seq, real + 5_040))
    return lesson, moments


@pytest.mark.parametrize("by_s", [3_600, 45, -45, -3_600])
def test_a_clock_that_is_set_in_class_moves_nothing(by_s: float) -> None:
    lesson, moments = set_in_class(by_s)
    name = next(event.recording for _, _, event in lesson.journal if isinstance(event, recording.RecordingStarted))
    made = timeline.build(lesson.journal, name, 100_000, moments)
    assert [change.at for change in made.changes] == pytest.approx([60_000, 90_000, 95_000], abs=100)
    [hand] = [change.what for change in made.changes if isinstance(change.what, timeline.PersonShown)]
    assert hand.hand == made.changes[-1].at
    assert timeline.build(lesson.journal, name, 100_000, made.moments) == made, "what is kept of the moments tells the same"
    assert len(made.moments) == 2


def test_a_clock_that_runs_as_it_should_leaves_no_trace() -> None:
    lesson, moments = set_in_class(0)
    name = next(event.recording for _, _, event in lesson.journal if isinstance(event, recording.RecordingStarted))
    made = timeline.build(lesson.journal, name, 100_000, moments)
    assert made == timeline.build(lesson.journal, name, 100_000)
    assert made.moments == ()


def test_a_clock_that_is_put_right_again_is_followed_back() -> None:
    lesson, moments = set_in_class(3_600)
    lesson.pass_seconds(-3_600 + 10)
    lesson.do("tom", chat.PostChat(text="right again"))
    moments.append((lesson.room.seq, 105_040))
    lesson.pass_seconds(10)
    lesson.do("tom", chat.PostChat(text="noted by nobody"))
    name = next(event.recording for _, _, event in lesson.journal if isinstance(event, recording.RecordingStarted))
    made = timeline.build(lesson.journal, name, 200_000, [*moments, (999, 1)])
    assert [change.at for change in made.changes[-2:]] == pytest.approx([105_000, 115_000], abs=100)
    assert timeline.build(lesson.journal, name, 200_000, made.moments) == made
