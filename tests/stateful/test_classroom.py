"""The classroom under command sequences that hypothesis looks for: two classes at once, the same people in both, every law after each step.

JIANGTAI_LONG=1 looks longer and elsewhere.
"""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from signaling import messages
from signaling.classroom import chat, hands, participants, polls, presence, reactions, recording, sanctions, session, stage, tracks
from signaling.classroom import room as rooms
from signaling.classroom.base import Command
from signaling.classroom.errors import Rejected
from signaling.classroom.roles import Role
from signaling.classroom.settings import ChatMode, Profile, Settings
from tests.support.clients import ClassLesson
from tests.support.laws import LAWS
from tests.support.machine import play

ROLES = {
    "person-tom": Role.TRAINER,
    "person-eve": Role.ASSISTANT,
    "person-ivy": Role.INSPECTOR,
    "person-ann": Role.TRAINEE,
    "person-bob": Role.TRAINEE,
    "person-cat": Role.TRAINEE,
    "person-dan": Role.TRAINEE,
}
TRAINEES = [person for person, role in ROLES.items() if role is Role.TRAINEE]
people = st.sampled_from(list(ROLES))
staff = st.sampled_from(["person-tom", "person-eve"])
trainees = st.sampled_from(TRAINEES)
classes = st.sampled_from([0, 1])
maybe = st.none() | st.booleans()

own = st.one_of(
    st.sampled_from([hands.RaiseHand(), hands.LowerHand(), stage.LeaveStage(), tracks.StartScreen(), tracks.StopScreen()]),
    st.builds(tracks.SetMicrophone, on=st.sampled_from([True, True, False])),
    st.builds(tracks.SetCamera, on=st.sampled_from([True, True, False])),
    st.builds(reactions.React, reaction=st.sampled_from(list(reactions.Reaction))),
)
about_a_person = st.one_of(
    *(
        st.builds(kind, participant=people)
        for kind in (
            hands.LowerHand,
            stage.TakeOffStage,
            participants.Decline,
            sanctions.Mute,
            sanctions.StopCamera,
            sanctions.StopScreenOf,
        )
    ),
    *(st.builds(stage.BringOnStage, participant=trainees) for _ in range(3)),
    st.builds(stage.SetMain, participant=st.none() | people),
    st.builds(recording.LeaveOut, participant=people, left_out=st.booleans()),
    st.builds(sanctions.Remove, participant=people, ban=st.booleans()),
    st.builds(sanctions.Unban, participant=people),
    st.builds(participants.Admit, participants=st.lists(people, max_size=3)),
    st.builds(sanctions.SetPermissions, participant=people, microphone=maybe, camera=maybe, screen=maybe, chat=maybe),
)
about_the_class = st.one_of(
    st.sampled_from([session.OpenLobby(), session.StartClass(), session.ResumeClass(), hands.LowerAllHands(), sanctions.MuteAll()]),
    st.builds(session.TakeBreak, minutes=st.integers(1, 60)),
    st.sampled_from([recording.StartRecording(), recording.StopRecording()]),
    *(st.builds(session.ChangeSettings, **{name: st.booleans()}) for name in ("waiting_room", "locked", "frozen", "hands", "auto_stage")),
    st.builds(session.ChangeSettings, microphones=maybe, cameras=maybe, screens=maybe, stage_size=st.none() | st.integers(1, 3)),
    st.builds(session.ChangeSettings, chat=st.sampled_from(ChatMode)),
)
anything = st.one_of(own, about_a_person, about_the_class)


