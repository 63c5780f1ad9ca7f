"""News of the media plane find the connection they are for; what a class decides of a person stands at the door in the end."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from server import doors
from server.adapters.sqlite import Database
from server.adapters.sqlite_seats import SqliteSeats
from server.doors import Bouncer, LateSignals
from signaling.classroom import room as classroom
from signaling.classroom.audience import Audience
from signaling.classroom.base import Event, Origin
from signaling.classroom.ids import Millis
from signaling.classroom.roles import Role
from signaling.classroom.sanctions import BanLifted, ParticipantRemoved
from signaling.classroom.seats import Participant, Seat
from signaling.classroom.settings import Profile
from signaling.classroom.state import Room
from signaling.entries import Entry
from signaling.ports import Unavailable
from tests.support.bare import Heard

NEWS = {"type": "media", "state": "closed", "side": "publish"}


def test_a_connection_without_a_socket_has_a_listener_until_it_does_not() -> None:
    signals, heard, gateway = LateSignals(), list[Mapping[str, Any]](), Heard()
    signals.listen("encoder", heard.append)
    signals.to_connection("class", "encoder", NEWS)
    assert heard == [NEWS]
    signals.target = gateway
    signals.to_connection("class", "encoder", NEWS)
    signals.to_connection("class", "browser", NEWS)
    signals.to_all("class", NEWS)
    assert (len(heard), [who for who, _ in gateway.all]) == (2, ["browser", "*"])
    signals.unlisten("encoder")
    signals.unlisten("encoder")
    signals.to_connection("class", "encoder", NEWS)
    assert (len(heard), gateway.all[-1][0]) == (2, "encoder")


def test_without_a_gateway_news_are_lost_quietly() -> None:
    signals = LateSignals()
    signals.to_all("class", NEWS)
    signals.to_staff("class", NEWS)
    signals.to_participant("class", "ann", NEWS)
    signals.to_connection("class", "browser", NEWS)


class Flaky(SqliteSeats):
    """Seats on disk; so many of the next writes are refused."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.database = database
        self.refusals = 0

    async def revoke(self, session: str, participant: str, *, at: Millis, banned: bool) -> None:
        self._refuse()
        await super().revoke(session, participant, at=at, banned=banned)

    async def forgive(self, session: str, participant: str) -> None:
        self._refuse()
        await super().forgive(session, participant)

    def _refuse(self) -> None:
        if self.refusals:
            self.refusals -= 1
            raise Unavailable("away")

    async def banned(self) -> dict[str, bool]:
        """Who was sent out, and whether no token lets them in."""
        sql = "SELECT participant, banned FROM revocation WHERE session = 'class'"
        return {who: bool(banned) for who, banned in await self.database.read(lambda c: c.execute(sql).fetchall())}


@pytest.fixture
async def seats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Flaky]:
    monkeypatch.setattr(doors, "_RETRY_S", 0.0)
    database = Database(tmp_path / "node.sqlite")
    await database.start()
    yield Flaky(database)
    await database.close()


class Cut:
    """doors.Revokes: nobody is connected."""

    def revoke(self, session: str, participant: str) -> None: ...


def lesson(**people: Seat) -> Room:
    room = classroom.begin(classroom.create("class", "Title", Profile.SMALL))
    room.participants = {name: Participant(id=name, name=name, role=Role.TRAINEE, seat=seat) for name, seat in people.items()}
    return room


def entry(seq: int, event: Event) -> Entry:
    return Entry(seq, Origin(at=seq, by=None, op=None), event, Audience(frozenset()), {})


def removed(room: Room, name: str) -> ParticipantRemoved:
    return ParticipantRemoved(participant=name, who=room.participants[name].introduction(), banned=True)


async def test_a_lifted_ban_is_lifted_at_the_door_as_soon_as_the_store_is_there(seats: Flaky) -> None:
    bouncer, room = Bouncer(seats, Cut()), lesson(ann=Seat.ADMITTED)
    bouncer.watch("class", room, [entry(2, removed(room, "ann"))])
    await bouncer.settle()
    assert await seats.banned() == {"ann": True}
    seats.refusals = 3
    bouncer.watch("class", room, [entry(3, BanLifted(participant="ann"))])
    await bouncer.settle()
    assert (seats.refusals, await seats.banned()) == (0, {"ann": False})


@pytest.mark.parametrize("refusals", [0, 1, 2, 3])
async def test_what_was_decided_last_of_a_person_stands_at_the_door(seats: Flaky, refusals: int) -> None:
    """However long the store was away for what came before."""
    bouncer, room = Bouncer(seats, Cut()), lesson(ann=Seat.ADMITTED, ben=Seat.ADMITTED)
    seats.refusals = refusals
    lifted = [BanLifted(participant="ann"), BanLifted(participant="ben")]
    for seq, event in enumerate([removed(room, "ann"), removed(room, "ben"), *lifted, removed(room, "ben")], 2):
        bouncer.watch("class", room, [entry(seq, event)])
    await bouncer.settle()
    assert await seats.banned() == {"ann": False, "ben": True}


async def test_what_a_crash_left_undone_at_the_door_is_made_good_when_the_class_is_next_heard_of(seats: Flaky) -> None:
    for name in ("lifted", "banned"):
        await seats.revoke("class", name, at=1, banned=True)
    await seats.revoke("class", "again", at=1, banned=False)  # came back, and was banned as the store was away
    out = {"lifted": Seat.REMOVED, "banned": Seat.BANNED, "removed": Seat.REMOVED, "unseen": Seat.BANNED, "again": Seat.BANNED}
    room = lesson(**out, inside=Seat.ADMITTED)
    seats.refusals = 2
    bouncer = Bouncer(seats, Cut())
    bouncer.watch("class", room, [entry(9, BanLifted(participant="other"))])
    await bouncer.settle()
    assert await seats.banned() == {"lifted": False, "banned": True, "removed": False, "unseen": True, "again": True}


async def test_a_store_that_refuses_to_the_end_keeps_no_node_from_stopping(seats: Flaky, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what it did not take is made good by whoever runs the class next."""
    bouncer, room = Bouncer(seats, Cut()), lesson(ann=Seat.ADMITTED, ben=Seat.ADMITTED)
    seats.refusals = 1_000_000_000
    for seq, event in enumerate([removed(room, "ann"), BanLifted(participant="ann"), removed(room, "ann"), removed(room, "ben")], 2):
        bouncer.watch("class", room, [entry(seq, event)])
    with monkeypatch.context() as patch:
        patch.setattr(doors, "_STOP_S", 0.05)
        async with asyncio.timeout(2):
            await bouncer.settle()
    await asyncio.sleep(0)
    asked = seats.refusals
    for _ in range(10):
        await asyncio.sleep(0)
    assert seats.refusals == asked, "nobody goes on asking"
    seats.refusals = 0
    following = Bouncer(seats, Cut())
    following.watch("class", lesson(ann=Seat.BANNED, ben=Seat.BANNED), [entry(9, BanLifted(participant="other"))])
    await following.settle()
    assert await seats.banned() == {"ann": True, "ben": True}
