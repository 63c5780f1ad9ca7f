"""Tokens: signed claims of who may come in as what. One verifier, one algorithm per key, expiry checked in the same function.

Four kinds, told apart by `aud` so that none can stand in for another:
- join (`<audience>`): one person, one class, one role; <= 5 minutes, used once (the seat book keeps the `jti`).
- invite (`<audience>/invite`): one class and role, no person; demo nodes only, <= 1 day; exchanged for a join token.
- operator (`<audience>/operator`): opens the operator page; <= 5 minutes and used once, on demo nodes <= 1 day and reusable.
- api (`<audience>/api`): a service calling the class API; <= 5 minutes.

The header may hold `alg`, `kid` and `typ` and nothing else: `jwk`, `jku`, `x5u`, `x5c` and `crit` are refused with every other name
(RFC 7515 section 4.1.11 demands it for `crit`). Nothing is fetched. Oversized tokens are refused before they are parsed.
"""

import base64
import binascii
import hashlib
import secrets
from enum import StrEnum
from typing import Annotated, Final, Literal

import msgspec
from joserfc.jws import JWSRegistry

from server.keyring import KeyRing, SigningKey
from signaling.classroom.ids import ParticipantId, SessionId
from signaling.classroom.roles import Role

MAX_TOKEN_BYTES: Final = 8192
#: seconds a clock of another machine may be ahead of ours
LEEWAY_S: Final = 5
_DAY_S: Final = 86_400

TokenCode = Literal["bad_token", "token_expired", "token_used"]


class Kind(StrEnum):
    JOIN = "join"
    INVITE = "invite"
    OPERATOR = "operator"
    API = "api"


MAX_LIFE_S: Final = {Kind.JOIN: 300, Kind.INVITE: _DAY_S, Kind.OPERATOR: 300, Kind.API: 300}


class BadToken(Exception):
    """A token was refused. `code` is for the client, `why` for the log; neither holds any part of the token."""

    def __init__(self, why: str, code: TokenCode = "bad_token") -> None:
        super().__init__(why)
        self.why = why
        self.code: TokenCode = code


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    alg: str
    kid: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    typ: Literal["JWT"] = "JWT"


_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_Seconds = Annotated[int, msgspec.Meta(ge=0, lt=1 << 40)]


class Claims(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a verified token says; which fields are set depends on its kind."""

    iss: _Text
    aud: _Text
    iat: _Seconds
    exp: _Seconds
    nbf: _Seconds = 0
    jti: Annotated[str, msgspec.Meta(min_length=8, max_length=128)]
    sub: Annotated[str, msgspec.Meta(max_length=200)] = ""
    room: Annotated[str, msgspec.Meta(max_length=64)] = ""
    role: Role | None = None
    name: Annotated[str, msgspec.Meta(max_length=1000)] = ""


_decode_header = msgspec.json.Decoder(_Header, strict=True).decode
_decode_claims = msgspec.json.Decoder(Claims, strict=True).decode
_encode = msgspec.json.Encoder().encode


def audience_of(kind: Kind, audience: str) -> str:
    """The exact `aud` a token of this kind carries."""
    return audience if kind is Kind.JOIN else f"{audience}/{kind}"


def verify(token: str, kind: Kind, ring: KeyRing, *, audience: str, now: float, max_life_s: int | None = None) -> Claims:
    """The claims of a good token; raises BadToken for anything else. `now` is in seconds since the epoch."""
    if len(token) > MAX_TOKEN_BYTES:
        raise BadToken("too large")
    head, body, signature = _split(token)
    try:
        header = _decode_header(_unbase64(head))
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise BadToken("header") from None
    key = ring.get(header.kid)
    if key is None or header.alg != key.alg or kind not in key.uses:
        raise BadToken("key, algorithm or use")
    if not JWSRegistry.algorithms[key.alg].verify(f"{head}.{body}".encode("ascii"), _unbase64(signature), key.key):
        raise BadToken("signature")
    try:
        claims = _decode_claims(_unbase64(body))
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise BadToken("claims") from None
    _check_claims(claims, kind, key, audience, now, max_life_s or MAX_LIFE_S[kind])
    return claims


def _check_claims(claims: Claims, kind: Kind, key: SigningKey, audience: str, now: float, max_life_s: int) -> None:
    if not key.valid_at(now):
        raise BadToken("key outside its window")
    if claims.iss != key.issuer:
        raise BadToken("issuer")
    if claims.aud != audience_of(kind, audience):
        raise BadToken("audience")
    if claims.exp <= now:
        raise BadToken("expired", "token_expired")
    if claims.nbf > now + LEEWAY_S or claims.iat > now + LEEWAY_S:
        raise BadToken("not yet valid")
    if claims.exp - claims.iat > max_life_s or claims.exp < claims.iat:
        raise BadToken("life too long")
    if kind in (Kind.JOIN, Kind.INVITE) and (not claims.room or claims.role is None):
        raise BadToken("room or role missing")
    if kind is Kind.JOIN and not (claims.sub and claims.name):
        raise BadToken("person missing")


def sign(claims: Claims, key: SigningKey) -> str:
    """A compact JWS (RFC 7515 section 7.1) of the claims."""
    signed = f"{_base64(_encode(_Header(alg=key.alg, kid=key.kid)))}.{_base64(_encode(claims))}"
    return f"{signed}.{_base64(JWSRegistry.algorithms[key.alg].sign(signed.encode('ascii'), key.key))}"


def issue(
    kind: Kind,
    ring: KeyRing,
    *,
    audience: str,
    now: float,
    life_s: int | None = None,
    sub: str = "",
    room: str = "",
    role: Role | None = None,
    name: str = "",
) -> str:
    """A token signed by this node."""
    claims = Claims(
        iss=ring.own.issuer,
        aud=audience_of(kind, audience),
        iat=int(now),
        exp=int(now) + (life_s or MAX_LIFE_S[kind]),
        jti=secrets.token_urlsafe(16),
        sub=sub,
        room=room,
        role=role,
        name=name,
    )
    return sign(claims, ring.own)


def participant_id(session: SessionId, issuer: str, sub: str) -> ParticipantId:
    """One identity in one class, as 16 letters and digits; unlinkable across classes without the identity itself."""
    digest = hashlib.blake2b(f"{session}\0{issuer}\0{sub}".encode(), digest_size=10).digest()
    return base64.b32encode(digest).decode("ascii").lower()


def _split(token: str) -> tuple[str, str, str]:
    parts = token.split(".")
    if len(parts) != 3 or not token.isascii():
        raise BadToken("not a compact JWS")
    return parts[0], parts[1], parts[2]


def _unbase64(text: str) -> bytes:
    try:
        raw = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise BadToken("base64") from None
    if _base64(raw) != text:  # one spelling per token: no padding, no other alphabet, no stray bits (RFC 7515 section 2)
        raise BadToken("base64")
    return raw


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
