"""A node put together: what is opened in which order, and closed in the opposite one.

keys -> store -> recordings -> media plane -> hub -> gateway -> records -> retention -> upkeep; routes are added last. The hub drains
before the gateway lets go of the sockets, both before the plane and the store close, so that whatever was accepted is stored.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from functools import cache, partial
from typing import Any, Final

from aiohttp import web

from media.plane import JournalNews, NativePlane, send_many
from moderation.screening import WordScreen
from recording.catalog import Catalog
from recording.sweeping import Sweeping
from server import api, callers, demo, keyring, keys, site, telemetry
from server.adapters.sqlite import Database
from server.adapters.sqlite_attendance import SqliteAttendance
from server.adapters.sqlite_holds import SqliteHolds
from server.adapters.sqlite_journal import EndProjection, SqliteDirectory, SqliteJournal
from server.adapters.sqlite_publications import SqliteWatches
from server.adapters.sqlite_recordings import SqliteRecordings
from server.adapters.sqlite_retention import SqliteRetention
from server.adapters.sqlite_roster import SqliteRoster
from server.adapters.sqlite_rules import AccessProjection, SqlitePolicies
from server.adapters.sqlite_seats import SqliteSeats
from server.attendance import MISSED_PINGS, PING_S, Keeper, Reader
from server.config import Config
from server.doors import Bouncer, Doors, LateSignals
from server.erasure.commands import open_erasing
from server.erasure.worker import Worker as Eraser
from server.guard import Guard
from server.limits import Buckets
from server.packaging import ended, finishing, heard, packaging
from server.pulse import Pulse
from server.recordings import journal_root, open_published
from server.records.handoff import open_handoff
from server.records.ledger import open_ledger
from server.replays import Replays
from server.retention.removal import Removal
from server.retention.sweep import Sweep
from server.rollups import RollUps
from server.roster import Rosters
from server.routes import (
    attendance,
    audit,
    classes,
    erasures,
    holds,
    ledger,
    node,
    operator,
    people,
    records,
    replay,
    retention,
    roster,
    seats,
    watched,
    whip,
)
from server.seats import hash_cookie
from server.sending import Sender
from server.whip import Streams
from signaling.classroom.ids import Millis, SessionId
from signaling.classroom.recording import StopRecording
from signaling.gateway import Gateway
from signaling.hub import Hub
from signaling.loop import Probe
from signaling.metrics import Counters, Histogram

log = logging.getLogger("jiangtai.node")
#: every call of the API
ROUTES: Final = (
    *seats.ROUTES,
    *people.ROUTES,
    *classes.ROUTES,
    *audit.ROUTES,
    *records.ROUTES,
    *ledger.ROUTES,
    *attendance.ROUTES,
    *roster.ROUTES,
    *replay.ROUTES,
    *watched.ROUTES,
    *holds.ROUTES,
    *retention.ROUTES,
    *erasures.ROUTES,
    *operator.ROUTES,
    *whip.ROUTES,
    *node.ROUTES,
)
_PRUNE_S = 60.0
_TICK_S = 0.05


def create_app(config: Config, *, replace: Mapping[web.AppKey[Any], Any] | None = None) -> web.Application:
    """The application of one node. `replace` puts other objects under keys; they are used as they are and closed by who made them."""
    app = web.Application(middlewares=[site.shield], client_max_size=config.limits.body_bytes)
    app[keys.CONFIG] = config
    app[keys.GUARD] = Guard(open_per_address=config.limits.open_per_address)
    app[keys.CALLS] = _calls(config.limits.requests_per_minute)
    app[keys.SERVICE_CALLS] = _calls(config.limits.service_requests_per_minute)
    app[keys.FILE_CALLS] = _calls(config.limits.file_requests_per_minute)
    app[keys.FAILURES] = Buckets(rate=config.limits.failures_per_second, burst=config.limits.failures_per_second * 2)
    app[keys.COUNTERS] = Counters()
    app[keys.REQUESTS] = Counter()
    app[keys.CLOCK] = _now_ms
    app[keys.STARTED_AT] = _now_ms()
    for key, value in (replace or {}).items():
        app[key] = value
    app.on_response_prepare.extend((site.on_prepare, whip.on_prepare))
    app.on_shutdown.append(_dismiss)
    app.cleanup_ctx.extend((_keys, _store, _recordings, _media, _signaling, _records, _retention, _upkeep, _demo))
    description: Callable[[], bytes] = cache(partial(node.described, ROUTES))
    app[keys.DESCRIPTION] = description
    api.add(app, ROUTES)
    app.router.add_get("/rt/", connect)
    app.router.add_get("/healthz", healthz)
    site.add_site(app)
    return app


def _calls(per_minute: int) -> Buckets:
    return Buckets(rate=per_minute / 60, burst=per_minute / 4)


async def connect(request: web.Request) -> web.StreamResponse:
    """A client's WebSocket; a browser with a good seat no longer counts against its address."""
    cookie = callers.read_cookie(request)
    if cookie and await request.app[keys.SEATS].owned(hash_cookie(cookie), request.app[keys.CLOCK]()):
        callers.prove(request)
    return await request.app[keys.GATEWAY].handle(request)


