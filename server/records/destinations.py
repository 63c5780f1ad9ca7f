"""Where records go: read from one TOML file (or the same as text), one table per destination. Pure.

    [lrs]
    kind = "xapi"                       # or "webhook"
    url = "https://lrs.example/xAPI"    # xapi: the endpoint in front of /statements; webhook: the receiving address
    authorization_file = "/run/secrets/lrs"   # xapi: the whole value of the Authorization header
    secret_file = "/run/secrets/hook"   # webhook: the shared secret
    private = true                      # it may be on this machine or in a private network (server.records.reach)

A secret may stand in the file itself (`authorization`, `secret`). A name is kept for ever: what was delivered is remembered by it.
"""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

MAX_DESTINATIONS: Final = 16
_NAME: Final = re.compile(r"[a-z0-9_-]{1,32}")


class Destination(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One place records are sent to."""

    url: str
    name: str = ""
    kind: Literal["xapi", "webhook"] = "xapi"
    #: value of X-Experience-API-Version
    version: str = "1.0.3"
    authorization: str = ""
    authorization_file: str = ""
    secret: str = ""
    secret_file: str = ""
    #: its address need not be a public one
    private: bool = False
    #: statements and bytes of one request
    batch: Annotated[int, msgspec.Meta(ge=1, le=200)] = 100
    batch_bytes: Annotated[int, msgspec.Meta(ge=10_000, le=10_000_000)] = 1_000_000
    connect_s: Annotated[float, msgspec.Meta(gt=0, le=600)] = 5.0
    read_s: Annotated[float, msgspec.Meta(gt=0, le=600)] = 60.0


class BadDestinations(Exception):
    """The list cannot be used; `problems` holds one sentence each, without any secret."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def _read(path: str) -> str:
    return Path(path).read_text("utf-8")


def parse(text: str, read: Callable[[str], str] = _read) -> tuple[Destination, ...]:
    """The destinations of a TOML text; raises BadDestinations with every problem."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadDestinations([f"destinations: {error}"]) from None
    if len(tables) > MAX_DESTINATIONS:
        raise BadDestinations([f"destinations: at most {MAX_DESTINATIONS}"])
    found, problems = [], []
    for name, table in tables.items():
        try:
            found.append(_one(name, table, read))
        except (ValueError, OSError) as error:  # msgspec's errors are ValueErrors
            problems.append(f"destination {name}: {error}")
    if problems:
        raise BadDestinations(problems)
    return tuple(found)


def _one(name: str, table: Any, read: Callable[[str], str]) -> Destination:
    if _NAME.fullmatch(name) is None:
        raise ValueError("a name is up to 32 of a-z, 0-9, _ and -")
    made = msgspec.convert(table, Destination)
    if not made.url.startswith(("https://", "http://")):
        raise ValueError("url must start with https:// or http://")
    secrets = {"name": name, "url": made.url.rstrip("/") if made.kind == "xapi" else made.url}
    for field in ("authorization", "secret"):
        path = getattr(made, f"{field}_file")
        if path:
            secrets[field] = read(path).strip()
    made = msgspec.structs.replace(made, **secrets)
    if made.kind == "webhook" and len(made.secret) < 16:
        raise ValueError("a webhook needs a secret of at least 16 characters")
    return made
