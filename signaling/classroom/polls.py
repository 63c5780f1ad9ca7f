"""Polls: single or multiple choice, anonymous or named, at most one open at a time.

draft -> open -> closed -> revealed (reveal also works while open: then running tallies are public). One answer per person, final.
Trainees see tallies only after the reveal; staff and inspectors see them running (signal `tally`). An answer is journaled with its author
so that it counts once; nobody but the author is ever told who chose what in an anonymous poll.
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
    """A draft exists; staff only."""

    poll: PollId
    question: Question
    options: Options
    multiple: bool
    anonymous: bool


class PollOpened(Event, frozen=True, kw_only=True, tag="poll_opened"):
    """People may answer; repeats the content since they have not seen the draft."""

    poll: PollId
    question: Question
    options: Options
    multiple: bool
    anonymous: bool


class PollAnswered(Event, frozen=True, kw_only=True, tag="poll_answered"):
    """One answer (Origin.by); told to its author's devices only."""

    poll: PollId
    choices: Choices


class PollClosed(Event, frozen=True, kw_only=True, tag="poll_closed"):
    """No more answers; the final result is told to staff and inspectors, and to all if already revealed (else None)."""

    poll: PollId
    tally: list[int] | None = None
    voters: int | None = None


class PollRevealed(Event, frozen=True, kw_only=True, tag="poll_revealed"):
    """The result, open to everybody: votes per option and number of voters at that moment."""

    poll: PollId
    tally: list[int]
    voters: int
