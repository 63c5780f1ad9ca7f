"""`jiangtai recording ...`: what was recorded here, proved, exported, redacted, deleted. Reads `var` itself, beside a running node."""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from media import journals
from recording import captions, deletion
from recording.amendment import NotPublished, Words, captioned
from recording.catalog import Held, Recordings, Row
from recording.deletion import NotEnded
from recording.objects import ObjectStore, StoreAway
from recording.process import Failed as CannotPackage
from recording.publication import Deleted, Published, Superseded, Version
from recording.redaction import Busy, Redacted
from server.adapters.sqlite import Database
from server.adapters.sqlite_holds import SqliteHolds
from server.adapters.sqlite_journal import SqliteJournal
from server.adapters.sqlite_publications import SqlitePublications
from server.adapters.sqlite_recordings import SqliteRecordings
from server.adapters.sqlite_retention import SqliteRetention
from server.config import Config, ConfigError
from server.config import Recordings as Settings
from server.packaging import packaging, redaction

T = TypeVar("T")
_STORE: Final = "jiangtai.sqlite"


class Failed(Exception):
    """The command cannot be done; the message is for a person."""


def journal_root(config: Config) -> Path:
    """Where the journals of a node lie."""
    return config.var_dir / "journal"


def published_root(config: Config) -> Path:
    """Where the published recordings of a node lie."""
    return config.var_dir / "published"


def open_published(config: Config, database: Database) -> Published:
    """Published recordings of a node as it is configured. Raises ConfigError."""
    return Published(SqlitePublications(database), published_root(config), open_store(config.recordings))


def open_store(settings: Settings) -> ObjectStore | None:
    """The store that what is published goes to, None for the folder it was made in; nothing is asked of it. Raises ConfigError."""
    if not settings.store:
        return None
    try:
        from server.adapters import s3_objects
    except ImportError:
        raise ConfigError(["recordings.store: needs the package obstore (pip install 'jiangtai[s3]')"]) from None
    try:
        return s3_objects.S3Objects(
            settings.store.rstrip("/"),
            endpoint=settings.endpoint.rstrip("/"),
            region=settings.region,
            virtual_hosted=settings.virtual_hosted,
            credentials_file=settings.credentials_file,
            authorities=Path(settings.authorities_file).read_bytes() if settings.authorities_file else b"",
        )
    except s3_objects.BadCredentials as error:
        raise ConfigError([f"recordings.credentials_file: {error}"]) from None


def add_commands(commands: Any, add: Callable[..., argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Put the group `recording` behind the command line's other groups."""
    group = commands.add_parser("recording", help="what was recorded").add_subparsers(required=True)
    add(group, "list", _list, "list recordings", common).add_argument("session", nargs="?", help="of this class only")
    verify = add(group, "verify", _verify, "read every file of a class's recordings and prove it whole", common)
    verify.add_argument("session")
    verify.add_argument("recording", nargs="?")
    export = add(group, "export", _export, "write a recording as a capture for Wireshark or rtptools", common)
    export.add_argument("session")
    export.add_argument("recording")
    export.add_argument("--out", type=Path, required=True)
    export.add_argument("--format", default="pcapng", choices=["pcapng", "rtpdump"])
    export.add_argument("--track", type=int, default=0, help="rtpdump: the track's number (verify tells them)")
    rebuild = add(group, "rebuild", _rebuild, "make the replay of an ended recording anew", common)
    rebuild.add_argument("session")
    rebuild.add_argument("recording")
    redact = add(group, "redact", _redact, "take a person's picture and sound out of recordings for good", common)
    redact.add_argument("session")
    redact.add_argument("recording", help="or: all")
    redact.add_argument("participant")
    redact.add_argument("--yes", action="store_true", help="do not ask")
    said = add(group, "captions", _captions, "add captions to a published recording, or replace those of that language", common)
    said.add_argument("session")
    said.add_argument("recording")
    said.add_argument("file", type=Path, help="WebVTT")
    said.add_argument("--lang", required=True, help="the language, like zh or en-GB")
    said.add_argument("--label", help="what the player's menu says (default: the language)")
    delete = add(group, "delete", _delete, "delete a recording for good", common)
    delete.add_argument("session")
    delete.add_argument("recording")
    delete.add_argument("--yes", action="store_true", help="do not ask")


def _list(config: Config, options: argparse.Namespace) -> None:
    for row in _with_store(config, lambda store, _: store.rows(options.session)):
        _print(_line(row))


def _line(row: Row) -> str:
    began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row.started_at / 1000))
    seconds = "" if row.ended_at is None else f"{(row.ended_at - row.started_at) // 1000} s"
    size = f"{row.bytes / 1_000_000:.1f} MB"
    return f"{row.session}  {row.id:<6}  {row.state:<9}  {began}  {seconds:>8}  {row.files:>3} files  {size:>10}  lost {row.lost}"


def _verify(config: Config, options: argparse.Namespace) -> int:
    broken, previous = 0, None
    for file in _files(config, options):
        verdict = journals.verify(file.path)
        linked = previous is None or previous.number + 1 != file.number or previous.leads_to(file)
        previous = file
        if verdict is None:
            told, broken = "BROKEN: no journal", broken + 1
        elif not linked:
            told, broken = "BROKEN: not the successor of the file before", broken + 1
        elif file.sealed and not verdict.whole:
            told, broken = f"BROKEN: {verdict.damaged} bytes damaged, or the digest is another", broken + 1
        else:
            told = "whole" if file.sealed else "being written"
            told += f", {file.taken[0]} records ({file.taken[1]} bytes) were taken out" if file.taken[1] else ""
        _print(f"{file.path.name}  {file.recording}  {verdict.records if verdict else 0} records  {told}")
        for track, (packets, size, key_frames, lost) in sorted(verdict.tracks.items() if verdict else ()):
            _print(f"    track {track}: {packets} packets, {size} bytes, {key_frames} key frames, {lost} lost")
    return 1 if broken else 0


