"""Whether a run that was not sound is found out, whatever it cost."""

import copy
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from loadtests import bench, bench_media
from loadtests.bench import MODES, Bench
from loadtests.report import Report
from loadtests.soundness import came, generator_share, heard, judge, traffic


def run(viewers: int = 10, publishers: int = 1, *, streams: int = 1, voices: int = 1) -> dict[str, Any]:
    """What the load generator tells of five sound seconds."""
    frames, words = 150, 250
    packets = viewers * (frames * 6 * streams + words * voices)
    times = {"n": 5, "p50": 20.0, "p95": 30.0, "p99": 40.0, "max": 50.0}
    start = {"forwarded": 100, "dropped_send_full": 3, "send_errors": 2, "runs_1": 0, "pli_out": 1}
    join = {"asked": viewers, "joined": viewers, "failed": 0, "per_second": 500.0, "first_frame_ms": times, "examples": []}
    return {
        "seconds": 5.0,
        "publishers": publishers,
        "viewers": viewers,
        "join": join,
        "publish": {"frames": frames * publishers, "words": words * publishers, "packets": 1},
        "receive": {
            "packets": packets + 7,
            "media_packets": packets,
            "video_packets": viewers * frames * 6 * streams,
            "audio_packets": viewers * words * voices,
            "video_bytes": viewers * frames * 6 * streams * 1_100,
            "audio_bytes": viewers * words * voices * 130,
            "frames": viewers * frames * streams,
            "replayed": 0,
            "words": viewers * words * voices,
            "unrecognised": {"video": 0, "audio": 9},
            "loss_permille": 0.0,
        },
        "delay_ms": {"video": dict(times), "audio": dict(times)},
        "layer_changes": 0,
        "checks": {
            "streams": viewers * (streams + voices),
            "playing": viewers * (streams + voices),
            "broken": 0,
            "frozen": 0,
            "gap_ms": {"video": times, "audio": times},
            "examples": [],
        },
        "swarm": {"cpu_seconds": 1.0, "cpu_us_per_packet": 1.0, "receive_buffer_errors": 0},
        "server": {"cpu_seconds": 2.0, "rss_bytes": [1_000_000, 1_000_000 + viewers * 1_024], "threads": {"media-0": 1.5}},
        "figures": {"start": {"metrics": start}, "end": {"metrics": {**start, "forwarded": 100 + packets}}},
    }


def changed(value: object, *path: str) -> dict[str, Any]:
    """A run in which one thing is different."""
    found = at = copy.deepcopy(run())
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = value
    return found


UNSOUND = [
    (3, "join", "failed"),
    (1, "checks", "broken"),
    (19, "checks", "playing"),
    (1, "checks", "frozen"),
    (1_300, "receive", "frames"),
    (2_000, "receive", "words"),
    (100, "receive", "replayed"),
    (1, "receive", "unrecognised", "video"),
    (4, "figures", "end", "metrics", "dropped_send_full"),
    (3, "figures", "end", "metrics", "send_errors"),
    (11_300, "receive", "media_packets"),
]


