"""Grades of connections."""

import pytest

from media.quality import Report, all_paused, score


@pytest.mark.parametrize(
    ("rtt", "loss_in", "loss_out", "grade"),
    [(0, 0, 0, 4), (150, 20, 0, 4), (151, 0, 0, 3), (0, 0, 21, 3), (300, 50, 50, 3), (500, 100, 0, 2), (501, 0, 0, 1), (0, 101, 0, 1)],
)
def test_the_worse_of_delay_and_loss_decides(rtt: int, loss_in: int, loss_out: int, grade: int) -> None:
    assert score({"publish": Report(rtt_ms=rtt, loss_in=loss_in, loss_out=loss_out)})[0] == grade


def test_the_worst_way_counts() -> None:
    good, bad = Report(rtt_ms=20, loss_in=0, loss_out=0), Report(rtt_ms=400, loss_in=0, loss_out=60)
    assert score({"publish": good, "subscribe": bad}) == (2, 400, 60)


def test_nothing_measured_is_no_complaint() -> None:
    assert score({}) == (4, 0, 0)


def test_a_connection_no_picture_fits_through_is_bad_however_little_is_lost() -> None:
    assert score({"subscribe": Report(rtt_ms=20, loss_in=0, loss_out=0)}, starved=True) == (1, 20, 0)


@pytest.mark.parametrize(("layers", "starved"), [([], False), ([-1, -1], True), ([-1, 0], False), ([-1, None], False), ([None], False)])
def test_only_all_pictures_paused_are_a_complaint(layers: list[int | None], starved: bool) -> None:
    assert all_paused(layers) is starved
