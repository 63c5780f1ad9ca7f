"""A simulated class through the real hub, runner, journal and life signs, with a crash in the middle: minutes against the simulated truth.

Time is simulated. People come late, leave early, open two tabs, change devices, lose their connection for some seconds or some minutes,
with and without the node noticing at once; some have the same name. The truth is what each device did, not what the node heard of it.
"""

import asyncio
import heapq
import random
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from moderation.attendance import countable_ms, evaluate
from moderation.intervals import Span, intersect, length, subtract, union
from server.adapters.sqlite import Database
from server.adapters.sqlite_attendance import SqliteAttendance
from server.adapters.sqlite_journal import SqliteDirectory, SqliteJournal
from server.attendance import BEAT_S, MISSED_PINGS, PING_S, Keeper, Reader
from signaling.classroom.base import Command
from signaling.classroom.participants import Connect, Disconnect
from signaling.classroom.policies import STANDARD
from signaling.classroom.presence import AnswerCheck, StartCheck
from signaling.classroom.roles import Role
from signaling.classroom.session import EndClass, ResumeClass, StartClass, TakeBreak
from signaling.classroom.settings import Profile
from signaling.hub import Hub
from tests.support.node import NoScreen, QuietMedia

START = 1_800_000_000_000
SECOND, MINUTE = 1_000, 60_000
LENGTH = 90 * MINUTE
TOLERANCE = 15 * SECOND
NAMES = ["王伟", "李娜", "张敏", "Ann", "Ann"]


@dataclass(kw_only=True)
class Device:
    """An open connection: since when, and when it really went silent."""

    who: str
    id: str
    since: int
    vanished: int | None = None
    heard: int = 0


