"""The long-lived objects of a node, each under one typed key of the application."""

from aiohttp import web

from server.adapters.sqlite import Database
from server.adapters.sqlite_journal import SqliteDirectory, SqliteJournal
from server.adapters.sqlite_seats import SqliteSeats
from server.config import Config
from server.guard import Guard
from server.keyring import KeyRing
from server.limits import Buckets

CONFIG = web.AppKey("config", Config)
DATABASE = web.AppKey("database", Database)
JOURNAL = web.AppKey("journal", SqliteJournal)
DIRECTORY = web.AppKey("directory", SqliteDirectory)
SEATS = web.AppKey("seats", SqliteSeats)
RING = web.AppKey("ring", KeyRing)
GUARD = web.AppKey("guard", Guard)
#: API calls by seat or service, and refused logins by address
CALLS = web.AppKey("calls", Buckets)
FAILURES = web.AppKey("failures", Buckets)
