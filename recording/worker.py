"""The packager's own process: one recording's journal in, replay files out. `python -m recording.worker` is told everything on stdin.

It follows the journal while the class is still on, so that little is left to do at its end, and runs at the lowest priority in bounded
memory. A line on stdin says that the recording has ended; the end of stdin says that the node is gone, and then the process goes, too: a
node that comes back begins anew in another folder. Nothing is told but one line on stdout when all is written; errors go to stderr.
"""

import contextlib
import os
import resource
import select
import sys
from pathlib import Path
from typing import Final

import msgspec

from media import journals
from recording import process
from recording.manifest import Made, Span, Track
from recording.mix import Mix
from recording.moments import Moments
from recording.orders import PackageOrder

#: how often a running class's journal is looked at, seconds
_LOOK_S: Final = 1.0
#: address space of the process
_MEMORY: Final = 4 << 30
_MIX: Final = "mix.mp4"


def main() -> int:
    """Package as ordered; 0 when all is written, 2 when the node went away."""
    os.nice(19)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    lines = _Lines(sys.stdin.fileno())
    first = lines.next(None)
    if first is None:
        return 2
    order = msgspec.json.decode(first, type=PackageOrder)
    out = Path(order.out)
    package = journals.Package(Path(order.journal), order.session, order.recording, order.started_at, out)
    mix = Mix(out / _MIX)
    moments = Moments(Path(order.journal), order.session, order.recording, order.started_at)
    ended = False
    while True:
        more = package.advance()
        for track, at_ms, packet in more.sounds:
            mix.push(track, at_ms, packet)
        mix.advance(more.now_ms)
        if more.caught_up:
            moments.advance()
        if more.caught_up and ended:
            break
        if more.caught_up:
            line = lines.next(_LOOK_S)
            if line is None and lines.closed:
                return 2
            ended = line is not None
    made = _finish(package, mix, moments, out)
    sys.stdout.write(msgspec.json.encode(made).decode() + "\n")
    return 0


def _finish(package: journals.Package, mix: Mix, moments: Moments, out: Path) -> Made:
    rest = package.finish()
    moments.advance()
    for track, at_ms, packet in rest.sounds:
        mix.push(track, at_ms, packet)
    whole = mix.finish(rest.duration_ms)
    tracks = [
        Track(
            id=f"t{track.number}",
            participant=track.participant,
            source=track.source,
            spans=[
                Span(
                    from_ms=file.from_ms,
                    to_ms=file.to_ms,
                    file=file.name,
                    type=file.type,
                    bytes=(out / file.name).stat().st_size,
                    width=file.width,
                    height=file.height,
                )
                for file in track.files
            ],
            failed=track.failed,
        )
        for track in rest.tracks
    ]
    sound = None
    if whole:
        sound = Span(from_ms=0, to_ms=rest.duration_ms, file=_MIX, type='audio/mp4; codecs="mp4a.40.2"', bytes=(out / _MIX).stat().st_size)
    return Made(duration_ms=rest.duration_ms, tracks=tracks, mix=sound, moments=moments.found)


class _Lines:
    """Lines of a descriptor, waited for at most so long."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._rest = b""
        self.closed = False

    def next(self, wait_s: float | None) -> bytes | None:
        """The next line; None if there is none in time or never again."""
        while b"\n" not in self._rest:
            if self.closed or not select.select([self._fd], [], [], wait_s)[0]:
                return None
            data = os.read(self._fd, 65_536)
            self.closed = not data
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line


if __name__ == "__main__":
    sys.exit(process.work(main))
