"""What a replay costs and how soon it is there: a lesson's journal through the packager's own processes, on a real store.

The lesson is shorter than an hour (said with the figures) and scaled: the work is the same for every minute of it. CPU is the kernel's
account of the processes that were waited for.
"""

import asyncio
import resource
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from loadtests.lesson_journal import RECORDING, SESSION, LessonJournal
from recording import timeline
from recording.catalog import Row
from recording.finishing import Finishing
from recording.manifest import Moment
from recording.packaging import Packaging
from recording.publication import Published
from server.adapters.sqlite import Database
from server.adapters.sqlite_packaging import SqliteJobs
from server.adapters.sqlite_publications import SqlitePublications
from server.adapters.sqlite_recordings import SqliteRecordings
from signaling.classroom.settings import Phase

#: what of the lesson comes while it is followed; more than the packager keeps open (70 s)
TAIL_S: Final = 90
_STEP_S: Final = 10
_LIMIT_S: Final = 600.0


class Found(NamedTuple):
    """Seconds: from the end to the replay, of CPU per class hour for it, and for what is added to it afterwards."""

    ready: float
    packager: float
    finisher: float


async def measure(folder: Path, minutes: int) -> Found:
    """Package a lesson of so many minutes, followed until its end, and finish it."""
    started = int(time.time() * 1000) - minutes * 60_000
    row = Row(session=SESSION, id=RECORDING, started_at=started)
    database = Database(folder / "jiangtai.sqlite")
    await database.start()
    published = Published(SqlitePublications(database), folder / "published")
    published.root.mkdir()
    journal = LessonJournal(folder / "journal", started)
    journal.write(minutes * 60 - TAIL_S)

    async def told(row: Row, duration_ms: int | None, moments: Sequence[Moment]) -> timeline.Built:
        scene = timeline.SceneShown(phase=Phase.LIVE)
        return timeline.Built(row.started_at, "bench", [], timeline.State(scene=scene, people={}, polls={}, chat=[]))

    async def trainers(_: Row) -> list[str]:
        return ["p0"]

    def clock() -> int:
        return int(time.time() * 1000)

    await SqliteRecordings(database).begin(row)
    packager = Packaging(SqliteJobs(database), published, folder / "journal", told, clock)
    finisher = Finishing(SqliteJobs(database, "finishing"), published, trainers, clock)
    try:
        before = _spent()
        packager.began(row)
        for _ in range(TAIL_S // _STEP_S):
            journal.write(_STEP_S)
            await _idle()
        journal.close()
        await SqliteRecordings(database).end(SESSION, RECORDING, clock(), "asked")
        ended = time.monotonic()
        packager.ended(SESSION, RECORDING)
        async with asyncio.timeout(_LIMIT_S):
            while await published.store.served(SESSION, RECORDING) is None:
                if not packager.working:
                    return Found(float("nan"), float("nan"), float("nan"))
                await asyncio.sleep(0.02)
        ready, packaged = time.monotonic() - ended, _spent()
        await finisher.finish(row)
        return Found(ready, (packaged - before) * 60 / minutes, (_spent() - packaged) * 60 / minutes)
    finally:
        await packager.stop()
        await database.close()


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def _idle() -> None:
    """Wait until the worker has read all there is: it takes next to no CPU then."""
    before = _children()
    async with asyncio.timeout(_LIMIT_S):
        while True:
            await asyncio.sleep(2)
            now = _children()
            if now - before < _TICKS:
                return
            before = now


#: clock ticks a worker that only looks takes in two seconds
_TICKS: Final = 10


def _children() -> int:
    """Clock ticks of CPU that this process's children have taken (proc(5), /proc/pid/stat)."""
    ticks, own = 0, str(Path("/proc/self").resolve().name)
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[1] == own:
            ticks += int(fields[11]) + int(fields[12])
    return ticks
