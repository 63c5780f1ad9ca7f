"""Carries recordings out: opens and closes the journal of a class and tells the engine which tracks go into it.

It follows the room as it is, never single events, so that a class woken after a restart goes on in a new file of the same recording. What
the engine says of its files is passed on to whoever asked to hear it (the catalog); a recording the engine cannot begin is reported too.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from media.devices import Class
from media.recorded import describe, recorded
from media.switchboard import Switchboard
from signaling.classroom.base import Event
from signaling.classroom.ids import SessionId

#: numbers of tracks are 16 bits wide; a recording that used them up takes no further track
MAX_TRACKS: Final = 65_535


@dataclass(frozen=True, kw_only=True)
class JournalNews:
    """What became of a class's journal: state is opened sealed closed disk_low failed stalled resumed; figures are the named file's."""

    session: SessionId
    recording: str
    state: str
    file: int
    bytes: int
    records: int
    lost: int


@dataclass(kw_only=True)
class Taping:
    """The open journal of a class: which track has which number in it."""

    session: SessionId
    recording: str
    numbers: dict[int, int] = field(default_factory=dict)
    used: int = 0
    #: the engine could not begin it
    dead: bool = False


def event_kind(event: Event) -> str:
    """The type of an event as it is on the wire."""
    return str(event.__struct_config__.tag)


class Recorder:
    """See the module."""

    def __init__(self, board: Switchboard, root: Path, tell: Callable[[JournalNews], None]) -> None:
        """Journals lie below `root`; `tell` hears of every file, on the event loop."""
        self._board = board
        self._root = root
        self._tell = tell
        #: by the engine's number of the room; kept until the engine says that the journal is closed
        self._open: dict[int, Taping] = {}
        self._closing: dict[int, list[Taping]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def follow(self, klass: Class) -> None:
        """Bring the recording of a class in line with its room, once what the room says is in the log."""
        if not klass.settled:
            return
        wanted = klass.room.recording
        taping = self._open.get(klass.id)
        if taping is not None and (wanted is None or wanted.id != taping.recording):
            self.close(klass)
            taping = None
        if wanted is not None and taping is None:
            taping = self._open[klass.id] = Taping(session=klass.room.id, recording=wanted.id)
            self._board.do(self._board.engine.open_journal, klass.id, self._root, klass.room.id, wanted.id)
        if taping is not None:
            self._review(klass, taping)

    def note(self, klass: Class, kind: str) -> None:
        """Tie the class log to the media's clock: an event of this kind has just happened."""
        if klass.id in self._open:
            content = msgspec.json.encode({"seq": klass.room.seq, "type": kind})
            self._board.do(self._board.engine.note_in_journal, klass.id, content)

    def close(self, klass: Class) -> None:
        """End the journal of a class; its tracks end with it."""
        taping = self._open.pop(klass.id, None)
        if taping is None:
            return
        for track in taping.numbers:
            if track in klass.director.tracks:
                self._board.do(self._board.engine.stop_recording_track, track)
        if not taping.dead:
            self._closing.setdefault(klass.id, []).append(taping)
            self._board.do(self._board.engine.close_journal, klass.id)

    def heard(self, room: int, state: str, file: int, size: int, records: int, lost: int) -> None:
        """The engine reports on a journal."""
        closing = self._closing.get(room)
        taping = closing[0] if closing else self._open.get(room)
        if taping is None:
            return
        if closing and state in ("closed", "disk_low", "failed"):
            closing.pop(0)
            if not closing:
                del self._closing[room]
        elif state in ("disk_low", "failed"):
            taping.dead = True
        self._tell(
            JournalNews(session=taping.session, recording=taping.recording, state=state, file=file, bytes=size, records=records, lost=lost)
        )

    def _review(self, klass: Class, taping: Taping) -> None:
        wanted = recorded(klass.room, klass.director.counting())
        for track in [track for track in taping.numbers if track not in wanted]:
            del taping.numbers[track]
            if track in klass.director.tracks:  # else the engine ended it itself
                self._board.do(self._board.engine.stop_recording_track, track)
        plans = {
            id: (plan, device.publish.extensions)
            for device in klass.devices.values()
            if device.publish is not None
            for id, plan in device.publish.tracks.values()
        }
        for track, rank in wanted.items():
            if track in taping.numbers or track not in plans or taping.used >= MAX_TRACKS:
                continue
            taping.used += 1
            taping.numbers[track] = taping.used
            plan, extensions = plans[track]
            description = describe(klass.director.tracks[track], plan, extensions)
            self._board.do(self._board.engine.record_track, track, taping.used, rank, description)
