"""The second process of the packager: adds to a published recording what takes longer. `python -m recording.finisher` is told all on stdin.

Pictures that are not H.264 become H.264, the main picture with the mixed sound becomes one MP4 for download, its key frames thumbnails.
Each is made by itself: one that fails is named in the answer and keeps nobody else from being made. A file lies in the work folder under
its name only when it is whole, so another try goes on where this one ended; a file during which the process died twice is passed over.

It runs at the lowest priority in bounded memory and goes when its stdin ends, which is when its node is gone.
"""

import contextlib
import os
import resource
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import av
import msgspec

from recording import download, main_picture, process, thumbnails, transcode
from recording.manifest import Span
from recording.orders import Added, FinishOrder, is_h264, to_do

#: address space of the process
_MEMORY: Final = 4 << 30
DOWNLOAD: Final = "download.mp4"
_DOWNLOAD_TYPE: Final = 'video/mp4; codecs="{}, mp4a.40.2"'
_SILENT_TYPE: Final = 'video/mp4; codecs="{}"'
_MOST_TRIES: Final = 2
_ERROR_CHARS: Final = 300


def main() -> int:
    """Add as ordered; 0 when the answer is written."""
    os.nice(19)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=FinishOrder)
    threading.Thread(target=_go_with_the_node, daemon=True).start()
    sys.stdout.write(msgspec.json.encode(add(order)).decode() + "\n")
    return 0


def _go_with_the_node() -> None:
    # Not through the buffer: its lock would be held when the process ends.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(2)


def add(order: FinishOrder) -> Added:
    """Do it. Raises OSError for a folder that cannot be written to, or a full disk."""
    work = _Work(Path(order.folder), Path(order.work))
    for span in to_do(order.tracks, order.trainers, main=order.main):
        work.picture(span)
    if not order.main:
        return Added(pictures=work.pictures, failed=work.failed)
    groups = main_picture.candidates(order.tracks, order.trainers)
    sheets = work.thumbnails(groups[:2], order.duration_ms)
    found = work.download(groups[0], order.mix, order.duration_ms) if groups else None
    vtt = thumbnails.NAME if sheets else None
    return Added(pictures=work.pictures, download=found, thumbnails=vtt, sheets=sheets, failed=work.failed)


class _Work:
    """What is made so far, in the folder for it."""

    def __init__(self, folder: Path, work: Path) -> None:
        self._folder = folder
        self._work = work
        self.pictures: dict[str, Span] = {}
        self.failed: dict[str, str] = {}

    def picture(self, span: Span) -> None:
        """A file as H.264."""
        out = self._work / f"{Path(span.file).stem}-h264.mp4"
        if self._made(out, lambda: transcode.to_h264(self._folder / span.file, out)):
            codec, width, height = transcode.described(out)
            self.pictures[span.file] = Span(
                from_ms=span.from_ms,
                to_ms=span.to_ms,
                file=out.name,
                type=_SILENT_TYPE.format(codec),
                bytes=out.stat().st_size,
                width=width,
                height=height,
            )

    def thumbnails(self, groups: Sequence[Sequence[Span]], duration_ms: int) -> list[str]:
        """The sheets of thumbnails; none if there was nothing to see."""
        sources = [
            [thumbnails.Source(self._folder / span.file, span.from_ms, until) for span, until in main_picture.shown(spans)]
            for spans in groups
        ]
        made = self._made(self._work / thumbnails.NAME, lambda: thumbnails.write(self._work, sources, duration_ms))
        return sorted(path.name for path in self._work.glob("thumbnails-*.jpg")) if made else []

    def download(self, spans: Sequence[Span], mix: Span | None, duration_ms: int) -> Span | None:
        """The main picture, as far as it is H.264 now, and the sound; None if none of it is."""
        out = self._work / DOWNLOAD
        pieces = []
        for span, until in main_picture.shown(spans):
            ready = self.pictures.get(span.file)
            if ready is not None:
                pieces.append(download.Piece(self._work / ready.file, span.from_ms, until))
            elif is_h264(span):
                pieces.append(download.Piece(self._folder / span.file, span.from_ms, until))
        if not pieces:
            return None
        sound = None if mix is None else self._folder / mix.file
        if not self._made(out, lambda: download.write(out, pieces, sound)):
            return None
        codec, width, height = transcode.described(out)
        kind = (_SILENT_TYPE if mix is None else _DOWNLOAD_TYPE).format(codec)
        return Span(from_ms=0, to_ms=duration_ms, file=DOWNLOAD, type=kind, bytes=out.stat().st_size, width=width, height=height)

    def _made(self, out: Path, make: Callable[[], None]) -> bool:
        """Whether a file is there, made now if it is not; each beginning is counted, since a process that dies cannot tell why."""
        if out.exists():
            return True
        begun = out.with_suffix(".begun")
        tries = begun.stat().st_size if begun.exists() else 0
        if tries >= _MOST_TRIES:
            self.failed[out.name] = "the process ended while it was made"
            return False
        with begun.open("ab") as count:
            count.write(b".")
        try:
            make()
        except (av.FFmpegError, OSError, ValueError, IndexError, MemoryError, transcode.Undecodable) as error:
            if process.no_room(error):
                begun.unlink()  # once there is room it is made
                raise
            self.failed[out.name] = f"{type(error).__name__}: {error}"[:_ERROR_CHARS]
        return out.exists()


if __name__ == "__main__":
    sys.exit(process.work(main))
