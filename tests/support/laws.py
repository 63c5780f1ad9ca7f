"""What holds in every class at every moment; each law is named for what it promises."""

from typing import Final

import msgspec

from signaling import messages
from signaling.classroom import audience, expected, overrides, participants, polls, presence, replay_access, sanctions, session, stage
from signaling.classroom import room as rooms
from signaling.classroom.polls import PollState
from signaling.classroom.roles import Role
from signaling.classroom.seats import Seat
from signaling.classroom.settings import Phase
from tests.support.clients import ClassLesson, comparable


def replay_gives_the_same_class(lesson: ClassLesson) -> None:
    assert messages.encode_room(rooms.replay(lesson.journal)) == messages.encode_room(lesson.room)


def a_snapshot_decodes_to_the_same_class(lesson: ClassLesson) -> None:
    stored = messages.encode_room(lesson.room)
    assert messages.decode_room(stored) == lesson.room
    assert messages.encode_room(messages.decode_room(stored)) == stored


def every_client_knows_what_its_snapshot_would_say(lesson: ClassLesson) -> None:
    """So nobody learns more from events than from a snapshot, nor less."""
    for viewer, client in lesson.clients.items():
        if client.asleep_at is None:
            fresh = audience.view_for(lesson.room, viewer)
            assert comparable(client.view, lesson.room.profile) == comparable(fresh, lesson.room.profile)


def nothing_private_is_in_anybodys_snapshot(lesson: ClassLesson) -> None:
    for viewer in lesson.room.participants:
        lesson.check_secrecy(viewer, msgspec.msgpack.encode(audience.view_for(lesson.room, viewer)))


def who_waits_or_is_out_sees_only_the_own_seat(lesson: ClassLesson) -> None:
    for viewer, person in lesson.room.participants.items():
        if person.seat is not Seat.ADMITTED:
            view = audience.view_for(lesson.room, viewer)
            assert [listed.id for listed in view.participants] == [viewer]
            lists = (view.chat, view.polls, view.hands, view.stage, view.waiting, view.banned, view.capabilities)
            assert not any(lists)
            assert (view.present, view.main, view.screen) == (0, None, None)


def indexes_repeat_what_participants_say(lesson: ClassLesson) -> None:
    room = lesson.room
    seated = room.participants.values()
    admitted = [p for p in seated if p.seat is Seat.ADMITTED]
    assert sorted(room.crew) == sorted(p.id for p in admitted if p.role is not Role.TRAINEE)
    assert set(room.waiting) == {p.id for p in seated if p.seat is Seat.WAITING}
    assert set(room.barred) == {p.id for p in seated if p.seat in (Seat.DECLINED, Seat.BANNED)}
    assert room.present == sum(p.present for p in admitted)
    inside = [p for p in seated if p.seat in (Seat.ADMITTED, Seat.WAITING) and p.role is Role.TRAINEE]
    assert room.trainees_present == sum(p.present for p in inside)
    assert sorted(room.microphones) == sorted(p.id for p in seated if p.microphone)
    assert sorted(room.cameras) == sorted(p.id for p in seated if p.camera)


def one_seat_per_identity_and_no_connection_twice(lesson: ClassLesson) -> None:
    assert all(id == person.id for id, person in lesson.room.participants.items())
    open_now = [connection for person in lesson.room.participants.values() for connection in person.connections]
    assert len(open_now) == len(set(open_now))


def hands_stand_in_the_order_they_were_raised(lesson: ClassLesson) -> None:
    raised = [lesson.room.participants[id].hand_at for id in lesson.room.hands]
    assert None not in raised
    assert raised == sorted(raised, key=lambda at: at or 0)
    assert sorted(lesson.room.hands) == sorted(p.id for p in lesson.room.participants.values() if p.hand_at is not None)


def only_admitted_trainees_raise_hands(lesson: ClassLesson) -> None:
    for id in lesson.room.hands:
        person = lesson.room.participants[id]
        assert person.role is Role.TRAINEE
        assert person.seat is Seat.ADMITTED


def the_stage_holds_admitted_trainees_and_all_staff(lesson: ClassLesson) -> None:
    room = lesson.room
    assert len(room.stage) == len(set(room.stage))
    assert set(room.stage) == {p.id for p in room.participants.values() if p.on_stage and p.role is Role.TRAINEE}
    for person in room.participants.values():
        assert not person.on_stage or person.seat is Seat.ADMITTED
        assert person.on_stage or not (person.staff and person.seat is Seat.ADMITTED)
    assert room.main is None or room.participants[room.main].on_stage


