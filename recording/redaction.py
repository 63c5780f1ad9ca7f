"""Taking a person out of recordings: out of the journal, then out of the replay, which is made anew, then the old replay's files go.

Everything may be repeated: after a crash the same call goes on (media/engine/journal/src/redact.rs has the rules for the journal). The
replay is always made by a job that begins when the journal is clean, and every version begun before is removed, so a packager that was at
work meanwhile publishes nothing that stays. What cannot be made anew, because the raw media or the class's log are gone, is deleted as a
whole if the person is in it. No row and no file says who was taken out.
"""

import asyncio
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from media import journals
from recording import deletion, publication
from recording.amendment import amend
from recording.catalog import Recordings, Row, measured
from recording.copying import read
from recording.deletion import NotEnded
from recording.manifest import Manifest
from recording.packaging import Packaging, Told
from recording.publication import TIMELINE, Published, Version
from recording.timeline import NoSuchRecording
from signaling.classroom.ids import Millis, ParticipantId, SessionId

#: somebody else may be packaging a recording this long
PATIENCE_MS: Final = 30 * 60_000
_AGAIN_S: Final = 1.0


class Busy(Exception):
    """Somebody else has been packaging the recording all the time."""


class Redacted(msgspec.Struct, frozen=True, kw_only=True):
    """What was done: replays made anew; journal files and bytes taken out of them; recordings that had to be deleted as a whole."""

    recordings: int
    files: int
    bytes: int
    deleted: list[str]


class Redaction:
    """Takes people out of the recordings of a node, running or not."""

    def __init__(
        self,
        store: Recordings,
        packager: Packaging,
        published: Published,
        root: Path,
        told: Told,
        clock: Callable[[], Millis],
        by: str,
    ) -> None:
        """Journals lie below `root`; `told` gives a recording's timeline; `by` stands in the recordings' acts."""
        self._store = store
        self._packager = packager
        self._published = published
        self._root = root
        self._told = told
        self._clock = clock
        self._by = by

    async def redact(
        self, session: SessionId, participant: ParticipantId, recording: str | None = None, *, retell: bool = True
    ) -> Redacted:
        """Take a person out of one recording of a class, or of all.

        With `retell` every timeline is made anew from the log, also where the person sent nothing. Raises NotEnded (nothing was changed),
        Busy, process.Failed, Superseded, OSError, Unavailable: the same call goes on later.
        """
        rows = [row for row in await self._store.rows(session) if recording in (None, row.id)]
        if any(row.state == "recording" for row in rows):
            raise NotEnded
        try:
            taken = await asyncio.to_thread(journals.redact, self._root, session, [participant], recording)
        except journals.BeingWritten:
            raise NotEnded from None
        await self._store.measure(await asyncio.to_thread(measured, self._root, session))
        files = await asyncio.to_thread(journals.files, self._root, session)
        anew, deleted = 0, []
        for row in rows:
            if row.state != "ended":
                continue
            own = [file for file in files if file.recording == row.id]
            there = bool(own)
            versions = await self._published.store.versions(session, row.id)
            served = await self._published.store.served(session, row.id)
            shown = served is not None and await self._shows(served, participant)
            under_way = any(not (version.published_at or version.failed_at or version.withdrawn_at) for version in versions)
            try:
                if there and (retell or shown or under_way or row.id in taken.recordings):
                    await self._make(row)
                elif not there and shown:
                    raise NoSuchRecording(row.id)
                elif not there and served is not None and retell:
                    await self._retell(row, served)
                else:
                    await publication.retire(self._published, session, row.id, self._clock())
                    continue
            except NoSuchRecording:
                await deletion.delete(self._store, self._root, row, now=self._clock(), by=self._by, published=self._published)
                deleted.append(row.id)
                continue
            gone = await publication.retire(self._published, session, row.id, self._clock())
            told = {"taken": sum(file.taken[1] for file in own), "published": gone}
            await self._store.note(session, row.id, "redacted", self._clock(), self._by, json.dumps(told))
            anew += 1
        return Redacted(recordings=anew, files=taken.files, bytes=taken.bytes, deleted=deleted)

    async def _make(self, row: Row) -> None:
        """Package anew, once whoever is at it with what there was before has come to an end."""
        until = self._clock() + PATIENCE_MS
        # Captions may say what the person said, and nobody can tell.
        while not await self._packager.make(row, captions=False):
            if self._clock() >= until:
                raise Busy(f"{row.session} {row.id} is being packaged")
            await asyncio.sleep(_AGAIN_S)

    async def _shows(self, version: Version, participant: ParticipantId) -> bool:
        """Whether a person is seen or heard in it; what cannot be read may show anybody."""
        try:
            return any(track.participant == participant for track in (await read(self._published, version)).tracks)
        except (FileNotFoundError, ValueError):
            return True

    async def _retell(self, row: Row, served: Version) -> None:
        """Publish the media that are served with a timeline made anew."""
        made = await read(self._published, served)
        built = await self._told(row, made.duration_ms, made.moments)
        with tempfile.TemporaryDirectory(dir=self._published.root, prefix=TIMELINE) as folder:
            named, chapters = await asyncio.to_thread(publication.write_timeline, Path(folder), built, made.duration_ms)
            files = {name: Path(folder) / name for name in (*named.chunks, *named.snapshots, chapters)}

            def change(now: Manifest) -> Manifest:
                return msgspec.structs.replace(now, title=built.title, timeline=named, chapters=chapters)

            await amend(self._published, row.session, row.id, change, files, self._clock)
