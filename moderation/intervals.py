"""Sets of moments as sorted lists of disjoint half-open spans (start, end), in any unit. Pure."""

from collections.abc import Iterable
from typing import TypeAlias

Span: TypeAlias = tuple[int, int]


def union(spans: Iterable[Span]) -> list[Span]:
    """Everything covered by at least one; empty and backward spans cover nothing, touching ones become one."""
    merged: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def intersect(left: Iterable[Span], right: Iterable[Span]) -> list[Span]:
    """Everything covered by both."""
    a, b = union(left), union(right)
    common: list[Span] = []
    i = j = 0
    while i < len(a) and j < len(b):
        start, end = max(a[i][0], b[j][0]), min(a[i][1], b[j][1])
        if start < end:
            common.append((start, end))
        if a[i][1] <= b[j][1]:
            i += 1
        else:
            j += 1
    return common


def subtract(left: Iterable[Span], right: Iterable[Span]) -> list[Span]:
    """Everything covered by the first alone."""
    rest: list[Span] = []
    holes = union(right)
    for begin, end in union(left):
        start = begin
        for hole_start, hole_end in holes:
            if hole_end <= start:
                continue
            if hole_start >= end:
                break
            if start < hole_start:
                rest.append((start, hole_start))
            start = max(start, hole_end)
        if start < end:
            rest.append((start, end))
    return rest


def length(spans: Iterable[Span]) -> int:
    """How much is covered."""
    return sum(end - start for start, end in union(spans))