def nobody_sends_without_the_right_to(lesson: ClassLesson) -> None:
    room = lesson.room
    for person in room.participants.values():
        sends = person.microphone or person.camera or room.screen == person.id
        if not sends:
            continue
        assert person.present
        assert person.on_stage
        assert room.phase is not Phase.ENDED
        assert person.permissions.microphone or not person.microphone
        assert person.permissions.camera or not person.camera
        assert person.permissions.screen or room.screen != person.id
        if not person.staff:
            assert room.phase is Phase.LIVE
            assert not room.settings.frozen
            assert room.settings.microphones or not person.microphone
            assert room.settings.cameras or not person.camera
            assert room.settings.screens or room.screen != person.id


def the_banned_and_declined_are_not_there(lesson: ClassLesson) -> None:
    for person in lesson.room.participants.values():
        if person.seat in (Seat.BANNED, Seat.DECLINED, Seat.REMOVED):
            assert not person.present
            assert not person.on_stage
            assert person.id not in lesson.room.hands


def votes_count_once_and_tallies_add_up(lesson: ClassLesson) -> None:
    answered: dict[tuple[str, str | None], int] = {}
    for _, origin, event in lesson.journal:
        if isinstance(event, polls.PollAnswered):
            answered[event.poll, origin.by] = answered.get((event.poll, origin.by), 0) + 1
    assert set(answered.values()) <= {1}
    for poll in lesson.room.polls.values():
        assert poll.voters == sum(id == poll.id for id, _ in answered)
        assert sum(poll.tally) == sum(answer.bit_count() for answer in poll.answers.values())
        assert poll.multiple or sum(poll.tally) == poll.voters
    assert sum(poll.state is PollState.OPEN for poll in lesson.room.polls.values()) <= 1


def results_stay_hidden_until_revealed(lesson: ClassLesson) -> None:
    for viewer, person in lesson.room.participants.items():
        if person.role is Role.TRAINEE:
            for shown in audience.view_for(lesson.room, viewer).polls:
                assert shown.state is not PollState.DRAFT
                assert shown.revealed or shown.tally is None
                assert shown.revealed or shown.voters is None


def after_the_end_people_only_leave(lesson: ClassLesson) -> None:
    leaving = (
        participants.ConnectionClosed,
        participants.ParticipantLeft,
        stage.StageLeft,
        stage.MainChanged,
        overrides.AttendanceOverridden,
        expected.PersonExpected,
        expected.PersonNotExpected,
        replay_access.ReplayAccessChanged,
    )
    ended = False
    for _, _, event in lesson.journal:
        assert not ended or isinstance(event, leaving)
        ended = ended or isinstance(event, session.ClassEnded)
    assert ended == (lesson.room.phase is Phase.ENDED)


def trainers_and_inspectors_are_never_sanctioned(lesson: ClassLesson) -> None:
    for _, _, event in lesson.journal:
        if isinstance(event, sanctions.ParticipantRemoved):
            assert event.who.role not in (Role.TRAINER, Role.INSPECTOR)


def checks_count_answers_of_those_asked_once_and_in_time(lesson: ClassLesson) -> None:
    asked: dict[tuple[str, str | None], int] = {}
    answered: set[tuple[str, str | None]] = set()
    for _, origin, event in lesson.journal:
        if isinstance(event, presence.CheckAsked):
            asked[event.check, event.participant] = event.until
        if isinstance(event, presence.CheckAnswered):
            assert (event.check, origin.by) not in answered
            assert origin.at <= asked[event.check, origin.by]
            answered.add((event.check, origin.by))
    check = lesson.room.check
    if check is not None:
        assert check.asked == sum(id == check.id for id, _ in asked)
        assert sorted(check.answered) == sorted(str(by) for id, by in answered if id == check.id)


def nobody_learns_the_nonce_of_another(lesson: ClassLesson) -> None:
    nonces = {event.nonce: event.participant for _, _, event in lesson.journal if isinstance(event, presence.CheckAsked)}
    for viewer, client in lesson.clients.items():
        for check in (audience.view_for(lesson.room, viewer).check, client.view.check):
            assert check is None or check.nonce is None or nonces[check.nonce] == viewer


LAWS: Final = (
    replay_gives_the_same_class,
    a_snapshot_decodes_to_the_same_class,
    every_client_knows_what_its_snapshot_would_say,
    nothing_private_is_in_anybodys_snapshot,
    who_waits_or_is_out_sees_only_the_own_seat,
    indexes_repeat_what_participants_say,
    one_seat_per_identity_and_no_connection_twice,
    hands_stand_in_the_order_they_were_raised,
    only_admitted_trainees_raise_hands,
    the_stage_holds_admitted_trainees_and_all_staff,
    nobody_sends_without_the_right_to,
    the_banned_and_declined_are_not_there,
    votes_count_once_and_tallies_add_up,
    results_stay_hidden_until_revealed,
    after_the_end_people_only_leave,
    trainers_and_inspectors_are_never_sanctioned,
    checks_count_answers_of_those_asked_once_and_in_time,
    nobody_learns_the_nonce_of_another,
)