async def healthz(request: web.Request) -> web.Response:
    """Whether this node serves, and nothing else; the private listener tells more."""
    good = telemetry.health(request.app)["ok"]
    return web.json_response({"ok": good}, status=200 if good else 503)


def _now_ms() -> Millis:
    return int(time.time() * 1000)


async def _keys(app: web.Application) -> AsyncIterator[None]:
    config = app[keys.CONFIG]
    if keys.RING not in app:
        own = config.var_dir / "keys" / "node.json"
        app[keys.RING] = keyring.open_ring(own, config.tokens.keys_file, config.tokens.keys)
    yield


async def _store(app: web.Application) -> AsyncIterator[None]:
    config = app[keys.CONFIG]
    config.var_dir.mkdir(parents=True, exist_ok=True)
    database = app[keys.DATABASE] = Database(config.var_dir / "jiangtai.sqlite")
    await database.start()
    handoff = app[keys.RECORDS] = await open_handoff(config, database, app[keys.CLOCK])
    app[keys.LEDGER] = open_ledger(config, database, app[keys.CLOCK])
    if keys.JOURNAL not in app:
        app[keys.JOURNAL] = SqliteJournal(database, (EndProjection(), AccessProjection(), *handoff.projections))
    if keys.DIRECTORY not in app:
        app[keys.DIRECTORY] = SqliteDirectory(database)
    if keys.SEATS not in app:
        app[keys.SEATS] = SqliteSeats(database)
    if keys.ATTENDANCE not in app:
        app[keys.ATTENDANCE] = SqliteAttendance(database)
    app[keys.HOLDS], app[keys.RETENTION] = SqliteHolds(database), SqliteRetention(database)
    app[keys.POLICIES] = SqlitePolicies(database)
    app[keys.ROSTER] = SqliteRoster(database)
    yield
    await database.close()


async def _recordings(app: web.Application) -> AsyncIterator[None]:
    """Files a crash left torn are made whole before anything new is recorded."""
    root, database = journal_root(app[keys.CONFIG]), app[keys.DATABASE]
    store = app[keys.RECORDINGS] = SqliteRecordings(database)
    published = app[keys.PUBLISHED] = open_published(app[keys.CONFIG], database)
    viewings = app[keys.RECORDS].viewings
    app[keys.WATCHES] = SqliteWatches(database, viewings.noted if viewings is not None else None)

    async def give_up(session: SessionId) -> None:
        await app[keys.HUB].dispatch(session, None, StopRecording())

    catalog = app[keys.CATALOG] = Catalog(store, root, give_up, ended(app[keys.JOURNAL]))
    await catalog.start()
    sweeping = app[keys.SWEEPING] = Sweeping(store, root, published, app[keys.CLOCK])
    await sweeping.start()
    packager = app[keys.PACKAGER] = packaging(root, database, app[keys.JOURNAL], published, app[keys.CLOCK])
    await packager.start()
    finisher = app[keys.FINISHING] = finishing(database, app[keys.JOURNAL], published, app[keys.CLOCK])
    await finisher.start()
    yield
    await finisher.stop()
    await packager.stop()
    await sweeping.stop()
    await catalog.stop()


async def _media(app: web.Application) -> AsyncIterator[None]:
    config = app[keys.CONFIG]
    signals = app[keys.SIGNALS] = LateSignals()
    failed = app[keys.MEDIA_FAILED] = asyncio.Event()
    plane = None
    if keys.PLANE not in app:
        plane = app[keys.PLANE] = NativePlane(
            bind=config.media_bind(),
            udp_ports=config.media.udp_ports,
            tcp_port=config.media.tcp_port if config.media.tcp_port >= 0 else None,
            announced=config.media_addresses(),
            signals=signals,
            clock=app[keys.CLOCK],
            failed=failed.set,
            journals=journal_root(config),
            journal_news=lambda news: _heard(app, news),
        )
    yield
    if plane is not None:
        plane.stop()


def _heard(app: web.Application, news: JournalNews) -> None:
    app[keys.CATALOG].heard(news)
    heard(app[keys.PACKAGER], app[keys.HUB].room(news.session), news)


