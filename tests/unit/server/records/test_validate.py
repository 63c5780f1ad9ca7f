"""The validator: what is wrong is found and named; what is only unusual passes. It never raises, whatever it is given."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.records import vocabulary as v
from server.records.validate import validate_statement, validate_xapi
from tests.support.mutants import CHANGES, mutants
from tests.support.recorded import everything, statements_of

GOOD = json.loads(statements_of(everything().entries)[1].body)
#: the changes that leave a statement valid; tests/integration/records holds the same against a strict store
HARMLESS = {
    "nothing",
    "id in capitals",
    "id of version 7",
    "mail",
    "hash of a mail",
    "openid",
    "actor a group of members",
    "display in zh-CN",
    "display in und",
    "interaction",
    "correct responses",
    "completion",
    "duration",
    "duration of days",
    "score",
    "extension a null",
    "platform",
    "language",
    "parent an activity",
    "instructor",
    "context statement",
    "time elsewhere",
    "version",
    "voids a statement",
    "about an agent",
    "about a statement",
    "a statement within",
}


@pytest.mark.parametrize(("name", "statement"), list(mutants(GOOD)), ids=list(CHANGES))
def test_each_change_is_judged(name: str, statement: dict[str, Any]) -> None:
    assert (validate_xapi(statement) == []) == (name in HARMLESS), validate_xapi(statement)


def test_the_profile_asks_for_more() -> None:
    lacking = {**GOOD, "context": {**GOOD["context"], "contextActivities": {}}}
    assert validate_xapi(lacking) == []
    assert validate_statement(lacking) == [".context.contextActivities.category: the profile is missing"]
    terminated = {**GOOD, "verb": {"id": v.TERMINATED}}
    assert validate_statement(terminated) == [".result.duration: is missing (profile)"]


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "objectType", "account", "x"]), inner, max_size=3),
    max_leaves=10,
)


@given(_json, st.sampled_from(sorted(GOOD)))
def test_nothing_makes_it_raise(value: Any, key: str) -> None:
    assert isinstance(validate_statement(value), list)
    assert isinstance(validate_statement({**GOOD, key: value}), list)
    assert isinstance(validate_statement({**GOOD, "object": {"objectType": "SubStatement", key: value}}), list)
