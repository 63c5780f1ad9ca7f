"""The keeper of life signs: what it notes, and that nothing noted is lost while the store is away."""

from collections.abc import Mapping, Set
from types import SimpleNamespace
from typing import Any

from moderation.attendance import WINDOW_MS
from server.attendance import SILENT_S, Keeper
from signaling.ports import Signs, Unavailable


class Store:
    """Keeps what it is given, unless it is away."""

    def __init__(self) -> None:
        self.away = False
        self.signs: dict[str, Signs] = {}
        self.delivered: dict[tuple[str, int], set[str]] = {}
        self.calls = 0

    async def keep(self, signs: Mapping[str, Signs], delivered: Mapping[tuple[str, int], Set[str]]) -> None:
        self.calls += 1
        if self.away:
            raise Unavailable("away")
        self.signs.update(signs)
        for key, people in delivered.items():
            self.delivered.setdefault(key, set()).update(people)


class Classes:
    """A hub with one class in which somebody is, and one in which nobody is."""

    def sessions(self) -> list[str]:
        return ["full", "empty"]

    def room(self, session: str) -> Any:
        connections = ["c1"] if session == "full" else []
        return SimpleNamespace(participants={"ann": SimpleNamespace(connections=connections)})

    def silent(self, session: str, for_s: float) -> dict[str, float]:
        assert for_s == SILENT_S
        return {"c1": 12.5}


def keeper(store: Store, now: list[int]) -> Keeper:
    classes: Any = Classes()
    kept: Any = store
    return Keeper(hub=classes, gateway=classes, store=kept, clock=lambda: now[0])


async def test_classes_with_people_are_signed_and_the_silent_listed_at_their_time() -> None:
    store, now = Store(), [1_000_000]
    await keeper(store, now).write()
    assert store.signs == {"full": Signs(at=1_000_000, silent={"c1": 987_500})}


async def test_media_is_noted_per_window_and_outlives_a_store_that_is_away() -> None:
    store, now = Store(), [10 * WINDOW_MS]
    watch = keeper(store, now)
    watch.delivered("full", "ann")
    watch.delivered("full", "ann")
    store.away = True
    await watch.write()
    now[0] += WINDOW_MS
    watch.delivered("full", "bob")
    store.away = False
    await watch.write()
    assert store.delivered == {("full", 10): {"ann"}, ("full", 11): {"bob"}}
    await watch.write()
    assert store.calls == 3
