"""Media of a published recording that can be measured: every picture carries its own time, the sound beeps at each whole second.

A picture is black with a row of squares along its bottom: the number of the frame in binary, most significant first. Its upper part is
white for the first 100 ms of each second, when the beep sounds.
"""

import math
import shutil
from array import array
from fractions import Fraction
from pathlib import Path

import av

from recording.manifest import Span, Track
from tests.support.taped import Media, Taped

#: made once, since encoding takes its time
CACHE = Path(__file__).parents[2] / ".cache"

WIDTH, HEIGHT, FPS = 320, 180, 25
BITS = 12
RATE = 48_000
VIDEO = 'video/webm; codecs="vp8"'
SOUND = 'audio/webm; codecs="opus"'
#: JavaScript: the number of the frame a <video> shows, -1 if it cannot be read
READ = f"""
(video) => {{
  const canvas = window.reelCanvas ??= new OffscreenCanvas({WIDTH}, {HEIGHT});
  const context = canvas.getContext("2d", {{ willReadFrequently: true }});
  context.drawImage(video, 0, 0, {WIDTH}, {HEIGHT});
  const row = context.getImageData(0, {HEIGHT} - 10, {WIDTH}, 1).data;
  let number = 0;
  for (let bit = 0; bit < {BITS}; bit++) {{
    const level = row[4 * Math.round((bit + 0.5) * {WIDTH} / {BITS})];
    if (level > 80 && level < 175) return -1;
    number = number * 2 + (level > 128 ? 1 : 0);
  }}
  return number;
}}
"""


def picture(path: Path, *, first: int, seconds: float, shade: int = 40) -> None:
    """A VP8 file whose frame k carries the number first + k."""
    with av.open(str(path), "w", format="webm") as out:
        stream = out.add_stream("libvpx", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"  # type: ignore[attr-defined]
        stream.options = {"deadline": "realtime", "cpu-used": "8", "b": "400k", "g": "50"}  # type: ignore[attr-defined]
        for index in range(round(seconds * FPS)):
            shown = frame(first + index, shade)
            shown.pts, shown.time_base = index, Fraction(1, FPS)
            out.mux(stream.encode(shown))  # type: ignore[attr-defined]
        out.mux(stream.encode(None))  # type: ignore[attr-defined]


def sound(path: Path, *, seconds: float) -> None:
    """An Opus file that beeps at each whole second."""
    with av.open(str(path), "w", format="webm") as out:
        stream = out.add_stream("libopus", rate=RATE, layout="mono")
        block = 960
        for start in range(0, int(seconds * RATE), block):
            samples = array("h", (beep(start + n) for n in range(block)))
            heard = av.AudioFrame(format="s16", layout="mono", samples=block)
            heard.planes[0].update(samples.tobytes())
            heard.sample_rate, heard.pts, heard.time_base = RATE, start, Fraction(1, RATE)
            out.mux(stream.encode(heard))  # type: ignore[attr-defined]
        out.mux(stream.encode(None))  # type: ignore[attr-defined]


def reel(folder: Path, taped: Taped) -> Media:
    """A screen over the whole time, the trainer's camera in two pieces, a trainee's camera from 10 s to 30 s."""
    made = CACHE / f"reel-{taped.duration_ms // 1000}"
    seconds = taped.duration_ms / 1000
    pieces = {
        "screen.webm": ("tom", "screen", 0.0, seconds),
        "tom-1.webm": ("tom", "camera", 0.0, 20.0),
        "tom-2.webm": ("tom", "camera", 21.0, seconds),
        "ann.webm": ("ann", "camera", 10.0, 30.0),
    }
    spans: dict[tuple[str, str], list[Span]] = {}
    for number, (name, (who, source, start, end)) in enumerate(pieces.items()):
        if not (made / name).exists():
            made.mkdir(parents=True, exist_ok=True)
            picture(made / f"part-{name}", first=round(start * FPS), seconds=end - start, shade=30 + 25 * number)
            (made / f"part-{name}").rename(made / name)
        shutil.copy(made / name, folder / name)
        span = Span(
            from_ms=int(start * 1000), to_ms=int(end * 1000), file=name, type=VIDEO,
            bytes=(folder / name).stat().st_size, width=WIDTH, height=HEIGHT,
        )  # fmt: skip
        spans.setdefault((who, source), []).append(span)
    if not (made / "mix.weba").exists():
        sound(made / "part-mix.weba", seconds=seconds)
        (made / "part-mix.weba").rename(made / "mix.weba")
    shutil.copy(made / "mix.weba", folder / "mix.weba")
    mix = Span(from_ms=0, to_ms=taped.duration_ms, file="mix.weba", type=SOUND, bytes=(folder / "mix.weba").stat().st_size)
    tracks = [
        Track(id=str(number), participant=taped.id(who), source=source, spans=found)  # type: ignore[arg-type]
        for number, ((who, source), found) in enumerate(spans.items())
    ]
    return Media(tracks, mix)


def frame(number: int, shade: int = 40) -> av.VideoFrame:
    """The picture of a number."""
    made = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
    top = bytes([235 if number % FPS < FPS // 10 else shade]) * WIDTH
    squares = bytes(235 if number >> (BITS - 1 - column * BITS // WIDTH) & 1 else 16 for column in range(WIDTH))
    grey = [bytes([128]) * (WIDTH // 2)] * (HEIGHT // 2)
    for plane, lines in zip(made.planes, ([top] * (HEIGHT - 24) + [squares] * 24, grey, grey), strict=True):
        plane.update(b"".join(line.ljust(plane.line_size, b"\0") for line in lines))
    return made


def beep(sample: int) -> int:
    """The sound at a sample."""
    within = sample % RATE
    return int(9_000 * math.sin(2 * math.pi * 880 * within / RATE)) if within < RATE // 10 else 0