async def _signaling(app: web.Application) -> AsyncIterator[None]:
    config = app[keys.CONFIG]
    hub = app[keys.HUB] = Hub(
        journal=app[keys.JOURNAL],
        directory=app[keys.DIRECTORY],
        media=app[keys.PLANE],
        screen=WordScreen(),
        clock=app[keys.CLOCK],
        counters=app[keys.COUNTERS],
        signs=app[keys.ATTENDANCE],
        recorder=app[keys.PLANE],
    )
    gateway = app[keys.GATEWAY] = Gateway(
        hub=hub,
        seats=Doors(callers.cookie_name(config), app[keys.SEATS]),
        send_many=send_many,
        origins=callers.further_origins(config),
        clock=app[keys.CLOCK],
        ping_s=PING_S,
        missed_pings=MISSED_PINGS,
    )
    app[keys.SIGNALS].target = gateway
    keeper = app[keys.KEEPER] = Keeper(hub=hub, gateway=gateway, store=app[keys.ATTENDANCE], clock=app[keys.CLOCK])
    app[keys.PRESENCE] = Reader(hub=hub, journal=app[keys.JOURNAL], store=app[keys.ATTENDANCE])
    app[keys.ROSTERS] = Rosters(hub, app[keys.ROSTER])
    app[keys.PLANE].delivered = keeper.delivered
    bouncer = app[keys.BOUNCER] = Bouncer(app[keys.SEATS], gateway)
    hub.watch(bouncer.watch)
    hub.watch(app[keys.CATALOG].watch)
    app[keys.REPLAYS] = Replays(hub=hub, journal=app[keys.JOURNAL], published=app[keys.PUBLISHED], counters=app[keys.COUNTERS])
    settings = app[keys.CONFIG].recordings
    app[keys.SENDER] = Sender(settings.presigned_seconds if settings.serve == "presigned" else None)
    app[keys.STREAMS] = Streams(hub=hub, plane=app[keys.PLANE], seats=app[keys.SEATS], signals=app[keys.SIGNALS])
    await gateway.start()
    yield
    await bouncer.settle()


async def _records(app: web.Application) -> AsyncIterator[None]:
    handoff, ledger_ = app[keys.RECORDS], app[keys.LEDGER]
    app[keys.HUB].watch(handoff.watch)
    app[keys.HUB].watch(ledger_.watch)
    await handoff.service.start()
    rollups = RollUps(app[keys.PRESENCE], handoff, app[keys.CLOCK])
    app[keys.HUB].watch(rollups.watch)
    app[keys.ERASING] = open_erasing(app[keys.CONFIG], app[keys.DATABASE], app[keys.CLOCK])
    eraser = app[keys.ERASER] = Eraser(app[keys.ERASING], app[keys.HUB], app[keys.SEATS])
    tasks = [asyncio.create_task(ledger_.run(), name="ledger"), asyncio.create_task(rollups.run(), name="roll-ups")]
    tasks.append(asyncio.create_task(_viewings(app), name="viewings"))
    tasks.append(asyncio.create_task(eraser.run(), name="erasing"))
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await handoff.service.stop()


async def _retention(app: web.Application) -> AsyncIterator[None]:
    """What a crash, or a disk that refused, left of deletions is taken up by the first sweep."""
    config, hub = app[keys.CONFIG], app[keys.HUB]
    removal = Removal(
        store=app[keys.RETENTION],
        recordings=app[keys.RECORDINGS],
        published=app[keys.PUBLISHED],
        journals=journal_root(config),
        ledger=app[keys.LEDGER],
    )
    sweep = app[keys.SWEEP] = Sweep(
        removal, app[keys.RETENTION], config.retention.policy(), awake=lambda session: hub.room(session) is not None
    )
    task = asyncio.create_task(sweep.run(app[keys.CLOCK]), name="retention")
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _dismiss(app: web.Application) -> None:
    """Before the sockets are waited for: save every class, tell everybody, let go."""
    await app[keys.STREAMS].stop()
    await app[keys.HUB].drain()
    await app[keys.GATEWAY].stop()


async def _upkeep(app: web.Application) -> AsyncIterator[None]:
    pulse = app[keys.PULSE] = Pulse(lambda: telemetry.figures(app))
    probe = Probe(Histogram(), every_s=_TICK_S, tell=pulse.late)
    tasks = [asyncio.create_task(_prune(app), name="prune"), asyncio.create_task(pulse.beat(), name="pulse")]
    tasks.append(asyncio.create_task(app[keys.KEEPER].beat(), name="life signs"))
    yield
    probe.stop()
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _demo(app: web.Application) -> AsyncIterator[None]:
    if app[keys.CONFIG].demo:
        app[keys.DEMO] = await demo.start(app)
    yield


async def _viewings(app: web.Application) -> None:
    """End viewings of recordings that are over, also those a stop of the node left open."""
    while True:
        try:
            while await app[keys.RECORDS].settle_viewings(app[keys.CLOCK]()):
                pass
        except Exception:
            log.exception("viewings were not ended")
        await asyncio.sleep(_PRUNE_S)


async def _prune(app: web.Application) -> None:
    while True:
        try:
            app[keys.STREAMS].prune()
            await app[keys.SEATS].prune(app[keys.CLOCK]())
        except Exception:
            log.exception("pruning failed")
        await asyncio.sleep(_PRUNE_S)
