"""Who is expected in a class: the roster of the learning platform, so that the report names who never came.

One event per person, so that a person can be taken out of the log without touching another's entry. A person is named by the id that the
same identity has when it comes in; the identity itself is kept beside the journal, as for everybody. Being expected gives no right to
anything. Told to nobody in class: it is read with the report.
"""

from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from signaling.classroom.base import Command, Context, Event, Origin
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import ParticipantId
from signaling.classroom.seats import Name

if TYPE_CHECKING:
    from signaling.classroom.state import Room

MAX_EXPECTED: Final = 5_000
#: changes of one command, so that a long roster does not hold up its class
MAX_CHANGES: Final = 250


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """One person of a roster."""

    participant: ParticipantId
    name: Name


class ChangeExpected(Command, frozen=True, kw_only=True, tag="change_expected"):
    """Node only, for a service or operator: these people are expected, by these names; those are no longer."""

    people: Annotated[list[Expected], msgspec.Meta(max_length=MAX_CHANGES)] = msgspec.field(default_factory=list)
    gone: Annotated[list[ParticipantId], msgspec.Meta(max_length=MAX_CHANGES)] = msgspec.field(default_factory=list)


class PersonExpected(Event, frozen=True, kw_only=True, tag="person_expected"):
    """Somebody is on the roster, or there by another name than before; told to nobody in class."""

    participant: ParticipantId
    name: Name


class PersonNotExpected(Event, frozen=True, kw_only=True, tag="person_not_expected"):
    """Somebody is no longer on the roster; told to nobody in class."""

    participant: ParticipantId


def decide_expected(room: "Room", context: Context, command: ChangeExpected) -> list[Event]:
    if context.actor is not None:
        raise Rejected("not_allowed")
    wanted = {person.participant: person.name for person in command.people}
    gone = [id for id in dict.fromkeys(command.gone) if id in room.expected and id not in wanted]
    if len(room.expected.keys() | wanted.keys()) - len(gone) > MAX_EXPECTED:
        raise Rejected("too_many")
    listed = [PersonExpected(participant=id, name=name) for id, name in wanted.items() if room.expected.get(id) != name]
    return [*(PersonNotExpected(participant=id) for id in gone), *listed]


def evolve_listed(room: "Room", seq: int, origin: Origin, event: PersonExpected) -> None:
    room.expected[event.participant] = event.name


def evolve_struck(room: "Room", seq: int, origin: Origin, event: PersonNotExpected) -> None:
    room.expected.pop(event.participant, None)
