"""The rules of retention: days per kind for the house, and a TOML file (or the same as text) with a table per tenant that differs. Pure.

    [academy]                # the name of an API caller, or the issuer of its tokens
    journal_days = 2
    replay_days = 365
    ["Training Centre 2"]
    log_days = 1825

What a table leaves out is as for the house; 0 keeps for ever.
"""

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from server.retention.due import MAX_DAYS, Kind, days_of

MAX_TENANTS: Final = 1_000
MAX_TENANT: Final = 200
_MAX_TEXT: Final = 1_000_000


class BadRetention(Exception):
    """The rules cannot be used; `problems` holds one sentence each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Days(msgspec.Struct, frozen=True, kw_only=True):
    """Days per kind, 0 for ever."""

    journal_days: int = 7
    replay_days: int = 0
    log_days: int = 0
    watched_days: int = 0
    torn_days: int = 30

    def of(self, kind: Kind) -> int:
        """The days of a kind."""
        return int(getattr(self, f"{kind}_days"))


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of a node."""

    house: Days = Days()
    tenants: Mapping[str, Days] = {}

    def days(self, kind: Kind, tenant: str) -> int:
        """The days of a kind for a tenant's classes."""
        return self.tenants.get(tenant, self.house).of(kind)

    def told(self, kind: Kind, tenant: str, wish: int | None) -> str:
        """The rule that was applied, for the trail."""
        days = days_of(self.days(kind, tenant), wish)
        asked = " asked by the class" if days != self.days(kind, tenant) else ""
        return f"{kind}_days={days}{asked} tenant={tenant or 'house'}"


def parse(text: str, house: Days) -> dict[str, Days]:
    """The tenants of a TOML text; raises BadRetention with every problem."""
    if len(text) > _MAX_TEXT:
        raise BadRetention(["retention.tenants: too long"])
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadRetention([f"retention.tenants: {error}"]) from None
    problems = [f"retention.tenants: at most {MAX_TENANTS}"] if len(tables) > MAX_TENANTS else []
    found: dict[str, Days] = {}
    for name, table in tables.items():
        flaws = _flaws(name, table)
        problems += [f"retention.tenants: {name!r}: {flaw}" for flaw in flaws]
        if not flaws:
            found[name] = msgspec.structs.replace(house, **table)
    if problems:
        raise BadRetention(problems)
    return found


def _flaws(name: str, table: Any) -> list[str]:
    if not isinstance(table, dict):
        return ["must be a table"]
    flaws = [] if 0 < len(name) <= MAX_TENANT and name.isprintable() else [f"a name is up to {MAX_TENANT} printable characters"]
    for field, value in table.items():
        if field not in Days.__struct_fields__:
            flaws.append(f"{field}: unknown field")
        elif type(value) is not int or not 0 <= value <= MAX_DAYS:
            flaws.append(f"{field}: a whole number of days from 0 to {MAX_DAYS}")
    return flaws


def configured(house: Mapping[str, int], texts: Sequence[str]) -> Policy:
    """The rules from days of the house by field, and texts about tenants. Raises BadRetention with every problem."""
    problems = [f"retention.{name}: from 0 to {MAX_DAYS}" for name, value in house.items() if not 0 <= value <= MAX_DAYS]
    days = Days(**{name: value for name, value in house.items() if 0 <= value <= MAX_DAYS})
    tenants: dict[str, Days] = {}
    for text in texts:
        try:
            found = parse(text, days)
        except BadRetention as error:
            problems += error.problems
            continue
        problems += [f"retention.tenants: {name!r} is told twice" for name in sorted(found.keys() & tenants.keys())]
        tenants |= found
    if problems:
        raise BadRetention(problems)
    return Policy(house=days, tenants=tenants)
