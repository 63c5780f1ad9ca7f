"""A seat is one person in one class for one browser: made from a join token once, proved by a cookie from then on.

The cookie is 256 random bits; the store keeps its SHA-256 only. A seat is good until it expires or its person is sent out: sending out
raises the epoch of (class, person), which voids every older seat and every token issued before.
"""

import hashlib
import secrets
from typing import Final, Protocol

import msgspec

from server.auth import Claims, participant_id
from signaling.classroom.ids import Millis, ParticipantId, SessionId
from signaling.classroom.roles import Role

#: seats one cookie may own; the oldest gives way
SEATS_PER_COOKIE: Final = 16
_COOKIE_CHARS: Final = 43


class Seat(msgspec.Struct, frozen=True, kw_only=True):
    """What the server knows about who is asking; the only source of actor, role and class."""

    id: str
    session: SessionId
    participant: ParticipantId
    name: str
    role: Role
    issuer: str
    subject: str
    #: sha256 of the owning cookie
    cookie: bytes
    epoch: int
    expires_at: Millis

    def owned_by(self, cookie: str | None) -> bool:
        """Whether this cookie proves the seat; compared in constant time."""
        return cookie is not None and secrets.compare_digest(hash_cookie(cookie), self.cookie)


class Revoked(Exception):
    """The person was sent out after this token was issued."""


class Banned(Exception):
    """The person is barred from this class."""


class SeatBook(Protocol):
    """The store of seats; durable before it returns. Raises ports.Unavailable."""

    async def redeem(self, claims: Claims, seat: Seat, now: Millis) -> Seat:
        """Use up a join token for a seat, both or neither. A browser's second seat for the same person and role keeps the first one's id.

        Raises BadToken (token_used), Revoked, Banned.
        """

    async def find(self, seat: str, now: Millis) -> Seat | None:
        """The seat if it is good now."""

    async def revoke(self, session: SessionId, participant: ParticipantId, *, at: Millis, banned: bool) -> None:
        """Void every seat of a person and every token issued up to now."""

    async def forgive(self, session: SessionId, participant: ParticipantId) -> None:
        """Lift a ban; voided seats stay void."""

    async def release(self, seat: str) -> None:
        """Give up one seat."""


def new_cookie() -> str:
    """256 random bits as text."""
    return secrets.token_urlsafe(32)


def well_formed(cookie: str | None) -> str | None:
    """The cookie if it can be one of ours."""
    return cookie if cookie and len(cookie) == _COOKIE_CHARS and cookie.isascii() else None


def hash_cookie(cookie: str) -> bytes:
    """What the store keeps of a cookie."""
    return hashlib.sha256(cookie.encode()).digest()


def seat_for(claims: Claims, cookie: str, *, name: str, now: Millis, hours: int) -> Seat:
    """The seat a verified join token asks for; `name` is the normalised display name."""
    if claims.role is None:
        raise ValueError("a join token has a role")
    return Seat(
        id=secrets.token_hex(16),
        session=claims.room,
        participant=participant_id(claims.room, claims.iss, claims.sub),
        name=name,
        role=claims.role,
        issuer=claims.iss,
        subject=claims.sub,
        cookie=hash_cookie(cookie),
        epoch=0,
        expires_at=now + hours * 3_600_000,
    )
