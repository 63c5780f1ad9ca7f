"""The bench's journal is one the engine would have written, and becomes a replay."""

from pathlib import Path

from loadtests.lesson_journal import RECORDING, SESSION, VOICES, LessonJournal
from media import journals


def test_every_record_is_whole_and_every_track_plays(tmp_path: Path) -> None:
    journal = LessonJournal(tmp_path, 1_000_000)
    journal.write(12)
    journal.close()
    verdict = journals.verify(journals.path_of(tmp_path, SESSION, 1))
    assert verdict is not None
    assert verdict.damaged == 0
    assert [packets for packets, *_ in list(verdict.tracks.values())[1:]] == [600] * VOICES
    out = tmp_path / "out"
    out.mkdir()
    package = journals.Package(tmp_path, SESSION, RECORDING, 1_000_000, out)
    while not package.advance().caught_up:
        pass
    made = package.finish()
    assert [(track.source, len(track.files), track.failed) for track in made.tracks] == [
        ("camera", 1, None), *[("microphone", 1, None)] * VOICES,
    ]  # fmt: skip
    assert abs(made.duration_ms - 12_000) < 100
