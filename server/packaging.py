"""The packager of a node: what it is told of journals, where it finds a class's log; and who takes people out of what it made."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from media.plane import JournalNews
from recording import timeline
from recording.catalog import Ended, Row
from recording.finishing import Finishing
from recording.manifest import Moment
from recording.packaging import Packaging, Told
from recording.publication import Published
from recording.redaction import Redaction
from recording.timeline import PersonShown
from server.adapters.sqlite import Database
from server.adapters.sqlite_packaging import SqliteJobs
from server.adapters.sqlite_recordings import SqliteRecordings
from signaling.classroom.base import Origin
from signaling.classroom.ids import Millis, ParticipantId
from signaling.classroom.recording import RecordingStopped
from signaling.classroom.roles import Role
from signaling.classroom.state import Room
from signaling.messages import decode_event
from signaling.ports import Journal

_ALL = 2**62


def told(journal: Journal) -> Told:
    """The timeline of a recording from the class's log."""

    async def tell(row: Row, duration_ms: int | None, moments: Sequence[Moment]) -> timeline.Built:
        records = [record async for record in journal.read(row.session, 0, _ALL)]

        def build() -> timeline.Built:
            entries = [(r.seq, Origin(at=r.at, by=r.by, op=r.op), decode_event(r.event)) for r in records]
            return timeline.build(entries, row.id, duration_ms, moments)

        return await asyncio.to_thread(build)

    return tell


def ended(journal: Journal) -> Ended:
    """When and why a recording ended, from the class's log."""

    async def look(row: Row) -> tuple[Millis, str] | None:
        # Its name has the number of the entry that began it.
        began = int(row.id[1:]) if row.id[1:].isdecimal() else 0
        async for record in journal.read(row.session, began, _ALL):
            event = decode_event(record.event) if b"recording_stopped" in record.event else None
            if isinstance(event, RecordingStopped) and event.recording == row.id:
                return record.at, event.reason
        return None

    return look


def packaging(root: Path, database: Database, journal: Journal, published: Published, clock: Callable[[], Millis]) -> Packaging:
    """The packager over a node's store; the media journals lie below `root`."""
    return Packaging(SqliteJobs(database), published, root, told(journal), clock, SqliteJobs(database, "finishing"))


def finishing(database: Database, journal: Journal, published: Published, clock: Callable[[], Millis]) -> Finishing:
    """What is added to published recordings afterwards."""
    tell = told(journal)

    async def trainers(row: Row) -> set[ParticipantId]:
        built = await tell(row, None, ())
        people = [*built.first.people.values(), *(change.what for change in built.changes if isinstance(change.what, PersonShown))]
        return {person.id for person in people if person.role is Role.TRAINER}

    return Finishing(SqliteJobs(database, "finishing"), published, trainers, clock)


async def tried_again(database: Database, row: Row) -> bool:
    """Whether a recording of which no version could be made so far is to be tried again."""
    job = await SqliteJobs(database).get((row.session, row.id))
    return job is not None and job.state in ("waiting", "working")


def redaction(root: Path, database: Database, journal: Journal, published: Published, clock: Callable[[], Millis], *, by: str) -> Redaction:
    """Takes people out of the recordings of a node's store, on behalf of `by`."""
    packager = packaging(root, database, journal, published, clock)
    return Redaction(SqliteRecordings(database), packager, published, root, told(journal), clock, by)


def heard(packager: Packaging, room: Room | None, news: JournalNews) -> None:
    """A journal of a recording was begun, or is whole as far as it could be."""
    if news.state in ("closed", "failed"):
        packager.ended(news.session, news.recording)
    elif news.state == "opened":
        packager.opened(news.session, news.recording)
        if room is not None and room.recording is not None and room.recording.id == news.recording:
            packager.began(Row(session=news.session, id=news.recording, started_at=room.recording.since))
