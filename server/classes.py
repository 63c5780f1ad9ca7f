"""Classes as HTTP sees them: made, listed, described, ended; people sent out lose their seats.

The directory knows which classes exist; the hub knows how a running one stands.
"""

import secrets
import unicodedata

import msgspec
from aiohttp import web

from server import keys
from server.problems import Problem
from server.seats import Seat
from signaling.classroom.ids import Millis, SessionId
from signaling.classroom.settings import Phase, Profile


class ClassInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One class from outside."""

    session: SessionId
    title: str
    profile: Profile
    phase: Phase
    starts_at: Millis | None
    ended_at: Millis | None


def new_id(prefix: str = "") -> SessionId:
    """A class id nobody can guess."""
    return f"{prefix}{secrets.token_hex(8)}"


def display_name(name: str) -> str:
    """A person's name as it will be shown; raises Problem (bad_message)."""
    kept = " ".join(unicodedata.normalize("NFC", name).split())[:64]
    if not kept or not kept.isprintable():
        raise Problem("bad_message")
    return kept


async def create(app: web.Application, session: SessionId, *, title: str, profile: Profile, starts_at: Millis | None) -> ClassInfo:
    """Make a class; the same call again finds it made. Raises Problem (exists) if another class has the id."""
    await app[keys.DIRECTORY].create(session, title, profile.value, starts_at)
    made = await describe(app, session)
    if made is None or (made.title, made.profile, made.starts_at) != (title, profile, starts_at):
        raise Problem("exists")
    return made


async def describe(app: web.Application, session: SessionId) -> ClassInfo | None:
    """How a class stands; None if there is none."""
    found = await app[keys.DIRECTORY].get(session)
    return _info(found) if found else None


async def list_classes(app: web.Application, *, ended: bool, after: SessionId | None, limit: int) -> list[ClassInfo]:
    """Classes by id."""
    return [_info(found) for found in await app[keys.DIRECTORY].list(ended=ended, after=after, limit=limit)]


async def disconnect_seat(app: web.Application, seat: Seat) -> None:
    """Close what hangs on a seat that was given up."""


def _info(found: object) -> ClassInfo:
    row = msgspec.convert(found, dict[str, object])
    phase = Phase.ENDED if row["ended_at"] is not None else Phase.LIVE
    return msgspec.convert({**row, "phase": phase}, ClassInfo)
