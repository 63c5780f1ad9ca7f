"""The three shapes every feature is made of: a Command asked for by somebody, an Event that happened, an Entry in the journal."""

from typing import Annotated, TypeAlias

import msgspec

from signaling.classroom.ids import Millis, OperationId, ParticipantId

Seconds: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=86_400)]


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """What a participant asks for; imperative name. Who asks comes from the server-side session, never from here."""


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """What happened; past-tense name. Immutable, journaled before anybody is told."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What `decide` may know besides the room: who asks (None = the node itself) and the server's time."""

    actor: ParticipantId | None
    now: Millis
    #: journal number the first event of this decision will get; ids made by it derive from this number
    seq: int
    #: random bytes from the shell, for what nobody may foresee; empty where chance plays no part
    chance: bytes = b""


class Origin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """By whom and when an event came about; op is the client's operation id."""

    at: Millis
    by: ParticipantId | None = None
    op: OperationId | None = None
