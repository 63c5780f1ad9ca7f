"""Journal records as a live class uses them: decoded, with their audience, encoded once per lane; how a class is loaded from them."""

import logging
from collections import deque
from typing import Final, NamedTuple

import msgspec

from signaling.classroom import room as classroom
from signaling.classroom.audience import Audience, Lane, audience, lane_of, redact
from signaling.classroom.base import Event, Origin
from signaling.classroom.ids import SessionId
from signaling.classroom.room import Room
from signaling.classroom.session import SessionCreated
from signaling.messages import decode_event, decode_room, encode_entry
from signaling.metrics import Counters
from signaling.ports import Journal, Record

log = logging.getLogger("jiangtai.journal")

#: newest entries kept in memory for clients that come back
RING: Final = 1_000
_ALL: Final = 2**62


class Entry(NamedTuple):
    """One event as it will be told: its audience when it happened and its encoding per lane (redacted)."""

    seq: int
    origin: Origin
    event: Event
    audience: Audience
    #: {seq, at, by?, event} in MessagePack, for every lane that may have to be told
    told: dict[Lane, msgspec.Raw]


class Loaded(NamedTuple):
    """A class as the journal has it: the room, its newest entries without a gap, the snapshot it began from, the journal's name."""

    room: Room
    recent: list[Entry]
    snapshot_at: int
    epoch: str


def entry_of(room: Room, seq: int, origin: Origin, event: Event) -> Entry:
    """An event with everything needed to tell it; room is the state right after it."""
    lanes, named = audience(room, origin, event)
    wanted = set(lanes)
    wanted.update(lane_of(room, participant) for participant in named)
    told: dict[Lane, msgspec.Raw] = {}
    encoded: list[tuple[Event, msgspec.Raw]] = []
    for lane in wanted:
        shown = redact(room, lane, event)
        found = next((known for other, known in encoded if other is shown), None)
        if found is None:
            found = msgspec.Raw(encode_entry(seq, origin, shown))
            encoded.append((shown, found))
        told[lane] = found
    return Entry(seq, origin, event, Audience(lanes, named), told)


async def load(journal: Journal, session: SessionId, counters: Counters) -> Loaded | None:
    """The class after its last record; None for a class without a journal. An entry that breaks is left out and counted.

    Raises Unavailable.
    """
    saved = await journal.load_snapshot(session)
    room = _decode_room(saved[1]) if saved is not None else None
    snapshot_at = room.seq if room is not None else 0
    recent: deque[Entry] = deque(maxlen=RING)
    async for record in journal.read(session, snapshot_at, _ALL):
        room = _replay(room, record, recent, counters)
    if room is None:
        return None
    epoch = ""
    async for record in journal.read(session, 0, 1):
        epoch = f"{record.at:x}"
    return Loaded(room, list(recent), snapshot_at, epoch)


def _replay(room: Room | None, record: Record, recent: deque[Entry], counters: Counters) -> Room | None:
    try:
        event = decode_event(record.event)
        if room is None:
            if not isinstance(event, SessionCreated):
                raise TypeError("a journal begins with session_created")
            room = classroom.begin(event)
        origin = Origin(at=record.at, by=record.by, op=record.op)
        classroom.evolve(room, record.seq, origin, event)
        recent.append(entry_of(room, record.seq, origin, event))
    except Exception:
        counters.poisoned += 1
        log.exception("a journal entry is left out", extra={"seq": record.seq})
        recent.clear()
        if room is not None:
            room.seq = record.seq
    return room


def _decode_room(state: bytes) -> Room | None:
    """The room of a snapshot; None when another version of the code wrote it (the journal then tells everything)."""
    try:
        return decode_room(state)
    except msgspec.MsgspecError:
        log.warning("snapshot not readable, replaying the whole journal")
        return None
