"""Films of the reel as a packager leaves them: pictures flash and sound beeps at each whole second. And how far apart the two are."""

from array import array
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from recording.manifest import Span
from tests.support import reel

RATE = reel.RATE
AAC = 'audio/mp4; codecs="mp4a.40.2"'


def vp8(folder: Path, name: str, from_ms: int, seconds: float) -> Span:
    """A WebM file of the reel's frames from `from_ms` on."""
    reel.picture(folder / name, first=from_ms * reel.FPS // 1000, seconds=seconds)
    return span(folder, name, from_ms, seconds, reel.VIDEO)


def h264(folder: Path, name: str, from_ms: int, seconds: float, width: int = reel.WIDTH, height: int = reel.HEIGHT) -> Span:
    """An MP4 file of the same, in that size, without reordering."""
    with av.open(str(folder / name), "w", format="mp4") as out:
        stream: Any = out.add_stream("libx264", rate=reel.FPS, options={"preset": "ultrafast", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt, stream.codec_context.gop_size = width, height, "yuv420p", 50
        for index in range(round(seconds * reel.FPS)):
            frame = reel.frame(from_ms * reel.FPS // 1000 + index).reformat(width=width, height=height)
            frame.pts, frame.time_base = index, Fraction(1, reel.FPS)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return span(folder, name, from_ms, seconds, 'video/mp4; codecs="avc1.42c01e"')


def span(folder: Path, name: str, from_ms: int, seconds: float, kind: str) -> Span:
    """A file where it lies in the recording."""
    size = (folder / name).stat().st_size
    return Span(from_ms=from_ms, to_ms=from_ms + round(seconds * 1000), file=name, type=kind, bytes=size)


def mix(folder: Path, seconds: float, name: str = "mix.mp4") -> Span:
    """The beeps as AAC over the whole recording."""
    with av.open(str(folder / name), "w", format="mp4") as out:
        stream: Any = out.add_stream("aac", rate=RATE, layout="mono")
        for start in range(0, int(seconds * RATE), 1024):
            frame = av.AudioFrame(format="s16", layout="mono", samples=1024)
            frame.planes[0].update(array("h", (reel.beep(start + n) for n in range(1024))).tobytes())
            frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return span(folder, name, 0, seconds, AAC)


def pictures(path: Path) -> list[tuple[float, bool]]:
    """(when in ms, whether it is a flash) of each picture."""
    found = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            plane = frame.reformat(format="gray").planes[0]
            found.append((float(frame.time or 0) * 1000, memoryview(plane)[plane.line_size * 10 + 50] > 150))
    return found


def flashes(path: Path) -> list[float]:
    """When (ms) each flash begins."""
    found, before = [], False
    for at, bright in pictures(path):
        if bright and not before:
            found.append(at)
        before = bright
    return found


def beeps(path: Path) -> list[float]:
    """When (ms) each beep begins."""
    found: list[float] = []
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        for frame in container.decode(audio=0):
            for ready in resampler.resample(frame):
                begin = float(ready.time or 0) * 1000
                samples = array("h", bytes(ready.planes[0])[: ready.samples * 2])
                loud = next((n for n, sample in enumerate(samples) if abs(sample) > 3_000), None)
                if loud is not None and (not found or begin + loud * 1000 / RATE - found[-1] > 500):
                    found.append(begin + loud * 1000 / RATE)
    return found


def skews(path: Path) -> list[float]:
    """How much later (ms) each flash comes than the beep of its second; flashes without a beep are left out."""
    heard = beeps(path)
    return [flash - beep for flash in flashes(path) for beep in heard if abs(flash - beep) < 400]
