"""Does a statement keep the video profile, as we tell of watched recordings? Pure.

The rules are the statement templates of adlnet/xapi-authored-profiles video v1.0.3 for the three verbs told, and our own: the classroom is
in `grouping`, never the object nor its parent, so that nobody takes watching a recording for having been in class.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from server.records import vocabulary as v
from server.records.grammar import is_number

#: one spelling of "from[.]to", seconds with at most three decimals, joined by "[,]"
_SEGMENT: Final = r"\d+(?:\.\d{1,3})?\[\.\]\d+(?:\.\d{1,3})?"
_SEGMENTS: Final = re.compile(rf"{_SEGMENT}(?:\[,\]{_SEGMENT})*")
#: the profile asks for a random UUID
_SESSION: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_SUM: Final = (v.VIDEO_TIME, v.VIDEO_PROGRESS, v.VIDEO_SEGMENTS)
#: verb -> result fields and result extensions that must be there
_RESULTS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    v.INITIALIZED: ((), ()),
    v.COMPLETED: (("duration", "completion"), _SUM),
    v.TERMINATED: (("duration",), _SUM),
}


def claims(statement: Mapping[str, Any]) -> bool:
    """Whether a valid xAPI statement says that it follows this profile."""
    return any(one.get("id") == v.VIDEO_PROFILE for one in _activities(statement, "category"))


def flaws(statement: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong, each as `path: why`."""
    needed = _RESULTS.get(statement["verb"]["id"])
    if needed is None:
        yield f".verb.id: {statement['verb']['id']} is told of no recording"
        return
    if statement["object"].get("definition", {}).get("type") != v.VIDEO:
        yield ".object.definition.type: must be a video"
    context, result = statement.get("context", {}), statement.get("result", {})
    yield from (f".{name}: is missing (profile)" for name in ("id", "timestamp") if name not in statement)
    if "registration" not in context:
        yield ".context.registration: is missing (profile)"
    if not any(one.get("definition", {}).get("type") == v.CLASSROOM for one in _activities(statement, "grouping")):
        yield ".context.contextActivities.grouping: the classroom is missing"
    if any(one.get("definition", {}).get("type") == v.CLASSROOM for one in _activities(statement, "parent")):
        yield ".context.contextActivities.parent: watching is no part of the classroom"
    yield from _context_extensions(context.get("extensions", {}))
    fields, extensions = needed
    yield from (f".result.{name}: is missing (profile)" for name in fields if name not in result)
    yield from _result_extensions(result.get("extensions", {}), extensions)


def _context_extensions(found: Mapping[str, Any]) -> Iterator[str]:
    at = ".context.extensions"
    if not (is_number(found.get(v.VIDEO_LENGTH)) and found[v.VIDEO_LENGTH] >= 0):
        yield f"{at}|{v.VIDEO_LENGTH}: must be seconds"
    if not (is_number(found.get(v.VIDEO_THRESHOLD)) and 0 <= found[v.VIDEO_THRESHOLD] <= 1):
        yield f"{at}|{v.VIDEO_THRESHOLD}: from 0 to 1"
    if not (isinstance(found.get(v.VIDEO_SESSION), str) and _SESSION.fullmatch(found[v.VIDEO_SESSION])):
        yield f"{at}|{v.VIDEO_SESSION}: must be a random UUID"


def _result_extensions(found: Mapping[str, Any], needed: tuple[str, ...]) -> Iterator[str]:
    at = ".result.extensions"
    yield from (f"{at}|{name}: is missing (profile)" for name in needed if name not in found)
    if v.VIDEO_TIME in found and not (is_number(found[v.VIDEO_TIME]) and found[v.VIDEO_TIME] >= 0):
        yield f"{at}|{v.VIDEO_TIME}: must be seconds"
    if v.VIDEO_PROGRESS in found and not (is_number(found[v.VIDEO_PROGRESS]) and 0 <= found[v.VIDEO_PROGRESS] <= 1):
        yield f"{at}|{v.VIDEO_PROGRESS}: from 0 to 1"
    segments = found.get(v.VIDEO_SEGMENTS, "0[.]0")
    if not (isinstance(segments, str) and _SEGMENTS.fullmatch(segments)):
        yield f"{at}|{v.VIDEO_SEGMENTS}: must be from[.]to joined by [,]"


def _activities(statement: Mapping[str, Any], kind: str) -> list[Any]:
    found = statement.get("context", {}).get("contextActivities", {}).get(kind, [])
    return found if isinstance(found, list) else [found]
