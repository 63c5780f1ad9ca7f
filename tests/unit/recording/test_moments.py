"""When entries came by the media's clock: what the journal's notes tell, while it is written, and what is no note."""

import struct
from pathlib import Path

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recording.moments import MAX_MOMENTS, Moments, crc32c

STARTED = 1_700_000_000_000
EVENT, RTP = 11, 3


class File:
    """A journal file, by the bytes in media/engine/journal/src/format.rs."""

    def __init__(self, root: Path, number: int, *, recording: str = "r5", boot: int = 1, monotonic_s: float = 7, wall_ms: int = 0) -> None:
        (root / "s1").mkdir(parents=True, exist_ok=True)
        self.path = root / "s1" / f"{number:06}.rj"
        name = recording.encode()
        self.head = struct.pack(
            "<8sHHI16sQQ32sB64sB64s",
            *(b"\x89RJ\r\n\x1a\n\0", 1, 256, number, bytes([boot] * 16), round(monotonic_s * 1e6), (STARTED + wall_ms) * 1000),
            *(bytes(32), 2, b"s1", len(name), name),
        ).ljust(252, b"\0")
        self.seed = google_crc32c.value(self.head)
        self.append(self.head + struct.pack("<I", self.seed))

    def append(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(data)

    def record(self, kind: int, at_s: float, payload: bytes, *, track: int = 0, seed: int | None = None) -> bytes:
        header = struct.pack("<HBBHHQI", 0x4A52, kind, 0, track, len(payload), round(at_s * 1e6), 0)
        total = google_crc32c.extend(google_crc32c.extend(self.seed if seed is None else seed, header), payload)
        return header + struct.pack("<I", total) + payload

    def note(self, seq: int, at_s: float) -> bytes:
        return self.record(EVENT, at_s, b'{"seq":%d,"type":"chat_posted"}' % seq)


def moments(root: Path) -> Moments:
    return Moments(root, "s1", "r5", STARTED)


def test_notes_are_told_by_the_clock_the_journal_was_opened_with_also_over_its_files(tmp_path: Path) -> None:
    first = File(tmp_path, 1, wall_ms=3)
    first.append(first.note(5, 7.5) + first.record(RTP, 8, b"x" * 900, track=1) + first.note(6, 9) + first.note(6, 9.1))
    other = File(tmp_path, 2, recording="r1")
    other.append(other.note(7, 9.5))
    # The wall clock was set an hour ahead in between.
    second = File(tmp_path, 3, monotonic_s=307, wall_ms=300_003 + 3_600_000)
    second.append(second.note(8, 308))
    # The class rested: opened anew, tied anew.
    third = File(tmp_path, 4, boot=2, monotonic_s=1, wall_ms=900_000)
    third.append(third.note(9, 2))
    found = moments(tmp_path)
    found.advance()
    assert found.found == [(5, 503), (6, 2_003), (8, 301_003), (9, 901_000)]


def test_a_growing_file_is_read_on_wherever_its_writing_stood(tmp_path: Path) -> None:
    file = File(tmp_path, 1)
    whole = b"".join(file.record(RTP, 7 + n, b"RJ" * 40, track=2) + file.note(5 + n, 7 + n) for n in range(5))
    file.path.write_bytes(b"")
    found = moments(tmp_path)
    for byte in file.head + struct.pack("<I", file.seed) + whole:
        file.append(bytes([byte]))
        found.advance()
    assert found.found == [(5 + n, n * 1000) for n in range(5)]
    found.advance()
    assert len(found.found) == 5


def test_what_a_sender_makes_look_like_a_note_is_none(tmp_path: Path) -> None:
    file = File(tmp_path, 1)
    forged = file.record(EVENT, 99, b'{"seq":4,"type":"chat_posted"}', seed=0)
    file.append(file.record(RTP, 8, forged * 20, track=1) + file.record(RTP, 8, b"RJ\x0b\0\0\0\xff\xff", track=1) + file.note(5, 9))
    file.append(file.record(EVENT, 9, b"[]") + file.record(EVENT, 9, b"") + file.note(7, 10))
    found = moments(tmp_path)
    found.advance()
    assert found.found == [(5, 2_000), (7, 3_000)]


def test_damage_costs_no_more_than_what_was_damaged(tmp_path: Path) -> None:
    file = File(tmp_path, 1)
    broken = bytearray(file.note(6, 9))
    broken[30] ^= 1
    file.append(file.note(5, 8) + bytes(broken) + b"RJ" + file.note(7, 10) + file.note(8, 11)[:-3])
    headless = File(tmp_path, 2)
    headless.path.write_bytes(b"\0" * 300 + headless.note(8, 12))
    last = File(tmp_path, 3)
    last.append(last.note(9, 13))
    found = moments(tmp_path)
    found.advance()
    assert found.found == [(5, 1_000), (7, 3_000), (9, 6_000)]


def test_nothing_recorded_yet_tells_nothing(tmp_path: Path) -> None:
    found = moments(tmp_path)
    found.advance()
    assert found.found == []


def test_moments_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_MOMENTS >= 100_000
    monkeypatch.setattr("recording.moments.MAX_MOMENTS", 2)
    file = File(tmp_path, 1)
    file.append(b"".join(file.note(n, 8) for n in range(5, 9)))
    found = moments(tmp_path)
    found.advance()
    assert len(found.found) == 2


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_the_checksum_is_the_one_everybody_computes(first: bytes, second: bytes) -> None:
    assert crc32c(second, crc32c(first)) == google_crc32c.value(first + second)
