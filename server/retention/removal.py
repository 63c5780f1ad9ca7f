"""How a thing goes, kind by kind: begun by a row, carried out in portions, closed by the same row. Every step may be repeated.

A journal goes only after its published version was read whole once more. A replay goes with its recording. A log goes with its
recordings; the ledger first grows over all of it, then keeps the hash of each record, and a signed note says what was done.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from media import journals
from recording import deletion, verified
from recording.catalog import Recordings, Row
from recording.publication import Published, Version
from server.records.ledger import Ledger
from server.retention.due import Kind, Thing
from server.retention.records import Act, Expiries
from signaling.classroom.ids import Millis, SessionId

#: records, and other rows, removed in one transaction
RECORDS: Final = 500
ROWS: Final = 2_000
#: who did it, in the trail of recordings
BY: Final = "retention"


class TornFile(NamedTuple):
    """A file of raw media without a readable head."""

    path: Path
    at: Millis
    bytes: int


class Removal:
    """The hands of a sweep, or of a command."""

    def __init__(self, *, store: Expiries, recordings: Recordings, published: Published, journals: Path, ledger: Ledger) -> None:
        """Raw media lie below `journals`."""
        self.store = store
        self.recordings = recordings
        self.published = published
        self.journals = journals
        self._ledger = ledger

    async def begin(self, thing: Thing, rule: str, now: Millis) -> Act | None:
        """Write down that a thing goes; None if it cannot now. Raises Held, verified.Broken, OSError, Unavailable."""
        count = size = 0
        if thing.kind is Kind.JOURNAL:
            served = await self.published.store.served(thing.session, thing.recording)
            if served is None:  # it was deleted meanwhile
                return None
            await self.read_whole(served, now)
            files = await asyncio.to_thread(self._journal_files, thing.session, thing.recording)
            count, size = len(files), sum(file.bytes for file in files)
        elif thing.kind is Kind.REPLAY:
            served = await self.published.store.served(thing.session, thing.recording)
            count, size = 1, served.bytes if served is not None else 0
        elif thing.kind is Kind.TORN:
            torn = (await self.torn_files(thing.session)).get(thing.session, [])
            count, size = len(torn), sum(file.bytes for file in torn)
        return await self.store.begin(thing, rule, now, count, size)

    async def carry_out(self, act: Act, now: Millis) -> Act:
        """Remove what an open row names and close it; the row as it is then. Raises Held, OSError, Unavailable."""
        match Kind(act.kind):
            case Kind.JOURNAL:
                for row in await self._rows(act.session, act.recording):
                    await asyncio.to_thread(deletion.drop_journal, self.journals, row)
                await asyncio.to_thread(_remove_if_empty, self.journals / act.session)
            case Kind.REPLAY:
                await self._delete(act.session, act.recording, now)
            case Kind.LOG:
                await self._remove_log(act, now)
            case Kind.WATCHED:
                while await self.store.unwatch(act, ROWS):
                    pass
            case Kind.TORN:
                torn = (await self.torn_files(act.session)).get(act.session, [])
                await asyncio.to_thread(_unlink, [file.path for file in torn], act.begun_at)
        await self.store.finish(act.number, now)
        return await self._now(act)

    async def read_whole(self, version: Version, now: Millis) -> None:
        """Read a published version and write down that it is whole. Raises verified.Broken, OSError, Unavailable."""
        await self.store.verify(version, await verified.check(self.published, version), now)

    async def torn_files(self, session: SessionId = "*") -> Mapping[SessionId, Sequence[TornFile]]:
        """Files that recovery put aside, by class; of one class if given."""
        return await asyncio.to_thread(_torn, self.journals, session)

    def torn_thing(self, known: Thing, files: Sequence[TornFile]) -> Thing:
        """The torn files of a class as one thing: as young as the youngest."""
        return msgspec.structs.replace(known, since=max(file.at for file in files))

    def _journal_files(self, session: SessionId, recording: str) -> Sequence[journals.JournalFile]:
        return [file for file in journals.files(self.journals, session) if file.recording == recording]

    async def _rows(self, session: SessionId, recording: str = "") -> Sequence[Row]:
        return [row for row in await self.recordings.rows(session) if recording in ("", row.id)]

    async def purge(self, row: Row, now: Millis) -> None:
        """Delete a recording, or what is left of one. Raises Held, OSError, Unavailable."""
        await deletion.delete(self.recordings, self.journals, row, now=now, by=BY, published=self.published)

    async def _delete(self, session: SessionId, recording: str, now: Millis) -> None:
        for row in await self._rows(session, recording):
            if row.state != "purged":
                await self.purge(row, now)

    async def _remove_log(self, act: Act, now: Millis) -> None:
        await self._delete(act.session, "", now)
        await asyncio.to_thread(_remove_if_empty, self.journals / act.session)
        erasure = f"class:{act.session}"
        size = await self._ledger.grow()
        while await self.store.erase_log(act, size, RECORDS, erasure):
            pass
        while await self.store.forget(act, ROWS) > 0:
            pass
        await self.store.note(erasure, now, self._ledger.sign(_note(await self._now(act), now)))

    async def _now(self, act: Act) -> Act:
        """The row as it stands."""
        return next(iter(await self.store.acts(after=act.number - 1, limit=1)), act)


def _note(act: Act, now: Millis) -> str:
    """What the ledger's key signs about a class whose log is no longer kept."""
    return f"jiangtai erasure of a class\nclass {act.session}\nrecords {act.count}\nrule {act.policy}\nbegun {act.begun_at}\nended {now}\n"


def _torn(root: Path, session: SessionId) -> dict[SessionId, list[TornFile]]:
    found: dict[SessionId, list[TornFile]] = {}
    for path in root.glob(f"{session}/*.torn"):  # ids of classes hold no pattern
        try:
            told = path.stat()
        except FileNotFoundError:  # its recording was deleted meanwhile
            continue
        found.setdefault(path.parent.name, []).append(TornFile(path, int(told.st_mtime * 1000), told.st_size))
    return found


def _unlink(paths: Sequence[Path], before: Millis) -> None:
    """Remove files, but not those that came after `before`."""
    for path in paths:
        if path.exists() and path.stat().st_mtime * 1000 <= before:
            path.unlink(missing_ok=True)


def _remove_if_empty(folder: Path) -> None:
    if folder.exists() and next(folder.iterdir(), None) is None:
        folder.rmdir()
