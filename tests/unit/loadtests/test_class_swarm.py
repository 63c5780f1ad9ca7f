"""What is made of what the load generator tells of a class, and what is refused before anything is started."""

from typing import Any

import pytest

from loadtests.class_swarm import parse, silent, table


def told(door: str = "signaling", playing: int = 40, trainers: int = 5) -> dict[str, Any]:
    """A run of 10 viewers."""
    times = {"n": 1, "p50": 1.0, "p95": 2.0, "p99": 3.0, "max": 4.0}
    side = {"present": 15, "heard": {"events": 7, "signals": 8}, "steps_ms": {"seat": times}}
    return {
        "publishers": trainers,
        "viewers": 10,
        "join": {"asked": 10, "joined": 10, "per_second": 100.0, "first_frame_ms": times, "examples": []},
        "checks": {"streams": 90, "playing": playing, "broken": 1, "frozen": 3, "examples": ["light viewer 3"]},
        "delay_ms": {"video": times, "audio": {**times, "n": 0}},
        "receive": {"packets": 5, "kbps": 1500.0, "lost": 0},
        "server": None,
        "class": {"door": door, "silent": 0, "start": side, "end": side},
    }


def test_everybody_is_to_hear_three_and_to_see_as_many_as_there_are_places() -> None:
    assert silent(told(playing=80), 4, []) == 0
    assert silent(told(playing=75), 4, []) == 5
    assert silent(told(playing=50), 1, []) == 0
    assert silent(told(playing=19, trainers=1), 4, []) == 1
    assert silent(told(playing=50), 4, ["--no-audio"]) == silent(told(playing=30), 4, ["--no-video"]) == 0


def test_players_hear_and_see_one() -> None:
    assert silent(told("whip", playing=20), 4, []) == 0
    assert silent(told("whip", playing=18), 4, []) == 2


def test_the_table_tells_what_matters_and_leaves_out_what_there_is_not() -> None:
    lines = table(told()).splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        *("people", "joins", "streams", "video delay", "received", "signaling", "steps, p99", "broken"),
    ]
    assert "signaling" not in table(told("whip"))
    assert "1 broken, 3 frozen" in lines[2]


def test_a_first_picture_that_never_came_has_no_time() -> None:
    nothing = dict.fromkeys(("p50", "p95", "p99", "max"), None)
    run = told()
    run["join"]["first_frame_ms"] = {"n": 0, **nothing}
    assert "first picture p99 - ms" in table(run)


def test_options_of_the_load_generator_are_passed_on() -> None:
    options, rest = parse(["--trainers", "2", "--seconds", "3", "--simulcast"])
    assert (options.trainers, options.viewers, rest) == (2, 100, ["--seconds", "3", "--simulcast"])


@pytest.mark.parametrize("line", ["--trainers 0", "--viewers -1", "--door whip --churn 3"])
def test_what_cannot_be_a_class_is_refused(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(line.split())
    assert "error:" in capsys.readouterr().err
