"""`jiangtai retention …` and `jiangtai hold …`: what is kept for how long, what is due; legal holds. They read `var` itself."""

import argparse
import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

from server.adapters.sqlite import Database
from server.adapters.sqlite_holds import SqliteHolds
from server.adapters.sqlite_recordings import SqliteRecordings
from server.adapters.sqlite_retention import SqliteRetention
from server.config import Config
from server.holds import Hold, TooMany, sayable
from server.recordings import Failed, journal_root, open_published
from server.records.ledger import open_ledger
from server.retention.due import Kind, Thing, Verdict, verdict
from server.retention.records import Act
from server.retention.removal import Removal
from server.retention.sweep import PAGE, Sweep
from signaling.classroom.ids import Millis

Tell = Callable[[str], None]
Add = Callable[..., argparse.ArgumentParser]
BY: Final = "cli"


class _Open(NamedTuple):
    config: Config
    options: argparse.Namespace
    database: Database
    tell: Tell
    now: Millis


_Command = Callable[[_Open], Awaitable[int]]


def add_commands(commands: Any, add: Add, common: argparse.ArgumentParser, tell: Tell) -> None:
    """Put both groups on the command line; `tell` prints a line."""

    def of(command: _Command) -> Callable[[Config, argparse.Namespace], int]:
        return lambda config, options: asyncio.run(_opened(config, options, command, tell))

    group = commands.add_parser("retention", help="what is kept for how long").add_subparsers(required=True)
    add(group, "show", of(_show), "print the rules, and what was removed last", common)
    due = add(group, "due", of(_due), "print what is due, or all of one class and why it stays", common)
    due.add_argument("session", nargs="?")
    run = add(group, "run", of(_run), "remove what is due now", common)
    run.add_argument("--dry-run", action="store_true", help="only print it")
    holds = commands.add_parser("hold", help="legal holds: nothing of a held class is deleted").add_subparsers(required=True)
    hold = add(holds, "add", of(_add), "hold a class, or every class of a person", common)
    hold.add_argument("--class", dest="session", default="")
    hold.add_argument("--person", nargs=2, metavar=("ISSUER", "SUBJECT"), default=("", ""))
    hold.add_argument("--reason", required=True)
    listing = add(holds, "list", of(_list), "print the holds", common)
    listing.add_argument("--all", action="store_true", help="those lifted, too")
    add(holds, "lift", of(_lift), "lift a hold", common).add_argument("number", type=int)


async def _opened(config: Config, options: argparse.Namespace, command: _Command, tell: Tell) -> int:
    file = config.var_dir / "jiangtai.sqlite"
    if not file.exists():
        raise Failed(f"no store at {file}")
    database = Database(file)
    await database.start()
    try:
        return await command(_Open(config, options, database, tell, int(time.time() * 1000)))
    finally:
        await database.close()


async def _show(open_: _Open) -> int:
    policy = open_.config.retention.policy()
    for name, days in (("house", policy.house), *sorted(policy.tenants.items())):
        open_.tell(f"{name}: " + "  ".join(f"{kind} {_days(days.of(kind))}" for kind in Kind))
    open_.tell(f"statements: {_days(open_.config.records.keep_days)} after every store has them")
    last: deque[Act] = deque(maxlen=20)
    store = SqliteRetention(open_.database)
    while page := await store.acts(after=last[-1].number if last else 0, limit=1_000):
        last += page
    for act in last:
        ended = "under way" if act.done_at is None else _when(act.done_at)
        open_.tell(f"{ended}  {act.kind:<10} {act.session} {act.recording}  {act.count} things, {act.bytes} bytes  ({act.policy})")
    if not last:
        open_.tell("nothing was removed yet")
    return 0


async def _due(open_: _Open) -> int:
    only = open_.options.session
    for thing, found in await _judged(open_, only):
        if only is not None or found.due:
            open_.tell(_line(thing, found))
    return 0


async def _run(open_: _Open) -> int:
    if open_.options.dry_run:
        return await _due(open_._replace(options=argparse.Namespace(session=None)))
    sweep = _sweep(open_)
    well = await sweep.sweep(lambda: open_.now, pause_s=0)
    for kind, one in sweep.figures.items():
        if one.expired or one.failures:
            failed = f", {one.failures} failed, last {one.last_failure}" if one.failures else ""
            open_.tell(f"{kind}: {one.expired} removed, {one.bytes} bytes{failed}")
    return 0 if well else 1


def _sweep(open_: _Open) -> Sweep:
    config, database, store = open_.config, open_.database, SqliteRetention(open_.database)
    removal = Removal(
        store=store,
        recordings=SqliteRecordings(database),
        published=open_published(config, database),
        journals=journal_root(config),
        ledger=open_ledger(config, database, lambda: open_.now),
    )
    return Sweep(removal, store, config.retention.policy(), awake=lambda _: False)


async def _judged(open_: _Open, only: str | None) -> list[tuple[Thing, Verdict]]:
    store, policy = SqliteRetention(open_.database), open_.config.retention.policy()
    found: list[Thing] = []
    after: str | None = ""
    while after is not None:
        page = await store.page(after, PAGE, only)
        found += page.things
        after = page.after
    if only is not None and not found and await store.standing(only) is None:
        raise Failed("no such class")
    return [(thing, verdict(thing, policy.days(thing.kind, thing.tenant), open_.now)) for thing in found]


async def _add(open_: _Open) -> int:
    issuer, subject = open_.options.person
    reason = sayable(open_.options.reason)
    if reason is None or bool(open_.options.session) == bool(subject):
        raise Failed("a hold has a reason (up to 500 printable characters), and a class or a person")
    try:
        made = await SqliteHolds(open_.database).add(
            session=open_.options.session, issuer=issuer, subject=subject, reason=reason, by=BY, at=open_.now
        )
    except TooMany:
        raise Failed("too many holds are open") from None
    if made is None:
        raise Failed("no such class")
    open_.tell(_hold(made))
    return 0


async def _list(open_: _Open) -> int:
    before = 1 << 62
    while True:
        page = await SqliteHolds(open_.database).page(lifted=open_.options.all, before=before, limit=500)
        for found in page:
            open_.tell(_hold(found))
        if len(page) < 500:
            return 0
        before = page[-1].number


async def _lift(open_: _Open) -> int:
    found = await SqliteHolds(open_.database).lift(open_.options.number, by=BY, at=open_.now)
    if found is None:
        raise Failed("no such hold")
    open_.tell(_hold(found))
    return 0


def _hold(hold: Hold) -> str:
    what = f"class {hold.session}" if hold.session else f"person {hold.issuer} {hold.subject}"
    lifted = f"  lifted {_when(hold.lifted_at)} by {hold.lifted_by}" if hold.lifted_at is not None else ""
    return f"{hold.number}  {what}  since {_when(hold.at)} by {hold.by}: {hold.reason}{lifted}"


def _line(thing: Thing, found: Verdict) -> str:
    until = "" if found.due_at is None else f"  {_when(found.due_at)}"
    return f"{thing.session}  {thing.kind:<8} {thing.recording:<6}  {found.why}{until}"


def _days(days: int) -> str:
    return "for ever" if days == 0 else f"{days} days"


def _when(at: Millis) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at / 1000))
    except (ValueError, OverflowError, OSError):
        return f"{at} ms"
