from typing import Any

from server.pulse import ROWS, Pulse

COUNTED = (
    "joins join_seconds join_count commands journal_seconds journal_count packets_in packets_out bytes_in bytes_out"
    " nacks key_frame_requests queue_drops"
)
ZERO: dict[str, float] = dict.fromkeys(("classes", "people", "connections", "media_peers", *COUNTED.split()), 0.0)


def pulse(*figures: dict[str, float]) -> Pulse:
    left = [ZERO | one for one in figures]
    return Pulse(lambda: left.pop(0))


def row(figures: dict[str, float], span: float = 2.0) -> Any:
    made = pulse(figures)
    made._before, made._before_at = ZERO, 10.0
    made.take(1_000, 10.0 + span)
    return made.rows[-1]


def test_counters_become_rates_and_gauges_stay() -> None:
    found = row({"joins": 10, "bytes_out": 250_000, "people": 7, "packets_in": 100})
    assert (found.at, found.joins, found.kbit_out, found.people, found.packets_in) == (1_000, 5.0, 1000.0, 7, 50.0)


def test_the_journals_latency_is_the_mean_of_its_appends() -> None:
    assert row({"journal_seconds": 0.5, "journal_count": 100}).journal_ms == 5.0
    assert row({}).journal_ms == 0.0


def test_a_counter_that_starts_anew_is_no_negative_rate() -> None:
    made = pulse({"joins": 3})
    made._before, made._before_at = ZERO | {"joins": 50.0}, 0.0
    made.take(1, 1.0)
    assert made.rows[-1].joins == 0.0


def test_the_worst_lateness_of_each_second_is_kept() -> None:
    made = pulse({}, {})
    made.late(0.02)
    made.late(0.005)
    made.take(1, 1.0)
    made.take(2, 2.0)
    assert [one.loop_late_ms for one in made.rows] == [20.0, 0.0]


def test_five_minutes_are_kept() -> None:
    made = Pulse(lambda: ZERO)
    for second in range(ROWS + 50):
        made.take(second, float(second))
    assert len(made.rows) == ROWS
    assert made.rows[-1].at == ROWS + 49
