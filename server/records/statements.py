"""Parts and whole of an xAPI 1.0.3 statement, and its one spelling in bytes. Pure.

Everything derives from the site's root, the class and the log, so the same event always gives the same bytes: a store that has them
already answers a resend as known. Ids are UUIDv5 under the namespace of the site. Times are UTC with milliseconds. Keys are sorted, no
value is null, a whole number is written without a point (the subset of RFC 8785 that occurs).
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import quote

import msgspec

from server.records import vocabulary as v
from server.records.grammar import is_iri
from signaling.classroom.ids import Millis, ParticipantId, SessionId

Json: TypeAlias = dict[str, Any]
#: how statements are spelt; part of their ids
DIALECT: Final = "virtual-classroom-2023-09"
#: language of texts written by people, whatever it is (RFC 5646 section 4.1)
_UNDETERMINED: Final = "und"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=8192)
def _uuid(namespace: uuid.UUID, name: str) -> str:
    """Kept, since the same few things of a class are named again and again."""
    return str(uuid.uuid5(namespace, name))


class Identity(NamedTuple):
    """Who a person is outside: the issuer of the token and the subject it named."""

    issuer: str
    subject: str


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where ids live: an absolute http(s) root without a slash at its end, never changed while a store holds statements of it."""

    root: str
    namespace: uuid.UUID = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "namespace", uuid.uuid5(uuid.NAMESPACE_URL, self.root))

    def uuid(self, *parts: object) -> str:
        """The UUID of a thing named by its parts."""
        return _uuid(self.namespace, "/".join(map(str, parts)))

    def activity(self, *parts: object) -> str:
        """The IRI of an activity."""
        return f"{self.root}/xapi/activities/{self.uuid('activity', *parts)}"

    def extension(self, name: str) -> str:
        """The IRI of an extension of our own."""
        return f"{self.root}/xapi/extensions/{name}"

    def account(self, identity: Identity) -> Json:
        """The actor of a person; an issuer that is no http(s) IRI lives under the root."""
        issuer = identity.issuer
        outside = issuer.startswith(("https://", "http://")) and is_iri(issuer)
        home = issuer if outside else f"{self.root}/issuers/{quote(issuer, safe='')}"
        return {"objectType": "Agent", "account": {"homePage": home, "name": identity.subject}}

    def stranger(self, session: SessionId, participant: ParticipantId) -> Json:
        """The actor of a person of whom only the place in one class is known."""
        return {"objectType": "Agent", "account": {"homePage": f"{self.root}/classes/{session}", "name": participant}}

    def node(self) -> Json:
        """The actor of what the node did itself."""
        return {"objectType": "Agent", "account": {"homePage": self.root, "name": "jiangtai"}}


def statement_id(site: Site, session: SessionId, seq: int, kind: str) -> str:
    """The id of a statement: run / sequence / kind / dialect under the site's namespace."""
    return str(uuid.uuid5(site.namespace, f"statement/{session}/{seq}/{kind}/{DIALECT}"))


def activity(id: str, type: str, **definition: Any) -> Json:
    """An activity object; `definition` adds to its type."""
    return {"objectType": "Activity", "id": id, "definition": {"type": type, **definition}}


def verb(id: str) -> Json:
    """A verb with its fixed display."""
    return {"id": id, "display": {"en": v.DISPLAY[id]}}


def text(value: str) -> Json:
    """A language map of one text of unknown language."""
    return {_UNDETERMINED: value}


def timestamp(at: Millis) -> str:
    """RFC 3339 in UTC with milliseconds."""
    seconds, milliseconds = divmod(at, 1000)
    return f"{(_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]}.{milliseconds:03d}Z"


def duration(milliseconds: int) -> str:
    """ISO 8601 seconds with at most two decimals (xAPI compares no finer)."""
    hundredths = max(0, milliseconds) // 10
    whole, rest = divmod(hundredths, 100)
    return f"PT{whole}{f'.{rest:02d}'.rstrip('0') if rest else ''}S"


def encode(statement: Mapping[str, Any]) -> bytes:
    """The bytes of a statement; equal statements give equal bytes."""
    return msgspec.json.encode(statement, order="sorted")


def number(value: float) -> int | float:
    """A number in its one spelling: at most four decimals, whole ones without a point."""
    rounded = round(value, 4)
    return int(rounded) if rounded == int(rounded) else rounded
