"""Payloads of real encoders, as the engine's tests read them (media/engine/core/src/{vp8,vp9,av1,h264}/tests/encoded.txt).

Beside them lie payloads of real browsers (browser.txt, see tests/support/browser_payloads.py). Here the streams are put together again
and decoded, so that what the lines claim is what a decoder sees. Run this file as a script to record the encoders' anew.
"""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import pytest

from tests.support.payloads import CUT, Recorded, decoded, describe, recorded

ENGINE = Path(__file__).parents[3] / "media/engine/core/src"
#: Small, so that a few kilobytes have every kind of packet.
LIMIT = 200
PICTURES = 6
KEY_EVERY = 4


class Stream(NamedTuple):
    """How one stream is encoded."""

    encoder: str
    width: int
    height: int
    format: str = "yuv420p"
    options: dict[str, str] = {}  # noqa: RUF012 - never changed


VP9 = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "b": "50k"}
SVT = "lp=1:pred-struct=1:crf=60"
X264 = {"preset": "ultrafast", "tune": "zerolatency", "crf": "40", "bf": "0"}
STREAMS: dict[str, list[Stream]] = {
    "vp8": [
        Stream("libvpx", 176, 144, options={"deadline": "realtime", "cpu-used": "8", "b": "50k"}),
        Stream("libvpx", 90, 58, options={"deadline": "realtime", "cpu-used": "8", "b": "50k", "error-resilient": "1"}),
    ],
    "vp9": [
        Stream("libvpx-vp9", 176, 144, options=VP9),
        Stream("libvpx-vp9", 91, 57, options={**VP9, "error-resilient": "1"}),
        Stream("libvpx-vp9", 64, 48, "yuv444p", VP9),
        Stream("libvpx-vp9", 64, 48, "gbrp", VP9),
    ],
    "av1": [
        Stream("libsvtav1", 176, 144, options={"preset": "10", "svtav1-params": SVT}),
        Stream("libsvtav1", 322, 182, "yuv420p10le", {"preset": "10", "svtav1-params": f"{SVT}:tile-columns=1:tile-rows=1"}),
        Stream("libsvtav1", 64, 64, options={"preset": "10", "svtav1-params": "lp=1:avif=1:crf=60"}),
    ],
    "h264": [
        Stream("libx264", 176, 144, options={**X264, "profile": "baseline"}),
        Stream("libx264", 322, 182, options={**X264, "profile": "high"}),
        Stream("libx264", 94, 62, "yuv422p", {**X264, "x264-params": "cqm=jvt"}),
        Stream("libx264", 91, 57, "yuv444p", X264),
        Stream("libx264", 90, 58, "gray", X264),
        Stream("libx264", 96, 80, options={**X264, "x264-params": "interlaced=1"}),
    ],
}


def pictures(stream: Stream) -> Iterator[av.VideoFrame]:
    """A bright disc that moves over a gradient."""
    width, height = stream.width, stream.height
    for n in range(1 if "avif=1" in stream.options.get("svtav1-params", "") else PICTURES):
        frame = av.VideoFrame(width, height, "rgb24")
        line = frame.planes[0].line_size
        pixels = bytearray(line * height)
        for y in range(height):
            for x in range(width):
                disc = (x - width * (n + 2) / 10) ** 2 + (y - height / 2) ** 2 < (height / 4) ** 2
                value = 230 if disc else (x + y) * 128 // (width + height)
                pixels[y * line + 3 * x : y * line + 3 * x + 3] = bytes([value] * 3)
        frame.planes[0].update(bytes(pixels))
        frame = frame.reformat(format=stream.format)
        frame.pts, frame.time_base = n, Fraction(1, 30)
        yield frame


def encode(stream: Stream) -> Iterator[tuple[bytes, bool]]:
    """(picture, is a key frame)."""
    context: Any = av.CodecContext.create(stream.encoder, "w")
    context.width, context.height, context.pix_fmt = stream.width, stream.height, stream.format
    context.time_base, context.framerate, context.gop_size = Fraction(1, 30), Fraction(30), KEY_EVERY
    context.thread_count = 1
    context.options = {key: value for key, value in stream.options.items() if key != "b"}
    if "b" in stream.options:
        context.bit_rate = int(stream.options["b"].removesuffix("k")) * 1000
    for frame in [*pictures(stream), None]:
        for packet in context.encode(frame):
            yield bytes(packet), packet.is_keyframe


def described(codec: str, stream: Stream) -> Iterator[str]:
    size = f"{stream.width}x{stream.height}"
    for number, (picture, key) in enumerate(encode(stream), start=126):
        yield from describe(codec, CUT[codec](picture, number, key, LIMIT), size if key else None)


def record(codec: str) -> Iterator[str]:
    for stream in STREAMS[codec]:
        yield f"stream {stream.encoder} {stream.format} {stream.width}x{stream.height}"
        yield from described(codec, stream)


def streams() -> Iterator[Any]:
    for codec in CUT:
        for path in sorted((ENGINE / codec / "tests").glob("*.txt")):
            for stream in recorded(path):
                yield pytest.param(codec, stream, id=f"{codec}-{path.stem}-{stream.name}")


@pytest.mark.parametrize(("codec", "stream"), list(streams()))
def test_recorded_payloads_are_pictures_of_the_recorded_sizes(codec: str, stream: Recorded) -> None:
    seen = decoded(codec, [payloads for payloads, _ in stream.pictures])
    assert [size if key else None for size, key in seen] == [size for _, size in stream.pictures]
    assert any(not key for _, key in seen) or len(seen) == 1


if __name__ == "__main__":
    for name in STREAMS:
        (ENGINE / name / "tests").mkdir(exist_ok=True)
        (ENGINE / name / "tests/encoded.txt").write_text("".join(f"{line}\n" for line in record(name)))
