"""Classes as HTTP sees them: made, listed, described, ended.

The directory knows which classes exist; the hub knows how one that is awake stands. A class nobody is in sleeps, and is woken to be asked.
"""

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web

from moderation.names import BadName, normalise
from server import keys
from server.problems import Problem
from server.seats import Seat
from signaling.classroom import policies
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import Millis, SessionId
from signaling.classroom.policies import POLICIES, STANDARD, AttendancePolicy
from signaling.classroom.replay_access import ReplayAccess
from signaling.classroom.session import EndClass
from signaling.classroom.settings import Phase, Profile


class ClassInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One class from outside; phase is None while it sleeps (nobody is in it)."""

    session: SessionId
    title: str
    profile: Profile
    phase: Phase | None
    starts_at: Millis | None
    ended_at: Millis | None
    #: rules of attendance, as `<id>.<version>`
    policy: str
    replay: ReplayAccess
    present: int = 0
    #: since when its log is no longer kept
    expired_at: Millis | None = None
    #: for the operator only: whose class it is ('' = the house), and whether it is under a legal hold
    tenant: str | None = None
    held: bool | None = None


def new_id(prefix: str = "") -> SessionId:
    """A class id nobody can guess."""
    return f"{prefix}{secrets.token_hex(8)}"


def display_name(name: str) -> str:
    """A person's name as it will be shown; raises Problem (bad_message)."""
    try:
        return normalise(name)
    except BadName:
        raise Problem("bad_message") from None


async def create(
    app: web.Application,
    session: SessionId,
    *,
    title: str,
    profile: Profile,
    starts_at: Millis | None,
    policy: AttendancePolicy = STANDARD,
    replay: ReplayAccess = ReplayAccess.PARTICIPANTS,
) -> ClassInfo:
    """Make a class; the same call again finds it made, with the replay as it now is. Raises Problem (exists) if another has the id."""
    await app[keys.HUB].create(session, title, profile, starts_at, policy=policy, replay=replay)
    found = await app[keys.DIRECTORY].get(session)
    wanted = {"title": title, "profile": profile.value, "starts_at": starts_at}
    if found is None or wanted.items() - found.items() or policies.stamped(found["policy"]) != policy:
        raise Problem("exists")
    return _info(app, found)


async def policy_for(app: web.Application, wanted: str | AttendancePolicy | None) -> AttendancePolicy:
    """The rules a class asks for: those of the day, ours or known ones by `<id>.<version>`, or its own, known from then on.

    Raises Problem (no_such_policy, bad_policy, policy_differs), Unavailable.
    """
    if wanted is None:
        return STANDARD
    if isinstance(wanted, str):
        id, _, version = wanted.rpartition(".")
        found = POLICIES.get((id, int(version))) or await app[keys.POLICIES].find(id, int(version))
        if found is None:
            raise Problem("no_such_policy")
        return found
    if policies.contradicts(wanted):
        raise Problem("bad_policy")
    ours = POLICIES.get((wanted.id, wanted.version))
    known = ours == wanted if ours is not None else await app[keys.POLICIES].register(wanted)
    if not known:
        raise Problem("policy_differs")
    return wanted


async def describe(app: web.Application, session: SessionId) -> ClassInfo | None:
    """How a class stands, without waking it; None if there is none."""
    found = await app[keys.DIRECTORY].get(session)
    return _info(app, found) if found else None


async def kept(app: web.Application, session: SessionId) -> Mapping[str, Any]:
    """The description of a class whose log is there. Raises Problem (not_found, no_longer_kept)."""
    found = await app[keys.DIRECTORY].get(session)
    if found is None:
        raise Problem("not_found")
    if found.get("expired_at") is not None:
        raise Problem("no_longer_kept")
    return found


async def with_owners(app: web.Application, found: Sequence[ClassInfo]) -> list[ClassInfo]:
    """The same classes as the operator is shown them."""
    known = await app[keys.RETENTION].standings([each.session for each in found])
    return [
        msgspec.structs.replace(each, tenant=known[each.session].tenant, held=known[each.session].held) if each.session in known else each
        for each in found
    ]


async def phase(app: web.Application, session: SessionId) -> Phase:
    """The phase of a class, woken if need be. Raises Rejected, Unavailable."""
    try:
        return (await app[keys.HUB].runner(session)).room.phase
    except Rejected as error:
        if error.code == "class_ended":
            return Phase.ENDED
        raise


def is_recorded(app: web.Application, session: SessionId) -> bool:
    """Whether a class that is awake is being recorded."""
    room = app[keys.HUB].room(session)
    return room is not None and room.recording is not None


async def list_classes(app: web.Application, *, ended: bool, after: SessionId | None, limit: int) -> list[ClassInfo]:
    """Classes by id."""
    return [_info(app, found) for found in await app[keys.DIRECTORY].list(ended=ended, after=after, limit=limit)]


async def end(app: web.Application, session: SessionId) -> None:
    """End a class for everybody, as the node itself; ending one that is over changes nothing."""
    reply = await app[keys.HUB].dispatch(session, None, EndClass())
    if reply.error not in (None, "class_ended"):
        raise Rejected(reply.error)
    await app[keys.DIRECTORY].mark_ended(session, int(time.time() * 1000))


def disconnect_seat(app: web.Application, seat: Seat) -> None:
    """Close what hangs on this seat; the person's other devices stay."""
    app[keys.GATEWAY].revoke(seat.session, seat.participant, seat=seat.id)


def _info(app: web.Application, found: object) -> ClassInfo:
    row = msgspec.convert(found, dict[str, Any])
    rules = policies.stamped(row["policy"])
    room = app[keys.HUB].room(str(row["session"]))
    now = Phase.ENDED if row["ended_at"] is not None else room.phase if room else None
    more = {"phase": now, "present": room.present if room else 0, "policy": f"{rules.id}.{rules.version}"}
    return msgspec.convert({**row, **more}, ClassInfo)
