"""Who is in a class: for services, and for seat holders who may see everybody (and are admitted themselves)."""

from typing import Annotated

import msgspec

from server import keys
from server.api import Call, Route
from server.problems import Problem
from server.rights import Right
from signaling.classroom.ids import Id
from signaling.classroom.roles import Role
from signaling.classroom.seats import Participant, Seat
from signaling.messages import People
from signaling.roster import people_page


class PeopleQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A page by name."""

    after: Id | None = None
    query: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 50


class PersonAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One person."""

    participant: str
    name: str
    role: Role
    present: bool
    on_stage: bool
    imitates: bool


class PeopleAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A page of admitted people; `next` is the `after` of the following page, None at the end."""

    people: list[PersonAnswer]
    next: str | None


async def people(call: Call) -> PeopleAnswer:
    """Admitted people of the class."""
    session, seat, query = call.request.match_info["session"], call.principal.seat, call.query
    if seat is not None and seat.session != session:
        raise Problem("not_found")
    if await call.app[keys.DIRECTORY].get(session) is None:
        raise Problem("not_found")
    room = (await call.app[keys.HUB].runner(session)).room
    if seat is not None:
        page = people_page(room, seat.participant, People(after=query.after, query=query.query, limit=query.limit))
        shown = [room.participants[person.id] for person in page.people]
        return PeopleAnswer(people=[_told(person) for person in shown], next=page.next)
    wanted = (query.query or "").casefold()
    found = sorted(
        (person for person in room.participants.values() if person.seat is Seat.ADMITTED and wanted in person.name.casefold()),
        key=lambda person: person.id,
    )
    behind = [person for person in found if query.after is None or person.id > query.after][: query.limit + 1]
    page_ = behind[: query.limit]
    return PeopleAnswer(people=[_told(person) for person in page_], next=page_[-1].id if len(behind) > len(page_) else None)


def _told(person: Participant) -> PersonAnswer:
    return PersonAnswer(
        participant=person.id,
        name=person.name,
        role=person.role,
        present=person.present,
        on_stage=person.on_stage,
        imitates=person.imitates,
    )


ROUTES = (
    Route(
        method="GET",
        path="/classes/{session}/people",
        handler=people,
        right=Right.SEE_PEOPLE,
        summary="Admitted people of a class",
        query=PeopleQuery,
        answer=PeopleAnswer,
        codes=("not_found", "not_admitted", "no_longer_kept", "class_ended", "draining", "overloaded"),
    ),
)
