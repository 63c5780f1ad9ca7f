"""`jiangtai erase ...`: forget a person, and prove it. Works on `var` itself, beside a running node, which lets go of what it remembers."""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from server.adapters.sqlite import Database
from server.adapters.sqlite_holds import SqliteHolds
from server.adapters.sqlite_journal import SqliteJournal
from server.config import Config
from server.erasure import receipt
from server.erasure.erasing import Busy, Erasing, Foreseen, NoSuchPerson, NotNow, TooMany
from server.erasure.receipt import BadReceipt, Receipt
from server.erasure.work import BrokenSeal, Person
from server.packaging import redaction
from server.recordings import journal_root, open_published
from server.records.commands import Add, NoRecords
from server.records.ledger import key_file, signer_of

T = TypeVar("T")
Tell = Callable[[str], None]
_MOST: Final = 4_096
_ASK: Final = "type the subject to erase this person for good: "


def add_commands(commands: Any, add: Add, common: argparse.ArgumentParser, tell: Tell) -> None:
    """Put the group on the command line; `tell` prints a line."""
    group = commands.add_parser("erase", help="forget a person, and prove it").add_subparsers(required=True)
    person = add(
        group, "person", lambda config, options: _person(config, options, tell), "erase a person from everything that is over", common
    )
    person.add_argument("issuer", help="who issued the person's tokens")
    person.add_argument("subject", help="who it is, in the issuer's terms")
    person.add_argument("--dry-run", action="store_true", help="tell what would be done, and do nothing")
    person.add_argument("--yes", action="store_true", help="do not ask")
    person.add_argument("--receipt", type=Path, help="write the signed receipt there as well")
    person.add_argument("--logs", type=Path, nargs="*", default=[], help="log files to look through as well")
    check = add(group, "verify", lambda config, options: _verify(config, options, tell), "check a receipt and what it is about", common)
    check.add_argument("file", type=Path)
    check.add_argument("--key", help="verifier key the school publishes (name+id+key); without it this node's")
    check.add_argument("--issuer")
    check.add_argument("--subject")


def _person(config: Config, options: argparse.Namespace, tell: Tell) -> int:
    person = Person(options.issuer, options.subject)
    if not 0 < len(person.issuer) <= _MOST or not 0 < len(person.subject) <= _MOST:
        raise NoRecords("issuer and subject must not be empty")

    async def work(erasing: Erasing) -> int:
        try:
            foreseen = await erasing.foresee(person)
        except NoSuchPerson:
            foreseen = []
        _tell_foreseen(foreseen, tell)
        if options.dry_run:
            return 0
        if foreseen and not options.yes and await asyncio.to_thread(input, _ASK) != person.subject:
            tell("nothing was erased")
            return 1
        return _tell_receipt(await _erased(erasing, person), options.receipt, tell)

    return _with_erasing(config, options.logs, work)


async def _erased(erasing: Erasing, person: Person) -> str:
    try:
        standing = await erasing.begin(person, "cli")
        note = standing.note or await erasing.carry_out(standing.id)
    except NoSuchPerson:
        raise NoRecords("nobody of that issuer and subject was ever in a class here") from None
    except TooMany:
        raise NoRecords("too many erasures are under way") from None
    except Busy:
        raise NoRecords("a node is at this erasure: ask again in a moment") from None
    except NotNow as error:
        raise NoRecords(f"recordings could not be made anew now ({error}): ask again, it goes on there") from None
    except BrokenSeal:
        raise NoRecords("an erasure that was begun cannot be read: the ledger's key is another one") from None
    if note is None:
        raise NoRecords("a node took this erasure over: ask again in a moment")
    return note


def _tell_foreseen(foreseen: Sequence[Foreseen], tell: Tell) -> None:
    for one in foreseen:
        kinds = ", ".join(f"{number} {kind.replace('_', ' ')}" for kind, number in one.kinds.items() if number)
        verdict = f"REFUSED ({one.code})" if one.code else "to be erased"
        tell(f"{one.session}  {verdict}  {kinds}{f', {one.recordings} recordings made anew' if one.recordings else ''}")
    if not foreseen:
        tell("nothing is left to erase")


def _tell_receipt(note: str, file: Path | None, tell: Tell) -> int:
    told = receipt.read(note)
    for one in told.classes:
        tell(f"{one.session}  {one.outcome}{f' ({one.code})' if one.code else f', {one.records} records'}")
    found = told.search
    tell(
        f"found afterwards: {found.rows} rows of {found.tables_read} tables, {found.files} of {found.files_read} files,"
        f" {found.log_lines} of {found.log_lines_read} log lines; {found.mentions} mentions by others, {found.namesakes} namesakes"
    )
    for place in found.places:
        tell(f"    {place}")
    for destination, ids in (*told.statements.held.items(), *told.statements.perhaps.items()):
        tell(f"{destination} has {len(ids)} statements that only its owner can erase: their ids are in the receipt")
    if file is not None:
        file.write_text(note, "utf-8")
    else:
        tell(note.rstrip("\n"))
    return 0 if told.complete else 1


def _verify(config: Config, options: argparse.Namespace, tell: Tell) -> int:
    with options.file.open(encoding="utf-8") as file:
        note = file.read(receipt.MAX_CHARACTERS)
    if not options.key and not key_file(config).exists():
        raise NoRecords("there is no ledger here: give --key")
    try:
        told = receipt.opened(note, options.key or signer_of(config).verifier)
    except BadReceipt as error:
        tell(f"BROKEN: {error}")
        return 1
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(told.done_at / 1000))
    tell(f"good: erasure {told.id}, {when}, {len(told.classes)} classes, {'complete' if told.complete else 'NOT complete'}")
    if options.issuer is not None and options.subject is not None and not told.is_about(Person(options.issuer, options.subject)):
        tell("it is about somebody else")
        return 1
    return _compare(config, told, tell) if (config.var_dir / "jiangtai.sqlite").exists() else 0


def _compare(config: Config, told: Receipt, tell: Tell) -> int:
    """The receipt's digests beside the ledger's own hashes."""

    async def work(erasing: Erasing) -> int:
        kept = await erasing.store.digests(told.id)
        for one in told.classes:
            if one.records and kept.get(one.session) != (one.records, bytes.fromhex(one.digest)):
                tell(f"BROKEN: the ledger keeps other hashes of class {one.session}")
                return 1
        tell(f"the ledger keeps the hashes of all {sum(one.records for one in told.classes)} records")
        return 0

    return _with_erasing(config, (), work)


def _with_erasing(config: Config, logs: Sequence[Path], work: Callable[[Erasing], Awaitable[T]]) -> T:
    file = config.var_dir / "jiangtai.sqlite"
    if not file.exists():
        raise NoRecords(f"no store at {file}")

    async def run() -> T:
        database = Database(file)
        await database.start()
        try:
            return await work(open_erasing(config, database, lambda: int(time.time() * 1000), logs))
        finally:
            await database.close()

    return asyncio.run(run())


def open_erasing(config: Config, database: Database, clock: Callable[[], int], logs: Sequence[Path] = ()) -> Erasing:
    """The eraser of a node's store. Raises KeyProblem, ConfigError, OSError."""
    published = open_published(config, database)
    redactor = redaction(journal_root(config), database, SqliteJournal(database), published, clock, by="erasure")
    return Erasing(database, signer_of(config), clock, config.var_dir, held=SqliteHolds(database).held, redactor=redactor, logs=logs)
