"""When entries of the class's log came by the media's clock: read from a recording's journal, which notes every turn of its class.

The log's times are the wall clock's, and that may be set in class; the media's go on with a clock that only runs (`package/follow`: each
opening of a journal ties it to the wall clock once). A note is found by its bytes and believed by its checksum, which begins with a secret
of its file, so that what a sender puts into a packet is none (media/engine/journal/src/format.rs has the bytes). Damage costs notes.
"""

import struct
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from media import journals
from recording.manifest import Moment
from signaling.classroom.ids import Millis, SessionId

#: moments of one recording; what follows goes by the last
MAX_MOMENTS: Final = 200_000
_PORTION: Final = 4 << 20
_HEAD: Final = struct.Struct("<8s2HI16s2Q32sB64sB64s")
_HEAD_BYTES: Final = 256
_CHECKED: Final = 252
#: a record of the class's log: about no track, without flags
_NOTE: Final = b"RJ\x0b\x00\x00\x00"
_RECORD: Final = struct.Struct("<HQII")
_RECORD_BYTES: Final = 24
#: a longer one is no note of ours
_NOTE_BYTES: Final = 256


class _Noted(msgspec.Struct):
    seq: int


class _Head(NamedTuple):
    recording: str
    #: new whenever a journal is opened
    boot: bytes
    #: the same moment on both clocks
    monotonic_us: int
    wall_us: int
    seed: int


class Moments:
    """Of one recording, while its journal is written or afterwards."""

    def __init__(self, root: Path, session: SessionId, recording: str, started_at: Millis) -> None:
        self.found: list[Moment] = []
        self._root = root
        self._session = session
        self._recording = recording
        self._started_at = started_at
        #: the file being read, how far it was read, what of that is not yet understood
        self._number = 0
        self._head: _Head | None = None
        self._offset = 0
        self._rest = b""
        #: the head of the first file since the journal was opened
        self._opened: _Head | None = None

    def advance(self) -> None:
        """Read what was written since. Raises OSError."""
        folder = self._root / self._session
        numbers = sorted(int(path.stem) for path in folder.glob(f"*{journals.ENDING}") if path.stem.isdecimal())
        for number in numbers:
            if number > self._number:
                self._number, self._head, self._offset, self._rest = number, None, 0, b""
            # One that others follow is whole.
            if number == self._number:
                self._read(journals.path_of(self._root, self._session, number))

    def _read(self, path: Path) -> None:
        with path.open("rb") as file:
            if self._head is None:
                self._head = _head(file.read(_HEAD_BYTES))
                self._offset = _HEAD_BYTES
            head = self._head
            if head is None or head.recording != self._recording:
                return
            if self._opened is None or self._opened.boot != head.boot:
                self._opened = head
            file.seek(self._offset)
            while data := file.read(_PORTION):
                self._offset += len(data)
                self._understand(self._rest + data, head.seed, self._opened)

    def _understand(self, data: bytes, seed: int, opened: _Head) -> None:
        at = 0
        while (at := data.find(_NOTE, at)) >= 0:
            if at + _RECORD_BYTES > len(data):
                break
            size, arrival_us, _, told = _RECORD.unpack_from(data, at + len(_NOTE))
            end = at + _RECORD_BYTES + size
            if size > _NOTE_BYTES:
                at += 1
            elif end > len(data):
                break
            elif crc32c(data[at : at + _RECORD_BYTES - 4] + data[at + _RECORD_BYTES : end], seed) != told:
                at += 1
            else:
                self._take(data[at + _RECORD_BYTES : end], opened.wall_us + arrival_us - opened.monotonic_us)
                at = end
        self._rest = data[at:] if at >= 0 else data[-len(_NOTE) + 1 :]

    def _take(self, payload: bytes, wall_us: int) -> None:
        try:
            seq = msgspec.json.decode(payload, type=_Noted).seq
        except msgspec.DecodeError:
            return
        if len(self.found) < MAX_MOMENTS and (not self.found or seq > self.found[-1][0]):
            self.found.append((seq, wall_us // 1000 - self._started_at))


def _head(data: bytes) -> _Head | None:
    """What a file begins with; None while it is not whole."""
    if len(data) < _HEAD_BYTES:
        return None
    seed = crc32c(data[:_CHECKED])
    if seed != int.from_bytes(data[_CHECKED:], "little"):
        return None
    _, _, _, _, boot, monotonic_us, wall_us, _, _, _, size, recording = _HEAD.unpack_from(data)
    return _Head(recording[:size].decode(errors="replace"), boot, monotonic_us, wall_us, seed)


def _rest_of(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_TABLE: Final = tuple(map(_rest_of, range(256)))


def crc32c(data: bytes, before: int = 0) -> int:
    """The checksum of RFC 3385, going on from the one of what came before. For short data: it is not fast."""
    value = before ^ 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ _TABLE[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF
