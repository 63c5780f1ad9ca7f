"""A class's media journal without the class: coded pictures and voices over and over, at the pace of a lesson, as the engine writes them.

The bytes are those of media/engine/journal/src/format.rs. A trainer at 1280x720, 30 pictures and about 1.5 Mbit/s a second with a key frame
every ten seconds, and three voices that speak all the time, which is more than any class does.
"""

import json
import math
import struct
from array import array
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import google_crc32c
from av.video.frame import PictureType

SESSION: Final = "bench"
RECORDING: Final = "r1"
VOICES: Final = 3
LOOP_S: Final = 10
_RATE: Final = 30
_WIDTH: Final = 1280
_HEIGHT: Final = 720
_SOUND: Final = 48_000
_WORD: Final = 960
_PAYLOAD: Final = 1_100
_HEAD: Final = struct.Struct("<8sHHI16sQQ32sB64sB64s")
_RECORD: Final = struct.Struct("<HBBHHQI")
_MAGIC: Final = b"\x89RJ\r\n\x1a\n\0"
_START, _RTP, _REPORT = 1, 3, 4
_X264: Final = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "x264-params": "repeat-headers=1:threads=1"}


class LessonJournal:
    """One file that grows."""

    def __init__(self, root: Path, started_ms: int) -> None:
        folder = root / SESSION
        folder.mkdir(parents=True)
        self._file = (folder / "000001.rj").open("wb")
        self._pictures, self._words = _pictures(), _words()
        self._sequences = [0] * (VOICES + 1)
        self._second = 0
        wall = started_ms * 1000
        names = (len(SESSION), SESSION.encode(), len(RECORDING), RECORDING.encode())
        head = _HEAD.pack(_MAGIC, 1, 256, 1, bytes(range(16)), 0, wall, bytes(32), *names).ljust(252, b"\0")
        self._seed = google_crc32c.value(head)
        self._file.write(head + struct.pack("<I", self._seed))
        for track in range(VOICES + 1):
            kind, codec, source = ("video", [96, "h264", None], "camera") if track == 0 else ("audio", [111, "opus", None], "microphone")
            told = {"participant": f"p{track}", "source": source, "kind": kind, "codecs": [codec], "rids": []}
            self._put(_START, track, 0, 0, json.dumps(told).encode())

    def write(self, seconds: int) -> None:
        """So many seconds more."""
        for _ in range(seconds):
            packets = [packet for track in range(VOICES + 1) for packet in self._of(track)]
            for at, track, packet, roc in sorted(packets):
                self._put(_RTP, track, at, roc, packet)
            for track in range(VOICES + 1):
                self._put(_REPORT, track, (self._second + 1) * 1_000_000, 0, _report(self._second + 1, track))
            self._second += 1
        self._file.flush()

    def close(self) -> int:
        """Bytes written in all."""
        size = self._file.tell()
        self._file.close()
        return size

    def _of(self, track: int) -> Iterator[tuple[int, int, bytes, int]]:
        """(arrival, track, packet, roll-over counter) of a second."""
        if track == 0:
            for number in range(_RATE):
                picture = self._pictures[(self._second % LOOP_S) * _RATE + number]
                pieces = list(_payloads(picture))
                for piece, payload in enumerate(pieces):
                    at = (self._second * _RATE + number) * 1_000_000 // _RATE + 20_000 + piece * 50
                    stamp = (self._second * _RATE + number) * 3_000
                    yield at, track, *self._rtp(track, 96, stamp, payload, piece == len(pieces) - 1)
            return
        for number in range(50):
            word = self._words[(self._second % LOOP_S) * 50 + number]
            at = (self._second * 50 + number) * 20_000 + 20_000
            yield at, track, *self._rtp(track, 111, (self._second * 50 + number) * _WORD, word, False)

    def _rtp(self, track: int, kind: int, stamp: int, payload: bytes, last: bool) -> tuple[bytes, int]:
        sequence = self._sequences[track]
        self._sequences[track] += 1
        header = struct.pack(">BBHII", 0x80, kind | last << 7, sequence & 0xFFFF, stamp & 0xFFFFFFFF, 1_000 + track)
        return header + payload, 1 + (sequence >> 16)

    def _put(self, kind: int, track: int, at_us: int, roc: int, payload: bytes) -> None:
        header = _RECORD.pack(0x4A52, kind, 0, track + 1, len(payload), at_us, roc)
        total = google_crc32c.extend(google_crc32c.extend(self._seed, header), payload)
        self._file.write(header + struct.pack("<I", total) + payload)


def _report(second: int, track: int) -> bytes:
    ntp, rate = (second + 3_000_000_000) << 32, 90_000 if track == 0 else _SOUND
    return struct.pack("<QII", ntp, second * rate & 0xFFFFFFFF, 1_000 + track)


def _payloads(picture: bytes) -> Iterator[bytes]:
    """RFC 6184: single units and FU-A."""
    for unit in (unit.rstrip(b"\0") for unit in picture.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if unit):
        if len(unit) <= _PAYLOAD:
            yield unit
            continue
        for at in range(1, len(unit), _PAYLOAD):
            edge = (0x80 if at == 1 else 0) | (0x40 if at + _PAYLOAD >= len(unit) else 0)
            yield bytes([unit[0] & 0xE0 | 28, edge | unit[0] & 0x1F]) + unit[at : at + _PAYLOAD]


def _pictures() -> list[bytes]:
    """A loop of pictures in which something moves."""
    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.bit_rate = _WIDTH, _HEIGHT, "yuv420p", 1_500_000
    encoder.time_base, encoder.framerate, encoder.gop_size, encoder.options = Fraction(1, _RATE), Fraction(_RATE), 100_000, dict(_X264)
    coded = []
    row = bytes((x * 7 + (x * x >> 5)) & 0xFF for x in range(_WIDTH * 2))
    for number in range(LOOP_S * _RATE):
        frame = av.VideoFrame(_WIDTH, _HEIGHT, "yuv420p")
        luma = b"".join(row[at : at + _WIDTH] for at in ((number * 3 + line * 5) % _WIDTH for line in range(_HEIGHT)))
        frame.planes[0].update(luma)
        for plane in frame.planes[1:]:
            plane.update(bytes([128]) * plane.buffer_size)
        frame.pts, frame.time_base = number, Fraction(1, _RATE)
        frame.pict_type = PictureType.I if number == 0 else PictureType.NONE
        coded += [bytes(packet) for packet in encoder.encode(frame)]
    return coded


def _words() -> list[bytes]:
    encoder: Any = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.format, encoder.layout, encoder.bit_rate = _SOUND, "s16", "mono", 32_000
    encoder.options = {"application": "voip", "frame_duration": "20"}
    coded: list[bytes] = []
    for number in range(LOOP_S * 50 + 5):
        part = array(
            "h",
            (int(8_000 * math.sin(at * math.tau * (200 + at % 5_000 / 20) / _SOUND)) for at in range(number * _WORD, (number + 1) * _WORD)),
        )
        frame = av.AudioFrame(format="s16", layout="mono", samples=_WORD)
        frame.planes[0].update(part.tobytes().ljust(frame.planes[0].buffer_size, b"\0"))
        frame.sample_rate, frame.pts, frame.time_base = _SOUND, number * _WORD, Fraction(1, _SOUND)
        coded += [bytes(packet) for packet in encoder.encode(frame)]
    return coded[: LOOP_S * 50]
