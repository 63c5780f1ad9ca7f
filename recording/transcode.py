"""A file of pictures as H.264, which every player and every office computer shows; only in the packager's own processes.

Pictures keep their times. There is no reordering (decode time = presentation time) and a key frame at least every five seconds, so that a
seek lands soon. One thread: the machine belongs to the classes that are on.
"""

from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
from av.video.frame import PictureType

_CLOCK: Final = 90_000
_KEY_S: Final = 5
ENCODER: Final = "libx264"
_OPTIONS: Final = {"preset": "veryfast", "crf": "23", "bf": "0", "rc-lookahead": "10", "threads": "1", "profile": "high"}
#: bits a second: at most this much more than the source on the average of some seconds, and never less than a slide needs
_MORE: Final = 1.2
_LEAST_BITS: Final = 500_000
_BUFFER_S: Final = 8
#: a file of which more than this share cannot be decoded is not worth showing
_BROKEN: Final = 0.5
#: larger pictures are nobody's screen
_MAX_PIXELS: Final = 4096 * 2304


class Undecodable(Exception):
    """No picture, or too few, came out of a file, or nothing could make H.264 of them."""


def to_h264(source: Path, out: Path) -> None:
    """Write `out` whole or not at all. Raises Undecodable, OSError, av.FFmpegError."""
    part = out.with_suffix(".part")
    with av.open(str(source)) as pictures, av.open(str(part), "w", format="mp4", options={"movflags": "+faststart"}) as sink:
        video: Any = None
        packets = lost = 0
        key_at = last = -1
        stream = pictures.streams.video[0]
        stream.codec_context.thread_count = 1
        for packet in pictures.demux(stream):
            packets += packet.size > 0
            try:
                frames = packet.decode()
            except av.FFmpegError:
                lost += 1
                continue
            for frame in frames:
                at = round((frame.time or 0) * _CLOCK)
                if at <= last:
                    continue
                if video is None:
                    video = _stream(sink, frame, pictures.bit_rate)
                fresh = frame.reformat(width=video.width, height=video.height, format="yuv420p")
                fresh.pts, fresh.time_base, last = at, Fraction(1, _CLOCK), at
                key = key_at < 0 or at - key_at >= _KEY_S * _CLOCK
                key_at = at if key else key_at
                fresh.pict_type = PictureType.I if key else PictureType.NONE
                sink.mux(video.encode(fresh))
        if video is None or lost > packets * _BROKEN:
            raise Undecodable(f"{lost} of {packets} pictures cannot be decoded")
        sink.mux(video.encode(None))
    part.rename(out)


def described(path: Path) -> tuple[str, int, int]:
    """(codec as RFC 6381 writes it, width, height) of an H.264 file. Raises ValueError, OSError, av.FFmpegError."""
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        extra = context.extradata or b""
        if len(extra) < 4 or extra[0] != 1:
            raise ValueError("no H.264 configuration")
        return f"avc1.{extra[1:4].hex()}", context.width, context.height


def _stream(sink: Any, frame: Any, source_bits: int) -> Any:
    if frame.width * frame.height > _MAX_PIXELS:
        raise Undecodable(f"{frame.width}x{frame.height} is too large")
    if ENCODER not in av.codecs_available:
        raise Undecodable("no H.264 encoder")
    # No more bytes than came: noise that the first encoder left out is not worth keeping exactly.
    most = max(_LEAST_BITS, round(source_bits * _MORE))
    video = sink.add_stream(ENCODER, rate=30, options={**_OPTIONS, "maxrate": str(most), "bufsize": str(most * _BUFFER_S)})
    video.width, video.height, video.pix_fmt = max(2, frame.width & ~1), max(2, frame.height & ~1), "yuv420p"
    video.time_base = video.codec_context.time_base = Fraction(1, _CLOCK)
    video.codec_context.gop_size = 10 * 30
    return video
