"""Polls: single or multiple choice, anonymous or named, at most one open at a time.

draft -> open -> closed -> revealed (reveal also works while open: then running tallies are public). One answer per person, final.
Trainees see tallies only after the reveal; staff and inspectors see them running (signal `tally`). An answer is journaled with its author so
that it counts once; nobody but the author is ever told who chose what in an anonymous poll.
"""

from enum import StrEnum
from typing import Annotated, TypeAlias

import msgspec

from signaling.classroom.base import Command, Event
from signaling.classroom.ids import PollId

Question: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
Option: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
Options: TypeAlias = Annotated[list[Option], msgspec.Meta(min_length=2, max_length=10)]
Choices: TypeAlias = Annotated[list[Annotated[int, msgspec.Meta(ge=0, le=9)]], msgspec.Meta(min_length=1, max_length=10)]


class PollState(StrEnum):
    DRAFT = "draft"
    OPEN = "open"
    CLOSED = "closed"


class CreatePoll(Command, tag="create_poll"):
    """Prepare a poll (a draft is seen by staff only), open=True opens it at once."""

    question: Question
    options: Options
    multiple: bool = False
    anonymous: bool = False
    open: bool = True


class OpenPoll(Command, tag="open_poll"):
    """Let people answer."""

    poll: PollId


class AnswerPoll(Command, tag="answer_poll"):
    """Answer once; choices are option indices, exactly one unless multiple."""

    poll: PollId
    choices: Choices


class ClosePoll(Command, tag="close_poll"):
    """No more answers."""

    poll: PollId


class RevealPoll(Command, tag="reveal_poll"):
    """Show the result to everybody."""

    poll: PollId


class PollCreated(Event, tag="poll_created"):
    """A draft exists; staff only."""

    poll: PollId
    question: Question
    options: Options
    multiple: bool
    anonymous: bool


class PollOpened(Event, tag="poll_opened"):
    """People may answer; repeats the content since they have not seen the draft."""

    poll: PollId
    question: Question
    options: Options
    multiple: bool
    anonymous: bool


class PollAnswered(Event, tag="poll_answered"):
    """One answer (Origin.by); told to its author's devices only."""

    poll: PollId
    choices: Choices


class PollClosed(Event, tag="poll_closed"):
    """No more answers."""

    poll: PollId


class PollRevealed(Event, tag="poll_revealed"):
    """The result, open to everybody: votes per option and number of voters at that moment."""

    poll: PollId
    tally: list[int]
    voters: int
