"""What is added to a recording: H.264, the download, thumbnails; read back with the decoder a viewer's player is made of."""

import errno
from pathlib import Path

import av
import pytest

from recording import download, thumbnails, transcode
from recording.finisher import DOWNLOAD, add
from recording.manifest import Span, Track
from recording.orders import FinishOrder
from tests.support import film, reel

SKEW_MS = 40


def order(folder: Path, spans: list[Span], mix: Span | None, duration_ms: int, *, source: str = "camera", main: bool = True) -> FinishOrder:
    work = folder / "work"
    work.mkdir(exist_ok=True)
    tracks = [Track(id="t1", participant="tom", source=source, spans=spans)]  # type: ignore[arg-type]
    return FinishOrder(
        folder=str(folder), work=str(work), tracks=tracks, mix=mix, trainers=["tom"], duration_ms=duration_ms, main=main
    )  # fmt: skip


def check_download(path: Path, seconds: float, wanted: list[int]) -> None:
    """Every flash that is there lies at its second and at its beep; the index comes first."""
    skews, flashes = film.skews(path), film.flashes(path)
    print("download: flashes at", flashes, "skews", [round(skew, 1) for skew in skews])
    assert [round(at / 1000) for at in flashes] == wanted
    assert all(abs(at - 1000 * round(at / 1000)) <= SKEW_MS for at in flashes)
    assert len(skews) == len(wanted)
    assert max(map(abs, skews)) <= SKEW_MS
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    assert b"moof" not in content
    with av.open(str(path)) as container:
        assert [stream.codec_context.name for stream in container.streams] == ["h264", "aac"]
        assert container.duration is not None
        assert container.duration / av.time_base == pytest.approx(seconds, abs=0.1)


def test_vp8_with_a_gap_becomes_h264_and_a_download_in_step(tmp_path: Path) -> None:
    spans = [film.vp8(tmp_path, "t1-0.webm", 2_000, 4), film.vp8(tmp_path, "t1-1.webm", 9_000, 5)]
    added = add(order(tmp_path, spans, film.mix(tmp_path, 16), 16_000))
    assert added.failed == {}
    assert list(added.pictures) == ["t1-0.webm", "t1-1.webm"]
    for before, after in added.pictures.items():
        assert after.type.startswith('video/mp4; codecs="avc1.')
        assert (after.width, after.height) == (reel.WIDTH, reel.HEIGHT)
        old, new = (
            [frame.time for frame in av.open(str(path)).decode(video=0)] for path in (tmp_path / before, tmp_path / "work" / after.file)
        )
        assert len(old) == len(new)
        assert all(abs((a or 0) - (b or 0)) < 0.002 for a, b in zip(old, new, strict=True)), "every picture keeps its time"
    assert added.download is not None
    assert "avc1." in added.download.type
    check_download(tmp_path / "work" / DOWNLOAD, 16, [2, 3, 4, 5, 9, 10, 11, 12, 13])


def test_h264_passes_through(tmp_path: Path) -> None:
    spans = [film.h264(tmp_path, "t1-0.mp4", 0, 6)]
    added = add(order(tmp_path, spans, film.mix(tmp_path, 10), 10_000))
    assert (added.failed, added.pictures) == ({}, {})
    check_download(tmp_path / "work" / DOWNLOAD, 10, [0, 1, 2, 3, 4, 5])
    before = [bytes(packet) for packet in av.open(str(tmp_path / "t1-0.mp4")).demux(video=0) if packet.size]
    after = [bytes(packet) for packet in av.open(str(tmp_path / "work" / DOWNLOAD)).demux(video=0) if packet.size]
    assert before == after, "nothing was encoded"


def test_another_size_and_what_overlaps_follow_each_other(tmp_path: Path) -> None:
    spans = [
        film.h264(tmp_path, "t1-0.mp4", 0, 6),
        film.h264(tmp_path, "t2-0.mp4", 5_000, 3, 160, 90),
        film.vp8(tmp_path, "t3-0.webm", 8_000, 3),
    ]
    added = add(order(tmp_path, spans, film.mix(tmp_path, 12), 12_000, source="screen"))
    assert added.failed == {}
    check_download(tmp_path / "work" / DOWNLOAD, 12, list(range(11)))
    with av.open(str(tmp_path / "work" / DOWNLOAD)) as container:
        sizes = [(frame.width, frame.height) for frame in container.decode(video=0)]
    assert list(dict.fromkeys(sizes)) == [(320, 180), (160, 90), (320, 180)][:2]
    assert sizes.count((160, 90)) == 75


def test_a_recording_without_sound_is_a_silent_film(tmp_path: Path) -> None:
    added = add(order(tmp_path, [film.h264(tmp_path, "t1-0.mp4", 1_000, 3)], None, 5_000))
    assert added.download is not None
    assert "mp4a" not in added.download.type
    assert [round(at / 1000) for at in film.flashes(tmp_path / "work" / DOWNLOAD)] == [1, 2, 3]


