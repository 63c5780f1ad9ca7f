"""A damaged file may tell the same bytes over and over: what is made of it is bounded by what there is."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from recording import download

SIZE = 10_000


class Endless:
    """A container that says a thousand bytes come every 10 ms, for ever."""

    def __init__(self, path: str) -> None:
        self.streams = SimpleNamespace(video=[None])

    def __enter__(self) -> "Endless":
        return self

    def __exit__(self, *_: object) -> None: ...

    def demux(self, *_: object, audio: int = 0) -> Iterator[Any]:
        for number in range(10**6):
            pts, time_base = number, Fraction(1, 100)
            yield SimpleNamespace(pts=pts, time_base=time_base, size=1_000, duration=1, is_keyframe=True)


def test_pictures_come_to_no_more_than_twice_the_bytes_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("av.open", Endless)
    pieces = []
    for number in range(2):
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(bytes(SIZE))
        pieces.append(download.Piece(path, number * 3_600_000, (number + 1) * 3_600_000))
    found = [packet.size for _, packet in download._pictures(pieces, None, None)]
    assert sum(found) == 2 * 2 * SIZE, "the second file has its pictures, too"


def test_a_film_is_not_made_with_more_sound_than_there_is(tmp_path: Path) -> None:
    heard = Endless("")
    with pytest.raises(ValueError, match="damaged"):
        list(download._sounds(heard, None, SIZE))
