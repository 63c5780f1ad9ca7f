"""Recordings of a class to watch: which there are, what one consists of, its files.

Who may is the class's own setting (signaling/classroom/replay_access.py), asked on every request: at most trainers, assistants and
inspectors of the class, trainees who are admitted to it (or were at its end), and the operator, who as everywhere is shown no chat: chunks
and snapshots are refused. Where nobody may, nobody does, the operator included. A deleted recording is gone at once, however good a
signature is.
"""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from aiohttp import web

from recording import manifest, publication
from recording.catalog import Row
from recording.objects import StoreAway
from recording.publication import State, Version
from server import callers, classes, keys, replays
from server.api import PREFIX, Call, Route
from server.packaging import tried_again
from server.problems import Problem
from server.rights import Caller, Right
from server.seats import Seat, hash_cookie
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import Millis
from signaling.classroom.replay_access import ReplayAccess, SetReplayAccess
from signaling.classroom.roles import Role

log = logging.getLogger("jiangtai.replay")


class RecordingAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One recording in a list; duration is None while it goes on."""

    recording: str
    state: State
    started_at: Millis
    duration_ms: int | None


class RecordingsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The recordings of a class, oldest first."""

    title: str
    access: ReplayAccess
    recordings: list[RecordingAnswer]


class NewAccess(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may watch from now on."""

    access: ReplayAccess


class ReplayAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A recording to watch. Unless it is ready, `content` and `base` are None.

    Files of `content` are at `base` + name, for every file until `expires_at` (seconds since the epoch); then ask again.
    """

    title: str
    recording: str
    state: State
    started_at: Millis
    duration_ms: int | None
    content: manifest.Manifest | None = None
    base: str | None = None
    expires_at: int | None = None


async def recordings(call: Call) -> RecordingsAnswer:
    """All of a class."""
    session = call.request.match_info["session"]
    title, access = await _class(call, session)
    await viewer(call, session)
    versions: dict[str, list[Version]] = {}
    for version in await call.app[keys.PUBLISHED].store.versions(session):
        versions.setdefault(version.recording, []).append(version)
    rows = await call.app[keys.RECORDINGS].rows(session)
    answers = [await _answer(call, row, versions.get(row.id, [])) for row in rows]
    return RecordingsAnswer(title=title, access=access, recordings=answers)


async def recording(call: Call) -> ReplayAnswer:
    """One, with the paths of its files if it is ready."""
    session, id = call.request.match_info["session"], call.request.match_info["recording"]
    title, _ = await _class(call, session)
    await viewer(call, session)
    store = call.app[keys.PUBLISHED].store
    versions = await store.versions(session, id)  # before `served`: what is published between the two is not yet said to be ready
    served = await store.served(session, id)
    if served is None:
        told = await _answer(call, await living(call, session, id), versions)
        return ReplayAnswer(title=title, recording=id, state=told.state, started_at=told.started_at, duration_ms=told.duration_ms)
    opened = await _open(call, served)
    grant, expires_at = replays.sign(call.app[keys.RING], served, call.now, _presigned_s(call, opened))
    return ReplayAnswer(
        title=opened.manifest.title,
        recording=id,
        state="ready",
        started_at=opened.manifest.started_at,
        duration_ms=opened.manifest.duration_ms,
        content=opened.manifest,
        base=f"{PREFIX}/classes/{session}/recordings/{id}/files/{grant}/{served.version}/",
        expires_at=expires_at,
    )


async def file(call: Call) -> web.StreamResponse:
    """A file of a version, whole or a range of it."""
    about = call.request.match_info
    session, id, name = about["session"], about["recording"], about["file"]
    seat = await viewer(call, session)
    version = await _version(call, session, id, about["version"])
    if not replays.is_good(call.app[keys.RING], version, about["grant"], call.now):
        raise Problem("bad_signature")
    opened = await _open(call, version)
    found = opened.files.get(name)
    if found is None:
        raise Problem("not_found")
    if seat is None and name in (*opened.manifest.timeline.chunks, *opened.manifest.timeline.snapshots):
        raise Problem("not_allowed")
    download = opened.manifest.download
    saved_as = replays.disposition(opened.manifest.title) if download is not None and name == download.file else None
    with _reached():
        return await call.app[keys.SENDER].send(call.request, call.principal.key, opened.store, *found, saved_as)


async def viewer(call: Call, session: str) -> Seat | None:
    """The seat this request watches by, None for the operator.

    Raises Problem (not_found, not_allowed, replay_closed), Rejected, Unavailable.
    """
    seat = await holder(call, session)
    _, access = await _class(call, session)
    if replays.may_watch(access, seat.role if seat is not None else None):
        return seat
    if call.principal.caller is Caller.OPERATOR and replays.may_watch(access, None):
        return None  # who also sits in class as a trainee still oversees
    raise Problem("replay_closed")


async def holder(call: Call, session: str) -> Seat | None:
    """The seat in the class this request is made by, None for the operator; as `viewer`, whoever may watch."""
    seat = call.principal.seat
    if call.principal.caller is Caller.OPERATOR:
        cookie = callers.read_cookie(call.request)
        owned = await call.app[keys.SEATS].owned(hash_cookie(cookie), call.now_ms) if cookie else []
        seat = next((each for each in owned if each.session == session), None)
    if seat is None:
        return None
    if seat.session != session:
        raise Problem("not_found")
    if seat.role is Role.TRAINEE and not await call.app[keys.REPLAYS].admitted(session, seat.participant):
        if call.principal.caller is Caller.OPERATOR:
            return None
        raise Problem("not_allowed")
    return seat


async def living(call: Call, session: str, id: str) -> Row:
    """A recording's row. Raises Problem: not_found, recording_deleted."""
    row = next((row for row in await call.app[keys.RECORDINGS].rows(session) if row.id == id), None)
    if row is None:
        raise Problem("not_found")
    if row.deleted_at is not None:
        raise Problem("recording_deleted")
    return row


async def share(call: Call) -> None:
    """Say who may watch; journaled, on behalf of the trainer who asks or of the caller outside."""
    session, seat = call.request.match_info["session"], call.principal.seat
    await _class(call, session)
    if seat is not None and seat.session != session:
        raise Problem("not_found")
    actor = seat.participant if seat is not None else None
    reply = await call.app[keys.HUB].dispatch(session, actor, SetReplayAccess(access=call.body.access))
    if reply.error is not None:
        raise Rejected(reply.error)


async def _class(call: Call, session: str) -> tuple[str, ReplayAccess]:
    """Title and setting. Raises Problem (not_found, no_longer_kept), Unavailable."""
    found = await classes.kept(call.app, session)
    return str(found["title"]), ReplayAccess(found["replay"])


async def _version(call: Call, session: str, id: str, number: str) -> Version:
    """The version a path names: the one served, or one before it that a page still plays."""
    store = call.app[keys.PUBLISHED].store
    served = await store.served(session, id)
    if served is None:
        await living(call, session, id)
        raise Problem("not_found")
    if number == str(served.version):
        return served
    found = next((version for version in await store.versions(session, id) if str(version.version) == number), None)
    if found is None or found.published_at is None or found.withdrawn_at is not None:
        raise Problem("not_found")
    return found


async def _open(call: Call, version: Version) -> replays.Opened:
    with _reached():
        return await call.app[keys.REPLAYS].open(version)


def _presigned_s(call: Call, opened: replays.Opened) -> int | None:
    return call.app[keys.SENDER].presigned_s if opened.store.place else None


@contextlib.contextmanager
def _reached() -> Iterator[None]:
    """What a store cannot give, as a refusal."""
    try:
        yield
    except FileNotFoundError:
        raise Problem("not_found") from None
    except StoreAway as error:
        log.warning("a recording cannot be reached", extra={"why": str(error)})
        raise Problem("recordings_unavailable") from None


async def _answer(call: Call, row: Row, versions: Sequence[Version]) -> RecordingAnswer:
    duration = None if row.ended_at is None else max(0, row.ended_at - row.started_at)
    state = publication.state(row, versions)
    if state == "failed" and await tried_again(call.app[keys.DATABASE], row):
        state = "processing"
    return RecordingAnswer(recording=row.id, state=state, started_at=row.started_at, duration_ms=duration)


_REFUSED: Final = ("not_found", "no_longer_kept", "replay_closed", "draining", "overloaded")
ROUTES = (
    Route(
        method="GET",
        path="/classes/{session}/recordings",
        handler=recordings,
        right=Right.SEE_RECORDINGS,
        summary="Recordings of a class",
        answer=RecordingsAnswer,
        codes=_REFUSED,
    ),
    Route(
        method="GET",
        path="/classes/{session}/recordings/{recording}",
        handler=recording,
        right=Right.SEE_RECORDINGS,
        summary="A recording and the signed path of its files",
        answer=ReplayAnswer,
        codes=(*_REFUSED, "recording_deleted", "recordings_unavailable"),
    ),
    Route(
        method="GET",
        path="/classes/{session}/recordings/{recording}/files/{grant}/{version}/{file}",
        handler=file,
        right=Right.SEE_RECORDINGS,
        summary="A file of a recording; ranges are served",
        codes=(*_REFUSED, "recording_deleted", "recordings_unavailable", "bad_signature"),
        raw={200: "application/octet-stream", 206: "application/octet-stream", 302: "", 304: "", 416: ""},
        files=True,
    ),
    Route(
        method="PUT",
        path="/classes/{session}/replay",
        handler=share,
        right=Right.SHARE_REPLAY,
        summary="Say who may watch the recordings of a class",
        body=NewAccess,
        status=204,
        codes=("not_found", "class_ended", "not_admitted", "draining", "overloaded"),
    ),
)