@dataclass(kw_only=True)
class World:
    """A node that can be killed, a clock that is set, and what is true."""

    database: Database
    dice: random.Random
    now: int = START - 10 * MINUTE
    devices: dict[str, Device] = field(default_factory=dict)
    online: dict[str, list[Span]] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    answered: dict[str, int] = field(default_factory=dict)
    outages: list[Span] = field(default_factory=list)
    agenda: list[tuple[int, int, Callable[[], Coroutine[Any, Any, None]]]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(10**9)))
    up: bool = False
    crashes: int = 0

    # ---- the node ----

    async def boot(self) -> None:
        store = SqliteAttendance(self.database)
        self.journal = SqliteJournal(self.database)
        self.hub = Hub(
            journal=self.journal,
            directory=SqliteDirectory(self.database),
            media=QuietMedia(),
            screen=NoScreen(),
            clock=lambda: self.now,
            signs=store,
        )
        self.keeper = Keeper(hub=self.hub, gateway=self, store=store, clock=lambda: self.now)
        self.up = True

    async def crash(self) -> None:
        """Everything in memory is gone; nothing is said to anybody."""
        self.up = False
        self.crashed_at = self.now
        for session in self.hub.sessions():
            runner = await self.hub.runner(session)
            assert runner._task is not None
            runner._task.cancel()
        for device in list(self.devices.values()):
            self.gone(device, min(self.now, device.vanished or self.now))
        self.crashes += 1

    def silent(self, session: str, for_s: float) -> Mapping[str, float]:
        """See server.attendance.Listeners."""
        found = {}
        for device in self.devices.values():
            ago = (self.now - self.heard(device)) / SECOND
            if ago > for_s:
                found[device.id] = ago
        return found

    def heard(self, device: Device) -> int:
        """The last pong of a device: pings come every PING_S from its opening on."""
        alive_until = min(self.now, device.vanished or self.now)
        return alive_until - (alive_until - device.since) % int(PING_S * SECOND)

    async def say(self, actor: str | None, command: Command) -> str | None:
        if not self.up:
            return "down"
        return (await self.hub.dispatch("c1", actor, command)).error

    # ---- what people do ----

    def at(self, when: float, what: Callable[[], Coroutine[Any, Any, None]]) -> None:
        heapq.heappush(self.agenda, (int(when), next(self.numbers), what))

    def gone(self, device: Device, until: int) -> None:
        del self.devices[device.id]
        self.online.setdefault(device.who, []).append((device.since, until))

    async def open(self, who: str, name: str, role: Role = Role.TRAINEE) -> Device | None:
        device = Device(who=who, id=f"{who}-{next(self.numbers)}", since=self.now)
        if await self.say(who, Connect(connection=device.id, name=name, role=role)) is not None:
            return None
        self.devices[device.id] = device
        if self.outages and self.outages[-1][1] == 0:
            self.outages[-1] = (self.outages[-1][0], self.now)
        return device

    async def close(self, device: Device) -> None:
        if device.id in self.devices and device.vanished is None:
            await self.say(device.who, Disconnect(connection=device.id, reason="lost"))
            self.gone(device, self.now)

    async def vanish(self, device: Device) -> None:
        """The network is gone: the node notices after some pings."""
        if device.id not in self.devices or device.vanished is not None:
            return
        device.vanished = self.now
        seen = self.heard(device)
        noticed = seen + int((MISSED_PINGS + 1) * PING_S * SECOND)

        async def notice() -> None:
            if device.id in self.devices:
                await self.say(device.who, Disconnect(connection=device.id, reason="lost", seen=seen))
                self.gone(device, self.now if device.vanished is None else device.vanished)

        self.at(noticed, notice)

    def live(self, who: str, name: str) -> None:
        """Plan one person's class."""
        dice = self.dice
        comes = START + dice.choice([-5 * MINUTE, 0, 2 * MINUTE, 12 * MINUTE, 50 * MINUTE]) + dice.randint(0, 60) * SECOND
        goes = START + LENGTH + dice.choice([5 * MINUTE, 0, -20 * MINUTE]) - dice.randint(0, 60) * SECOND
        if dice.random() < 0.03:
            return
        habit = dice.choice(["steady", "steady", "reconnects", "tabs", "changes", "away"])

        async def present() -> None:
            """Be there until `goes`, one way or another; come back after a crash."""
            device = await self.open(who, name)
            if device is None:
                self.at(self.now + dice.randint(3, 20) * SECOND, present)
                return
            await self.behave(device, name, habit, goes, present)

        self.at(comes, present)

    async def behave(self, device: Device, name: str, habit: str, goes: int, present: Callable[[], Coroutine[Any, Any, None]]) -> None:
        dice, who, here = self.dice, device.who, self.now
        crashes = self.crashes

        async def again() -> None:
            if self.crashes == crashes and self.now < goes:
                await present()

        async def follow_crash() -> None:
            if self.crashes != crashes and self.now < goes:
                await present()
            elif self.now < goes and device.id in self.devices:
                self.at(self.now + 5 * SECOND, follow_crash)

        stays = dice.randint(2, 25) * MINUTE
        ends = min(here + stays, goes) if habit in ("reconnects", "changes", "away") else goes
        lose = self.vanish if dice.random() < 0.4 else self.close
        self.at(ends, lambda: lose(device))
        self.at(here + dice.randint(1, 5) * SECOND, follow_crash)
        if ends < goes:
            gap = dice.randint(90, 400) if habit == "away" else dice.randint(1, 40)
            self.at(ends + (-gap if habit == "changes" else gap) * SECOND, again)
        if habit == "tabs":

            async def second() -> None:
                other = await self.open(who, name) if self.now < goes else None
                if other is not None:
                    self.at(min(goes, self.now + dice.randint(1, 60) * MINUTE), lambda: self.close(other))

            self.at(here + dice.randint(10, 1_200) * SECOND, second)

    # ---- the class ----

    async def trainer_comes(self) -> None:
        if await self.open("tom", "Tom", Role.TRAINER) is None:
            self.at(self.now + 2 * SECOND, self.trainer_comes)

    async def check(self) -> None:
        assert await self.say("tom", StartCheck()) is None
        room = self.hub.room("c1")
        assert room is not None
        for who, person in room.participants.items():
            asked = person.asked
            if asked is None or room.check is None or asked.check != room.check.id:
                continue
            self.asked[who] = self.asked.get(who, 0) + 1
            if self.dice.random() < 0.8:
                self.at(self.now + self.dice.randint(2, 50) * SECOND, self.answering(who, asked.check, asked.nonce))

    def answering(self, who: str, check: str, nonce: str) -> Callable[[], Coroutine[Any, Any, None]]:
        async def answer() -> None:
            if await self.say(who, AnswerCheck(check=check, nonce=nonce)) is None:
                self.answered[who] = self.answered.get(who, 0) + 1

        return answer

    async def go(self, until: int) -> None:
        beat = self.now
        while self.agenda and self.agenda[0][0] <= until:
            at, _, what = heapq.heappop(self.agenda)
            while beat + BEAT_S * SECOND <= at:
                beat += int(BEAT_S * SECOND)
                self.now = beat
                if self.up:
                    await self.keeper.write()
            self.now = max(self.now, at)
            await what()
        self.now = until

    def truth(self, who: str, breaks: list[Span]) -> int:
        """Milliseconds this person was really there: with gaps up to the grace, without breaks and outages."""
        idle = union([*breaks, *self.outages])
        merged: list[Span] = []
        for start, end in union(intersect(self.online.get(who, []), [(START, START + LENGTH)])):
            gap = length(subtract([(merged[-1][1], start)], idle)) if merged else None
            if gap is not None and gap <= STANDARD.grace_s * SECOND:
                merged[-1] = (merged[-1][0], end)
            else:
                merged.append((start, end))
        return length(subtract(merged, idle))


