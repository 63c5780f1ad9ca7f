"""Everybody's sound in one file: Opus packets with their place on the recording's clock in, AAC in MP4 out.

What is not there is silence: the timeline says where a packet lies, never the packet before it. Packets that follow each other closely
are joined without a seam, and the small drift of their clock is taken out where the voice pauses. A window of the last seconds stays
open for packets that come late; what lies before it is encoded and final, so memory does not grow with the class.

PyAV is used in the packager's own process alone.
"""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av

with warnings.catch_warnings():
    # Gone from Python 3.13 on, where audioop-lts takes its place.
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

RATE: Final = 48_000
_PER_MS: Final = RATE // 1000
_WIDTH: Final = 2
#: packets may come this late: the packager knows their place when a window of their clock is over (media/engine/package/src/clock.rs)
_OPEN_MS: Final = 70_000
#: silence is encoded in pieces, samples: a class may rest for days while it is recorded
_PIECE: Final = 10 * RATE // 1024 * 1024
#: samples kept open at most, however much is told at once
_MOST: Final = 20 * 60 * RATE
#: a packet this near to the end of the one before is joined to it; nearer than the second while the voice pauses
_SEAM: Final = 40 * _PER_MS
_SEAM_IN_PAUSE: Final = 5 * _PER_MS
#: a packet this short carries no voice (RFC 6716 section 2.1.9)
_PAUSE_BYTES: Final = 16
#: what libopus, the encoder of every browser, gives out so many samples late (RFC 7845 section 4.2: what a file would skip)
_LOOKAHEAD: Final = 312
_BIT_RATE: Final = 64_000
_FRAME: Final = 1024


@dataclass(slots=True)
class _Voice:
    decoder: Any
    #: sample behind the last one placed
    end: int | None = None


@dataclass(slots=True)
class Mix:
    """One recording's sound; `path` is written as it grows and whole after `finish`."""

    path: Path
    #: samples encoded already
    done: int = 0
    #: packets that came too late or could not be decoded
    dropped: int = 0
    _voices: dict[int, _Voice] = field(default_factory=dict)
    #: samples from `done` on
    _open: bytearray = field(default_factory=bytearray)
    _container: Any = None
    _stream: Any = None

    def push(self, track: int, at_ms: float, packet: bytes) -> None:
        """Place a packet of a track at its time."""
        voice = self._voices.get(track)
        if voice is None:
            voice = self._voices[track] = _Voice(av.CodecContext.create("libopus", "r"))
            voice.decoder.sample_rate = RATE
            voice.decoder.layout = "mono"
            voice.decoder.format = "s16"
        try:
            frames = voice.decoder.decode(av.Packet(packet))
        except av.FFmpegError:
            self.dropped += 1
            return
        samples = b"".join(_mono(frame) for frame in frames)
        start = round(at_ms * _PER_MS) - _LOOKAHEAD
        seam = _SEAM_IN_PAUSE if len(packet) <= _PAUSE_BYTES else _SEAM
        if voice.end is not None and abs(start - voice.end) < seam:
            start = voice.end
        voice.end = start + len(samples) // _WIDTH
        self._add(start, samples)

    def advance(self, now_ms: float) -> None:
        """The recording has come this far: encode what can no longer change."""
        self._settle(round(now_ms * _PER_MS))

    def finish(self, duration_ms: float) -> bool:
        """Write the rest; False (and no file) if nobody was ever heard."""
        if self._container is None and not self._open:
            return False
        self._encode(round(duration_ms * _PER_MS))
        for packet in self._stream.encode(None):
            self._container.mux(packet)
        self._container.close()
        return True

    def _settle(self, now: int) -> None:
        self._encode(max(0, now - _OPEN_MS * _PER_MS) // _FRAME * _FRAME)

    def _add(self, start: int, samples: bytes) -> None:
        if start - self.done > _MOST:
            self._settle(start)
        if start < self.done:
            late = (self.done - start) * _WIDTH
            if late >= len(samples):
                self.dropped += 1
                return
            samples = samples[late:]
            start = self.done
        at = (start - self.done) * _WIDTH
        missing = at + len(samples) - len(self._open)
        if missing > 0:
            self._open.extend(bytes(missing))
        self._open[at : at + len(samples)] = audioop.add(bytes(self._open[at : at + len(samples)]), samples, _WIDTH)

    def _encode(self, until: int) -> None:
        if until <= self.done:
            return
        if self._container is None:
            self._container, self._stream = _begin(self.path)
        while self.done < until:
            count = min(_PIECE, until - self.done)
            ready = bytes(self._open[: count * _WIDTH]).ljust(count * _WIDTH, b"\0")
            del self._open[: count * _WIDTH]
            for packet in _packets(self._stream, ready, self.done):
                self._container.mux(packet)
            self.done += count


def _begin(path: Path) -> tuple[Any, Any]:
    options = {"movflags": "+faststart"}
    container = av.open(str(path), "w", format="mp4", options=options)
    stream = container.add_stream("aac", rate=RATE, layout="mono")
    stream.bit_rate = _BIT_RATE
    stream.time_base = Fraction(1, RATE)
    return container, stream


def _packets(stream: Any, samples: bytes, first: int) -> Iterable[Any]:
    step = _FRAME * _WIDTH
    for at in range(0, len(samples), step):
        part = samples[at : at + step]
        frame = av.AudioFrame(format="s16", layout="mono", samples=len(part) // _WIDTH)
        frame.planes[0].update(part + bytes(frame.planes[0].buffer_size - len(part)))
        frame.sample_rate = RATE
        frame.time_base = Fraction(1, RATE)
        frame.pts = first + at // _WIDTH
        yield from stream.encode(frame)


def _mono(frame: Any) -> bytes:
    data = bytes(frame.planes[0])[: frame.samples * _WIDTH * len(frame.layout.channels)]
    return audioop.tomono(data, _WIDTH, 0.5, 0.5) if len(frame.layout.channels) == 2 else data
