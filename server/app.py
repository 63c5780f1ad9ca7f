"""A node put together: what is opened in which order, and closed in the opposite one."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiohttp import web

from server import api, keyring, keys, site
from server.adapters.sqlite import Database
from server.adapters.sqlite_journal import SqliteDirectory, SqliteJournal
from server.adapters.sqlite_seats import SqliteSeats
from server.config import Config
from server.guard import Guard
from server.limits import Buckets
from server.routes import operator, seats

log = logging.getLogger("jiangtai.node")
_PRUNE_S = 60.0


def create_app(config: Config, *, replace: Mapping[web.AppKey[Any], Any] | None = None) -> web.Application:
    """The application of one node. `replace` puts other objects under keys; they are used as they are and closed by who made them."""
    app = web.Application(middlewares=[site.shield], client_max_size=config.limits.body_bytes)
    app[keys.CONFIG] = config
    app[keys.GUARD] = Guard(open_per_address=config.limits.open_per_address)
    app[keys.CALLS] = Buckets(rate=config.limits.requests_per_minute / 60, burst=config.limits.requests_per_minute / 4)
    app[keys.FAILURES] = Buckets(rate=config.limits.failures_per_second, burst=config.limits.failures_per_second * 2)
    for key, value in (replace or {}).items():
        app[key] = value
    app.on_response_prepare.append(site.on_prepare)
    app.cleanup_ctx.extend((_keys, _stores, _upkeep))
    api.add(app, (*seats.ROUTES, *operator.ROUTES))
    site.add_site(app)
    return app


async def _keys(app: web.Application) -> AsyncIterator[None]:
    config = app[keys.CONFIG]
    if keys.RING not in app:
        own = config.var_dir / "keys" / "node.json"
        app[keys.RING] = keyring.open_ring(own, config.tokens.keys_file, config.tokens.keys)
    yield


async def _stores(app: web.Application) -> AsyncIterator[None]:
    config = app[keys.CONFIG]
    config.var_dir.mkdir(parents=True, exist_ok=True)
    database = app[keys.DATABASE] = Database(config.var_dir / "jiangtai.sqlite")
    await database.start()
    if keys.JOURNAL not in app:
        app[keys.JOURNAL] = SqliteJournal(database)
    if keys.DIRECTORY not in app:
        app[keys.DIRECTORY] = SqliteDirectory(database)
    if keys.SEATS not in app:
        app[keys.SEATS] = SqliteSeats(database)
    yield
    await database.close()


async def _upkeep(app: web.Application) -> AsyncIterator[None]:
    task = asyncio.create_task(_prune(app), name="upkeep")
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _prune(app: web.Application) -> None:
    while True:
        try:
            await app[keys.SEATS].prune(int(time.time() * 1000))
        except Exception:
            log.exception("pruning failed")
        await asyncio.sleep(_PRUNE_S)
