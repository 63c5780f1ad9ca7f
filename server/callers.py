"""Who is asking over HTTP: from cookie, bearer and address, never from the body.

A seat holder names the seat (in the path, or `?seat=`) and proves it by cookie. A bearer is an API key or a service token. Requests that
change something and rest on a cookie must come from a page of ours (Origin), since browsers attach cookies for everybody.
"""

import hashlib
import ipaddress
import secrets
from typing import Final

import msgspec
from aiohttp import web

from server import auth, keys
from server.config import Config
from server.guard import GuardedHandler
from server.problems import Problem
from server.rights import Caller, Right, may
from server.seats import Seat, hash_cookie, well_formed
from signaling.classroom.ids import Millis

_LOCAL_NAMES: Final = ("localhost",)


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks; `seat` is set for seat holders, `name` for services."""

    caller: Caller
    seat: Seat | None = None
    name: str = ""

    @property
    def key(self) -> str:
        """What rate limits count by."""
        return f"seat:{self.seat.session}:{self.seat.participant}" if self.seat else f"{self.caller}:{self.name}"


def cookie_name(config: Config, kind: str = "") -> str:
    """The cookie's name; under TLS the prefix makes browsers refuse it from anywhere but this host."""
    return f"{'__Host-' if is_secure(config) else ''}jiangtai{kind}"


def is_secure(config: Config) -> bool:
    """Whether browsers reach this node by https."""
    return config.secure or config.public_url.startswith("https://")


def read_cookie(request: web.Request, kind: str = "") -> str | None:
    """The browser's cookie, if it has the right form."""
    return well_formed(request.cookies.get(cookie_name(request.app[keys.CONFIG], kind)))


def give_cookie(response: web.StreamResponse, config: Config, value: str, *, kind: str = "", hours: int) -> None:
    """Set the cookie on the browser."""
    secure = is_secure(config)
    response.set_cookie(cookie_name(config, kind), value, max_age=hours * 3600, path="/", secure=secure, httponly=True, samesite="Lax")


def is_loopback(request: web.Request) -> bool:
    """Whether the connection comes from this machine; forwarded headers are not believed."""
    address = address_of(request).partition("%")[0]
    return bool(address) and ipaddress.ip_address(address).is_loopback


def address_of(request: web.Request) -> str:
    """The address of the connection's other end, empty when it is gone."""
    peer = request.transport.get_extra_info("peername") if request.transport else None
    return str(peer[0]) if peer else ""


def host_is_ours(request: web.Request) -> bool:
    """Whether the Host header names this node: its public name, an address, or a name of the loopback.

    A name we do not know may be a page that had its name pointed at us (DNS rebinding); an address cannot be.
    """
    host = _host_of(request.host)
    if host is None:
        return False
    config = request.app[keys.CONFIG]
    ours = {_host_of(url.partition("://")[2]) for url in (config.public_url, *config.origins) if url}
    if host in ours or host in _LOCAL_NAMES or host == config.host.lower():
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def origin_is_ours(request: web.Request) -> bool | None:
    """Whether the Origin header names a page of ours; None if there is no such header."""
    origin = request.headers.get("Origin")
    if origin is None:
        return None
    config = request.app[keys.CONFIG]
    if origin in further_origins(config):
        return True
    return origin == f"{'https' if is_secure(config) else 'http'}://{request.host}"


def further_origins(config: Config) -> tuple[str, ...]:
    """Origins whose pages may talk to this node besides its own."""
    return (*config.origins, *((config.public_url.rstrip("/"),) if config.public_url else ()))


async def identify(request: web.Request, right: Right, now: float) -> Principal:
    """Who asks, as the caller the right is for; raises Problem (unauthenticated, not_allowed, bad_origin).

    Encoders and players bring a join token as bearer and no cookie, from pages of any origin: their routes look at it themselves.
    """
    if right is Right.STREAM:
        return Principal(caller=Caller.ANYBODY)
    ours = origin_is_ours(request)
    bearer = request.headers.get("Authorization")
    if ours is False and not bearer:
        raise Problem("bad_origin")
    if bearer:
        principal = _service(request, bearer, now)
    elif may(Caller.ANYBODY, right):
        return Principal(caller=Caller.ANYBODY)
    else:
        principal = await _by_cookie(request, right, now)
        if ours is None and request.method not in ("GET", "HEAD"):
            raise Problem("bad_origin")
    if not may(principal.caller, right):
        raise Problem("not_allowed")
    return principal


async def _by_cookie(request: web.Request, right: Right, now: float) -> Principal:
    operator = read_cookie(request, "-operator") if may(Caller.OPERATOR, right) else None
    if operator and await request.app[keys.SEATS].is_operator(hash_cookie(operator), int(now * 1000)):
        prove(request)
        return Principal(caller=Caller.OPERATOR)
    found = await _seats(request, int(now * 1000))
    if not found:
        raise Problem("unauthenticated")
    prove(request)
    able = [seat for seat in found if may(Caller(seat.role), right)]
    seat = (able or found)[0]
    return Principal(caller=Caller(seat.role), seat=seat)


async def _seats(request: web.Request, now: Millis) -> list[Seat]:
    """The browser's good seats this request can be about: the one it names, or all it owns in the class it names, or all."""
    cookie = read_cookie(request)
    if cookie is None:
        return []
    name = request.match_info.get("seat") or request.query.get("seat")
    if name:
        seat = await request.app[keys.SEATS].find(name, now)
        return [seat] if seat is not None and seat.owned_by(cookie) else []
    owned = await request.app[keys.SEATS].owned(hash_cookie(cookie), now)
    session = request.match_info.get("session")
    return [seat for seat in owned if session is None or seat.session == session]


def _service(request: web.Request, header: str, now: float) -> Principal:
    scheme, _, secret = header.partition(" ")
    config = request.app[keys.CONFIG]
    if scheme.lower() != "bearer" or not secret or len(secret) > auth.MAX_TOKEN_BYTES:
        raise Problem("unauthenticated")
    if secret.count(".") == 2:
        try:
            claims = auth.verify(secret, auth.Kind.API, request.app[keys.RING], audience=config.tokens.audience, now=now)
        except auth.BadToken as error:
            raise Problem("unauthenticated") from error
        name = claims.iss
    else:
        digest = hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
        name = ""
        for entry in config.tokens.api_keys:
            known, _, expected = entry.partition(":")
            if secrets.compare_digest(digest, expected):
                name = known
        if not name:
            raise Problem("unauthenticated")
    prove(request)
    return Principal(caller=Caller.SERVICE, name=name)


def prove(request: web.Request) -> None:
    """The connection of this request belongs to somebody known: it no longer counts against its address."""
    if isinstance(request.protocol, GuardedHandler):
        request.protocol.prove()


def _host_of(netloc: str) -> str | None:
    """The host part of host[:port] without brackets, lower case; None if malformed."""
    if netloc.startswith("["):
        host, closed, _ = netloc[1:].partition("]")
        return host.lower() if closed else None
    return netloc.partition(":")[0].rstrip(".").lower() or None
