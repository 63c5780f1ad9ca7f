"""The main picture with everybody's sound as one plain MP4, its index first; nothing is decoded.

Every picture lies where it lay in the recording: before the first there is none, and one lasts until the next, so a gap is a still picture
and never a shift. Files whose pictures differ in size or profile follow each other with their parameter sets in front of each key frame
(sample entry `avc3`, ISO/IEC 14496-15 section 5.3); where all are alike it is plain `avc1`. Only in the packager's own processes.
"""

import contextlib
import heapq
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, NamedTuple

import av

_CLOCK: Final = 90_000
_PER_MS: Final = _CLOCK // 1_000
#: a film has no more bytes than this many times those it is made from: a damaged file may say that all its pictures are the same megabyte
_MOST: Final = 2


class Piece(NamedTuple):
    """An H.264 file: shown from and until, milliseconds on the recording's clock; its own times begin with `from_ms`."""

    path: Path
    from_ms: int
    until_ms: int


def write(out: Path, pieces: Sequence[Piece], sound: Path | None) -> None:
    """Write `out` whole or not at all; pieces in order of time, those left out that are no H.264.

    Raises ValueError if none is left or the sound is damaged, OSError, av.FFmpegError.
    """
    part = out.with_suffix(".part")
    found = [(piece, _configuration(piece.path)) for piece in pieces]
    pieces = [piece for piece, configuration in found if configuration]
    configurations = [configuration for _, configuration in found if configuration]
    if not pieces:
        raise ValueError("no picture is H.264 with lengths of four bytes")
    alike = all(each == configurations[0] for each in configurations)
    options = {"movflags": "+faststart", "video_track_timescale": str(_CLOCK)}
    with av.open(str(part), "w", format="mp4", options=options) as sink, av.open(str(pieces[0].path)) as first:
        video: Any = sink.add_stream_from_template(first.streams.video[0], opaque=True)
        if not alike:
            video.codec_context.codec_tag = "avc3"
        streams = [_pictures(pieces, None if alike else [_sets(each) for each in configurations], video)]
        if sound is None:
            _mux(sink, streams)
        else:
            with av.open(str(sound)) as heard:
                audio: Any = sink.add_stream_from_template(heard.streams.audio[0], opaque=True)
                _mux(sink, [*streams, _sounds(heard, audio, sound.stat().st_size)])
    part.rename(out)


def _mux(sink: Any, streams: Sequence[Iterator[tuple[float, Any]]]) -> None:
    for _, packet in heapq.merge(*streams, key=lambda timed: timed[0]):
        sink.mux_one(packet)


def _pictures(pieces: Sequence[Piece], sets: Sequence[bytes] | None, video: Any) -> Iterator[tuple[float, Any]]:
    last = -1
    for number, piece in enumerate(pieces):
        left = _MOST * piece.path.stat().st_size
        # What cannot be read on is as good as its end.
        with contextlib.suppress(av.InvalidDataError), av.open(str(piece.path)) as container:
            for packet in container.demux(container.streams.video[0]):
                if packet.pts is None or packet.time_base is None:
                    continue
                at = piece.from_ms * _PER_MS + round(packet.pts * packet.time_base * _CLOCK)
                if at <= last or at >= piece.until_ms * _PER_MS:
                    continue
                ready = _with(sets[number], packet) if sets is not None and packet.is_keyframe else packet
                left -= ready.size
                if left < 0:
                    break
                ready.duration = round((packet.duration or 0) * packet.time_base * _CLOCK)
                ready.time_base, ready.pts, ready.dts, ready.stream, last = Fraction(1, _CLOCK), at, at, video, at
                yield at / _CLOCK, ready


def _sounds(heard: Any, audio: Any, size: int) -> Iterator[tuple[float, Any]]:
    left = _MOST * size
    for packet in heard.demux(audio=0):
        if packet.pts is not None:
            at = float(packet.pts * packet.time_base)
            left -= packet.size
            if left < 0:
                raise ValueError("the sound is damaged")
            packet.stream = audio
            yield at, packet


def _with(sets: bytes, packet: Any) -> Any:
    fresh = av.Packet(sets + bytes(packet))
    fresh.is_keyframe = True
    return fresh


def _configuration(path: Path) -> bytes:
    """The AVCDecoderConfigurationRecord of a file; nothing if it is no H.264 with lengths of four bytes."""
    try:
        with av.open(str(path)) as container:
            context = container.streams.video[0].codec_context
            found = bytes(context.extradata or b"")
            return found if context.name == "h264" and len(found) >= 7 and found[0] == 1 and found[4] & 3 == 3 else b""
    except (av.FFmpegError, IndexError):
        return b""


def _sets(configuration: bytes) -> bytes:
    """The parameter sets of an AVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 5.3.3.1), each with its length in four bytes."""
    sets, at, left = b"", 6, configuration[5] & 31
    for _ in range(2):
        for _ in range(left):
            size = int.from_bytes(configuration[at : at + 2])
            sets += size.to_bytes(4) + configuration[at + 2 : at + 2 + size]
            at += 2 + size
        if at >= len(configuration):
            break
        left, at = configuration[at], at + 1
    return sets
