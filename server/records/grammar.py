"""The small grammars xAPI 1.0.3 leans on: IRIs, UUIDs, languages, times, durations, mail and hash forms. Pure; each answers yes or no."""

import re
from datetime import datetime
from typing import Any, Final

_IRI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`\x00-\x20]+")
#: RFC 4122: variant 2, any version
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-9a-f][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)
#: RFC 5646 section 2.1, without the grandfathered tags
_LANGUAGE: Final = re.compile(
    r"(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4}|[a-z]{5,8})(?:-[a-z]{4})?(?:-(?:[a-z]{2}|\d{3}))?(?:-(?:[a-z0-9]{5,8}|\d[a-z0-9]{3}))*"
    r"(?:-[a-wy-z0-9](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?|x(?:-[a-z0-9]{1,8})+",
    re.IGNORECASE,
)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)")
_DURATION: Final = re.compile(r"P(?=.)(?:\d+W|(?:\d+Y)?(?:\d+M)?(?:\d+D)?(?:T(?=.)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?)")
_SHA1: Final = re.compile(r"[0-9a-f]{40}", re.IGNORECASE)
_MAILTO: Final = re.compile(r"mailto:[^\s@:]+@[^\s@]+\.[^\s@]+")
_VERSION: Final = re.compile(r"1\.0(?:\.\d+)?")


def is_iri(value: Any) -> bool:
    """RFC 3987, absolute."""
    return isinstance(value, str) and _IRI.fullmatch(value) is not None


def is_uuid(value: Any) -> bool:
    """RFC 4122, variant 2."""
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


def is_language(value: Any) -> bool:
    """RFC 5646."""
    return isinstance(value, str) and _LANGUAGE.fullmatch(value) is not None


def is_timestamp(value: Any) -> bool:
    """RFC 3339 with a zone that is known (`-00:00` means it is not)."""
    if not isinstance(value, str) or _TIME.fullmatch(value) is None or value.endswith(("-00:00", "-0000")):
        return False
    try:
        datetime.fromisoformat(value[:19] + (value[-6:] if value[-1] != "Z" else "+00:00"))
    except ValueError:
        return False
    return True


def is_duration(value: Any) -> bool:
    """ISO 8601."""
    return isinstance(value, str) and _DURATION.fullmatch(value) is not None


def is_sha1(value: Any) -> bool:
    """40 hexadecimal digits."""
    return isinstance(value, str) and _SHA1.fullmatch(value) is not None


def is_mailto(value: Any) -> bool:
    """A mailto IRI of one address."""
    return isinstance(value, str) and _MAILTO.fullmatch(value) is not None


def is_version(value: Any) -> bool:
    """1.0.x."""
    return isinstance(value, str) and _VERSION.fullmatch(value) is not None


def is_number(value: Any) -> bool:
    """A JSON number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_text(value: Any) -> bool:
    """A JSON string."""
    return isinstance(value, str)


def is_truth(value: Any) -> bool:
    """A JSON boolean."""
    return isinstance(value, bool)
