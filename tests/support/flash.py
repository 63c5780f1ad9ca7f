"""Flash and beep: a clip for a fake camera and microphone whose pictures are numbered, and what became of them in files.

Each second begins with a flash of 120 ms, and with a beep of 100 ms at 1 kHz. A browser plays the two files from moments of its own, so
when they were really captured is told by the sending page (SENDER), which looks at its own tracks before they are sent.
"""

import math
import wave
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import av

from tests.support import numbered

CACHE = Path(__file__).parents[2] / ".cache" / "flash"
WIDTH, HEIGHT, RATE = 640, 360, 25
LOOP_S = 4
BITS = 7
FRAME_MS = 1000 // RATE
FLASH_FRAMES = 3
SAMPLE_RATE = 48_000
#: what samples are looked at with: blocks of 5 ms, 8 samples for each wave of the beep
LOOK_RATE, BLOCK, WAVE = 8_000, 40, 8
LOUD = 0.02
#: so long it is quiet before a beep
QUIET_BLOCKS = 20

#: JavaScript for the sender: notes when flashes and beeps were captured; truth.tell() gives both, in epoch ms
SENDER = (
    numbered.SCRIPT
    + f"""
window.truth = {{ streams: [] }};
// A track's own times lie on the page's clock as late as the quickest delivery was.
truth.tell = () => {{
  const all = (kind) => truth.streams.filter((each) => each.kind === kind)
    .flatMap((each) => each.found.map(([at, number]) => [performance.timeOrigin + at + each.offset, number]));
  return {{ flashes: all("video"), beeps: all("audio").map(([at]) => at) }};
}};
truth.look = {{
  video(stream, frame) {{
    const {{ displayWidth: width, displayHeight: height }} = frame;
    const number = numbered.read(frame, width, height, {BITS});
    if (number % {RATE} === 0 && number !== stream.last) stream.found.push([frame.timestamp / 1000, number]);
    stream.last = number;
    return frame.timestamp / 1000;
  }},
  audio(stream, data) {{
    const count = data.numberOfFrames, rate = data.sampleRate, block = rate / 200;
    const samples = new Float32Array(count);
    data.copyTo(samples, {{ planeIndex: 0, format: "f32-planar" }});
    for (let from = 0; from + block <= count; from += block) {{
      let sine = 0, cosine = 0;
      for (let i = 0; i < block; i++) {{
        sine += samples[from + i] * Math.sin(2 * Math.PI * 1000 * i / rate);
        cosine += samples[from + i] * Math.cos(2 * Math.PI * 1000 * i / rate);
      }}
      const loud = 2 * Math.hypot(sine, cosine) / block >= {LOUD};
      if (loud && stream.quiet >= {QUIET_BLOCKS}) stream.found.push([data.timestamp / 1000 + 1000 * from / rate]);
      stream.quiet = loud ? 0 : stream.quiet + 1;
    }}
    return (data.timestamp + data.duration) / 1000;
  }},
}};
truth.follow = async (track) => {{
  const copy = track.clone(), stop = track.stop.bind(track);
  track.stop = () => {{ stop(); copy.stop(); }};
  const stream = {{ kind: track.kind, found: [], offset: Infinity, quiet: 0, last: -1 }};
  truth.streams.push(stream);
  const reader = new MediaStreamTrackProcessor({{ track: copy }}).readable.getReader();
  for (;;) {{
    const {{ value, done }} = await reader.read();
    if (done) return;
    const now = performance.now();
    try {{
      stream.offset = Math.min(stream.offset, now - truth.look[track.kind](stream, value));
    }} finally {{
      value.close();
    }}
  }}
}};
if (navigator.mediaDevices) {{
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {{
    const stream = await open(wanted);
    for (const track of stream.getTracks()) {{
      void truth.follow(track);
      truth[track.kind] = track;
    }}
    return stream;
  }};
}}
"""
)


class Flash(NamedTuple):
    """A picture whose number begins a second, epoch ms or ms of a recording."""

    at: float
    number: int


def camera() -> Path:
    """The pictures as Chromium's fake camera takes them."""
    target = CACHE / "camera.y4m"
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        partial, strip = target.with_suffix(".partial"), HEIGHT // numbered.STRIP
        with open(partial, "wb") as out:
            out.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{RATE}:1 Ip A1:1 C420jpeg\n".encode())
            for number in range(LOOP_S * RATE):
                level = numbered.BRIGHT if number % RATE < FLASH_FRAMES else 60
                # Something moves, so that every picture is worth its bits.
                upper = [bytes([level if (x - number * 6) % WIDTH > 40 else 120]) for x in range(WIDTH)]
                out.write(b"FRAME\n" + b"".join(upper) * (HEIGHT - strip) + numbered.row(number, BITS, WIDTH) * strip)
                out.write(bytes([128]) * (WIDTH * HEIGHT // 2))
        partial.rename(target)
    return target


def microphone() -> Path:
    """The beeps as Chromium's fake microphone takes them."""
    return _sound("microphone.wav", 12_000, 1_000, SAMPLE_RATE // 10)


def hum() -> Path:
    """A sound of others, without a beginning and an end, that no block takes for a beep."""
    return _sound("hum.wav", 3_000, 400, SAMPLE_RATE)


def _sound(name: str, level: int, pitch: int, samples: int) -> Path:
    """So many samples of a tone in each second."""
    target = CACHE / name
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        second = array("h", (round(level * math.sin(math.tau * pitch * n / SAMPLE_RATE)) for n in range(samples)))
        second.extend([0] * (SAMPLE_RATE - samples))
        with wave.open(str(target), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(SAMPLE_RATE)
            out.writeframes(second.tobytes() * LOOP_S)
    return target


def flashes(path: Path, from_ms: float) -> Iterator[Flash]:
    """Moments (ms) at which flashes began in a file that lies at `from_ms`; the picture's number tells what was lost before it."""
    last = -1
    with av.open(str(path)) as read:
        for frame in read.decode(video=0):
            number = numbered.read(frame, BITS)
            if number is None or number >= LOOP_S * RATE or frame.time is None:
                continue
            within = number % RATE
            bright = memoryview(frame.planes[0])[frame.planes[0].line_size * (frame.height // 2) + frame.width * 9 // 10] > 180
            if bright and within < FLASH_FRAMES and number - within != last:
                last = number - within
                yield Flash(from_ms + frame.time * 1000 - within * FRAME_MS, last)
            elif within >= RATE // 2:
                last = -1


def beeps(path: Path, until_ms: float) -> Iterator[float]:
    """Moments (ms) at which beeps began in a sound file."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=LOOK_RATE)
    held, start, quiet = array("h"), None, 0
    waves = [(math.sin(math.tau * n / WAVE), math.cos(math.tau * n / WAVE)) for n in range(BLOCK)]
    with av.open(str(path)) as read:
        for frame in read.decode(audio=0):
            for piece in resampler.resample(frame):
                if start is None and piece.time is not None:
                    start = piece.time * 1000
                held.frombytes(bytes(piece.planes[0])[: piece.samples * 2])
            while start is not None and len(held) >= BLOCK:
                sine = sum(x * wave[0] for x, wave in zip(held, waves, strict=False))
                cosine = sum(x * wave[1] for x, wave in zip(held, waves, strict=False))
                loud = 2 * math.hypot(sine, cosine) / BLOCK / 32_768 >= LOUD
                if loud and quiet >= QUIET_BLOCKS:
                    yield start
                quiet = 0 if loud else quiet + 1
                del held[:BLOCK]
                start += BLOCK * 1000 / LOOK_RATE
            if start is not None and start > until_ms:
                return
