"""The long-lived objects of a node, each under one typed key of the application."""

import asyncio
from collections import Counter
from collections.abc import Callable

import msgspec
from aiohttp import web

from media.plane import NativePlane
from recording.catalog import Catalog, Recordings
from recording.finishing import Finishing
from recording.packaging import Packaging
from recording.publication import Published
from recording.sweeping import Sweeping
from recording.watched import Watches
from server.adapters.sqlite import Database
from server.adapters.sqlite_attendance import SqliteAttendance
from server.adapters.sqlite_journal import SqliteDirectory, SqliteJournal
from server.adapters.sqlite_roster import SqliteRoster
from server.adapters.sqlite_rules import SqlitePolicies
from server.adapters.sqlite_seats import SqliteSeats
from server.attendance import Keeper, Reader
from server.config import Config
from server.doors import Bouncer, LateSignals
from server.erasure.erasing import Erasing
from server.erasure.worker import Worker as Eraser
from server.guard import Guard
from server.holds import Holds
from server.keyring import KeyRing
from server.limits import Buckets
from server.pulse import Pulse
from server.records.handoff import HandOff
from server.records.ledger import Ledger
from server.replays import Replays
from server.retention.records import Expiries
from server.retention.sweep import Sweep
from server.roster import Rosters
from server.sending import Sender
from server.whip import Streams
from signaling.gateway import Gateway
from signaling.hub import Hub
from signaling.metrics import Counters
from signaling.ports import Clock


class Demo(msgspec.Struct, frozen=True, kw_only=True):
    """The running demo class."""

    session: str
    title: str


DEMO = web.AppKey("demo", Demo)
CONFIG = web.AppKey("config", Config)
CLOCK: web.AppKey[Clock] = web.AppKey("clock", Clock)  # type: ignore[arg-type]
DATABASE = web.AppKey("database", Database)
JOURNAL = web.AppKey("journal", SqliteJournal)
DIRECTORY = web.AppKey("directory", SqliteDirectory)
SEATS = web.AppKey("seats", SqliteSeats)
ATTENDANCE = web.AppKey("attendance", SqliteAttendance)
ROSTER = web.AppKey("roster", SqliteRoster)
ROSTERS = web.AppKey("rosters", Rosters)
POLICIES = web.AppKey("policies", SqlitePolicies)
#: writes life signs; reads the facts of attendance from the journal
KEEPER = web.AppKey("keeper", Keeper)
PRESENCE = web.AppKey("presence", Reader)
RING = web.AppKey("ring", KeyRing)
RECORDS = web.AppKey("records", HandOff)
LEDGER = web.AppKey("ledger", Ledger)
ERASING = web.AppKey("erasing", Erasing)
ERASER = web.AppKey("eraser", Eraser)
SIGNALS = web.AppKey("signals", LateSignals)
#: set when the media engine cannot serve on
MEDIA_FAILED = web.AppKey("media_failed", asyncio.Event)
PLANE = web.AppKey("plane", NativePlane)
HUB = web.AppKey("hub", Hub)
CATALOG = web.AppKey("catalog", Catalog)
RECORDINGS: web.AppKey[Recordings] = web.AppKey("recordings", Recordings)
PUBLISHED = web.AppKey("published", Published)
PACKAGER = web.AppKey("packager", Packaging)
FINISHING = web.AppKey("finishing", Finishing)
WATCHES: web.AppKey[Watches] = web.AppKey("watches", Watches)
HOLDS: web.AppKey[Holds] = web.AppKey("holds", Holds)
#: what is kept for how long: the rows, and who acts on them
RETENTION: web.AppKey[Expiries] = web.AppKey("retention", Expiries)
SWEEP = web.AppKey("sweep", Sweep)
SWEEPING = web.AppKey("sweeping", Sweeping)
#: answers with files of recordings
SENDER = web.AppKey("sender", Sender)
REPLAYS = web.AppKey("replays", Replays)
GATEWAY = web.AppKey("gateway", Gateway)
BOUNCER = web.AppKey("bouncer", Bouncer)
STREAMS = web.AppKey("streams", Streams)
COUNTERS = web.AppKey("counters", Counters)
PULSE = web.AppKey("pulse", Pulse)
GUARD = web.AppKey("guard", Guard)
#: API calls by seat, by service or operator, and refused logins by address
CALLS = web.AppKey("calls", Buckets)
SERVICE_CALLS = web.AppKey("service_calls", Buckets)
#: files of replays by caller
FILE_CALLS = web.AppKey("file_calls", Buckets)
FAILURES = web.AppKey("failures", Buckets)
#: answers by (method, route, status)
REQUESTS: web.AppKey[Counter[tuple[str, str, int]]] = web.AppKey("requests", Counter)
#: the description of the API, encoded
DESCRIPTION: web.AppKey[Callable[[], bytes]] = web.AppKey("description")
#: milliseconds since the epoch
STARTED_AT = web.AppKey("started_at", int)
