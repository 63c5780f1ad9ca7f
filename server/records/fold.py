"""What the encoder must remember of a class: a function of its events alone, so that it can be made anew from the log at any time. Pure."""

from dataclasses import dataclass, field

from server.records import vocabulary as v
from server.records.statements import Json, Site, activity, duration, text
from signaling.classroom.base import Event
from signaling.classroom.ids import Millis, ParticipantId, PollId, SessionId
from signaling.classroom.seats import Seat


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One journal entry as the encoder reads it; `by` None means the node."""

    seq: int
    at: Millis
    by: ParticipantId | None
    event: Event


@dataclass(kw_only=True)
class Person:
    """One identity: its seat, how many connections it holds, since when it is in class (None = it is not)."""

    seat: Seat
    role: str
    connections: int = 0
    #: when the last of its closed connections was last alive
    seen: Millis = 0
    since: Millis | None = None


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A statement before it is put together. `kind` is unique among those of one entry; `by` None is the node.

    `telemetry` may be left out while a store has been away for very long; everything else never is.
    """

    kind: str
    by: ParticipantId | None
    verb: str
    object: Json
    at: Millis
    result: Json | None = None
    #: whether the object is part of the classroom rather than the classroom itself
    inner: bool = False
    extensions: Json = field(default_factory=dict)
    telemetry: bool = False
    #: id of the statement this one voids
    voids: str = ""


@dataclass(kw_only=True)
class ClassFold:
    """One class at entry `seq`."""

    site: Site
    session: SessionId
    seq: int = 0
    title: str = ""
    initialized_at: Millis | None = None
    ended_at: Millis | None = None
    #: the last entry that shows the node at work
    alive_at: Millis = 0
    people: dict[ParticipantId, Person] = field(default_factory=dict)
    hands: list[ParticipantId] = field(default_factory=list)
    #: when each question of the node was asked, by kind and id
    questions: dict[str, Millis] = field(default_factory=dict)
    #: polls whose answers carry no name
    anonymous: set[PollId] = field(default_factory=set)

    def classroom(self, *, full: bool = False) -> Json:
        """The class as an object; its title is told once, by the statement that opens it."""
        more = {"name": text(self.title)} if full and self.title else {}
        return activity(self.site.activity(self.session), v.CLASSROOM, **more)

    def part(self, type: str, *name: str, **definition: object) -> Json:
        """A part of the class as an object."""
        return activity(self.site.activity(self.session, *name), type, **definition)

    def arrivals(self, participant: ParticipantId, at: Millis) -> list[Draft]:
        """What follows if this person is now in class, or no longer, unlike before."""
        person = self.people[participant]
        inside = person.seat is Seat.ADMITTED and person.connections > 0 and self.ended_at is None
        if inside and person.since is None:
            person.since = at
            return [*self.opening(participant, at), self._joined(participant, person, at)]
        if not inside and person.since is not None:
            return [self.left(participant, at)]
        return []

    def opening(self, by: ParticipantId | None, at: Millis) -> list[Draft]:
        """`initialized`, once: by the first who comes, or by who starts an empty class."""
        if self.initialized_at is not None:
            return []
        self.initialized_at = at
        return [Draft(kind="initialized", by=by, verb=v.INITIALIZED, object=self.classroom(full=True), at=at)]

    def left(self, participant: ParticipantId, at: Millis) -> Draft:
        """This person is no longer in class."""
        person = self.people[participant]
        since, person.since = person.since, None
        length = {"duration": duration(at - (at if since is None else since))}
        return Draft(kind=f"left/{participant}", by=participant, verb=v.LEFT, object=self.classroom(), at=at, result=length)

    def _joined(self, participant: ParticipantId, person: Person, at: Millis) -> Draft:
        extensions = {v.CAMERA_ACTIVATED: False, v.MICRO_ACTIVATED: False, self.site.extension("role"): person.role}
        return Draft(kind=f"joined/{participant}", by=participant, verb=v.JOINED, object=self.classroom(), at=at, extensions=extensions)
