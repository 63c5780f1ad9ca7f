"""What serving replays needs beside the routes: who may watch, who was admitted to a class, what a version consists of, signed paths.

A signed path names a version and an expiry for all viewers alike, so that caches between share the files; beside it the node looks at who
asks on every request, so that whoever is sent out of a class loses its files at once and a path passed on is worth nothing.
"""

import hashlib
import hmac
import re
import unicodedata
import urllib.parse
from collections import OrderedDict
from typing import Any, Final, NamedTuple, TypeVar

from recording import manifest
from recording.objects import Object, ObjectStore, media_type
from recording.publication import MANIFEST, Published, Version
from server.keyring import KeyRing
from signaling import entries
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import ParticipantId, SessionId
from signaling.classroom.replay_access import ReplayAccess
from signaling.classroom.roles import Role
from signaling.classroom.room import Room
from signaling.classroom.seats import Seat
from signaling.hub import Hub
from signaling.metrics import Counters
from signaling.ports import Journal

#: seconds a signed path is good for, at least; ends lie on whole steps, so that pages opened near each other share one path
LIFE_S: Final = 6 * 3600
STEP_S: Final = 3600
PRESIGNED_STEP_S: Final = 300
_KEPT: Final = 64
#: a manifest is never so large
_MAX_MANIFEST: Final = 16 << 20
#: characters of a class's title in a file name; what is neither letter, mark nor digit and is not one of these becomes a space
_NAME_CHARS: Final = 80
_NO_NAME: Final = re.compile(r"[^\w ._-]+|_{5,}")
V = TypeVar("V")


class Opened(NamedTuple):
    """A version's manifest, the store it is kept in, and its files there: object and media type by name."""

    manifest: manifest.Manifest
    store: ObjectStore
    files: dict[str, tuple[Object, str]]


def may_watch(access: ReplayAccess, role: Role | None) -> bool:
    """Whether a class's setting lets somebody in who is admitted to it, or the operator (None)."""
    return access is ReplayAccess.PARTICIPANTS or (access is ReplayAccess.TRAINERS and role is not Role.TRAINEE)


class Replays:
    """Answers what does not change often from memory: the admitted of ended classes and manifests, the newest of each."""

    def __init__(self, *, hub: Hub, journal: Journal, published: Published, counters: Counters) -> None:
        self._hub = hub
        self._journal = journal
        self._published = published
        self._counters = counters
        self._ended: OrderedDict[SessionId, frozenset[ParticipantId]] = OrderedDict()
        self._opened: OrderedDict[tuple[str, int], Opened] = OrderedDict()

    async def admitted(self, session: SessionId, participant: ParticipantId) -> bool:
        """Whether a person is admitted to a class, or was when it ended. Raises Rejected, Unavailable."""
        known = self._ended.get(session)
        if known is not None:
            return participant in known
        room = self._hub.room(session)
        if room is None:
            try:
                room = (await self._hub.runner(session)).room
            except Rejected as error:
                if error.code != "class_ended":
                    raise
                loaded = await entries.load(self._journal, session, self._counters)
                known = _admitted(loaded.room) if loaded is not None else frozenset()
                _keep(self._ended, session, known)
                return participant in known
        person = room.participants.get(participant)
        return person is not None and person.seat is Seat.ADMITTED

    async def open(self, version: Version) -> Opened:
        """A version's manifest and files. Raises OSError, ValueError."""
        key = (version.folder, version.version)
        found = self._opened.get(key)
        if found is None:
            found = await _open(self._published.keeper(version.place), version)
            _keep(self._opened, key, found)
        return found


def sign(ring: KeyRing, version: Version, now: float, presigned_s: int | None = None) -> tuple[str, int]:
    """(grant for a path of this version, its end in seconds since the epoch); `presigned_s`: life of the addresses it leads to."""
    # A page asks for a new path before the end of the old one, and must do so before the addresses it was led to end.
    life, step = (LIFE_S, STEP_S) if presigned_s is None else (presigned_s, PRESIGNED_STEP_S)
    expires = -(-int(now + life) // step) * step
    return f"{expires}-{_mac(ring, version, expires)}", expires


def is_good(ring: KeyRing, version: Version, grant: str, now: float) -> bool:
    """Whether a grant is this node's, for this version, and not over."""
    end, _, mac = grant.partition("-")
    if len(end) > 12 or not (end.isascii() and end.isdigit()) or int(end) <= now:
        return False
    return hmac.compare_digest(mac.encode("utf-8", "surrogateescape"), _mac(ring, version, int(end)).encode())


def disposition(title: str) -> str:
    """Content-Disposition of a class's film (RFC 6266): saved under the title, as far as file systems take it."""
    kept = _NO_NAME.sub(" ", unicodedata.normalize("NFC", title)).strip(" .")
    name = " ".join(kept.split())[:_NAME_CHARS].strip(" .") or "class"
    plain = " ".join(re.sub(r"[^A-Za-z0-9._-]+", " ", name).split()).strip(" .") or "class"
    return f"attachment; filename=\"{plain}.mp4\"; filename*=UTF-8''{urllib.parse.quote(name, safe='')}.mp4"


def _mac(ring: KeyRing, version: Version, expires: int) -> str:
    secret = str(ring.own.key.as_dict(private=True)["d"]).encode()
    key = hmac.digest(secret, b"jiangtai replay paths 1", hashlib.sha256)
    told = f"{version.session}/{version.recording}/{version.folder}/v{version.version}/{expires}"
    return hmac.new(key, told.encode(), hashlib.sha256).hexdigest()[:32]


async def _open(store: ObjectStore, version: Version) -> Opened:
    there = {found.key.removeprefix(f"{version.prefix}/"): found for found in await store.list(version.prefix)}
    about = there.get(MANIFEST)
    if about is None:
        raise FileNotFoundError(MANIFEST)
    if not 0 < about.size <= _MAX_MANIFEST:
        raise ValueError("no manifest has this size")
    made = manifest.read(bytes(await store.read(about.key, 0, about.size)))
    named = {name: (there[name], media_type(name)) for name in manifest.files(made) if name in there}
    return Opened(made, store, {name: found for name, found in named.items() if found[1]})


def _admitted(room: Room) -> frozenset[ParticipantId]:
    return frozenset(id for id, person in room.participants.items() if person.seat is Seat.ADMITTED)


def _keep(kept: "OrderedDict[Any, V]", key: object, value: V) -> None:
    kept[key] = value
    if len(kept) > _KEPT:
        kept.popitem(last=False)
