"""Histograms."""

from signaling.metrics import BUCKETS, Counters, Histogram


def test_values_fall_into_their_bucket() -> None:
    histogram = Histogram()
    for value in (0.0, BUCKETS[0], BUCKETS[0] + 1e-9, 0.05, 11.0):
        histogram.add(value)
    assert histogram.counts[0] == 2
    assert histogram.counts[1] == 1
    assert histogram.counts[BUCKETS.index(0.05)] == 1
    assert histogram.counts[-1] == 1
    assert (histogram.count, histogram.max) == (5, 11.0)
    assert abs(histogram.total - (11.05 + 2 * BUCKETS[0])) < 1e-6


def test_timing_a_block_counts_it_even_if_it_fails() -> None:
    histogram = Histogram()
    try:
        with histogram.time():
            raise RuntimeError
    except RuntimeError:
        pass
    assert histogram.count == 1


def test_counters_are_plain_numbers_and_histograms() -> None:
    assert {type(value) for value in vars(Counters()).values()} == {int, float, Histogram}