class Classroom(RuleBasedStateMachine):
    """Rules are commands by anybody in either class."""

    def __init__(self) -> None:
        super().__init__()
        self.lessons: list[ClassLesson] = []
        self.texts = 0

    @initialize(waiting_room=st.booleans(), auto_stage=st.booleans(), screens=st.booleans(), started=st.booleans())
    def found(self, waiting_room: bool, auto_stage: bool, screens: bool, started: bool) -> None:
        small = Settings(waiting_room=waiting_room, screens=screens, stage_size=3, auto_stage=auto_stage, capacity=4)
        large = Settings(waiting_room=not waiting_room, auto_stage=False, stage_size=2, capacity=4)
        self.lessons = [ClassLesson(Profile.SMALL, small, "s-small"), ClassLesson(Profile.LARGE, large, "s-large")]
        for lesson in self.lessons:
            for person in ("person-tom", "person-eve", "person-ivy", "person-ann", "person-bob"):
                self.attempt(lesson, person, participants.Connect(connection=f"{person}-1", name=f"Name {person}", role=ROLES[person]))
            if started:
                lesson.do("person-tom", session.StartClass())

    def attempt(self, lesson: ClassLesson, actor: str | None, command: Command, op: str | None = None) -> None:
        """Run a command; whatever becomes of it, the other class does not move, and a refusal moves nothing."""
        others = [messages.encode_room(other.room) for other in self.lessons if other is not lesson]
        before = messages.encode_room(lesson.room)
        lesson.pass_seconds(1)
        try:
            caused = lesson.do(actor, command, op)
        except Rejected:
            caused = []
        if not caused:
            assert messages.encode_room(lesson.room) == before, "a refused or empty command changed the class"
        assert [messages.encode_room(other.room) for other in self.lessons if other is not lesson] == others, "two classes mixed"

    @rule(which=classes, actor=people, command=anything)
    def anybody_tries_anything(self, which: int, actor: str, command: Command) -> None:
        self.attempt(self.lessons[which], actor, command)

    @rule(which=classes, actor=trainees, command=own)
    def a_trainee_acts(self, which: int, actor: str, command: Command) -> None:
        self.attempt(self.lessons[which], actor, command)

    @rule(which=classes, actor=staff, command=own | about_a_person | about_the_class)
    def staff_acts(self, which: int, actor: str, command: Command) -> None:
        self.attempt(self.lessons[which], actor, command)

    @rule(which=classes, actor=staff)
    def staff_lets_everybody_in(self, which: int, actor: str) -> None:
        self.attempt(self.lessons[which], actor, participants.Admit(participants=[]))

    @rule(which=classes, actor=people, device=st.integers(1, 2))
    def connects(self, which: int, actor: str, device: int) -> None:
        connect = participants.Connect(connection=f"{actor}-{device}", name=f"Name {actor}", role=ROLES[actor], likeness=actor[-2:])
        self.attempt(self.lessons[which], actor, connect)

    @rule(which=classes, actor=people, role=st.sampled_from(Role))
    def comes_with_another_role(self, which: int, actor: str, role: Role) -> None:
        if actor != "person-tom":
            self.attempt(self.lessons[which], actor, participants.Connect(connection=f"{actor}-1", name=f"Name {actor}", role=role))

    @rule(which=classes, actor=people, device=st.integers(1, 2))
    def disconnects(self, which: int, actor: str, device: int) -> None:
        self.attempt(self.lessons[which], actor, participants.Disconnect(connection=f"{actor}-{device}", reason="lost"))

    @rule(which=classes, actor=staff, on=st.none() | st.booleans())
    def staff_checks_presence(self, which: int, actor: str, on: bool | None) -> None:
        self.attempt(self.lessons[which], actor, presence.StartCheck() if on is None else presence.ScheduleChecks(on=on))

    @rule(which=classes, actor=people, right=st.booleans(), whose=trainees)
    def answers_a_check(self, which: int, actor: str, right: bool, whose: str) -> None:
        person = self.lessons[which].room.participants.get(actor if right else whose)
        if person is not None and person.asked is not None:
            self.attempt(self.lessons[which], actor, presence.AnswerCheck(check=person.asked.check, nonce=person.asked.nonce))

    @rule(which=classes, actor=people)
    def leaves(self, which: int, actor: str) -> None:
        self.attempt(self.lessons[which], actor, participants.Leave())

    @rule(which=classes, actor=people, channel=st.sampled_from(chat.Channel), to=people)
    def writes(self, which: int, actor: str, channel: chat.Channel, to: str) -> None:
        self.texts += 1
        addressee = to if channel is chat.Channel.PRIVATE else None
        self.attempt(self.lessons[which], actor, chat.PostChat(text=f"text-{self.texts:05}.", channel=channel, to=addressee))

    @rule(which=classes, actor=people, data=st.data())
    def deletes_a_message(self, which: int, actor: str, data: st.DataObject) -> None:
        known = [message.id for message in self.lessons[which].room.chat]
        if known:
            self.attempt(self.lessons[which], actor, chat.DeleteChat(message=data.draw(st.sampled_from(known))))

    @rule(which=classes, multiple=st.booleans(), anonymous=st.booleans(), now=st.booleans())
    def creates_a_poll(self, which: int, multiple: bool, anonymous: bool, now: bool) -> None:
        poll = polls.CreatePoll(question="why?", options=["a", "b", "c"], multiple=multiple, anonymous=anonymous, open=now)
        self.attempt(self.lessons[which], "person-eve", poll)

    @rule(which=classes, actor=staff, kind=st.sampled_from([polls.OpenPoll, polls.ClosePoll, polls.RevealPoll]), data=st.data())
    def runs_a_poll(self, which: int, actor: str, kind: Any, data: st.DataObject) -> None:
        known = list(self.lessons[which].room.polls)
        if known:
            self.attempt(self.lessons[which], actor, kind(poll=data.draw(st.sampled_from(known))))

    @rule(which=classes, actor=trainees, choices=st.lists(st.integers(0, 3), min_size=1, max_size=2))
    def answers(self, which: int, actor: str, choices: list[int]) -> None:
        poll = self.lessons[which].room.open_poll
        if poll is not None:
            self.attempt(self.lessons[which], actor, polls.AnswerPoll(poll=poll, choices=choices))

    @rule(which=classes, actor=people, command=anything)
    def sends_twice(self, which: int, actor: str, command: Command) -> None:
        """A resend of an operation that caused something causes nothing more and is answered alike, also after replay."""
        lesson = self.lessons[which]
        op = f"op-{len(lesson.journal)}"
        self.attempt(lesson, actor, command, op)
        first = rooms.recent_op(lesson.room, actor, op)
        if first is not None:
            before = messages.encode_room(lesson.room)
            self.attempt(lesson, actor, command, op)
            assert messages.encode_room(lesson.room) == before
            assert rooms.recent_op(rooms.replay(lesson.journal), actor, op) == first

    @rule(which=classes, viewer=people)
    def a_client_loses_touch(self, which: int, viewer: str) -> None:
        self.lessons[which].sleep(viewer)

    @rule(which=classes, viewer=people)
    def a_client_resumes(self, which: int, viewer: str) -> None:
        self.lessons[which].wake(viewer)

    @rule(which=classes)
    def the_class_ends(self, which: int) -> None:
        if len(self.lessons[which].journal) > 50:
            self.attempt(self.lessons[which], "person-tom", session.EndClass())

    @invariant()
    def every_law_holds(self) -> None:
        for lesson in self.lessons:
            for law in LAWS:
                law(lesson)


def test_the_classroom_keeps_its_laws() -> None:
    play(Classroom, games=80, long_games=2_000)
