from server.limits import Buckets


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    buckets = Buckets(rate=2, burst=3)
    assert [buckets.take("a", 0.0) for _ in range(4)] == [True, True, True, False]
    assert buckets.take("b", 0.0)
    assert not buckets.take("a", 0.4)
    assert buckets.take("a", 0.5)
    assert [buckets.take("a", 100.0) for _ in range(4)] == [True, True, True, False]
    assert buckets.refused == 3


def test_the_number_of_keys_is_bounded() -> None:
    buckets = Buckets(rate=1, burst=1, keys=10)
    for number in range(1000):
        buckets.take(str(number), 0.0)
    assert len(buckets) == 10
