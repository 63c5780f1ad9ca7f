"""Pictures that tell their own number, and sound; encoded, cut into RTP packets, written as inputs of the packager (example `package`).

A picture shows twelve bars, black or white: its number in binary, the lowest bit left. Whoever decodes it knows which it is and
whether it is whole.
"""

import math
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.video.frame import PictureType

BITS, RATE, SAMPLE_RATE = 12, 30, 48_000
BAR_WIDTH, HEIGHT = 16, 96
WIDTH = BITS * BAR_WIDTH
#: payloads are cut smaller than on a network, so that small pictures take several packets
PAYLOAD = 300
START, RTP, REPORT, END = 0, 1, 2, 5
H264, VP8, OPUS = 0, 1, 2
CAMERA, MICROPHONE = 0, 1
X264 = {
    "preset": "ultrafast",
    "tune": "zerolatency",
    "profile": "baseline",
    "x264-params": "repeat-headers=1:keyint=infinite:scenecut=0:threads=1",
}
VPX = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}


def face(number: int, width: int = WIDTH, height: int = HEIGHT) -> av.VideoFrame:
    frame = av.VideoFrame(width, height, "yuv420p")
    bar = width // BITS
    row = b"".join(bytes([220 if number >> bit & 1 else 30]) * bar for bit in range(BITS)).ljust(frame.planes[0].line_size, b"\0")
    frame.planes[0].update(row * height)
    for plane in frame.planes[1:]:
        plane.update(bytes([128]) * plane.buffer_size)
    frame.pts, frame.time_base = number, Fraction(1, RATE)
    return frame


def read(frame: av.VideoFrame) -> int | None:
    """The number a decoded picture shows; None if it is not clean."""
    grey = frame.reformat(format="gray")
    plane, number = memoryview(grey.planes[0]), 0
    bar = frame.width // BITS
    for bit in range(BITS):
        levels = {plane[row * grey.planes[0].line_size + bit * bar + bar // 2] > 128 for row in range(4, frame.height, 8)}
        if len(levels) > 1:
            return None
        number |= levels.pop() << bit
    return number


def pictures(codec: int, numbers: range, keys: set[int], width: int = WIDTH, height: int = HEIGHT) -> list[bytes]:
    """One coded picture for each number."""
    encoder: Any = av.CodecContext.create("libx264" if codec == H264 else "libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate, encoder.gop_size, encoder.bit_rate = Fraction(1, RATE), Fraction(RATE), 100_000, 400_000
    encoder.options = X264 | {"forced-idr": "1"} if codec == H264 else VPX
    coded: list[bytes] = []
    for number in numbers:
        frame = face(number, width, height)
        frame.pict_type = PictureType.I if number in keys or number == numbers.start else PictureType.NONE
        coded += [bytes(packet) for packet in encoder.encode(frame)]
    coded += [bytes(packet) for packet in encoder.encode(None)]
    assert len(coded) == len(numbers)
    return coded


def words(count: int) -> list[bytes]:
    """Packets of 20 ms of a tone."""
    encoder: Any = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.format, encoder.layout, encoder.bit_rate = SAMPLE_RATE, "s16", "mono", 32_000
    encoder.options = {"application": "voip", "frame_duration": "20"}
    coded: list[bytes] = []
    for number in range(count):
        part = array("h", (int(8000 * math.sin((number * 960 + i) * math.tau * 440 / SAMPLE_RATE)) for i in range(960)))
        frame = av.AudioFrame(format="s16", layout="mono", samples=960)
        frame.planes[0].update(part.tobytes().ljust(frame.planes[0].buffer_size, b"\0"))
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, number * 960, Fraction(1, SAMPLE_RATE)
        coded += [bytes(packet) for packet in encoder.encode(frame)]
    return coded[:count]


def payloads(codec: int, picture: bytes, number: int) -> Iterator[bytes]:
    """RFC 6184 (STAP-A for the parameter sets, FU-A for what is long), RFC 7741."""
    if codec == VP8:
        for at in range(0, len(picture), PAYLOAD):
            yield bytes([0x90 if at == 0 else 0x80, 0x80]) + struct.pack(">H", 0x8000 | number & 0x7FFF) + picture[at : at + PAYLOAD]
        return
    units = [unit.rstrip(b"\0") for unit in picture.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if unit]
    sets = [unit for unit in units if unit[0] & 0x1F in (7, 8)]
    if sets:
        yield b"\x18" + b"".join(struct.pack(">H", len(unit)) + unit for unit in sets)
    for unit in units:
        if unit in sets:
            continue
        if len(unit) <= PAYLOAD:
            yield unit
            continue
        for at in range(1, len(unit), PAYLOAD):
            ends = 0x40 if at + PAYLOAD >= len(unit) else 0
            yield bytes([unit[0] & 0xE0 | 28, (0x80 if at == 1 else 0) | ends | unit[0] & 0x1F]) + unit[at : at + PAYLOAD]


@dataclass
class Recording:
    """Inputs by arrival."""

    inputs: list[tuple[int, bytes]] = field(default_factory=list)

    def add(self, track: int, arrival_us: int, kind: int, body: bytes = b"") -> None:
        self.inputs.append((arrival_us, struct.pack(">HQB", track, arrival_us, kind) + body))

    def start(self, track: int, arrival_us: int, codec: int, participant: int = 1) -> None:
        source = MICROPHONE if codec == OPUS else CAMERA
        clock = SAMPLE_RATE if codec == OPUS else 90_000
        self.add(track, arrival_us, START, struct.pack(">BIQBBB", codec, clock, participant, source, 255, 255))

    def packet(self, track: int, arrival_us: int, sequence: int, timestamp: int, payload: bytes, marker: bool) -> None:
        header = struct.pack(">BBHII", 0x80, 96 | marker << 7, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, 1000 + track)
        self.add(track, arrival_us, RTP, struct.pack(">Q", sequence) + header + payload)

    def report(self, track: int, arrival_us: int, wall_us: int, timestamp: int) -> None:
        ntp = wall_us // 1_000_000 << 32 | (wall_us % 1_000_000 << 32) // 1_000_000
        self.add(track, arrival_us, REPORT, struct.pack(">QI", ntp, timestamp & 0xFFFFFFFF))

    def write(self, path: Path) -> None:
        ordered = sorted(self.inputs, key=lambda entry: entry[0])
        path.write_bytes(b"".join(struct.pack(">I", len(body)) + body for _, body in ordered))
