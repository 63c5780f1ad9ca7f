"""`jiangtai ledger …`: check the node's log or a receipt, print receipts and checkpoints. `verify FILE` needs neither node nor network."""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from server.adapters.sqlite import Database
from server.adapters.sqlite_ledger import SqliteLedger
from server.config import Config
from server.records.checkpoint import BadCheckpoint, opened
from server.records.commands import Add, NoRecords
from server.records.ledger import Ledger, key_file, open_ledger
from server.records.receipts import BadReceipt, check

Tell = Callable[[str], None]
Command = Callable[[Config, argparse.Namespace, Database, Tell], Awaitable[int]]
_MAX_FILE: Final = 1_000_000


def add_commands(commands: Any, add: Add, common: argparse.ArgumentParser, tell: Tell) -> None:
    """Put the group on the command line; `tell` prints a line."""
    group = commands.add_parser("ledger", help="proof that the log is whole").add_subparsers(required=True)

    def verify(config: Config, options: argparse.Namespace) -> int:
        if options.file is not None:
            return _verify_file(options, tell)
        return _run(config, options, _verify, tell)

    check_ = add(group, "verify", verify, "check a receipt or a checkpoint offline; without a file the node's whole log", common)
    check_.add_argument("file", nargs="?", type=Path)
    check_.add_argument("--key", help="verifier key the school publishes (name+id+key); without it the one in the receipt is believed")
    receipt = add(group, "receipt", lambda config, options: _run(config, options, _receipt, tell), "print the receipt of a record", common)
    receipt.add_argument("session")
    receipt.add_argument("seq", type=int)
    add(group, "checkpoint", lambda config, options: _run(config, options, _checkpoint, tell), "make and print a checkpoint", common)


def _run(config: Config, options: argparse.Namespace, command: Command, tell: Tell) -> int:
    return asyncio.run(_opened(config, options, command, tell))


async def _opened(config: Config, options: argparse.Namespace, command: Command, tell: Tell) -> int:
    file = config.var_dir / "jiangtai.sqlite"
    if not file.exists():
        raise NoRecords(f"no journal at {file}")
    database = Database(file)
    await database.start()
    try:
        return await command(config, options, database, tell)
    finally:
        await database.close()


def _ledger(config: Config, database: Database) -> Ledger:
    return open_ledger(config, database, lambda: int(time.time() * 1000))


async def _verify(config: Config, options: argparse.Namespace, database: Database, tell: Tell) -> int:
    store = SqliteLedger(database)
    verdict = await store.verify()
    if verdict.flaw is not None:
        tell(f"BROKEN: {verdict.flaw}; {verdict.records} records before it are whole")
        return 1
    newest = await store.newest()
    if newest is not None and (options.key or key_file(config).exists()):
        try:
            opened(newest.note, options.key or _ledger(config, database).verifier)
        except BadCheckpoint as error:
            tell(f"BROKEN: the newest checkpoint: {error}")
            return 1
    erased = f" ({verdict.erased} erased, their hashes kept)" if verdict.erased else ""
    tell(f"whole: {verdict.records} records{erased}, {verdict.checkpoints} checkpoints")
    return 0


def _verify_file(options: argparse.Namespace, tell: Tell) -> int:
    with options.file.open("rb") as file:
        text = file.read(_MAX_FILE)
    try:
        if not text.lstrip().startswith(b"{"):
            return _verify_note(text.decode("utf-8", "replace"), options.key, tell)
        found = check(text, options.key)
    except (BadReceipt, BadCheckpoint) as error:
        tell(f"BROKEN: {error}")
        return 1
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(found.at / 1000))
    tell(f"good: record {found.seq} of class {found.session}, {when}, by {found.by or 'the node'}")
    tell(msgspec.json.encode(found.event).decode())
    tell(f"in the log {found.origin} of {found.size} records")
    if not options.key:
        tell(f"signed by {msgspec.json.decode(text)['verifier']}: compare this key with the one the school publishes")
    return 0


def _verify_note(text: str, key: str | None, tell: Tell) -> int:
    if not key:
        raise NoRecords("a checkpoint is checked with --key")
    found = opened(text, key)
    tell(f"good: the log {found.origin} had {found.size} records and root {found.root.hex()}")
    return 0


async def _receipt(config: Config, options: argparse.Namespace, database: Database, tell: Tell) -> int:
    ledger = _ledger(config, database)
    await ledger.checkpoint()
    found = await ledger.receipts(options.session, after=options.seq - 1, limit=1)
    if not found or found[0][0] != options.seq:
        raise NoRecords("there is no such record")
    tell(msgspec.json.format(msgspec.json.encode(found[0][1])).decode())
    return 0


async def _checkpoint(config: Config, options: argparse.Namespace, database: Database, tell: Tell) -> int:
    ledger = _ledger(config, database)
    newest = await ledger.checkpoint()
    if newest is None:
        raise NoRecords("the log is empty")
    tell(newest.note.rstrip("\n"))
    return 0
