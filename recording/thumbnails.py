"""Small pictures of a recording for the seek bar: one at most every ten seconds, many on a sheet, and WebVTT that says which piece is when.

Only key frames are decoded, so an hour costs a few seconds. A cue lasts until the next one or until nothing is shown; where two people's
pictures overlap, the better one stands (`recording/main_picture.py`). Only in the packager's own processes.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, NamedTuple

import av

EVERY_MS: Final = 10_000
WIDTH: Final = 160
HEIGHT: Final = 90
COLUMNS: Final = 6
ROWS: Final = 6
#: at most so many; a longer recording has one less often
MAX_CELLS: Final = 1_080
NAME: Final = "thumbnails.vtt"
_BLACK: Final = (0, 128, 128)


class Source(NamedTuple):
    """A file of pictures: shown from and until, milliseconds on the recording's clock; its own times begin with `from_ms`."""

    path: Path
    from_ms: int
    until_ms: int


class Cell(NamedTuple):
    """A small picture: three planes of 4:2:0, without padding; and when it is shown."""

    from_ms: int
    until_ms: int
    planes: tuple[bytes, bytes, bytes]


def write(folder: Path, candidates: Sequence[Sequence[Source]], duration_ms: int) -> None:
    """Write sheets and then `thumbnails.vtt`, nothing if there was no picture; candidates best first.

    What cannot be decoded is left out. Raises OSError.
    """
    every = max(EVERY_MS, -(-duration_ms // MAX_CELLS))
    cells: dict[int, Cell] = {}
    for sources in candidates:
        for source in sources:
            for cell in _cells(source, every, cells):
                cells[cell.from_ms // every] = cell
    ordered = [cells[slot] for slot in sorted(cells)]
    per_sheet = COLUMNS * ROWS
    files = []
    for number in range(0, len(ordered), per_sheet):
        name = f"thumbnails-{number // per_sheet:03}.jpg"
        (folder / name).write_bytes(_sheet(ordered[number : number + per_sheet]))
        files.append(name)
    if ordered:
        (folder / NAME).write_text(vtt(ordered, files), "utf-8")


def vtt(cells: Sequence[Cell], files: Sequence[str]) -> str:
    """Cues whose text is a file and a piece of it, as players of the field read them (Media Fragments URI 1.0 section 4.2.2)."""
    cues = ["WEBVTT\n"]
    for number, cell in enumerate(cells):
        place = number % (COLUMNS * ROWS)
        until = cell.until_ms if number + 1 == len(cells) else min(cell.until_ms, cells[number + 1].from_ms)
        x, y = place % COLUMNS * WIDTH, place // COLUMNS * HEIGHT
        file = files[number // (COLUMNS * ROWS)]
        cues.append(f"{_clock(cell.from_ms)} --> {_clock(max(until, cell.from_ms + 1))}\n{file}#xywh={x},{y},{WIDTH},{HEIGHT}\n")
    return "\n".join(cues)


def _cells(source: Source, every: int, taken: dict[int, Cell]) -> Iterator[Cell]:
    """The first key frame in each slot that has none yet."""
    try:
        with av.open(str(source.path)) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            done = -1
            for packet in container.demux(stream):
                if not packet.is_keyframe or packet.pts is None or packet.time_base is None:
                    continue
                at = source.from_ms + round(packet.pts * packet.time_base * 1000)
                slot = at // every
                if slot <= done or slot in taken or not source.from_ms <= at < source.until_ms:
                    continue
                frame = _alone(stream, packet)
                if frame is not None:
                    done = slot
                    yield Cell(at, source.until_ms, _small(frame))
    except (av.FFmpegError, OSError):
        return


def _alone(stream: Any, packet: Any) -> Any:
    """What a key frame shows; None if it cannot be decoded."""
    decoder = av.CodecContext.create(stream.codec_context.name, "r")
    decoder.extradata, decoder.thread_count = stream.codec_context.extradata, 1
    try:
        frames = [*decoder.decode(packet), *decoder.decode(None)]
    except av.FFmpegError:
        return None
    return frames[0] if frames else None


def _small(frame: Any) -> tuple[bytes, bytes, bytes]:
    """The picture in the middle of a cell, its proportions kept."""
    scale = min(WIDTH / frame.width, HEIGHT / frame.height)
    width, height = max(2, round(frame.width * scale) & ~1), max(2, round(frame.height * scale) & ~1)
    small = frame.reformat(width=width, height=height, format="yuvj420p")
    left, top = (WIDTH - width) // 2 & ~1, (HEIGHT - height) // 2 & ~1
    planes = []
    for number, plane in enumerate(small.planes):
        half = 1 + (number > 0)
        cell = bytearray([_BLACK[number]]) * (WIDTH // half * (HEIGHT // half))
        _lay(cell, WIDTH // half, left // half, top // half, bytes(plane), plane.line_size, width // half, height // half)
        planes.append(bytes(cell))
    return planes[0], planes[1], planes[2]


def _sheet(cells: Sequence[Cell]) -> bytes:
    rows = -(-len(cells) // COLUMNS)
    width, height = COLUMNS * WIDTH, rows * HEIGHT
    frame = av.VideoFrame(width, height, "yuvj420p")
    for number, plane in enumerate(frame.planes):
        half = 1 + (number > 0)
        whole = bytearray([_BLACK[number]]) * plane.buffer_size
        for place, cell in enumerate(cells):
            left, top = place % COLUMNS * WIDTH // half, place // COLUMNS * HEIGHT // half
            _lay(whole, plane.line_size, left, top, cell.planes[number], WIDTH // half, WIDTH // half, HEIGHT // half)
        plane.update(bytes(whole))
    encoder: Any = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = width, height, "yuvj420p", Fraction(1, 25)
    encoder.options = {"qmin": "4", "qmax": "4", "threads": "1"}
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def _lay(into: bytearray, line: int, left: int, top: int, piece: bytes, piece_line: int, width: int, height: int) -> None:
    for row in range(height):
        at = (top + row) * line + left
        into[at : at + width] = piece[row * piece_line : row * piece_line + width]


def _clock(ms: int) -> str:
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}.{ms % 1000:03}"
