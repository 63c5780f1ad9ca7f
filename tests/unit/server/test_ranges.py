"""Which part of a file a request asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.ranges import Part, part

TAG = "abc-1"


def asked(range: str | None, size: int = 100, **headers: str) -> Part:
    return part({**({"Range": range} if range is not None else {}), **headers}, size, TAG)


@pytest.mark.parametrize(
    ("range", "found"),
    [
        (None, Part(200, 0, 100)),
        ("bytes=0-", Part(206, 0, 100)),
        ("bytes=0-0", Part(206, 0, 1)),
        ("bytes=10-19", Part(206, 10, 20)),
        ("Bytes=10-19", Part(206, 10, 20)),
        ("bytes=90-1000", Part(206, 90, 100)),
        ("bytes=0-" + "9" * 300, Part(206, 0, 100)),
        ("bytes=-10", Part(206, 90, 100)),
        ("bytes=-1000", Part(206, 0, 100)),
        ("bytes=-0", Part(416)),
        ("bytes=100-", Part(416)),
        ("bytes=9-3", Part(416)),
        ("bytes=-", Part(416)),
        ("bytes=--5", Part(416)),
        ("bytes=0-1,2-3", Part(416)),
        ("bytes=" + ",".join(["0-"] * 1_000), Part(416)),
        ("bytes=\u0661-\u0662", Part(416)),
        ("bytes=0-" + "9" * 5_000, Part(416)),
        ("9" * 5_000, Part(416)),
        ("lines=0-5", Part(416)),
        ("", Part(416)),
    ],
)
def test_ranges(range: str | None, found: Part) -> None:
    assert asked(range) == found


def test_headers_of_the_answer() -> None:
    assert asked("bytes=5-9").content_range(100) == "bytes 5-9/100"
    assert asked("bytes=100-").content_range(100) == "bytes */100"
    assert asked(None).content_range(100) is None


def test_an_empty_file_has_no_ranges() -> None:
    assert asked(None, 0) == Part(200, 0, 0)
    for range in ("bytes=0-", "bytes=-5"):
        assert asked(range, 0) == Part(416)


def test_what_is_known_is_not_sent_again() -> None:
    for condition in (f'"{TAG}"', f'W/"{TAG}"', f'"other", "{TAG}"', "*"):
        assert asked("bytes=0-1", **{"If-None-Match": condition}) == Part(304)
    assert asked("bytes=0-1", **{"If-None-Match": '"other"'}) == Part(206, 0, 2)


def test_a_range_of_another_version_is_the_whole_file() -> None:
    assert asked("bytes=0-1", **{"If-Range": f'"{TAG}"'}) == Part(206, 0, 2)
    assert asked("bytes=0-1", **{"If-Range": '"other"'}) == Part(200, 0, 100)
    assert asked("bytes=0-1", **{"If-Range": f'W/"{TAG}"'}) == Part(200, 0, 100), "weak tags do not do for ranges"
    assert asked("bytes=0-1", **{"If-Range": "Thu, 26 Nov 2026 10:00:00 GMT"}) == Part(206, 0, 2)


@given(st.text(st.characters(codec="ascii"), max_size=40).map("bytes={}".format) | st.text(max_size=60), st.integers(0, 10**13))
def test_no_header_leads_out_of_the_file(range: str, size: int) -> None:
    found = asked(range, size)
    assert found.status in (206, 416)
    assert 0 <= found.start <= found.stop <= size
    assert (found.status == 206) == (found.start < found.stop)