def test_a_sound_run_keeps_every_budget(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    judge(report, "x", [run(), run()])
    assert not report.missed, capsys.readouterr().out


@pytest.mark.parametrize("wrong", UNSOUND, ids=lambda wrong: "-".join(map(str, wrong)))
@pytest.mark.parametrize("round_", [0, 2])
def test_one_round_that_was_not_sound_is_a_miss(wrong: tuple[object, ...], round_: int, capsys: pytest.CaptureFixture[str]) -> None:
    value, *path = wrong
    runs = [run(), run(), run()]
    runs[round_] = changed(value, *map(str, path))
    report = Report()
    judge(report, "x", runs)
    assert [line["verdict"] for line in report.lines].count("MISS") == 1


def test_a_server_that_pauses_everybody_is_found_out() -> None:
    sound = run(10, 3, streams=2, voices=3)
    assert (came(sound, 2), heard(sound, 3)) == (1.0, 1.0)
    assert came({**sound, "receive": {**sound["receive"], "frames": 0}}, 2) == 0.0
    # Of each publisher's layers a viewer gets one.
    assert came({**sound, "publish": {**sound["publish"], "frames": 3 * sound["publish"]["frames"]}}, 2, layers=3) == 1.0
    assert came({**sound, "publish": {"frames": 0, "words": 0}}, 1) == 0.0


def test_pictures_kept_for_newcomers_do_not_stand_for_those_that_never_came() -> None:
    sound = run()
    replays = {**sound["receive"], "frames": 1_500, "replayed": 300}
    assert came({**sound, "receive": replays}, 1) == 0.8


def test_the_generator_is_compared_with_the_server() -> None:
    assert generator_share(run()) == 0.5


def test_the_floor_is_told_the_traffic_of_the_run() -> None:
    told = {"sources": 25, "packets": 6, "bytes": 1_100, "voices": 3, "voice_bytes": 130}
    assert traffic(run(30, 30, streams=25, voices=3), 25, 3) == told


class NoDoor:
    """An engine that is not there."""

    url, pid = "http://nowhere", 1

    def __init__(self, **_options: object) -> None: ...

    def __enter__(self) -> "NoDoor":
        return self

    def __exit__(self, *_: object) -> None: ...


@dataclass
class Played(Bench):
    """Runs are told, not made; the n-th (from 0) of a size is not sound."""

    broken: tuple[int, int] = (0, 0)
    counted: Counter[int] = field(default_factory=Counter)
    floors: list[tuple[int, object]] = field(default_factory=list)

    def run(self, door: object, *, timeout_s: float = 90, **options: object) -> dict[str, Any]:
        """Sound, but for the one."""
        viewers, publishers = int(str(options["viewers"])), int(str(options.get("publishers", 1)))
        told = run(
            viewers, publishers, streams=min(25, int(str(options.get("video_slots", 1)))), voices=int(str(options.get("audio_slots", 1)))
        )
        told["checks"]["broken"] = int((viewers, self.counted[viewers]) == self.broken)
        self.counted[viewers] += 1
        if options.get("no_video"):
            told["publish"]["frames"] = told["receive"]["frames"] = 0
        return told

    def floor(self, receivers: int, traffic: object = None) -> dict[str, float]:
        """As dear as the engine."""
        self.floors.append((receivers, traffic))
        return dict.fromkeys(MODES, 100.0)


def played(monkeypatch: pytest.MonkeyPatch, scenario: str, broken: tuple[int, int] = (0, 0)) -> Played:
    """A scenario at full size with such runs."""
    monkeypatch.setattr(bench_media, "Door", NoDoor)
    them = Played(Report(), False, 5.0, 60.0, {}, broken)
    bench_media.SCENARIOS[scenario](them)
    return them


@pytest.mark.parametrize(
    ("scenario", "broken"),
    [
        *(("fanout", (1_000, n)) for n in range(3)),
        ("fanout", (10, 0)),
        *(("gallery", (30, n)) for n in range(3)),
        ("audio", (1_000, 0)),
        *(("rooms", (1_000, n)) for n in range(6)),
        ("delay", (1, 0)),
        ("newcomers", (200, 0)),
    ],
)
def test_every_round_of_every_size_is_judged(
    scenario: str, broken: tuple[int, int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missed(them: Played) -> list[str]:
        return [line["name"] for line in them.report.lines if line["verdict"] == "MISS" and "broken" in line["name"]]

    assert missed(played(monkeypatch, scenario)) == []
    assert len(missed(played(monkeypatch, scenario, broken))) == 1


def test_the_gallerys_floor_sends_the_gallerys_packets(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert played(monkeypatch, "gallery").floors == [(30, traffic(run(30, 30, streams=25, voices=3), 25, 3))] * 3


def test_a_load_that_was_not_reached_is_no_delay_under_load(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    # The told runs have the media thread at 30 % whatever is asked for.
    report = played(monkeypatch, "delay").report
    assert [line["name"] for line in report.lines if line["verdict"] == "MISS" and "load" in line["name"]] == ["delay under load: load"]


def test_a_generator_dearer_than_the_server_is_a_miss(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def dear(*_: object, **__: object) -> float:
        return 1.1

    monkeypatch.setattr(bench_media, "generator_share", dear)
    lines = played(monkeypatch, "fanout").report.lines
    assert [line["name"] for line in lines if line["verdict"] == "MISS" and "generator" in line["name"]] == [
        "1 -> 1000: load generator / server, per packet"
    ]


def test_half_of_the_changes_of_layer_must_have_come(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = [line for line in played(monkeypatch, "churn").report.lines if line["name"] == "changes of layer meanwhile"]
    assert (line["budget"], line["verdict"]) == (50 * 5 / 3 / 2, "MISS")


def test_options_of_the_floor_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}

    def told(command: str, _timeout: float, **options: object) -> dict[str, Any]:
        asked.update(options, command=command)
        return {"modes": {mode: {"cpu_us_per_packet": 1.0} for mode in MODES}}

    monkeypatch.setattr(bench, "swarm", told)
    assert Bench(Report(), True, 3.0, 10.0, {}).floor(30, {"sources": 25}) == dict.fromkeys(MODES, 1.0)
    assert asked == {"command": "floor", "receivers": 30, "seconds": 1, "sources": 25}