def _export(config: Config, options: argparse.Namespace) -> None:
    written = journals.export([file.path for file in _files(config, options)], options.out, options.format, options.track)
    _print(f"{written} packets in {options.out}")


def _rebuild(config: Config, options: argparse.Namespace) -> None:
    async def work(store: Recordings, database: Database) -> bool:
        rows = [row for row in await store.rows(options.session) if row.id == options.recording]
        if not rows or rows[0].state != "ended":
            raise Failed("no such recording, or it has not ended, or it was deleted")
        gone_at = await SqliteRetention(database).journal_expired_at(options.session, options.recording)
        if gone_at is not None:
            day = time.strftime("%Y-%m-%d", time.localtime(gone_at / 1000))
            raise Failed(f"its raw media is no longer kept since {day}: it cannot be made anew; what is published stays")
        published = open_published(config, database)
        packager = packaging(journal_root(config), database, SqliteJournal(database), published, lambda: int(time.time() * 1000))
        try:
            return await packager.make(rows[0])
        except (CannotPackage, OSError) as error:
            raise Failed(f"it cannot be made: {error}") from None

    _print("published" if _with_store(config, work) else "somebody else is at it")


def _redact(config: Config, options: argparse.Namespace) -> None:
    async def work(store: Recordings, database: Database) -> Redacted:
        recording = None if options.recording == "all" else options.recording
        if not any(row.id == options.recording or recording is None for row in await store.rows(options.session)):
            raise Failed("no such recording")
        if await SqliteHolds(database).held(options.session):
            raise Failed("its class is under a legal hold (jiangtai hold list): nothing of it may be changed")
        published = open_published(config, database)
        redacts = redaction(journal_root(config), database, SqliteJournal(database), published, lambda: int(time.time() * 1000), by="cli")
        try:
            return await redacts.redact(options.session, options.participant, recording, retell=False)
        except (CannotPackage, Busy, Superseded, OSError) as error:
            raise Failed(f"not all is done, repeat it: {error}") from None

    question = (
        f"take {options.participant} out of {options.session} {options.recording} for good (and delete what cannot be made anew)? [y/N] "
    )
    if not options.yes and input(question).lower() != "y":
        return _print("nothing was changed")
    try:
        done = _with_store(config, work)
    except NotEnded:
        raise Failed("it is being recorded: stop it first") from None
    gone = f"; deleted as a whole: {' '.join(done.deleted)}" if done.deleted else ""
    return _print(f"{done.bytes} bytes taken out of {done.files} files; {done.recordings} replays made anew{gone}")


def _captions(config: Config, options: argparse.Namespace) -> None:
    async def work(_: Recordings, database: Database) -> Version:
        return await captioned(
            open_published(config, database),
            options.session,
            options.recording,
            Words(data, options.lang, options.label),
            lambda: int(time.time() * 1000),
        )

    with options.file.open("rb") as file:
        data = file.read(captions.MAX_BYTES + 1)
    try:
        version = _with_store(config, work)
    except captions.BadCaptions as error:
        raise Failed(f"{options.file}: {error}") from None
    except (NotPublished, Deleted):
        raise Failed("no such recording, or it is not published, or it was deleted") from None
    except (Superseded, ValueError, OSError) as error:
        raise Failed(f"it cannot be added: {error}") from None
    _print(f"published as version {version.version}")


def _delete(config: Config, options: argparse.Namespace) -> None:
    async def work(store: Recordings, database: Database) -> int:
        published = open_published(config, database)
        rows = [row for row in await store.rows(options.session) if row.id == options.recording]
        if not rows:
            raise Failed("no such recording")
        return await deletion.delete(store, journal_root(config), rows[0], now=int(time.time() * 1000), by="cli", published=published)

    if not options.yes and input(f"delete {options.session} {options.recording} for good? [y/N] ").lower() != "y":
        return _print("nothing was deleted")
    try:
        return _print(f"deleted: {_with_store(config, work)} files")
    except NotEnded:
        raise Failed("it is being recorded: stop it first") from None
    except Held:
        raise Failed("its class is under a legal hold (jiangtai hold list): nothing of it may be deleted") from None
    except StoreAway as error:
        raise Failed(f"deleted for everybody, but files are left, which a running node removes as soon as it can: {error}") from None


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")


def _files(config: Config, options: argparse.Namespace) -> Sequence[journals.JournalFile]:
    try:
        found = journals.files(journal_root(config), options.session)
    except ValueError as error:
        raise Failed(str(error)) from None
    wanted = [file for file in found if options.recording in (None, file.recording)]
    if not wanted:
        raise Failed("no files of that recording")
    return wanted


def _with_store(config: Config, work: Callable[[Recordings, Database], Awaitable[T]]) -> T:
    file = config.var_dir / _STORE
    if not file.exists():
        raise Failed(f"no store at {file}")

    async def run() -> T:
        database = Database(file)
        await database.start()
        try:
            return await work(SqliteRecordings(database), database)
        finally:
            await database.close()

    return asyncio.run(run())
