"""Token buckets."""

from hypothesis import given
from hypothesis import strategies as st

from signaling.limits import Bucket


def test_burst_then_rate() -> None:
    bucket = Bucket(rate=2, burst=3)
    assert [bucket.take(10.0) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(10.4)
    assert bucket.take(10.5)
    assert not bucket.take(10.5)
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]


@given(st.lists(st.floats(0, 5), max_size=100))
def test_never_more_than_burst_and_rate_allow(pauses: list[float]) -> None:
    bucket, now, taken = Bucket(rate=4, burst=6), 1_000.0, 0
    for pause in pauses:
        now += pause
        taken += bucket.take(now)
    assert taken <= 6 + 4 * (now - 1_000.0) + 1e-6
