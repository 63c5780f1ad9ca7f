"""Is this a valid xAPI 1.0.3 statement, and does it keep its profile (virtual classroom, or video)? Pure; nothing is fetched.

Run before a statement enters the outbox: one that fails is kept as a dead letter with what is wrong, never dropped and never sent, so
that it cannot take its neighbours' batch down. The rules are those of xAPI-Data.md (parts named at each check) as a strict store
applies them; tests hold them against one.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from server.records import grammar as is_
from server.records import video_profile
from server.records import vocabulary as v

Check = Callable[[Any, str], Iterator[str]]


def validate_statement(statement: Any) -> list[str]:
    """What is wrong, each as `path: why`; empty for a good statement of its profile."""
    found = list(_statement(statement, ""))
    return found or list(video_profile.flaws(statement) if video_profile.claims(statement) else _profile(statement))


def validate_xapi(statement: Any) -> list[str]:
    """As `validate_statement`, for xAPI alone."""
    return list(_statement(statement, ""))


def _must(good: Callable[[Any], bool], what: str) -> Check:
    def check(value: Any, path: str) -> Iterator[str]:
        if not good(value):
            yield f"{path}: must be {what}"

    return check


def _object(required: frozenset[str], fields: Mapping[str, Check]) -> Check:
    def check(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{path}: must be an object"
            return
        yield from (f"{path}.{name}: is missing" for name in sorted(required - value.keys()))
        for name, item in value.items():
            known = fields.get(name)
            if known is None:
                yield f"{path}.{name}: is unknown"
            else:
                yield from known(item, f"{path}.{name}")

    return check


def _list(item: Check) -> Check:
    def check(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{path}: must be a list"
            return
        for index, one in enumerate(value):
            yield from item(one, f"{path}[{index}]")

    return check


_text: Final = _must(is_.is_text, "a text")
_truth: Final = _must(is_.is_truth, "true or false")
_number: Final = _must(is_.is_number, "a number")
_iri: Final = _must(is_.is_iri, "an IRI")
_uuid: Final = _must(is_.is_uuid, "a UUID")
_time: Final = _must(is_.is_timestamp, "a time with a zone")


def _texts(value: Any, path: str) -> Iterator[str]:
    """Part 4.2: a language map."""
    if not isinstance(value, dict):
        yield f"{path}: must be a language map"
        return
    for tag, item in value.items():
        if not is_.is_language(tag):
            yield f"{path}: {tag} is no language"
        yield from _text(item, f"{path}.{tag}")


def _extensions(value: Any, path: str) -> Iterator[str]:
    """Part 4.1: keys are IRIs, values anything."""
    if not isinstance(value, dict):
        yield f"{path}: must be an object"
        return
    yield from (f"{path}: {key} is no IRI" for key in value if not is_.is_iri(key))


# ---- actors (part 2.4.2) ----

_IDENTIFIERS: Final = frozenset({"mbox", "mbox_sha1sum", "openid", "account"})
_account: Final = _object(frozenset({"homePage", "name"}), {"homePage": _iri, "name": _text})
_AGENT: Final[Mapping[str, Check]] = {
    "objectType": _text,
    "name": _text,
    "mbox": _must(is_.is_mailto, "a mailto IRI"),
    "mbox_sha1sum": _must(is_.is_sha1, "40 hexadecimal digits"),
    "openid": _iri,
    "account": _account,
}


def _agent(value: Any, path: str) -> Iterator[str]:
    yield from _object(frozenset(), _AGENT)(value, path)
    if isinstance(value, dict):
        if value.get("objectType", "Agent") != "Agent":
            yield f"{path}.objectType: must be Agent"
        if len(_IDENTIFIERS & value.keys()) != 1:
            yield f"{path}: exactly one identifier"


def _group(value: Any, path: str) -> Iterator[str]:
    yield from _object(frozenset(), {**_AGENT, "member": _list(_agent)})(value, path)
    if value.get("objectType") != "Group":
        yield f"{path}.objectType: must be Group"
    identifiers = len(_IDENTIFIERS & value.keys())
    if identifiers > 1 or (identifiers == 0 and not value.get("member")):
        yield f"{path}: one identifier, or members"


def _actor(value: Any, path: str) -> Iterator[str]:
    group = isinstance(value, dict) and value.get("objectType") == "Group"
    return (_group if group else _agent)(value, path)


# ---- objects (part 2.4.4) ----

_KINDS: Final = frozenset(
    {
        "true-false",
        "choice",
        "fill-in",
        "long-fill-in",
        "matching",
        "performance",
        "sequencing",
        "likert",
        "numeric",
        "other",
    }
)
#: component list -> kinds of interaction that may have it
_COMPONENTS: Final = {
    "choices": frozenset({"choice", "sequencing"}),
    "scale": frozenset({"likert"}),
    "source": frozenset({"matching"}),
    "target": frozenset({"matching"}),
    "steps": frozenset({"performance"}),
}
_component: Final = _object(frozenset({"id"}), {"id": _text, "description": _texts})
_definition_fields: Final = _object(
    frozenset(),
    {
        "name": _texts,
        "description": _texts,
        "type": _iri,
        "moreInfo": _iri,
        "extensions": _extensions,
        "interactionType": _must(lambda value: value in _KINDS if isinstance(value, str) else False, "a kind of interaction"),
        "correctResponsesPattern": _list(_text),
        **dict.fromkeys(_COMPONENTS, _list(_component)),
    },
)


def _definition(value: Any, path: str) -> Iterator[str]:
    yield from _definition_fields(value, path)
    if not isinstance(value, dict):
        return
    kind = value.get("interactionType")
    lists = value.keys() & _COMPONENTS.keys()
    if kind is None and lists | (value.keys() & {"correctResponsesPattern"}):
        yield f"{path}.interactionType: is missing"
    for name in lists:
        if isinstance(kind, str) and kind not in _COMPONENTS[name]:
            yield f"{path}.{name}: not with {kind}"
        items = value[name] if isinstance(value[name], list) else []
        ids = [item.get("id") for item in items if isinstance(item, dict)]
        if len(set(map(str, ids))) != len(ids):
            yield f"{path}.{name}: ids must differ"


_activity: Final = _object(
    frozenset({"id"}), {"objectType": _must(lambda value: value == "Activity", "Activity"), "id": _iri, "definition": _definition}
)
_reference: Final = _object(
    frozenset({"objectType", "id"}), {"objectType": _must(lambda value: value == "StatementRef", "StatementRef"), "id": _uuid}
)


def _target(value: Any, path: str) -> Iterator[str]:
    kind = value.get("objectType", "Activity") if isinstance(value, dict) else "Activity"
    if kind in ("Agent", "Group"):
        yield from _actor(value, path)
    elif kind == "StatementRef":
        yield from _reference(value, path)
    elif kind == "SubStatement":
        yield from _substatement(value, path)
    else:
        yield from _activity(value, path)


# ---- result and context (parts 2.4.5 and 2.4.6) ----


def _score(value: Any, path: str) -> Iterator[str]:
    yield from _object(frozenset(), dict.fromkeys(("scaled", "raw", "min", "max"), _number))(value, path)
    if not isinstance(value, dict) or not all(map(is_.is_number, value.values())):
        return
    if not -1 <= value.get("scaled", 0) <= 1:
        yield f"{path}.scaled: from -1 to 1"
    low, high, raw = value.get("min"), value.get("max"), value.get("raw")
    if low is not None and high is not None and low >= high:
        yield f"{path}: min must be below max"
    if raw is not None and ((low is not None and raw < low) or (high is not None and raw > high)):
        yield f"{path}.raw: out of range"


_result: Final = _object(
    frozenset(),
    {
        "score": _score,
        "success": _truth,
        "completion": _truth,
        "response": _text,
        "duration": _must(is_.is_duration, "a duration"),
        "extensions": _extensions,
    },
)


def _activities(value: Any, path: str) -> Iterator[str]:
    return (_list(_activity) if isinstance(value, list) else _activity)(value, path)


_context: Final = _object(
    frozenset(),
    {
        "registration": _uuid,
        "instructor": _actor,
        "team": lambda value, path: (_group if isinstance(value, dict) else _actor)(value, path),
        "contextActivities": _object(frozenset(), dict.fromkeys(("parent", "grouping", "category", "other"), _activities)),
        "revision": _text,
        "platform": _text,
        "language": _must(is_.is_language, "a language"),
        "statement": _reference,
        "extensions": _extensions,
    },
)
_attachment: Final = _object(
    frozenset({"usageType", "display", "contentType", "length", "sha2"}),
    {"usageType": _iri, "display": _texts, "description": _texts, "contentType": _text, "length": _number, "sha2": _text, "fileUrl": _iri},
)
_verb: Final = _object(frozenset({"id"}), {"id": _iri, "display": _texts})
_COMMON: Final[Mapping[str, Check]] = {
    "actor": _actor,
    "verb": _verb,
    "object": _target,
    "result": _result,
    "context": _context,
    "timestamp": _time,
    "attachments": _list(_attachment),
}
_NEEDED: Final = frozenset({"actor", "verb", "object"})
_whole: Final = _object(_NEEDED, {**_COMMON, "id": _uuid, "stored": _time, "authority": _actor, "version": _must(is_.is_version, "1.0.x")})
_inner: Final = _object(_NEEDED | {"objectType"}, {**_COMMON, "objectType": _text})


def _substatement(value: Any, path: str) -> Iterator[str]:
    yield from _inner(value, path)
    if isinstance(value.get("object"), dict) and value["object"].get("objectType") == "SubStatement":
        yield f"{path}.object: no statement within a statement within a statement"
    yield from _agreement(value, path)


def _statement(value: Any, path: str) -> Iterator[str]:
    yield from _nulls(value, path)
    yield from _whole(value, path)
    yield from _agreement(value, path)


def _agreement(value: Any, path: str) -> Iterator[str]:
    """Rules between the parts (2.3.2, 2.4.6)."""
    if not isinstance(value, dict) or not isinstance(value.get("object"), dict) or not isinstance(value.get("verb"), dict):
        return
    kind, context = value["object"].get("objectType", "Activity"), value.get("context")
    if value["verb"].get("id") == v.VOIDED and kind != "StatementRef":
        yield f"{path}.object: a voiding statement names a statement"
    if kind != "Activity" and isinstance(context, dict):
        yield from (f"{path}.context.{name}: only with an activity" for name in ("revision", "platform") if name in context)


def _nulls(value: Any, path: str) -> Iterator[str]:
    """No null but in extensions (2.2)."""
    if value is None:
        yield f"{path}: must not be null"
    elif isinstance(value, dict):
        for name, item in value.items():
            if name != "extensions":
                yield from _nulls(item, f"{path}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _nulls(item, f"{path}[{index}]")


# ---- the profile: determining properties -> what must be there ----

_VERB_TYPES: Final[Mapping[str, frozenset[str]]] = {
    v.INITIALIZED: frozenset({v.CLASSROOM}),
    v.TERMINATED: frozenset({v.CLASSROOM}),
    v.JOINED: frozenset({v.CLASSROOM}),
    v.LEFT: frozenset({v.CLASSROOM}),
    v.ASKED: frozenset({v.INTERACTION}),
    v.ANSWERED: frozenset({v.INTERACTION}),
    v.POSTED: frozenset({v.MESSAGE}),
    v.REACTED: frozenset({v.CLASSROOM}),
    v.UNREACTED: frozenset({v.CLASSROOM}),
    v.STARTED: frozenset({v.MICRO, v.CAMERA, v.VIDEO}),
    v.STOPPED: frozenset({v.MICRO, v.CAMERA, v.VIDEO}),
    v.SHARED: frozenset({v.SCREEN}),
    v.UNSHARED: frozenset({v.SCREEN}),
    v.CHECKED_IN: frozenset({v.CLASSROOM}),
    v.ATTENDED: frozenset({v.CLASSROOM}),
}
_EVERY: Final = ("id", "timestamp", "context.registration", f"context.extensions|{v.SESSION_ID}")
_MORE: Final[Mapping[str, tuple[str, ...]]] = {
    v.TERMINATED: ("result.duration",),
    v.ANSWERED: ("result",),
    v.REACTED: (f"result.extensions|{v.EMOJI}",),
    v.UNREACTED: (f"result.extensions|{v.EMOJI}",),
    v.ATTENDED: ("result.duration", "result.completion", "result.score.scaled"),
}


def _profile(statement: Mapping[str, Any]) -> Iterator[str]:
    verb = statement["verb"]["id"]
    types = _VERB_TYPES.get(verb)
    found = statement["object"].get("definition", {}).get("type")
    if types is not None and found not in types:
        yield f".object.definition.type: {found} does not go with {v.DISPLAY[verb]}"
    for path in (*_EVERY, *_MORE.get(verb, ())):
        if not _has(statement, path):
            yield f".{path}: is missing (profile)"
    activities = statement.get("context", {}).get("contextActivities", {})
    if not any(one.get("id") == v.PROFILE for one in _as_list(activities.get("category"))):
        yield ".context.contextActivities.category: the profile is missing"
    if found in (v.INTERACTION, v.MESSAGE, v.MICRO, v.CAMERA, v.SCREEN, v.VIDEO) and not any(
        one.get("definition", {}).get("type") == v.CLASSROOM for one in _as_list(activities.get("parent"))
    ):
        yield ".context.contextActivities.parent: the classroom is missing"


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _has(value: Any, path: str) -> bool:
    dotted, _, key = path.partition("|")
    for name in [*dotted.split("."), *([key] if key else [])]:
        if not isinstance(value, dict) or name not in value:
            return False
        value = value[name]
    return True
