"""Chat: to everyone, to the staff, or from staff to one person. Text is text, never markup; screening happens before `decide`.

Trainees write from the lobby on, while chat is open to them (mode and permission), the class is not frozen, and no faster than slow mode
allows; they answer a private message in the staff channel. Staff writes always. Inspectors neither write nor are written to. The room
keeps the last messages for newcomers (500, or fewer when they are long; a large class shows them the newest 100); the journal keeps all. A
deleted message keeps its place, not its text; only a kept message can be deleted.
"""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import msgspec

from signaling.classroom.base import Command, Context, Event, Origin
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import MessageId, Millis, ParticipantId
from signaling.classroom.roles import Capability, Role, can
from signaling.classroom.seats import Name, Participant, member, target
from signaling.classroom.settings import ChatMode, Phase

if TYPE_CHECKING:
    from signaling.classroom.state import Room

MAX_MESSAGES: Final = 500
MAX_CHARACTERS: Final = 100_000

Text: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)]


class Channel(StrEnum):
    EVERYONE = "everyone"
    STAFF = "staff"
    PRIVATE = "private"


class MessageView(msgspec.Struct, frozen=True, kw_only=True):
    """One chat message; text is empty once deleted."""

    id: MessageId
    at: Millis
    by: ParticipantId
    name: str
    role: Role
    channel: Channel
    to: ParticipantId | None
    text: str
    deleted: bool


class PostChat(Command, frozen=True, kw_only=True, tag="post_chat"):
    """Say something in writing; `to` is needed for, and only for, a private message."""

    text: Text
    channel: Channel = Channel.EVERYONE
    to: ParticipantId | None = None


class DeleteChat(Command, frozen=True, kw_only=True, tag="delete_chat"):
    """Withdraw a message: one's own, or (staff) anybody's."""

    message: MessageId


class ChatPosted(Event, frozen=True, kw_only=True, tag="chat_posted"):
    """A message; by is the sender, whose name and role it carries. View: append to chat (a client may keep only the newest 500)."""

    message: MessageId
    name: Name
    role: Role
    channel: Channel
    text: Text
    to: ParticipantId | None = None


class ChatDeleted(Event, frozen=True, kw_only=True, tag="chat_deleted"):
    """A message was withdrawn (by tells by whom); seen by those who saw it: author, channel and to are those of the message.
    View: text = "", deleted = true, if the message is listed."""

    message: MessageId
    author: ParticipantId
    channel: Channel
    to: ParticipantId | None = None


def decide_post(room: "Room", context: Context, command: PostChat) -> list[Event]:
    person = member(room, context)
    if (command.to is not None) != (command.channel is Channel.PRIVATE):
        raise Rejected("bad_message")
    if not command.text.strip():
        raise Rejected("text_refused")
    if command.to is not None:
        _may_address(room, person, command.to)
    if not person.staff:
        _may_write(room, person, command.channel, context.now)
    return [
        ChatPosted(
            message=f"m{context.seq}",
            name=person.name,
            role=person.role,
            channel=command.channel,
            text=command.text,
            to=command.to,
        )
    ]


def decide_delete(room: "Room", context: Context, command: DeleteChat) -> list[Event]:
    person = member(room, context)
    message = next((kept for kept in room.chat if kept.id == command.message), None)
    if message is None or not may_see(person, message.channel, message.by, message.to):
        raise Rejected("no_such_message")
    if message.by != person.id and not can(person.role, Capability.DELETE_CHAT):
        raise Rejected("not_allowed")
    if message.deleted:
        return []
    return [ChatDeleted(message=message.id, author=message.by, channel=message.channel, to=message.to)]


def may_see(person: Participant, channel: Channel, by: ParticipantId, to: ParticipantId | None) -> bool:
    """Whether an admitted person sees messages of this kind."""
    if channel is Channel.EVERYONE or person.id in (by, to):
        return True
    return channel is Channel.STAFF and can(person.role, Capability.SEE_STAFF_CHAT)


def _may_address(room: "Room", person: Participant, to: ParticipantId) -> None:
    if not can(person.role, Capability.CHAT_PRIVATELY):
        raise Rejected("not_allowed")
    addressee = target(room, to)
    if addressee.role is Role.INSPECTOR or addressee is person:
        raise Rejected("not_allowed")


def _may_write(room: "Room", person: Participant, channel: Channel, now: Millis) -> None:
    settings = room.settings
    if room.phase is Phase.SCHEDULED:
        raise Rejected("wrong_phase")
    if settings.frozen:
        raise Rejected("class_frozen")
    open_to = (ChatMode.OPEN,) if channel is Channel.EVERYONE else (ChatMode.OPEN, ChatMode.STAFF)
    if settings.chat not in open_to or not person.permissions.chat:
        raise Rejected("chat_off")
    # A wall clock that was set back owes nobody a wait.
    if person.chatted_at is not None and 0 <= now - person.chatted_at < settings.slow_mode_s * 1000:
        raise Rejected("slow_mode")


def evolve_posted(room: "Room", seq: int, origin: Origin, event: ChatPosted) -> None:
    if origin.by is None:
        return
    room.participants[origin.by].chatted_at = origin.at
    message = MessageView(
        id=event.message,
        at=origin.at,
        by=origin.by,
        name=event.name,
        role=event.role,
        channel=event.channel,
        to=event.to,
        text=event.text,
        deleted=False,
    )
    room.chat.append(message)
    room.chat_characters += len(message.text)
    while len(room.chat) > MAX_MESSAGES or room.chat_characters > MAX_CHARACTERS:
        room.chat_characters -= len(room.chat.pop(0).text)


def evolve_deleted(room: "Room", seq: int, origin: Origin, event: ChatDeleted) -> None:
    for index, message in enumerate(room.chat):
        if message.id == event.message:
            room.chat_characters -= len(message.text)
            room.chat[index] = msgspec.structs.replace(message, text="", deleted=True)
            return
