"""Statements spoilt, or only changed, in one place: what a validator must tell apart. Each has a name and a change of a good statement."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

from server.records import vocabulary as v

Change = Callable[[dict[str, Any]], None]


def _set(path: str, value: Any) -> Change:
    def change(statement: dict[str, Any]) -> None:
        *parents, leaf = path.split("/")
        inner: Any = statement
        for name in parents:
            inner = inner[int(name)] if isinstance(inner, list) else inner.setdefault(name, {})
        inner[leaf] = value

    return change


def _drop(path: str) -> Change:
    def change(statement: dict[str, Any]) -> None:
        *parents, leaf = path.split("/")
        inner: Any = statement
        for name in parents:
            inner = inner[name]
        del inner[leaf]

    return change


def _both(*changes: Change) -> Change:
    def change(statement: dict[str, Any]) -> None:
        for one in changes:
            one(statement)

    return change


def _definition(**more: Any) -> Change:
    return _set("object/definition", {"type": v.INTERACTION, **more})


_CHOICE = {"id": "a", "description": {"en": "A"}}
_AGENT = {"objectType": "Agent", "mbox": "mailto:a@b.example"}

CHANGES: dict[str, Change] = {
    "nothing": _set("verb/display", {"en": "did"}),
    "actor missing": _drop("actor"),
    "verb missing": _drop("verb"),
    "object missing": _drop("object"),
    "unknown key": _set("colour", "red"),
    "null result": _set("result", None),
    "null in the context": _set("context/language", None),
    "id no uuid": _set("id", "7"),
    "id not variant 2": _set("id", "fd41c918-b88b-4b20-c0a5-a4c32391aaa0"),
    "id in capitals": _set("id", "FD41C918-B88B-4B20-A0A5-A4C32391AAA0"),
    "id of version 7": _set("id", "018f3c1e-5b7a-7c00-8a00-aaaaaaaaaaaa"),
    "two identifiers": _set("actor/mbox", "mailto:a@b.example"),
    "no identifier": _drop("actor/account"),
    "account without home": _set("actor/account", {"name": "x"}),
    "account without name": _set("actor/account", {"homePage": "https://a.example"}),
    "home no iri": _set("actor/account", {"homePage": "a", "name": "x"}),
    "account with more": _set("actor/account", {"homePage": "https://a.example", "name": "x", "more": 1}),
    "account name a number": _set("actor/account", {"homePage": "https://a.example", "name": 7}),
    "mail": _set("actor", {"mbox": "mailto:a@b.example"}),
    "mail without scheme": _set("actor", {"mbox": "a@b.example"}),
    "hash of a mail": _set("actor", {"mbox_sha1sum": "0" * 40}),
    "short hash of a mail": _set("actor", {"mbox_sha1sum": "0" * 39}),
    "openid": _set("actor", {"openid": "https://a.example/me"}),
    "openid no iri": _set("actor", {"openid": "me"}),
    "actor a group without members": _set("actor", {"objectType": "Group"}),
    "actor a group of members": _set("actor", {"objectType": "Group", "member": [_AGENT]}),
    "actor of an unknown type": _set("actor/objectType", "Person"),
    "verb no iri": _set("verb/id", "joined"),
    "verb without id": _set("verb", {"display": {"en": "x"}}),
    "display a text": _set("verb/display", "did"),
    "display in zh-CN": _set("verb/display", {"zh-CN": "做"}),
    "display in zh_CN": _set("verb/display", {"zh_CN": "做"}),
    "display in und": _set("verb/display", {"und": "做"}),
    "display a number": _set("verb/display", {"en": 7}),
    "object no iri": _set("object/id", "class"),
    "object of an unknown type": _set("object/objectType", "Thing"),
    "definition with more": _set("object/definition", {"type": v.CLASSROOM, "more": 1}),
    "type no iri": _set("object/definition", {"type": "class"}),
    "moreInfo no iri": _set("object/definition", {"type": v.CLASSROOM, "moreInfo": "x"}),
    "interaction": _definition(interactionType="choice", choices=[_CHOICE]),
    "interaction of unknown kind": _definition(interactionType="guess"),
    "choices that repeat": _definition(interactionType="choice", choices=[_CHOICE, _CHOICE]),
    "choices without kind": _definition(choices=[_CHOICE]),
    "choices with a scale's kind": _definition(interactionType="likert", choices=[_CHOICE]),
    "choice without id": _definition(interactionType="choice", choices=[{"description": {"en": "A"}}]),
    "correct responses": _definition(interactionType="choice", choices=[_CHOICE], correctResponsesPattern=["a"]),
    "result with more": _set("result", {"more": 1}),
    "success a text": _set("result", {"success": "yes"}),
    "completion": _set("result", {"completion": True}),
    "response a number": _set("result", {"response": 1}),
    "duration": _set("result", {"duration": "PT1H2M3.5S"}),
    "duration of days": _set("result", {"duration": "P1DT2H"}),
    "duration cut short": _set("result", {"duration": "PT2"}),
    "duration empty": _set("result", {"duration": "P"}),
    "duration in words": _set("result", {"duration": "2 minutes"}),
    "score": _set("result", {"score": {"scaled": 0.5, "raw": 5, "min": 0, "max": 10}}),
    "score above one": _set("result", {"score": {"scaled": 1.5}}),
    "score out of range": _set("result", {"score": {"raw": 11, "min": 0, "max": 10}}),
    "score upside down": _set("result", {"score": {"min": 10, "max": 0}}),
    "score a text": _set("result", {"score": {"raw": "5"}}),
    "extension no iri": _set("context/extensions", {"x": 1, v.SESSION_ID: "s"}),
    "extension a null": _set("context/extensions", {"https://a.example/x": None, v.SESSION_ID: "s"}),
    "registration no uuid": _set("context/registration", "7"),
    "platform": _set("context/platform", "web"),
    "platform a number": _set("context/platform", 7),
    "language wrong": _set("context/language", "zh_CN"),
    "language": _set("context/language", "zh-CN"),
    "parent an activity": _set("context/contextActivities/parent", {"id": "https://a.example/p"}),
    "unknown context activity": _set("context/contextActivities/uncle", [{"id": "https://a.example/p"}]),
    "context activity no iri": _set("context/contextActivities/parent", [{"id": "p"}]),
    "context with more": _set("context/more", 1),
    "instructor": _set("context/instructor", _AGENT),
    "team an agent": _set("context/team", {"mbox": "mailto:a@b.example"}),
    "context statement": _set("context/statement", {"objectType": "StatementRef", "id": "fd41c918-b88b-4b20-a0a5-a4c32391aaa0"}),
    "context statement no uuid": _set("context/statement", {"objectType": "StatementRef", "id": "7"}),
    "time without zone": _set("timestamp", "2027-01-15T08:00:00.000"),
    "time of an unknown zone": _set("timestamp", "2027-01-15T08:00:00.000-00:00"),
    "time elsewhere": _set("timestamp", "2027-01-15T16:00:00.000+08:00"),
    "time impossible": _set("timestamp", "2027-13-45T08:00:00.000Z"),
    "time in words": _set("timestamp", "now"),
    "version": _set("version", "1.0.3"),
    "version two": _set("version", "2.0.0"),
    "attachment without length": _set(
        "attachments", [{"usageType": "https://a.example/u", "display": {"en": "x"}, "contentType": "text/plain", "sha2": "0" * 64}]
    ),
    "voids an activity": _set("verb", {"id": v.VOIDED, "display": {"en": "voided"}}),
    "voids a statement": _both(
        _set("verb", {"id": v.VOIDED, "display": {"en": "voided"}}),
        _set("object", {"objectType": "StatementRef", "id": "fd41c918-b88b-4b20-a0a5-a4c32391aaa1"}),
    ),
    "platform about an agent": _both(_set("object", _AGENT), _set("context/platform", "web")),
    "about an agent": _set("object", _AGENT),
    "about a statement": _set("object", {"objectType": "StatementRef", "id": "fd41c918-b88b-4b20-a0a5-a4c32391aaa1"}),
    "a statement within": _set(
        "object", {"objectType": "SubStatement", "actor": _AGENT, "verb": {"id": v.JOINED}, "object": {"id": "https://a.example/p"}}
    ),
    "a statement within that has an id": _set(
        "object",
        {
            "objectType": "SubStatement",
            "id": "fd41c918-b88b-4b20-a0a5-a4c32391aaa1",
            "actor": _AGENT,
            "verb": {"id": v.JOINED},
            "object": {"id": "https://a.example/p"},
        },
    ),
}


def mutants(good: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every change applied to a copy."""
    for name, change in CHANGES.items():
        statement = copy.deepcopy(good)
        change(statement)
        yield name, statement
