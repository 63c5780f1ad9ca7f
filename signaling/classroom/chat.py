"""Chat: to everyone, to the staff, or from staff to one person. Text is text, never markup.

The room keeps the last 500 messages for newcomers; the journal keeps all. A deleted message keeps its place, not its text.
"""

from enum import StrEnum
from typing import Annotated, TypeAlias

import msgspec

from signaling.classroom.base import Command, Event
from signaling.classroom.ids import MessageId, ParticipantId
from signaling.classroom.roles import Role
from signaling.classroom.seats import Name

Text: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)]


class Channel(StrEnum):
    EVERYONE = "everyone"
    STAFF = "staff"
    PRIVATE = "private"


class PostChat(Command, frozen=True, kw_only=True, tag="post_chat"):
    """Say something in writing; `to` is needed for, and only for, a private message."""

    text: Text
    channel: Channel = Channel.EVERYONE
    to: ParticipantId | None = None


class DeleteChat(Command, frozen=True, kw_only=True, tag="delete_chat"):
    """Withdraw a message: one's own, or (staff) anybody's."""

    message: MessageId


class ChatPosted(Event, frozen=True, kw_only=True, tag="chat_posted"):
    """A message; Origin.by is the sender, whose name and role it carries."""

    message: MessageId
    name: Name
    role: Role
    channel: Channel
    text: Text
    to: ParticipantId | None = None


class ChatDeleted(Event, frozen=True, kw_only=True, tag="chat_deleted"):
    """A message was withdrawn (Origin.by tells by whom); seen by those who saw it: author, channel and to are those of the message."""

    message: MessageId
    author: ParticipantId
    channel: Channel
    to: ParticipantId | None = None
