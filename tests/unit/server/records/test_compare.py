"""Equal to xAPI is not equal byte by byte: what a store may change is ignored, what it may not is seen."""

import copy
import json
from typing import Any

import pytest

from server.records.compare import same_statement
from tests.support.recorded import everything, statements_of

OURS = json.loads(statements_of(everything().entries)[10].body)


def changed(path: str, value: Any) -> dict[str, Any]:
    statement: dict[str, Any] = copy.deepcopy(OURS)
    *parents, leaf = path.split("/")
    inner = statement
    for name in parents:
        inner = inner.setdefault(name, {})
    inner[leaf] = value
    return statement


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("stored", "2027-01-15T09:00:00.000Z"),
        ("authority", {"mbox": "mailto:a@b.example"}),
        ("version", "1.0.0"),
        ("verb/display", {"en": "otherwise"}),
        ("object/definition", {"type": "https://a.example/t"}),
        ("actor/name", "Ann"),
        ("context/contextActivities/category", OURS["context"]["contextActivities"]["category"][0]),
    ],
)
def test_what_a_store_may_change(path: str, value: Any) -> None:
    assert same_statement(OURS, changed(path, value))


def test_the_same_moment_in_another_zone() -> None:
    moment = OURS["timestamp"]
    hour = int(moment[11:13])
    there = f"{moment[:11]}{hour + 8:02d}{moment[13:-1]}+08:00"
    assert same_statement(OURS, changed("timestamp", there))
    assert not same_statement(OURS, changed("timestamp", moment.replace("Z", "+08:00")))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("actor/account", {"homePage": "https://lms.example", "name": "sub-eve"}),
        ("verb/id", "http://activitystrea.ms/join"),
        ("object/id", "https://a.example/other"),
        ("result", {"success": True}),
        ("context/registration", "fd41c918-b88b-4b20-a0a5-a4c32391aaa0"),
    ],
)
def test_what_it_may_not(path: str, value: Any) -> None:
    assert not same_statement(OURS, changed(path, value))


@pytest.mark.parametrize("theirs", [None, [], "x", 7, {}, {"actor": None, "context": []}])
def test_nonsense_is_never_the_same(theirs: Any) -> None:
    assert not same_statement(OURS, theirs)
