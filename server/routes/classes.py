"""The class API for learning platforms and the operator: make, list, look at, end; issue join tokens; people and audit."""

from typing import Annotated

import msgspec

from server import auth, classes, keys
from server.api import Call, Route
from server.classes import ClassInfo
from server.keyring import NODE_ISSUER
from server.problems import Problem
from server.rights import Caller, Right
from signaling.classroom.ids import Id, Millis
from signaling.classroom.policies import AttendancePolicy, PolicyName
from signaling.classroom.replay_access import ReplayAccess
from signaling.classroom.roles import Role
from signaling.classroom.session import Title
from signaling.classroom.settings import Phase, Profile

_PageSize = Annotated[int, msgspec.Meta(ge=1, le=100)]


class NewPolicy(AttendancePolicy, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules of attendance of the caller's own. Under one id and version they never change, in whatever class."""


class NewClass(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A class to make. With an id of the caller's, making it again changes nothing.

    `policy` is `<id>.<version>` of known rules, or rules of the caller's own; it is stamped on the class for good. `replay` says who may
    watch its recordings, until a trainer or the caller changes that.
    """

    title: Title
    profile: Profile = Profile.SMALL
    session: Id | None = None
    starts_at: Annotated[int, msgspec.Meta(ge=0, lt=1 << 47)] | None = None
    policy: PolicyName | NewPolicy | None = None
    replay: ReplayAccess = ReplayAccess.PARTICIPANTS


class ClassPage(msgspec.Struct, frozen=True, kw_only=True):
    """Classes by id; `next` is the `after` of the following page, None at the end."""

    classes: list[ClassInfo]
    next: str | None


class ListQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which classes; `ended=true` includes those over."""

    ended: bool = False
    after: Id | None = None
    limit: _PageSize = 50


class NewToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may come into the class, as what. `sub` is the caller's id of the person."""

    sub: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    role: Role
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class IssuedToken(msgspec.Struct, frozen=True, kw_only=True):
    """A join token, its link relative to the origin, and its end."""

    token: str
    link: str
    expires_at: Millis


async def create(call: Call) -> ClassInfo:
    """Make a class."""
    wanted: NewClass = call.body
    session = wanted.session or classes.new_id()
    own = wanted.policy
    policy = await classes.policy_for(
        call.app, msgspec.convert(msgspec.to_builtins(own), AttendancePolicy) if isinstance(own, NewPolicy) else own
    )
    made = await classes.create(
        call.app, session, title=wanted.title, profile=wanted.profile, starts_at=wanted.starts_at, policy=policy, replay=wanted.replay
    )
    await call.app[keys.RETENTION].own(session, tenant_of(call.principal.name))
    return made


async def listing(call: Call) -> ClassPage:
    """A page of classes."""
    query: ListQuery = call.query
    found = await classes.list_classes(call.app, ended=query.ended, after=query.after, limit=query.limit)
    if call.principal.caller is Caller.OPERATOR:
        found = await classes.with_owners(call.app, found)
    return ClassPage(classes=found, next=found[-1].session if len(found) == query.limit else None)


async def show(call: Call) -> ClassInfo:
    """One class."""
    found = await _wanted(call)
    return (await classes.with_owners(call.app, [found]))[0] if call.principal.caller is Caller.OPERATOR else found


async def end(call: Call) -> ClassInfo:
    """End a class for everybody; ending it again changes nothing."""
    found = await _wanted(call)
    if found.phase is not Phase.ENDED:
        await classes.end(call.app, found.session)
        found = await _wanted(call)
    return found


async def issue(call: Call) -> IssuedToken:
    """A join token signed by this node, for one person; the identity belongs to the calling service."""
    found = await _wanted(call)
    if found.phase is Phase.ENDED:
        raise Problem("class_ended")
    wanted: NewToken = call.body
    token = auth.issue(
        auth.Kind.JOIN,
        call.app[keys.RING],
        audience=call.app[keys.CONFIG].tokens.audience,
        now=call.now,
        sub=f"{call.principal.name}:{wanted.sub}",
        room=found.session,
        role=wanted.role,
        name=classes.display_name(wanted.name),
    )
    life_ms = auth.MAX_LIFE_S[auth.Kind.JOIN] * 1000
    return IssuedToken(token=token, link=f"/join#token={token}", expires_at=call.now_ms + life_ms)


def tenant_of(caller: str) -> str:
    """Whose classes a caller of the API makes: what the node signs itself is the house's, as what the operator makes."""
    return "" if caller == NODE_ISSUER else caller


async def _wanted(call: Call) -> ClassInfo:
    found = await classes.describe(call.app, call.request.match_info["session"])
    if found is None:
        raise Problem("not_found")
    return found


ROUTES = (
    Route(
        method="POST",
        path="/classes",
        handler=create,
        right=Right.MANAGE_CLASSES,
        summary="Make a class",
        body=NewClass,
        answer=ClassInfo,
        status=201,
        codes=("exists", "draining", "no_such_policy", "bad_policy", "policy_differs"),
    ),
    Route(
        method="GET",
        path="/classes",
        handler=listing,
        right=Right.MANAGE_CLASSES,
        summary="List classes",
        query=ListQuery,
        answer=ClassPage,
    ),
    Route(
        method="GET",
        path="/classes/{session}",
        handler=show,
        right=Right.MANAGE_CLASSES,
        summary="One class",
        answer=ClassInfo,
        codes=("not_found",),
    ),
    Route(
        method="POST",
        path="/classes/{session}/end",
        handler=end,
        right=Right.MANAGE_CLASSES,
        summary="End a class for everybody",
        answer=ClassInfo,
        codes=("not_found",),
    ),
    Route(
        method="POST",
        path="/classes/{session}/tokens",
        handler=issue,
        right=Right.ISSUE_TOKENS,
        summary="Issue a join token for one person",
        body=NewToken,
        answer=IssuedToken,
        status=201,
        codes=("not_found", "class_ended"),
    ),
)
