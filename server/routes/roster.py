"""The roster of a class, from the learning platform: JSON, or CSV with a header. The same roster again changes nothing."""

from typing import Annotated

import msgspec

from server import keys
from server.api import Call, Route
from server.problems import Problem
from server.rights import Caller, Right
from server.roster import MAX_BYTES, BadRoster, Line, Listed, checked, csv_lines
from signaling.classroom.expected import MAX_EXPECTED


class RosterPerson(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line. `subject` is the caller's id of the person, as in the join tokens of this class."""

    subject: str
    name: str


class Roster(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everybody expected; who is not named is no longer."""

    people: Annotated[list[RosterPerson], msgspec.Meta(max_length=MAX_EXPECTED)]


class RosterQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose subjects these are: the issuer of the platform's own join tokens; absent: of tokens that this node issues for the caller."""

    issuer: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None


class RosterAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How many are expected now, and what the call changed."""

    people: int
    added: int
    renamed: int
    removed: int


async def replace(call: Call) -> RosterAnswer:
    """Make this the roster."""
    session = call.request.match_info["session"]
    if await call.app[keys.DIRECTORY].get(session) is None:
        raise Problem("not_found")
    issuer, prefix = _issuer(call)
    try:
        people = checked(_lines(call.body))
    except BadRoster as error:
        raise Problem("bad_roster", error.flaws) from None
    listed = [Listed(f"{prefix}{person.subject}", person.name) for person in people]
    change = await call.app[keys.ROSTERS].replace(session, issuer, listed)
    return RosterAnswer(people=len(listed), added=change.added, renamed=change.renamed, removed=change.removed)


def _lines(body: str | Roster) -> list[Line]:
    if isinstance(body, str):
        return list(csv_lines(body))
    return [Line(number, person.subject.strip(), person.name) for number, person in enumerate(body.people, 1)]


def _issuer(call: Call) -> tuple[str, str]:
    """(issuer, what stands before each subject): of tokens the platform signs, or of those this node issues for it (routes/classes.py)."""
    ring = call.app[keys.RING]
    wanted = call.query.issuer
    if wanted is None:
        return ring.own.issuer, f"{call.principal.name}:" if call.principal.caller is Caller.SERVICE else ""
    if wanted not in ring.issuers():
        raise Problem("unknown_issuer")
    return wanted, ""


ROUTES = (
    Route(
        method="PUT",
        path="/classes/{session}/roster",
        handler=replace,
        right=Right.SET_ROSTER,
        summary="Say who is expected in a class",
        body=Roster,
        takes="text/csv",
        most_bytes=MAX_BYTES,
        query=RosterQuery,
        answer=RosterAnswer,
        codes=("not_found", "bad_roster", "unknown_issuer", "too_many", "class_ended", "draining", "overloaded"),
    ),
)
