"""The media benches' arithmetic: what is made of what the load generator and the kernel tell."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from loadtests import bench_peers
from loadtests import report as report_module
from loadtests.bench import bounded
from loadtests.bench_media import per_viewer, tell_runs, viewers_for
from loadtests.bench_peers import OURS, Round, best, compare_costs, order, tell_memory, whole_ratio
from loadtests.janus import AS_INSTALLED, AT_BEST
from loadtests.report import Report
from loadtests.swarm import Cost, SwarmFailed, cost, cpu_of, forwarded, ratio, run_lengths, swarm, usage, words


def told(**figures: tuple[int, int]) -> dict[str, Any]:
    """What the load generator tells of a window of 5 s."""
    return {
        "seconds": 5.0,
        "receive": {"packets": 500_100, "media_packets": 500_000},
        "server": {"cpu_seconds": 2.0, "rss_bytes": [50_000_000, 60_000_000], "threads": {"media-0": 1.5, "media-1": 0.25, "python": 0.25}},
        "figures": {
            "start": {"metrics": {name: begin for name, (begin, _) in figures.items()}},
            "end": {"metrics": {name: end for name, (_, end) in figures.items()}},
        },
    }


def test_cost_is_cpu_by_packets_and_the_media_threads_are_told_apart() -> None:
    assert cost(told()) == Cost(process=4.0, media=3.5, packets=500_000, load=0.3, resident=60_000_000)


def test_packets_the_server_counted_go_before_those_received() -> None:
    run = told(forwarded=(1_000, 1_001_000))
    assert forwarded(run) == 1_000_000
    assert cost(run, forwarded(run)).process == 2.0


def test_a_window_without_packets_has_no_cost() -> None:
    assert math.isnan(cost(told(), 0).process)


def test_ratios_to_the_floor_are_taken_round_by_round() -> None:
    costs = [Cost(process=p, media=p / 2, packets=1, load=0, resident=0) for p in (3.0, 8.0, 9.0)]
    assert ratio(costs, [2.0, 4.0, 9.0]) == 1.5


def test_run_lengths_are_those_of_the_window(capsys: pytest.CaptureFixture[str]) -> None:
    run = told(runs_16_up=(0, 0), runs_1=(10, 35), runs_2_3=(0, 75), forwarded=(0, 1))
    assert list(run_lengths(run).items()) == [("1", 25), ("2-3", 75), ("16-up", 0)]
    report = Report()
    tell_runs(report, "x", run)
    assert report.figure("x: runs of 2-3") == 75
    assert run_lengths(told()) == {}


def test_the_load_wanted_sets_the_number_of_viewers() -> None:
    assert viewers_for(0.7, 0.07, 200) == 2_000
    assert viewers_for(0.7, 0.1, 200) == 1_400
    assert viewers_for(0.7, 0.139, 200) == 1_000
    assert viewers_for(0.7, 0.9, 200) == 200
    assert viewers_for(0.7, 0.01, 200) == 2_000


def test_memory_is_what_each_further_viewer_took() -> None:
    assert per_viewer({10: 1_000_000, 1_000: 1_000_000 + 990 * 50}, 10, 1_000) == 50


@pytest.mark.parametrize("name", ["python3", "media-0", "a (b) c", ") 1 2 ("])
def test_a_threads_name_may_be_anything(name: str) -> None:
    line = f"77 ({name}) S 1 2 3 0 -1 4194368 100 0 0 0 250 50 0 0 20 0 1 0 886 5468160"
    assert cpu_of(line) == (name, 300 / os.sysconf("SC_CLK_TCK"))


def test_usage_of_this_process_grows_with_its_work() -> None:
    before = usage(os.getpid())
    while usage(os.getpid()).process < before.process + 0.05:
        sum(range(10_000))
    assert before.resident > 1_000_000
    assert before.media == 0


def test_options_become_words() -> None:
    assert words({"viewers": 3, "idle": True, "no_audio": False, "janus_room": None, "whip": "http://x"}) == [
        *("--viewers", "3", "--idle", "--whip", "http://x"),
    ]


def script(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "swarm"
    path.write_text(f"#!{sys.executable}\nimport sys\n{text}\n")
    path.chmod(0o755)
    return path


def test_broken_streams_are_told_not_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "JIANGTAI_SWARM", str(script(tmp_path, "print('{\"words\": \"%s\"}' % ' '.join(sys.argv[1:])); raise SystemExit(1)"))
    )
    assert swarm("run", 10, viewers=2)["words"] == "run --viewers 2"


@pytest.mark.parametrize(
    ("text", "says"),
    [("sys.stderr.write('no clips'); raise SystemExit(2)", "status 2: no clips"), ("import time; time.sleep(60)", "not done after 0.5 s")],
)
def test_a_load_generator_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, says: str) -> None:
    monkeypatch.setenv("JIANGTAI_SWARM", str(script(tmp_path, text)))
    with pytest.raises(SwarmFailed, match=says):
        swarm("run", 0.5)


def test_a_load_generator_that_is_not_built_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JIANGTAI_SWARM", str(tmp_path / "nothing"))
    with pytest.raises(SwarmFailed, match="not a program"):
        swarm("floor", 1)


def test_janus_is_judged_by_its_best_tuning_of_each_round(capsys: pytest.CaptureFixture[str]) -> None:
    one, two = (tuning.name for tuning in AT_BEST)
    assert best([[3.0, 9.0], [4.0, 8.0]]) == [3.0, 8.0]
    assert best([[math.nan], [4.0]]) == [4.0]
    assert math.isnan(best([[math.nan], [math.nan]])[0])
    report = Report()
    compare_costs(report, 100, {OURS: [2.0, 2.0, 3.0], one: [9.0, 8.0, 9.0], two: [8.0, 9.0, 12.0], AS_INSTALLED.name: [20.0, 10.0, 18.0]})
    assert report.figure("1 -> 100: Janus at its best / ours") == 4.0
    assert report.figure("1 -> 100: Janus as installed / ours") == 6.0
    assert not report.missed
    compare_costs(report, 300, {OURS: [2.0], one: [5.9], two: [7.0], AS_INSTALLED.name: [20.0]})
    assert report.missed


def peer(**changes: object) -> Round:
    """A round in which ten viewers got everything; changes by `part_name`."""
    run: dict[str, Any] = {
        "publishers": 1,
        "viewers": 10,
        "join": {"joined": 10, "failed": 0},
        "publish": {"frames": 150, "words": 250},
        "receive": {"frames": 1_500, "replayed": 0, "words": 2_500},
        "swarm": {"receive_buffer_errors": 0},
    }
    for name, value in changes.items():
        part, _, what = name.partition("_")
        run[part][what] = value
    return Round(Cost(process=4.0, media=0, packets=1, load=0, resident=0), run)


def test_a_round_that_lost_media_or_viewers_or_was_not_read_in_time_does_not_count() -> None:
    assert peer().whole() == 4.0
    wrong = {"receive_frames": 1_400, "receive_words": 2_000, "join_failed": 1, "swarm_receive_buffer_errors": 7}
    for name, value in wrong.items():
        spoilt = peer(**{name: value})
        assert math.isnan(spoilt.whole()), name
        assert str(spoilt.fault())


def test_who_was_refused_does_not_hide_what_others_did_not_get() -> None:
    refused = {"join_failed": 5, "join_joined": 5}
    assert peer(**refused, receive_frames=750, receive_words=1_250).whole(refusals=True) == 4.0
    assert math.isnan(peer(**refused, receive_frames=600, receive_words=1_250).whole(refusals=True))


def test_rounds_that_do_not_count_are_in_no_ratio(capsys: pytest.CaptureFixture[str]) -> None:
    assert whole_ratio([8.0, math.nan, 9.0], [2.0, 1.0, math.nan]) == 4.0
    assert math.isnan(whole_ratio([math.nan], [1.0]))
    report = Report()
    compare_costs(report, 100, {OURS: [1.0], **{tuning.name: [math.nan] for tuning in (*AT_BEST, AS_INSTALLED)}})
    assert [line["verdict"] for line in report.lines] == ["MISS", "MISS"]


def test_what_cannot_carry_the_whole_stream_is_judged_by_a_lighter_one(capsys: pytest.CaptureFixture[str]) -> None:
    whole = {OURS: [1.0], **{tuning.name: [5.0] for tuning in AT_BEST}, AS_INSTALLED.name: [math.nan]}
    for lighter, verdict in ((14.0, "ok"), (10.0, "MISS"), (math.nan, "MISS")):
        report = Report()
        compare_costs(report, 300, whole, {OURS: [2.0], AS_INSTALLED.name: [lighter]})
        assert [line["verdict"] for line in report.lines] == ["ok", "", verdict]


def test_every_other_round_goes_backwards() -> None:
    assert [order(["a", "b", "c"], number) for number in range(3)] == [["a", "b", "c"], ["c", "b", "a"], ["a", "b", "c"]]


def test_memory_is_compared_between_the_smallest_and_the_largest_audience(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    tell_memory(report, {10: {OURS: 1_024_000, "x": 0}, 100: {OURS: 1, "x": 1}, 300: {OURS: 1_024_000 + 290 * 2_048, "x": 290 * 1_024}})
    assert report.figure("memory per viewer, ours") == 2
    assert report.figure("memory per viewer, x") == 1
    tell_memory(report, {10: {OURS: 1_024_000}})


def test_small_audiences_are_told_but_not_judged(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    compare_costs(report, 10, {OURS: [2.0], **{tuning.name: [2.0] for tuning in (*AT_BEST, AS_INSTALLED)}})
    assert not report.missed


def test_bench_peers_without_root_says_so_and_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(report_module, "RESULTS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["bench_peers"])
    assert bench_peers.main() == 1
    assert "needs root" in capsys.readouterr().err
    assert "needs root" in json.loads((tmp_path / "peers-part.json").read_text())["failed"]


def test_a_bench_that_takes_too_long_is_stopped_where_it_is() -> None:
    with pytest.raises(TimeoutError, match=r"not done after 0\.05 s"), bounded(0.05):
        subprocess.run(["sleep", "20"], check=True)
    with bounded(0.05):
        pass
    subprocess.run(["sleep", "0.1"], check=True)
