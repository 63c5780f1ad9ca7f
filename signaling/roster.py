"""The list of people, page by page, by name: for staff and inspectors, and for everybody in a small class."""

import heapq

from signaling.classroom.audience import person_for
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import ParticipantId
from signaling.classroom.roles import Capability, can
from signaling.classroom.room import Room
from signaling.classroom.seats import Participant, Seat
from signaling.classroom.settings import Profile
from signaling.messages import People, PeoplePage


def people_page(room: Room, viewer: ParticipantId, asked: People) -> PeoplePage:
    """Admitted people behind `after`; raises Rejected (not_admitted, not_allowed)."""
    me = room.participants.get(viewer)
    if me is None or me.seat is not Seat.ADMITTED:
        raise Rejected("not_admitted")
    if room.profile is not Profile.SMALL and not can(me.role, Capability.SEE_EVERYBODY):
        raise Rejected("not_allowed")
    query = (asked.query or "").casefold()
    last = room.participants.get(asked.after) if asked.after is not None else None
    behind = _key(last) if last is not None else ("", "")
    matching = (
        person
        for person in room.participants.values()
        if person.seat is Seat.ADMITTED and _key(person) > behind and query in person.name.casefold()
    )
    page = heapq.nsmallest(asked.limit + 1, matching, key=_key)
    more = len(page) > asked.limit
    page = page[: asked.limit]
    return PeoplePage(people=[person_for(room, me, person) for person in page], next=page[-1].id if more else None)


def _key(person: Participant) -> tuple[str, ParticipantId]:
    return person.name.casefold(), person.id
