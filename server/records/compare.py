"""Are two statements the same to xAPI? Pure. Used when a store answers 409 for an id, and by the reconciliation.

A store assigns id, authority, stored, timestamp and version, and may take definitions and displays from elsewhere; of a list with one
activity it may make the activity itself; a time may come back in another zone (xAPI-Data.md, part 2.3.1).
"""

from datetime import datetime
from typing import Any, Final

_ASSIGNED: Final = frozenset({"id", "authority", "stored", "version", "attachments"})


def same_statement(ours: Any, theirs: Any) -> bool:
    """Whether the store's copy says what ours says."""
    return bool(_plain(ours) == _plain(theirs))


def _plain(statement: Any) -> Any:
    if not isinstance(statement, dict):
        return statement
    kept = {name: value for name, value in statement.items() if name not in _ASSIGNED}
    kept["timestamp"] = _instant(kept.get("timestamp"))
    if isinstance(kept.get("verb"), dict):
        kept["verb"] = kept["verb"].get("id")
    kept["object"] = _bare(kept.get("object"))
    kept["actor"] = _bare(kept.get("actor"), "Agent")
    context = kept.get("context")
    if isinstance(context, dict) and isinstance(context.get("contextActivities"), dict):
        activities = {name: [_bare(one) for one in _as_list(found)] for name, found in context["contextActivities"].items()}
        kept["context"] = {**context, "contextActivities": activities}
    return kept


def _bare(value: Any, kind: str = "Activity") -> Any:
    if not isinstance(value, dict):
        return value
    bare = {name: item for name, item in value.items() if name not in ("definition", "name")}
    bare.setdefault("objectType", kind)
    return bare


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _instant(value: Any) -> Any:
    try:
        return datetime.fromisoformat(str(value)).timestamp()
    except ValueError:
        return value
