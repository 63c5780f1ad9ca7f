"""What the benches print and keep."""

import argparse
import json
import math
from pathlib import Path

import pytest

from loadtests import report as module
from loadtests.report import Report, as_usual, median_ratio, quantile


def test_quantiles() -> None:
    values = [float(n) for n in range(1, 1_001)]
    assert quantile(values, 0.5) == 501
    assert quantile(values, 0.99) == 991
    assert quantile([7.0], 0.99) == 7
    assert math.isnan(quantile([], 0.5))


def test_a_ratio_is_taken_round_by_round() -> None:
    assert median_ratio([2.0, 30.0, 8.0], [1.0, 10.0, 2.0]) == 3.0
    assert median_ratio([1.0, 4.0], [0.0, 2.0]) == 2.0
    assert math.isnan(median_ratio([], []))
    assert math.isnan(median_ratio([1.0, math.nan, 2.0], [1.0, 1.0, 1.0])), "a round that was not measured is not passed over"


def test_a_figure_over_its_budget_is_a_miss(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    report.line("fine", 1.0, "x", 1.5)
    report.line("for information", 99.0, "x", None)
    assert not report.missed
    report.line("bad", 1.51, "x", 1.5)
    assert report.missed
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()] == ["ok", "-", "MISS"]


def test_a_figure_under_the_least_is_a_miss(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    report.line("enough", 3.0, "x", 3.0, least=True)
    assert not report.missed
    report.line("too little", 2.9, "x", 3.0, least=True)
    assert report.missed
    assert ">= 3" in capsys.readouterr().out
    assert report.figure("too little") == 2.9


@pytest.mark.parametrize("least", [True, False])
@pytest.mark.parametrize("nothing", [math.nan, None])
def test_what_could_not_be_measured_is_a_miss(nothing: float | None, least: bool) -> None:
    report = Report()
    report.line("nothing seen", nothing, "us", 1.0, least=least)
    assert report.missed


def test_lines_are_kept_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESULTS", tmp_path / "bench")
    report = Report()
    report.line("a", 1.0, "us", 2.0)
    report.line("b", math.inf, "us", None)
    told = json.loads(report.save("media", whole=True, options={"short": True}).read_text())
    assert told["options"] == {"short": True}
    assert [(line["name"], line["figure"], line["verdict"]) for line in told["lines"]] == [("a", 1.0, "ok"), ("b", None, "")]


def test_a_partial_run_leaves_the_whole_ones_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    whole, part = Report().save("media", whole=True), Report().save("media", whole=False)
    assert (whole.name, part.name) == ("media.json", "media-part.json")


@pytest.mark.parametrize(
    ("line", "usual"), [("", True), ("--seconds 5", True), ("--short", False), ("--seconds 6", False), ("fanout", False)]
)
def test_whether_a_run_is_the_usual_one(line: str, usual: bool) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("scenario", nargs="*")
    assert as_usual(parser, parser.parse_args(line.split())) == usual
