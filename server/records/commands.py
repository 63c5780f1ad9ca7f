"""`jiangtai records …`: how the hand-off stands, and what an operator may do about it. Works on the node's files, beside a running node."""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from server.adapters.sqlite import Database
from server.config import Config
from server.records import reach
from server.records.handoff import HandOff, open_handoff
from server.records.reconcile import reconcile
from server.records.stores import store_for

T = TypeVar("T")
Add = Callable[..., argparse.ArgumentParser]


class NoRecords(OSError):
    """The command cannot be done; the message is for a person."""


def add_commands(commands: Any, add: Add, common: argparse.ArgumentParser, tell: Callable[[str], None]) -> None:
    """Put the group on the command line; `tell` prints a line."""
    group = commands.add_parser("records", help="the hand-off to records stores").add_subparsers(required=True)
    add(group, "status", _with(tell, _status), "how every destination stands", common)
    resend = add(
        group, "resend", _with(tell, _resend), "send statements again with the same bytes; those missing are made from the log", common
    )
    resend.add_argument("destination")
    which = resend.add_mutually_exclusive_group(required=True)
    which.add_argument("--class", dest="session", help="all of one class")
    which.add_argument("--hours", type=float, help="all of the last hours")
    check = add(group, "reconcile", _with(tell, _reconcile), "ask a store for every statement of a class; send what it lacks", common)
    check.add_argument("destination")
    check.add_argument("session")
    dead = add(group, "dead", _with(tell, _dead), "list what was refused; --requeue sends it again", common)
    dead.add_argument("--requeue", metavar="DESTINATION")
    dead.add_argument("--number", type=int, action="append", default=[], help="only this one (may be repeated)")


Command = Callable[[Config, argparse.Namespace, HandOff, Callable[[str], None]], Awaitable[int]]


def _with(tell: Callable[[str], None], command: Command) -> Callable[[Config, argparse.Namespace], int]:
    def run(config: Config, options: argparse.Namespace) -> int:
        return asyncio.run(_opened(config, options, command, tell))

    return run


async def _opened(config: Config, options: argparse.Namespace, command: Command, tell: Callable[[str], None]) -> int:
    file = config.var_dir / "jiangtai.sqlite"
    if not file.exists():
        raise NoRecords(f"no journal at {file}")
    database = Database(file)
    await database.start()
    try:
        return await command(config, options, await open_handoff(config, database, _now), tell)
    finally:
        await database.close()


async def _status(config: Config, options: argparse.Namespace, handoff: HandOff, tell: Callable[[str], None]) -> int:
    delivered = await handoff.outbox.delivered()
    for one in await handoff.outbox.standings(_now()):
        state = f"PAUSED: {one.paused}" if one.paused else f"failing, {one.tries} in a row" if one.tries else "ok"
        counts = f"due {one.due}  acked {delivered.get(one.name, 0)}  dead {one.dead}  conflicts {one.conflicts}"
        tell(f"{one.name:<16}  {counts}  oldest {one.oldest_s:.0f} s  {state}")
    return 0


async def _resend(config: Config, options: argparse.Namespace, handoff: HandOff, tell: Callable[[str], None]) -> int:
    made = 0
    if options.session is not None and not await handoff.outbox.is_told(options.session):
        raise NoRecords(f"class {options.session} is opted out: nothing is told of it")
    if options.session is not None and handoff.projection is not None:
        made = await handoff.outbox.backfill(handoff.projection, options.session)
    since = _now() - round((options.hours or 0) * 3_600_000)
    count = await handoff.outbox.resend(options.destination, session=options.session, since=since)
    tell(f"{count} due again at {options.destination}, {made} of them made from the log")
    return 0


async def _reconcile(config: Config, options: argparse.Namespace, handoff: HandOff, tell: Callable[[str], None]) -> int:
    found = [one for one in handoff.service.destinations if one.name == options.destination and one.kind == "xapi"]
    if not found:
        raise NoRecords(f"no xapi destination is called {options.destination}")
    async with reach.session(private=found[0].private) as http:
        store = store_for(found[0], http, time.time)
        report = await reconcile(handoff.outbox, store, options.destination, options.session)
    tell(f"asked {report.asked}, held {report.held}, missing {report.missing} (due again), different {report.different}")
    if not report.complete:
        tell("the store stopped answering; nothing is known of the rest")
    return 0 if report.complete and not report.different else 1


async def _dead(config: Config, options: argparse.Namespace, handoff: HandOff, tell: Callable[[str], None]) -> int:
    if options.requeue:
        count = await handoff.outbox.requeue(options.requeue, options.number)
        tell(f"{count} due again at {options.requeue}")
        return 0
    after = 0
    while letters := await handoff.outbox.dead(after=after, limit=200):
        for letter in letters:
            tell(
                f"{letter.number}  {letter.destination}  {letter.state}  {letter.id}  {letter.session}  {letter.status}  {letter.answer!r}"
            )
        after = letters[-1].number
    return 0


def _now() -> int:
    return int(time.time() * 1000)
