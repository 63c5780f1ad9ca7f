"""The web client as files, and the headers every response carries.

A page address (`/`, `/join`, `/class/…`, `/ended/…`, `/replay/…`, `/report/…`, `/operator`) answers with the one page of the client. Files
come from a table built at start, so a path in a request is only ever a key, never a way into the file system. Names under `assets/` carry a
hash and never change.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from aiohttp import hdrs, web

from server import callers, keys, problems
from server.config import Config

log = logging.getLogger("jiangtai.http")

STATIC: Final = Path(__file__).parent / "static"
_PAGES: Final = ("/", "/join", "/class/{rest:.*}", "/ended/{rest:.*}", "/report/{rest:.*}", "/replay/{rest:.*}", "/operator")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"})
_FOREVER: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"
_NOT_BUILT: Final = "The web client is not built yet: make web\n"
_PERMISSIONS: Final = (
    "camera=(self), microphone=(self), display-capture=(self), fullscreen=(self), autoplay=(self), speaker-selection=(self), "
    "screen-wake-lock=(self), picture-in-picture=(self), clipboard-write=(self), geolocation=(), payment=(), usb=(), serial=(), hid=(), "
    "bluetooth=(), midi=(), accelerometer=(), gyroscope=(), magnetometer=(), browsing-topics=()"
)


def content_policy(host: str, *, secure: bool, media_origin: str = "") -> str:
    """The Content-Security-Policy of this origin. connect-src names the WebSocket since not every browser counts it as 'self'.

    `media_origin`: where media of replays come from besides this node.
    """
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "style-src-attr 'unsafe-inline'",
            "img-src 'self' blob: data:",
            f"media-src 'self' blob: {media_origin}".rstrip(),
            "font-src 'self'",
            f"connect-src 'self' {'wss' if secure else 'ws'}://{host}",
            "worker-src 'self' blob:",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types jiangtai",
        )
    )


def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Security headers; what a handler set stays."""
    config: Config = request.app[keys.CONFIG]
    secure = callers.is_secure(config)
    headers = response.headers
    headers.setdefault("Content-Security-Policy", content_policy(request.host, secure=secure, media_origin=config.recordings.media_origin))
    headers.setdefault("Cache-Control", "no-store")
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers["Permissions-Policy"] = _PERMISSIONS
    headers["Server"] = "jiangtai"
    if secure and config.tls != "self-signed":
        headers["Strict-Transport-Security"] = "max-age=31536000"


async def on_prepare(request: web.Request, response: web.StreamResponse) -> None:
    """Signal: put the headers on every response, errors and files included."""
    add_headers(request, response)


@web.middleware
async def shield(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    """Refuse foreign host names; turn every refusal and failure into the one error body."""
    resource = request.match_info.route.resource
    # A resolved route is a template; the path itself may hold a seat.
    route = resource.canonical if resource else "unknown"
    response = await _answer(request, handler, route)
    request.app[keys.REQUESTS][request.method if request.method in _METHODS else "other", route, response.status] += 1
    return response


async def _answer(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]], route: str) -> web.StreamResponse:
    if not callers.host_is_ours(request):
        request.protocol.keep_alive(False)
        return problems.answer("misdirected")
    try:
        return await handler(request)
    except problems.Problem as problem:
        return problems.answer(problem.code, problem.lines)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return problems.answer(problems.BY_STATUS.get(error.status, "bad_message"))
    except (asyncio.CancelledError, ConnectionError):
        raise
    except Exception:
        log.exception("request failed", extra={"route": route})
        return problems.answer("internal")


def add_site(app: web.Application) -> None:
    """Serve the client from STATIC; links in it are not followed."""
    found = sorted(path for path in STATIC.rglob("*") if path.is_file() and not path.is_symlink()) if STATIC.is_dir() else []
    files = {f"/{path.relative_to(STATIC).as_posix()}": path for path in found}
    page = files.get("/index.html")

    async def send_page(request: web.Request) -> web.StreamResponse:
        if page is None:
            return web.Response(status=503, text=_NOT_BUILT, headers={hdrs.RETRY_AFTER: "5"})
        return web.FileResponse(page, headers={hdrs.CACHE_CONTROL: _ASK_AGAIN})

    async def send_file(request: web.Request) -> web.StreamResponse:
        path = files.get(request.path)
        if path is None:
            raise problems.Problem("not_found")
        return web.FileResponse(path, headers={hdrs.CACHE_CONTROL: _FOREVER if request.path.startswith("/assets/") else _ASK_AGAIN})

    for pattern in _PAGES:
        app.router.add_get(pattern, send_page)
    app.router.add_get("/{rest:[^/]+}", send_file)
    app.router.add_get("/assets/{rest:.+}", send_file)