async def hold(folder: Path, people: int, seed: int) -> tuple[list[int], World]:
    """One class; errors in ms per person."""
    database = Database(folder / f"truth-{seed}.sqlite")
    await database.start()
    world = World(database=database, dice=random.Random(seed))
    await world.boot()
    await world.hub.create("c1", "Truth", Profile.LARGE, None)
    breaks = [(START + 40 * MINUTE, START + 48 * MINUTE)]

    async def do(command: Command) -> None:
        assert await world.say("tom", command) is None, command

    async def crash() -> None:
        await world.crash()
        world.outages.append((world.now, 0))

    world.at(world.now, world.trainer_comes)
    world.at(START, lambda: do(StartClass()))
    world.at(breaks[0][0], lambda: do(TakeBreak(minutes=8)))
    world.at(breaks[0][1], lambda: do(ResumeClass()))
    died = START + 62 * MINUTE + world.dice.randint(0, 60_000)
    world.at(died, crash)
    world.at(died + 9 * SECOND, world.boot)
    world.at(died + 10 * SECOND, world.trainer_comes)
    for minute in (15, 35, 75):
        world.at(START + minute * MINUTE, world.check)
    world.at(START + LENGTH, lambda: do(EndClass()))
    for n in range(people):
        world.live(f"p{n}", NAMES[n % len(NAMES)])
    await world.go(START + LENGTH + 10 * MINUTE)
    for device in list(world.devices.values()):
        world.gone(device, min(world.now, device.vanished or world.now))
    async with Reader(hub=world.hub, journal=world.journal, store=SqliteAttendance(database)).facts("c1") as facts:
        log = facts.log
        assert log.ended_at == START + LENGTH
        counted = {one.person: one for one in evaluate(log, now=world.now)}
        outage = length(world.outages)
        assert abs(countable_ms(log, world.now) - (LENGTH - 8 * MINUTE - outage)) <= BEAT_S * SECOND
    errors = []
    for n in range(people):
        who = f"p{n}"
        told = counted[who].connected_ms if who in counted else 0
        errors.append(told - world.truth(who, breaks))
        if who in counted:
            assert (counted[who].checks_asked, counted[who].checks_answered) == (world.asked.get(who, 0), world.answered.get(who, 0))
    await world.hub.drain()
    await database.close()
    return errors, world


def describe(errors: list[int], world: World) -> str:
    worst = max(errors, key=abs)
    mean = sum(map(abs, errors)) / len(errors)
    return f"{len(errors)} people, worst {worst / SECOND:+.1f} s, mean {mean / SECOND:.2f} s, {len(world.outages)} crash"


@pytest.mark.parametrize("seed", [1, 2])
async def test_minutes_are_within_fifteen_seconds_of_the_truth(tmp_path: Path, seed: int) -> None:
    errors, world = await hold(tmp_path, 60, seed)
    assert world.crashes == 1
    assert max(map(abs, errors)) <= TOLERANCE, describe(errors, world)
    assert len(world.asked) > 40


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(3))
async def test_500_people_are_within_fifteen_seconds_of_the_truth(seed: int) -> None:
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        errors, world = await hold(Path(folder), 500, seed)
    print(f"\n{describe(errors, world)}; {sum(world.asked.values())} questions, {sum(world.answered.values())} answers")
    assert max(map(abs, errors)) <= TOLERANCE
    await asyncio.sleep(0)
