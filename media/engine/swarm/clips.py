"""Encodes what the load generator's publishers send into var/swarm: `python media/engine/swarm/clips.py [directory [layer...]]`.

The pictures are those the tests' cameras play (tests/support/clip.py), forwards and backwards: segments of 264 frames at 30 frames/s, each
beginning with its only key frame. Every segment shows them differently (mirrored, cropped), so that a publisher asked for a key frame jumps
to the next segment at once and no two packets of the clip are alike. Three sizes with the bit rates of browsers' simulcast, VP8 as IVF and
H.264 (constrained baseline, one slice a picture) as Annex B with access unit delimiters. Sound is babble: harmonics under moving formants,
in syllables and pauses, as 20 ms packets of Opus, each after a byte with its level (dB below full scale, RFC 6464) and two with its length.
"""

import math
import random
import struct
import sys
from array import array
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.filter
from av.video.frame import PictureType

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT))

from tests.support import clip  # noqa: E402

RATE = 30
#: file name, width, height, bit/s
LAYERS = [("low", 320, 180, 150_000), ("mid", 640, 360, 500_000), ("high", 1280, 720, 1_500_000)]
#: how each segment shows the source
SEGMENTS = ["null", "hflip", "crop=1152:648:64:36", "crop=1152:648:64:36,hflip"]
VPX = {
    "deadline": "realtime",
    "cpu-used": "8",
    "lag-in-frames": "0",
    "max-intra-rate": "300",
    "undershoot-pct": "95",
    "static-thresh": "1",
}
X264 = {
    "preset": "veryfast",
    "tune": "zerolatency",
    "profile": "baseline",
    "x264-params": "aud=1:repeat-headers=1:keyint=infinite:scenecut=0:threads=1:sliced-threads=0:force-cfr=1",
    "forced-idr": "1",
}
AUDIO_S, SAMPLE_RATE, AUDIO_BPS = 10, 48_000, 32_000
WORD = SAMPLE_RATE // 50


def pictures(width: int, height: int) -> Iterator[tuple[bool, av.VideoFrame]]:
    """(whether a segment begins, picture)."""
    with av.open(str(clip.source())) as read:
        source = list(read.decode(video=0))
    for segment in SEGMENTS:
        graph = av.filter.Graph()
        steps = [graph.add_buffer(template=None, width=1280, height=720, format="yuv420p", time_base=Fraction(1, RATE))]
        for step in [*segment.split(","), f"scale={width}:{height}"]:
            name, _, arguments = step.partition("=")
            steps.append(graph.add(name, arguments))
        graph.link_nodes(*steps, graph.add("buffersink")).configure()
        shown = []
        for number, frame in enumerate(source):
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            graph.push(frame)
            shown.append(graph.pull())
        for number, frame in enumerate([*shown, *reversed(shown)]):
            yield number == 0, frame


def encode(name: str, width: int, height: int, bit_rate: int, options: dict[str, str]) -> Iterator[bytes]:
    encoder = av.CodecContext.create(name, "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate, encoder.gop_size = Fraction(1, RATE), Fraction(RATE), 100_000
    encoder.bit_rate = bit_rate
    rates = {"minrate": str(bit_rate), "maxrate": str(bit_rate), "bufsize": str(bit_rate // 2)}
    encoder.options = {**options, **rates}
    for number, (begins, frame) in enumerate(pictures(width, height)):
        frame.pts, frame.time_base = number, Fraction(1, RATE)
        frame.pict_type = PictureType.I if begins else PictureType.NONE
        yield from (bytes(packet) for packet in encoder.encode(frame))
    yield from (bytes(packet) for packet in encoder.encode(None))


def ivf(frames: Iterable[bytes], width: int, height: int) -> bytes:
    body = b"".join(struct.pack("<IQ", len(frame), at) + frame for at, frame in enumerate(frames))
    return struct.pack("<4sHH4sHHIIII", b"DKIF", 0, 32, b"VP80", width, height, RATE, 1, len(SEGMENTS) * 264, 0) + body


def babble() -> "array[int]":
    """Ten seconds of nobody saying nothing."""
    dice = random.Random(7)  # the same every time
    samples = array("h")
    phase = 0.0
    while len(samples) < AUDIO_S * SAMPLE_RATE:
        length = dice.randint(SAMPLE_RATE // 8, SAMPLE_RATE // 3)
        pitch, formant, loud = dice.uniform(90, 180), dice.uniform(400, 2200), dice.choice([0.0, 0.5, 0.8, 1.0])
        for at in range(length):
            phase += 2 * math.pi * pitch / SAMPLE_RATE
            voice = sum(math.sin(k * phase) / (1 + abs(k * pitch - formant) / 200) for k in range(1, 16))
            envelope = loud * math.sin(math.pi * at / length)
            samples.append(int(4000 * envelope * (voice + dice.uniform(-0.3, 0.3))))
    return samples[: AUDIO_S * SAMPLE_RATE]


def words() -> Iterator[bytes]:
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.format, encoder.layout, encoder.bit_rate = SAMPLE_RATE, "s16", "mono", AUDIO_BPS
    encoder.options = {"application": "voip", "frame_duration": "20", "vbr": "on"}
    samples = babble()
    levels, packets = [], []
    for at in range(0, len(samples), WORD):
        part = samples[at : at + WORD]
        mean = math.sqrt(sum(s * s for s in part) / len(part)) / 32768
        levels.append(127 if mean < 1e-6 else min(127, round(-20 * math.log10(mean))))
        frame = av.AudioFrame(format="s16", layout="mono", samples=WORD)
        frame.planes[0].update(part.tobytes().ljust(frame.planes[0].buffer_size, b"\0"))
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, at, Fraction(1, SAMPLE_RATE)
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    for level, packet in zip(levels, packets, strict=False):
        yield struct.pack(">BH", level, len(packet)) + packet


def write(path: Path, content: bytes) -> None:
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    partial.rename(path)
    print(path.name, len(content), file=sys.stderr)


def main() -> None:
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "var" / "swarm"
    wanted = sys.argv[2:] or [name for name, *_ in LAYERS]
    directory.mkdir(parents=True, exist_ok=True)
    if not (directory / "opus.words").exists():
        write(directory / "opus.words", b"".join(words()))
    for name, width, height, bit_rate in LAYERS:
        if name not in wanted:
            continue
        if not (directory / f"vp8-{name}.ivf").exists():
            write(directory / f"vp8-{name}.ivf", ivf(encode("libvpx", width, height, bit_rate, VPX), width, height))
        if not (directory / f"h264-{name}.h264").exists():
            write(directory / f"h264-{name}.h264", b"".join(encode("libx264", width, height, bit_rate, X264)))


if __name__ == "__main__":
    main()
