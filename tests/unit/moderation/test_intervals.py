"""Sets of moments against the plainest possible model: the set of every covered moment."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from moderation.intervals import Span, intersect, length, subtract, union

moments = st.integers(-5, 40)
spans = st.lists(st.tuples(moments, moments), max_size=12)


def covered(given_spans: list[Span]) -> set[int]:
    return {moment for start, end in given_spans for moment in range(start, end)}


@given(spans)
def test_a_union_covers_the_same_in_the_fewest_spans(some: list[Span]) -> None:
    merged = union(some)
    assert covered(merged) == covered(some)
    assert all(start < end for start, end in merged)
    assert all(before[1] < after[0] for before, after in pairwise(merged))
    assert length(some) == len(covered(some))


@given(spans, spans)
def test_intersection_and_difference_are_those_of_sets(left: list[Span], right: list[Span]) -> None:
    assert covered(intersect(left, right)) == covered(left) & covered(right)
    assert covered(subtract(left, right)) == covered(left) - covered(right)
    assert intersect(left, right) == union(intersect(left, right))
    assert subtract(left, right) == union(subtract(left, right))
