"""Seats: a token makes one seat once; what is revoked, expired or released opens nothing."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, cast

import pytest

from server.adapters import sqlite_seats
from server.adapters.sqlite import Database
from server.adapters.sqlite_seats import SqliteSeats
from server.auth import BadToken, Claims
from server.seats import SEATS_PER_COOKIE, Banned, Revoked, Seat, hash_cookie, new_cookie, seat_for, well_formed
from signaling.classroom.roles import Role
from signaling.ports import Unavailable

NOW_S = 1_800_000_000
NOW = NOW_S * 1000
COOKIE = new_cookie()


def claims(sub: str = "u1", *, jti: str = "token-00001", room: str = "r1", role: Role = Role.TRAINEE, iat: int = NOW_S) -> Claims:
    return Claims(iss="lms", aud="jiangtai", iat=iat, exp=iat + 300, jti=jti, sub=sub, room=room, role=role, name="N")


def wanted(claims: Claims, cookie: str = COOKIE, now: int = NOW) -> Seat:
    return seat_for(claims, cookie, name=claims.name, now=now, hours=1)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "node.sqlite")
    await database.start()
    yield database
    await database.close()


@pytest.fixture
def seats(database: Database) -> SqliteSeats:
    return SqliteSeats(database)


async def open_seat(seats: SqliteSeats, token: Claims | None = None, cookie: str = COOKIE) -> Seat:
    token = token or claims()
    return await seats.redeem(token, wanted(token, cookie), NOW)


async def test_a_seat_is_found_with_its_cookie_only(seats: SqliteSeats, database: Database) -> None:
    seat = await open_seat(seats)
    for book in (seats, SqliteSeats(database)):
        found = await book.find(seat.id, NOW)
        assert found == seat
        assert found.owned_by(COOKIE)
        assert not found.owned_by(new_cookie())
        assert not found.owned_by(None)
        assert await book.owned(hash_cookie(COOKIE), NOW) == [seat]
        assert await book.owned(hash_cookie(new_cookie()), NOW) == []
    assert await seats.find("0" * 32, NOW) is None


async def test_the_cookie_itself_is_not_stored(seats: SqliteSeats, tmp_path: Path, database: Database) -> None:
    await open_seat(seats)
    await database.close()
    for file in tmp_path.iterdir():
        assert COOKIE.encode() not in file.read_bytes()


async def test_a_token_is_used_once_even_by_two_at_the_same_time(seats: SqliteSeats) -> None:
    tries = [open_seat(seats, cookie=new_cookie()) for _ in range(20)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(outcome, Seat) for outcome in outcomes) == 1
    refused = [outcome for outcome in outcomes if isinstance(outcome, BadToken)]
    assert len(refused) == 19
    assert {error.code for error in refused} == {"token_used"}


async def test_the_same_jti_of_another_issuer_is_another_token(seats: SqliteSeats) -> None:
    await open_seat(seats)
    other = Claims(
        iss="lms2", aud="jiangtai", iat=NOW_S, exp=NOW_S + 300, jti="token-00001", sub="u1", room="r1", role=Role.TRAINEE, name="N"
    )
    assert (await open_seat(seats, other)).issuer == "lms2"


async def test_a_used_token_is_remembered_until_it_has_expired(seats: SqliteSeats) -> None:
    await open_seat(seats)
    await seats.prune(NOW + 300_000)
    with pytest.raises(BadToken):
        await open_seat(seats)
    await seats.prune(NOW + 361_000)
    assert await open_seat(seats)


async def test_the_memory_of_used_tokens_is_bounded(seats: SqliteSeats, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_seats, "MAX_USED", 2)
    await open_seat(seats, claims(jti="token-00001"))
    await open_seat(seats, claims(jti="token-00002"))
    with pytest.raises(Unavailable):
        await open_seat(seats, claims(jti="token-00003"))
    await seats.prune(NOW + 400_000)
    assert await open_seat(seats, claims(jti="token-00003"))


async def test_the_same_browser_and_person_keep_their_seat_a_new_role_does_not(seats: SqliteSeats) -> None:
    first = await open_seat(seats)
    again = await open_seat(seats, claims(jti="token-00002"))
    assert again.id == first.id
    promoted = await open_seat(seats, claims(jti="token-00003", role=Role.TRAINER))
    assert promoted.id != first.id
    assert promoted.role is Role.TRAINER
    assert promoted.participant == first.participant


async def test_a_cookie_owns_several_seats_up_to_a_bound(seats: SqliteSeats) -> None:
    opened = [await open_seat(seats, claims(f"u{n}", jti=f"token-{n:05}")) for n in range(SEATS_PER_COOKIE + 3)]
    fresh = SqliteSeats(seats._database)
    alive = [seat for seat in opened if await fresh.find(seat.id, NOW)]
    assert len(alive) == SEATS_PER_COOKIE
    assert opened[-1] in alive


async def test_a_seat_that_gave_way_opens_nothing_though_it_is_remembered(seats: SqliteSeats) -> None:
    trainer = await open_seat(seats, claims(role=Role.TRAINER))
    assert await seats.find(trainer.id, NOW) == trainer
    trainee = await open_seat(seats, claims(jti="token-00002", role=Role.TRAINEE))
    assert await seats.find(trainer.id, NOW) is None, "the platform has made somebody else of the person"
    assert await seats.find(trainee.id, NOW) == trainee
    others = [await open_seat(seats, claims(f"u{n}", jti=f"token-1{n:04}"), COOKIE) for n in range(2, SEATS_PER_COOKIE + 4)]
    alive = [seat for seat in (trainee, *others) if await seats.find(seat.id, NOW)]
    assert len(alive) == SEATS_PER_COOKIE
    assert {seat.id for seat in alive} == {seat.id for seat in await seats.owned(hash_cookie(COOKIE), NOW)}


async def test_a_revoked_person_loses_all_seats_and_unused_tokens(seats: SqliteSeats, database: Database) -> None:
    seat = await open_seat(seats)
    second = await open_seat(seats, claims(jti="token-00002"), new_cookie())
    bystander = await open_seat(seats, claims("u2", jti="token-00003"))
    await seats.revoke(seat.session, seat.participant, at=NOW + 500, banned=False)
    for book in (seats, SqliteSeats(database)):
        assert await book.find(seat.id, NOW) is None
        assert await book.find(second.id, NOW) is None
        assert await book.find(bystander.id, NOW) is not None
    with pytest.raises(Revoked):
        await open_seat(seats, claims(jti="token-00004"))
    later = await open_seat(seats, claims(jti="token-00005", iat=NOW_S + 1))
    assert await seats.find(later.id, NOW) == later


async def test_a_ban_holds_for_the_identity_until_it_is_lifted(seats: SqliteSeats) -> None:
    seat = await open_seat(seats)
    await seats.revoke(seat.session, seat.participant, at=NOW, banned=True)
    with pytest.raises(Banned):
        await open_seat(seats, claims(jti="token-00002", iat=NOW_S + 10), new_cookie())
    assert await open_seat(seats, claims(jti="token-00003", iat=NOW_S + 10, room="r2"))
    await seats.forgive(seat.session, seat.participant)
    assert await open_seat(seats, claims(jti="token-00004", iat=NOW_S + 20))
    assert await seats.find(seat.id, NOW) is None


async def test_a_refused_token_is_not_used_up(seats: SqliteSeats) -> None:
    seat = await open_seat(seats)
    await seats.revoke(seat.session, seat.participant, at=NOW, banned=True)
    token = claims(jti="token-00002", iat=NOW_S + 10)
    with pytest.raises(Banned):
        await open_seat(seats, token)
    await seats.forgive(seat.session, seat.participant)
    assert await open_seat(seats, token)


async def test_a_read_that_began_before_a_revocation_does_not_bring_the_seat_back(seats: SqliteSeats, database: Database) -> None:
    seat = await open_seat(seats)
    fresh = SqliteSeats(database)
    reading = [asyncio.ensure_future(fresh.find(seat.id, NOW)) for _ in range(20)]
    await asyncio.sleep(0)
    await fresh.revoke(seat.session, seat.participant, at=NOW, banned=False)
    await asyncio.gather(*reading)
    assert await fresh.find(seat.id, NOW) is None


async def test_seats_end_with_their_time_or_when_given_up(seats: SqliteSeats) -> None:
    seat = await open_seat(seats)
    assert await seats.find(seat.id, seat.expires_at) is None
    await seats.release(seat.id)
    assert await seats.find(seat.id, NOW) is None


async def test_operators_log_in_and_out(seats: SqliteSeats) -> None:
    cookie = hash_cookie(new_cookie())
    assert not await seats.is_operator(cookie, NOW)
    await seats.open_operator(cookie, NOW + 10)
    assert await seats.is_operator(cookie, NOW)
    assert not await seats.is_operator(cookie, NOW + 10)
    await seats.close_operator(cookie)
    assert not await seats.is_operator(cookie, NOW)
    await seats.use_once(claims())
    with pytest.raises(BadToken):
        await seats.use_once(claims())


@pytest.mark.parametrize("text", [None, "", "x", "é" * 43, "x" * 44])
def test_only_text_of_our_form_is_taken_for_a_cookie(text: str | None) -> None:
    assert well_formed(text) is None


def test_cookies_have_256_bits_and_never_repeat() -> None:
    made = {new_cookie() for _ in range(1000)}
    assert len(made) == 1000
    assert all(well_formed(cookie) for cookie in made)


class SlowReader:
    """A database whose next read has its rows and delivers them only after something else has happened."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.meanwhile: list[Coroutine[Any, Any, None]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def read(self, job: Any) -> Any:
        rows = await self._database.read(job)
        while self.meanwhile:
            await self.meanwhile.pop()
        return rows


@pytest.mark.parametrize("by_cookie", [True, False])
async def test_rows_read_before_a_revocation_and_delivered_after_it_open_nothing(database: Database, by_cookie: bool) -> None:
    slow = SlowReader(database)
    seat = await open_seat(SqliteSeats(database))
    seats = SqliteSeats(cast(Database, slow))
    slow.meanwhile.append(seats.revoke(seat.session, seat.participant, at=NOW, banned=False))
    found = await seats.owned(hash_cookie(COOKIE), NOW) if by_cookie else await seats.find(seat.id, NOW)
    assert not slow.meanwhile
    assert not found
    assert await seats.find(seat.id, NOW) is None
