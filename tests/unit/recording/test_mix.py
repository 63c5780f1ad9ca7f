"""The mix: voices lie where the timeline says, silence between them, nothing drifts."""

import array
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import pytest

from recording.mix import Mix

RATE = 48_000
WORD = RATE // 50


def spoken(hz: float, words: int, silent: int = 0) -> list[bytes]:
    """So many 20 ms Opus packets of a tone, the first ones of silence."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = RATE, "mono", "s16"
    encoder.time_base = Fraction(1, RATE)
    encoder.options = {"application": "voip", "frame_duration": "20"}
    packets = []
    for word in range(words + 1):
        loud = 9000 if word >= silent else 0
        samples = array.array("h", (round(loud * math.sin(2 * math.pi * hz * (word * WORD + n) / RATE)) for n in range(WORD)))
        frame = av.AudioFrame(format="s16", layout="mono", samples=WORD)
        frame.planes[0].update(samples.tobytes() + bytes(frame.planes[0].buffer_size - 2 * WORD))
        frame.sample_rate, frame.pts, frame.time_base = RATE, word * WORD, Fraction(1, RATE)
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    return packets[:words]


def samples_of(path: Path) -> "array.array[int]":
    """All samples of a file."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        samples = array.array("h")
        for frame in container.decode(audio=0):
            for ready in resampler.resample(frame):
                samples.frombytes(bytes(ready.planes[0])[: ready.samples * 2])
    return samples


def loudness(path: Path) -> Iterator[tuple[float, float]]:
    """(milliseconds, RMS) of each 20 ms of a file."""
    samples = samples_of(path)
    for at in range(0, len(samples) - WORD + 1, WORD):
        part = samples[at : at + WORD]
        yield at * 1000 / RATE, math.sqrt(sum(sample * sample for sample in part) / WORD)


def heard(path: Path) -> list[tuple[float, float]]:
    """From and to of everything louder than silence, in milliseconds."""
    spans: list[tuple[float, float]] = []
    for at, rms in loudness(path):
        if rms > 500:
            if spans and spans[-1][1] == at:
                spans[-1] = (spans[-1][0], at + 20)
            else:
                spans.append((at, at + 20))
    return spans


@pytest.mark.parametrize("step_ms", [100, 5_000])
def test_voices_lie_where_the_timeline_says_with_silence_between(tmp_path: Path, step_ms: int) -> None:
    mix = Mix(tmp_path / "mix.mp4")
    packets = [(1, 1_000 + n * 20.0, packet) for n, packet in enumerate(spoken(440, 50))]
    packets += [(2, 6_000 + n * 20.0, packet) for n, packet in enumerate(spoken(660, 100))]
    for track, at, packet in sorted(packets, key=lambda item: item[1]):
        mix.push(track, at, packet)
        mix.advance(at // step_ms * step_ms)
    assert mix.finish(12_000)
    (first, second) = heard(tmp_path / "mix.mp4")
    assert first == pytest.approx((1_000, 2_000), abs=60)
    assert second == pytest.approx((6_000, 8_000), abs=60)
    with av.open(str(tmp_path / "mix.mp4")) as container:
        assert float(container.duration / av.time_base) == pytest.approx(12, abs=0.1)
    assert mix.dropped == 0


def test_a_sound_begins_when_it_was_made_not_when_the_encoder_gave_it_out(tmp_path: Path) -> None:
    mix = Mix(tmp_path / "mix.mp4")
    for n, packet in enumerate(spoken(1_000, 60, silent=25)):
        mix.push(1, n * 20.0, packet)
    mix.finish(1_200)
    samples = samples_of(tmp_path / "mix.mp4")
    begins = next(n for n, sample in enumerate(samples) if abs(sample) > 1_500)
    assert begins * 1000 / RATE == pytest.approx(500, abs=1.5)


def test_two_voices_at_once_are_both_heard_and_too_late_ones_are_counted(tmp_path: Path) -> None:
    mix = Mix(tmp_path / "mix.mp4")
    words = spoken(440, 50)
    for n in range(50):
        mix.push(1, n * 20.0, words[n])
        mix.push(2, n * 20.0, words[n])
    mix.advance(80_000)
    mix.push(3, 1_000, words[0])
    mix.finish(80_000)
    both = max(rms for _, rms in loudness(tmp_path / "mix.mp4"))
    alone = Mix(tmp_path / "alone.mp4")
    for n in range(50):
        alone.push(1, n * 20.0, words[n])
    alone.finish(1_000)
    one = max(rms for _, rms in loudness(tmp_path / "alone.mp4"))
    assert both == pytest.approx(2 * one, rel=0.15)
    assert mix.dropped == 1


def test_a_clock_100_ppm_off_stays_within_40_ms_over_an_hour_of_speech(tmp_path: Path) -> None:
    mix = Mix(tmp_path / "mix.mp4")
    words = spoken(440, 50)
    drift = 1.0001
    for n in range(0, 180_000, 50):
        mix.push(1, n * 20 * drift, words[n % 50])
        for m in range(1, 4):
            mix.push(1, (n + m) * 20 * drift, words[m])
        at = (n + 4) * 20 * drift
        end = mix._voices[1].end
        assert end is not None
        assert abs(end / 48 - at) < 40
        mix._open.clear()
        mix.done = end - 48 * 20


def test_nobody_heard_makes_no_file(tmp_path: Path) -> None:
    mix = Mix(tmp_path / "mix.mp4")
    assert not mix.finish(5_000)
    mix = Mix(tmp_path / "mix.mp4")
    mix.push(1, 0, b"\xff\xff\xff not opus")
    assert mix.dropped in (0, 1)


def test_a_silence_of_hours_is_not_kept_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[int] = []
    monkeypatch.setattr("recording.mix._packets", lambda stream, samples, first: encoded.append(len(samples)) or [])
    mix = Mix(tmp_path / "mix.mp4")
    words = spoken(440, 2)
    mix.push(1, 0, words[0])
    hours = 20 * 3_600_000
    # The class rested with its recording on: its next word comes before anybody says how far the recording has come.
    mix.push(2, hours, words[1])
    assert len(mix._open) < 2 * 48 * (70_000 + 40 + 22)
    assert max(encoded) <= 2 * 10 * RATE, "in pieces"
    mix.advance(hours + 100_000)
    assert mix.done // 48 == pytest.approx(hours + 30_000, abs=30)
    assert sum(encoded) == 2 * mix.done
    assert mix.dropped == 0