def test_a_file_that_is_none_keeps_nothing_else_from_being_made(tmp_path: Path) -> None:
    good = film.vp8(tmp_path, "t1-0.webm", 0, 3)
    (tmp_path / "t1-1.webm").write_bytes(b"no picture at all" * 1_000)
    bad = film.span(tmp_path, "t1-1.webm", 4_000, 3, reel.VIDEO)
    added = add(order(tmp_path, [good, bad], film.mix(tmp_path, 8), 8_000))
    assert list(added.pictures) == ["t1-0.webm"]
    assert {*added.failed} == {"t1-1-h264.mp4"}, added.failed
    assert added.download is not None, "of what there is"
    assert film.flashes(tmp_path / "work" / DOWNLOAD) == pytest.approx([0, 1_000, 2_000], abs=SKEW_MS)
    assert added.thumbnails


def test_without_an_encoder_the_replay_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcode, "ENCODER", "none")
    added = add(order(tmp_path, [film.vp8(tmp_path, "t1-0.webm", 0, 2)], film.mix(tmp_path, 2), 2_000))
    assert (added.pictures, added.download) == ({}, None)
    assert "no H.264 encoder" in added.failed["t1-0-h264.mp4"]
    assert added.thumbnails


def test_another_try_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    span = film.vp8(tmp_path, "t1-0.webm", 0, 2)
    work = tmp_path / "work"
    work.mkdir()
    (work / "t1-0-h264.part").write_bytes(b"half")
    (work / "t1-0-h264.begun").write_bytes(b".")
    first = add(order(tmp_path, [span], None, 2_000))
    made = (work / "t1-0-h264.mp4").stat().st_mtime_ns
    assert add(order(tmp_path, [span], None, 2_000)) == first
    assert (work / "t1-0-h264.mp4").stat().st_mtime_ns == made


def test_a_file_that_ended_the_process_twice_is_passed_over(tmp_path: Path) -> None:
    span = film.vp8(tmp_path, "t1-0.webm", 0, 2)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "t1-0-h264.begun").write_bytes(b"..")
    added = add(order(tmp_path, [span], None, 2_000))
    assert added.pictures == {}
    assert "t1-0-h264.mp4" in added.failed


def test_thumbnails_lie_every_ten_seconds_and_come_from_the_best_picture(tmp_path: Path) -> None:
    screen = film.vp8(tmp_path, "screen.webm", 20_000, 15)
    camera = film.h264(tmp_path, "camera.mp4", 0, 50, 180, 180)
    tracks = [
        Track(id="t1", participant="tom", source="camera", spans=[camera]),
        Track(id="t2", participant="tom", source="screen", spans=[screen]),
    ]
    (tmp_path / "work").mkdir()
    added = add(
        FinishOrder(
            folder=str(tmp_path), work=str(tmp_path / "work"), tracks=tracks, mix=None, trainers=["tom"], duration_ms=60_000, main=True
        )
    )
    assert (added.thumbnails, added.sheets) == (thumbnails.NAME, ["thumbnails-000.jpg"])
    cues = (tmp_path / "work" / thumbnails.NAME).read_text().split("\n\n")[1:]
    assert [cue.split(" ")[0] for cue in cues] == ["00:00:00.000", "00:00:10.000", "00:00:20.000", "00:00:30.000", "00:00:40.000"]
    assert cues[-1].splitlines()[0].endswith("00:00:50.000"), "then nothing is seen"
    assert cues[1].splitlines()[1] == "thumbnails-000.jpg#xywh=160,0,160,90"
    with av.open(str(tmp_path / "work" / "thumbnails-000.jpg")) as container:
        [sheet] = [frame.reformat(format="gray") for frame in container.decode(video=0)]
    assert (sheet.width, sheet.height) == (960, 90)
    edges = [memoryview(sheet.planes[0])[45 * sheet.planes[0].line_size + 160 * cell + 5] for cell in range(5)]
    assert [edge > 25 for edge in edges] == [False, False, True, True, False], "a square camera has black beside it, the screen has not"


def test_thumbnails_of_a_long_recording_are_bounded(tmp_path: Path) -> None:
    cells = [thumbnails.Cell(n * 10_000, (n + 1) * 10_000, (b"", b"", b"")) for n in range(80)]
    text = thumbnails.vtt(cells, ["a.jpg", "b.jpg", "c.jpg"])
    assert text.count("-->") == 80
    assert "c.jpg#xywh=160,90,160,90" in text
    assert max(thumbnails.EVERY_MS, -(-100 * 3_600_000 // thumbnails.MAX_CELLS)) == 333_334


def test_what_found_no_room_is_made_once_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    span = film.h264(tmp_path, "t1-0.mp4", 0, 2)
    real = download.write

    def full(out: Path, pieces: object, sound: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download, "write", full)
    for _ in range(3):
        with pytest.raises(OSError, match="No space"):
            add(order(tmp_path, [span], None, 2_000))
    monkeypatch.setattr(download, "write", real)
    added = add(order(tmp_path, [span], None, 2_000))
    assert (added.failed, added.download is not None) == ({}, True)
