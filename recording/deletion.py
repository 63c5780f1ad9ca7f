"""Deleting a recording: first the tombstone, then the files, then the line that says so. Repeated where a crash broke it off."""

import asyncio
import json
import logging
import os
import random
from pathlib import Path
from typing import Final

from media import journals
from recording import publication
from recording.catalog import Held, Recordings, Row
from recording.publication import Published
from signaling.classroom.ids import Millis

log = logging.getLogger("jiangtai.recording")
MAX_PURGED: Final = 200


class NotEnded(Exception):
    """It is being recorded now."""


async def delete(store: Recordings, root: Path, row: Row, *, now: Millis, by: str, published: Published) -> int:
    """Delete a recording and what was published of it for good; returns how many files went.

    Raises NotEnded, catalog.Held, OSError, Unavailable. One that has its tombstone is purged, if it is not held meanwhile. After an OSError
    (StoreAway) the recording is deleted for everybody, and `finish` purges the rest.
    """
    if row.state == "recording":
        raise NotEnded
    await store.mark(row.session, row.id, "deleted", now, by, "{}")
    gone, made = await asyncio.to_thread(_purge, root, row), await publication.purge(published, row.session, row.id)
    await store.mark(row.session, row.id, "purged", now, by, json.dumps({"files": gone, "published": made}))
    return len(gone) + made


async def finish(store: Recordings, root: Path, *, now: Millis, published: Published) -> int:
    """Purge what has a tombstone and still has files, MAX_PURGED at most; returns how many recordings that were.

    One whose store is away, or that is held meanwhile, stays as it is, and the next call tries again.
    """
    done = 0
    waiting = [row for row in await store.rows() if row.state == "deleted"]
    # Some that cannot be purged for long must not keep all others from it.
    for row in random.sample(waiting, min(len(waiting), MAX_PURGED)):
        try:
            await delete(store, root, row, now=now, by="node", published=published)
        except (OSError, Held) as error:
            why = str(error) or type(error).__name__
            log.warning("a deleted recording was not purged", extra={"session": row.session, "recording": row.id, "why": why})
            continue
        done += 1
    return done


def drop_journal(root: Path, row: Row) -> dict[str, str]:
    """Remove the raw media of a recording for good, outside the event loop; the digests of its files by name. Raises OSError."""
    gone: dict[str, str] = {}
    for file in journals.files(root, row.session):
        if file.recording == row.id:
            file.path.unlink(missing_ok=True)
            gone[file.path.name] = file.digest
    for number in range(row.first_file or 1, (row.last_file or 0) + 1):
        journals.path_of(root, row.session, number).with_suffix(".redacting").unlink(missing_ok=True)
    _sync(root / row.session)
    return gone


def _purge(root: Path, row: Row) -> dict[str, str]:
    """Remove its files and those beside them that no head can be read of; their digests by name."""
    gone = drop_journal(root, row)
    for number in range(row.first_file or 1, (row.last_file or 0) + 1):
        journals.path_of(root, row.session, number).with_suffix(".torn").unlink(missing_ok=True)
    _sync(root / row.session)
    return gone


def _sync(folder: Path) -> None:
    if folder.exists():
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
