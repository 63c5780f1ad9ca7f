"""A class that does everything statements are made of, as journal entries; and the statements it makes."""

from collections.abc import Iterable

from recording.watched import Stretch
from server.records import viewed
from server.records.encode import Statement, drafts, finish
from server.records.fold import ClassFold, Entry
from server.records.statements import Identity, Json, Site
from server.records.viewed import Video, Viewing
from signaling.classroom import chat, hands, polls, reactions, recording, sanctions, session, tracks
from signaling.classroom.base import Command, Event
from signaling.classroom.participants import Admit, Leave
from signaling.classroom.roles import Role
from signaling.classroom.room import Room
from signaling.classroom.settings import Settings
from signaling.messages import encode_event
from signaling.ports import Record
from tests.support.lesson import Lesson

SITE = Site(root="https://class.example")
START = 1_800_000_000_000


class Log:
    """The journal entries of a lesson; time advances by a second per command."""

    def __init__(self, session: str = "class-1", settings: Settings | None = None) -> None:
        self.lesson = Lesson(session, settings=settings)
        self.lesson.now = START
        self.entries = [Entry(seq=1, at=START, by=None, event=self._first(session, settings))]
        self.lesson.followers.append(self._note)
        self._by: str | None = None

    def _first(self, id: str, settings: Settings | None) -> Event:
        room = self.lesson.room
        return session.SessionCreated(session=id, title=room.title, profile=room.profile, settings=room.settings)

    def _note(self, room: Room, event: Event) -> None:
        self.entries.append(Entry(seq=len(self.entries) + 1, at=self.lesson.now, by=self._by, event=event))

    def do(self, actor: str | None, command: Command) -> None:
        self.lesson.now += 999
        self._by = actor
        self.lesson.do(actor, command)

    def join(self, name: str, role: Role = Role.TRAINEE, connection: str | None = None) -> None:
        self.lesson.now += 999
        self._by = name
        self.lesson.join(name, role, connection)

    def lose(self, name: str, connection: str | None = None) -> None:
        self.lesson.now += 999
        self._by = name
        self.lesson.leave(name, connection)

    def records(self) -> list[Record]:
        """As the journal keeps them."""
        return [Record(seq=e.seq, at=e.at, by=e.by, op=None, event=encode_event(e.event)) for e in self.entries]


def everything(session_id: str = "class-1") -> Log:
    """One class with every kind of event that is told."""
    log = Log(session_id)
    log.join("tina", Role.TRAINER)
    log.do("tina", session.StartClass())
    log.join("ann")
    log.join("bob")
    log.join("bob", connection="bob-phone")
    log.do("tina", tracks.SetMicrophone(on=True))
    log.do("tina", tracks.SetCamera(on=True))
    log.do("tina", tracks.StartScreen())
    log.do("ann", chat.PostChat(text="好 hello"))
    log.do("ann", chat.PostChat(text="psst", channel=chat.Channel.STAFF))
    log.do("tina", polls.CreatePoll(question="1+1?", options=["1", "2", "3"], multiple=True))
    open_poll = log.lesson.room.open_poll
    assert open_poll is not None
    log.do("ann", polls.AnswerPoll(poll=open_poll, choices=[0, 1]))
    log.do("bob", polls.AnswerPoll(poll=open_poll, choices=[1]))
    log.do("tina", polls.ClosePoll(poll=open_poll))
    log.do("tina", polls.CreatePoll(question="Happy?", options=["yes", "no"], anonymous=True))
    secret = log.lesson.room.open_poll
    assert secret is not None
    log.do("ann", polls.AnswerPoll(poll=secret, choices=[1]))
    log.do("ann", hands.RaiseHand())
    log.do("bob", hands.RaiseHand())
    log.do("bob", hands.LowerHand())
    log.do("tina", hands.LowerAllHands())
    log.do("ann", reactions.React(reaction=reactions.Reaction.CLAP))
    log.do("tina", tracks.StopScreen())
    log.do("tina", tracks.SetMicrophone(on=False))
    log.do("ann", Leave())
    log.lose("bob")
    log.join("ann")
    log.do("tina", sanctions.Remove(participant="ann"))
    log.join("ann")
    log.do("tina", Admit(participants=["ann"]))
    log.do("tina", session.EndClass())
    log.lose("ann")
    log.lose("bob", "bob-phone")
    log.lose("tina")
    return log


def recorded_class(session_id: str = "class-1") -> Log:
    """A class recorded twice; the second recording lasts to its end."""
    log = Log(session_id)
    log.join("tina", Role.TRAINER)
    log.do("tina", session.StartClass())
    log.do("tina", recording.StartRecording())
    log.do("tina", recording.StopRecording())
    log.do("tina", recording.StartRecording())
    log.do("tina", session.EndClass())
    return log


def watched_statements() -> list[Statement]:
    """Everything that is told of somebody who watches a recording."""
    viewing, video = Viewing("class-2", "r3", "ann", 1, START, START + 45_000), Video(40_000, "结绳 Knots")
    played = [
        Stretch(from_ms=0, to_ms=15_000),
        Stretch(from_ms=15_000, to_ms=30_250, rate=1.5),
        Stretch(from_ms=10_000, to_ms=12_000),
        Stretch(from_ms=30_250, to_ms=38_000),
    ]
    actor = identity("ann")
    return [
        viewed.begun(SITE, viewing, video, actor),
        viewed.completed(SITE, viewing, video, actor, played),
        viewed.ended(SITE, viewing, video, actor, played),
    ]


def identity(participant: str) -> Json:
    return SITE.account(Identity("https://lms.example", f"sub-{participant}"))


def statements_of(entries: Iterable[Entry], fold: ClassFold | None = None) -> list[Statement]:
    """What entries tell; `fold` continues a class."""
    fold = fold or ClassFold(site=SITE, session="class-1")
    return [finish(SITE, fold.session, entry.seq, draft, identity) for entry in entries for draft in drafts(fold, entry)]
