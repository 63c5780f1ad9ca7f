"""Polls: single or multiple choice, anonymous or named, at most one open at a time, at most 100 in a class.

draft -> open -> closed, and revealed from open or closed (reveal while open makes the running tallies public). Staff prepare drafts in
every phase and open them from the lobby on. Trainees answer, once and finally, unless the class is frozen; staff do not answer. Trainees
see tallies only after the reveal; staff and inspectors see them running (signal `tally`). An answer is journaled with its author so that it
counts once; while the class runs nobody but the author is told who chose what, and in an anonymous poll nobody ever.
"""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import msgspec

from signaling.classroom.base import Command, Context, Event, Origin
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import ParticipantId, PollId
from signaling.classroom.seats import member
from signaling.classroom.settings import Phase

if TYPE_CHECKING:
    from signaling.classroom.state import Room

MAX_POLLS: Final = 100
Question: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
Option: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
Options: TypeAlias = Annotated[list[Option], msgspec.Meta(min_length=2, max_length=10)]
Choices: TypeAlias = Annotated[list[Annotated[int, msgspec.Meta(ge=0, le=9)]], msgspec.Meta(min_length=1, max_length=10)]


class PollState(StrEnum):
    DRAFT = "draft"
    OPEN = "open"
    CLOSED = "closed"


class Poll(msgspec.Struct, kw_only=True, omit_defaults=True):
    """State of one poll. An answer is kept as a bit set of option indices."""

    id: PollId
    question: Question
    options: Options
    multiple: bool
    anonymous: bool
    state: PollState = PollState.DRAFT
    revealed: bool = False
    answers: dict[ParticipantId, int] = msgspec.field(default_factory=dict)
    tally: list[int] = msgspec.field(default_factory=list)

    @property
    def voters(self) -> int:
        return len(self.answers)


class CreatePoll(Command, frozen=True, kw_only=True, tag="create_poll"):
    """Prepare a poll (a draft is seen by staff only), open=True opens it at once."""

    question: Question
    options: Options
    multiple: bool = False
    anonymous: bool = False
    open: bool = True


class OpenPoll(Command, frozen=True, kw_only=True, tag="open_poll"):
    """Let people answer."""

    poll: PollId


class AnswerPoll(Command, frozen=True, kw_only=True, tag="answer_poll"):
    """Answer once; choices are option indices, exactly one unless multiple."""

    poll: PollId
    choices: Choices


class ClosePoll(Command, frozen=True, kw_only=True, tag="close_poll"):
    """No more answers."""

    poll: PollId


class RevealPoll(Command, frozen=True, kw_only=True, tag="reveal_poll"):
    """Show the result to everybody."""

    poll: PollId


class PollCreated(Event, frozen=True, kw_only=True, tag="poll_created"):
    """A draft exists; staff only. View: append a poll, state draft, mine = null, tally = zeros, voters = 0."""

    poll: PollId
    question: Question
    options: Options
    multiple: bool
    anonymous: bool


class PollOpened(Event, frozen=True, kw_only=True, tag="poll_opened"):
    """People may answer; repeats the content for those who have not seen the draft. View: move to the end of polls, or append (tally
    = zeros, voters = 0 if the viewer has see_tallies, else null); state = open."""

    poll: PollId
    question: Question
    options: Options
    multiple: bool
    anonymous: bool


class PollAnswered(Event, frozen=True, kw_only=True, tag="poll_answered"):
    """One answer (by its author), told to the author's devices only. View: mine = choices."""

    poll: PollId
    choices: Choices


class PollClosed(Event, frozen=True, kw_only=True, tag="poll_closed"):
    """No more answers; the final result is told to staff and inspectors, and to all if already revealed (else None). View: state = closed;
    tally and voters as told, unless null."""

    poll: PollId
    tally: list[int] | None = None
    voters: int | None = None


class PollRevealed(Event, frozen=True, kw_only=True, tag="poll_revealed"):
    """The result, open to everybody: votes per option and number of voters at that moment. View: revealed = true; tally and voters."""

    poll: PollId
    tally: list[int]
    voters: int


