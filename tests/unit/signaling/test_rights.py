"""Every command by every role: the table below is the expectation, written by hand. A command without a line here fails."""

from typing import Final

import pytest

from signaling.classroom import chat, hands, participants, polls, presence, reactions, recording, sanctions, session, stage, tracks
from signaling.classroom.base import Command
from signaling.classroom.roles import Role
from signaling.classroom.room import RULES
from signaling.classroom.seats import Seat
from signaling.classroom.settings import Profile, Settings
from tests.support.classroom import Lesson, live

#: command -> initials of who may: (T)rainer (A)ssistant trai(N)ee (I)nspector, and the node (*)
EXPECTED: Final[list[tuple[Command, str]]] = [
    (session.OpenLobby(), "TA*"),
    (session.StartClass(), "TA*"),
    (session.TakeBreak(minutes=5), "TA*"),
    (session.ResumeClass(), "TA*"),
    (session.EndClass(), "T*"),
    (session.ChangeSettings(locked=True), "TA*"),
    (participants.Leave(), "TANI"),
    (participants.Admit(participants=[]), "TA*"),
    (participants.Decline(participant="wim"), "TA*"),
    (stage.BringOnStage(participant="bob"), "TA*"),
    (stage.TakeOffStage(participant="bob"), "TA*"),
    (stage.LeaveStage(), "N"),
    (stage.SetMain(participant=None), "TA*"),
    (hands.RaiseHand(), "N"),
    (hands.LowerHand(), "TAN"),
    (hands.LowerHand(participant="bob"), "TA*"),
    (hands.LowerAllHands(), "TA*"),
    (tracks.SetMicrophone(on=True), "TAN"),
    (tracks.SetCamera(on=True), "TAN"),
    (tracks.StartScreen(), "TAN"),
    (tracks.StopScreen(), "TAN"),
    (chat.PostChat(text="hi"), "TAN"),
    (chat.PostChat(text="hi", channel=chat.Channel.STAFF), "TAN"),
    (chat.PostChat(text="hi", channel=chat.Channel.PRIVATE, to="bob"), "TA"),
    (chat.DeleteChat(message="said"), "TA"),
    (reactions.React(reaction=reactions.Reaction.HEART), "TAN"),
    (polls.CreatePoll(question="?", options=["a", "b"], open=False), "TA*"),
    (polls.OpenPoll(poll="draft"), "TA*"),
    (polls.AnswerPoll(poll="open", choices=[0]), "N"),
    (polls.ClosePoll(poll="open"), "TA*"),
    (polls.RevealPoll(poll="open"), "TA*"),
    (sanctions.Mute(participant="bob"), "TA*"),
    (sanctions.MuteAll(), "TA*"),
    (sanctions.StopCamera(participant="bob"), "TA*"),
    (sanctions.StopScreenOf(participant="bob"), "TA*"),
    (sanctions.SetPermissions(participant="bob", chat=False), "TA*"),
    (sanctions.Remove(participant="bob"), "TA*"),
    (sanctions.Unban(participant="bob"), "TA*"),
    (presence.StartCheck(), "TA*"),
    (presence.ScheduleChecks(on=True), "TA*"),
    (presence.AnswerCheck(check="running", nonce="own"), "N"),
    (recording.StartRecording(), "TA*"),
    (recording.StopRecording(), "TA*"),
    (recording.LeaveOut(participant="bob", left_out=True), "TA*"),
]
ACTORS: Final = {"T": "tom", "A": "eve", "N": "ann", "I": "ivy", "*": None}
#: the phase a command needs, where it is not a live class
LOBBY: Final = (session.OpenLobby, session.StartClass)
IN_A_BREAK: Final = (session.ResumeClass,)


def lesson_for(command: Command) -> tuple[Lesson, Command]:
    """A class in which the command works for whoever has the right, and the command with the ids of that class."""
    lesson = live(settings=Settings(screens=True))
    lesson.do("bob", chat.PostChat(text="from bob"))
    lesson.do("tom", session.ChangeSettings(waiting_room=True))
    lesson.join("wim")
    lesson.do("tom", polls.CreatePoll(question="?", options=["a", "b"], open=False))
    draft = next(iter(lesson.room.polls))
    if isinstance(command, polls.OpenPoll):
        return lesson, polls.OpenPoll(poll=draft)
    if isinstance(command, polls.AnswerPoll | polls.ClosePoll | polls.RevealPoll):
        lesson.do("tom", polls.OpenPoll(poll=draft))
        return lesson, type(command)(poll=draft, **({"choices": [0]} if isinstance(command, polls.AnswerPoll) else {}))
    if isinstance(command, chat.DeleteChat):
        return lesson, chat.DeleteChat(message=lesson.room.chat[-1].id)
    if isinstance(command, presence.AnswerCheck):
        lesson.do("tom", presence.StartCheck())
        asked = lesson["ann"].asked
        assert asked is not None
        return lesson, presence.AnswerCheck(check=asked.check, nonce=asked.nonce)
    if isinstance(command, IN_A_BREAK):
        lesson.do("tom", session.TakeBreak(minutes=1))
    if isinstance(command, LOBBY):
        lesson = Lesson()
        for who, role in [("tom", Role.TRAINER), ("eve", Role.ASSISTANT), ("ann", Role.TRAINEE), ("ivy", Role.INSPECTOR)]:
            lesson.join(who, role)
    return lesson, command


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize(("command", "allowed"), EXPECTED, ids=lambda value: str(value)[:60])
def test_each_role_may_exactly_what_the_table_says(command: Command, allowed: str, actor: str) -> None:
    lesson, command = lesson_for(command)
    refused = lesson.refusal(ACTORS[actor], command)
    if actor in allowed:
        assert refused is None
    else:
        assert refused in ("not_allowed", "not_admitted")


@pytest.mark.parametrize(("command", "allowed"), EXPECTED, ids=lambda value: str(value)[:60])
@pytest.mark.parametrize("seat", [Seat.WAITING, Seat.DECLINED, Seat.REMOVED, Seat.BANNED])
def test_nobody_outside_may_anything_but_leave(command: Command, allowed: str, seat: Seat) -> None:
    lesson, command = lesson_for(command)
    lesson.do("tom", session.ChangeSettings(waiting_room=True))
    lesson.join("out")
    if seat is Seat.DECLINED:
        lesson.do("tom", participants.Decline(participant="out"))
    elif seat is not Seat.WAITING:
        lesson.do("tom", sanctions.Remove(participant="out", ban=seat is Seat.BANNED))
    refused = lesson.refusal("out", command)
    assert refused == (
        None if isinstance(command, participants.Leave) else {Seat.DECLINED: "declined", Seat.BANNED: "banned"}.get(seat, "not_admitted")
    )


def test_the_table_names_every_command_a_client_may_send() -> None:
    assert {type(command) for command, _ in EXPECTED} == {command for command, rule in RULES.items() if rule.by not in ("node", "desk")}


def test_the_large_class_gives_no_role_more() -> None:
    lesson = live(Profile.LARGE)
    assert lesson.refusal("ann", sanctions.MuteAll()) == "not_allowed"
    assert lesson.refusal("ivy", chat.PostChat(text="hi")) == "not_allowed"