def decide_create(room: "Room", context: Context, command: CreatePoll) -> list[Event]:
    if len(room.polls) >= MAX_POLLS:
        raise Rejected("too_many")
    if len({option.strip() for option in command.options} | {""}) <= len(command.options):
        raise Rejected("bad_choice")  # an option is blank or there twice
    created = PollCreated(
        poll=f"p{context.seq}",
        question=command.question,
        options=command.options,
        multiple=command.multiple,
        anonymous=command.anonymous,
    )
    if not command.open:
        return [created]
    _may_open(room)
    return [created, _opened(created)]


def decide_open(room: "Room", context: Context, command: OpenPoll) -> list[Event]:
    poll = _poll(room, command.poll)
    if poll.state is PollState.OPEN:
        return []
    if poll.state is PollState.CLOSED:
        raise Rejected("poll_not_open")
    _may_open(room)
    return [_opened(poll)]


def decide_answer(room: "Room", context: Context, command: AnswerPoll) -> list[Event]:
    person = member(room, context)
    poll = _poll(room, command.poll)
    if poll.state is PollState.DRAFT:
        raise Rejected("no_such_poll")  # a trainee must not learn that a draft exists
    if poll.state is not PollState.OPEN:
        raise Rejected("poll_not_open")
    if room.settings.frozen:
        raise Rejected("class_frozen")
    if person.id in poll.answers:
        raise Rejected("already_answered")
    choices = sorted(set(command.choices))
    if len(choices) != len(command.choices) or choices[-1] >= len(poll.options) or (len(choices) > 1 and not poll.multiple):
        raise Rejected("bad_choice")
    return [PollAnswered(poll=poll.id, choices=choices)]


def decide_close(room: "Room", context: Context, command: ClosePoll) -> list[Event]:
    poll = _poll(room, command.poll)
    if poll.state is PollState.DRAFT:
        raise Rejected("poll_not_open")
    return closed(room) if poll.state is PollState.OPEN else []


def decide_reveal(room: "Room", context: Context, command: RevealPoll) -> list[Event]:
    poll = _poll(room, command.poll)
    if poll.state is PollState.DRAFT:
        raise Rejected("poll_not_open")
    return [] if poll.revealed else [PollRevealed(poll=poll.id, tally=list(poll.tally), voters=poll.voters)]


def closed(room: "Room") -> list[Event]:
    """What closes the open poll, if there is one."""
    if room.open_poll is None:
        return []
    poll = room.polls[room.open_poll]
    return [PollClosed(poll=poll.id, tally=list(poll.tally), voters=poll.voters)]


def chosen(answer: int) -> list[int]:
    """The option indices of a stored answer."""
    return [index for index in range(answer.bit_length()) if answer >> index & 1]


def _poll(room: "Room", id: PollId) -> Poll:
    poll = room.polls.get(id)
    if poll is None:
        raise Rejected("no_such_poll")
    return poll


def _may_open(room: "Room") -> None:
    if room.phase is Phase.SCHEDULED:
        raise Rejected("wrong_phase")
    if room.open_poll is not None:
        raise Rejected("poll_already_open")


def _opened(poll: Poll | PollCreated) -> PollOpened:
    id = poll.id if isinstance(poll, Poll) else poll.poll
    return PollOpened(poll=id, question=poll.question, options=poll.options, multiple=poll.multiple, anonymous=poll.anonymous)


def evolve_created(room: "Room", seq: int, origin: Origin, event: PollCreated) -> None:
    room.polls[event.poll] = Poll(
        id=event.poll,
        question=event.question,
        options=event.options,
        multiple=event.multiple,
        anonymous=event.anonymous,
        tally=[0] * len(event.options),
    )


def evolve_opened(room: "Room", seq: int, origin: Origin, event: PollOpened) -> None:
    poll = room.polls.pop(event.poll)
    poll.state = PollState.OPEN
    room.polls[event.poll] = poll  # last opened, last listed
    room.open_poll = event.poll


def evolve_answered(room: "Room", seq: int, origin: Origin, event: PollAnswered) -> None:
    if origin.by is None:
        return
    poll = room.polls[event.poll]
    poll.answers[origin.by] = sum(1 << choice for choice in event.choices)
    for choice in event.choices:
        poll.tally[choice] += 1


def evolve_closed(room: "Room", seq: int, origin: Origin, event: PollClosed) -> None:
    room.polls[event.poll].state = PollState.CLOSED
    room.open_poll = None


def evolve_revealed(room: "Room", seq: int, origin: Origin, event: PollRevealed) -> None:
    room.polls[event.poll].revealed = True
