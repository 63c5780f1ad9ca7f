"""What the plane tells the engine, written down by one that does nothing: layers, ranks, sizes, shards. Real media: tests/integration."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

import media.plane
import media.ring
import media.switchboard
from media.devices import RANK
from media.directives import Directive
from media.plane import NativePlane
from media.switchboard import AT_HOME
from signaling.classroom.errors import Rejected
from signaling.classroom.roles import Role
from signaling.classroom.settings import Profile
from signaling.classroom.state import Room
from signaling.classroom.tracks import SetCamera, StartScreen
from tests.support.bare import Heard
from tests.support.lesson import Lesson
from tests.support.noted import NotedEngine

OFFERS = Path(__file__).parent / "offers"
LAYERED = (OFFERS / "chromium-simulcast.sdp").read_text()
PLAYER = (OFFERS / "chromium-player.sdp").read_text()
MICROPHONE = {"mid": "0", "source": "microphone"}
FRAGMENT = "a=ice-ufrag:new1\r\na=ice-pwd:0123456789012345678901\r\n"


class Breaking:
    """A command of the engine that fails so many times."""

    def __init__(self, engine: NotedEngine, name: str, times: int) -> None:
        self._note = getattr(engine, name)
        self._times = times

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        if self._times:
            self._times -= 1
            raise ValueError("malformed")
        self._note(*args, **kwargs)


class House:
    """A class, a plane, the recorder below it."""

    def __init__(self, shards: int) -> None:
        self.lesson = Lesson(profile=Profile.LARGE if shards > 1 else Profile.SMALL)
        self.heard = Heard()
        self.failures = 0
        self.plane = NativePlane(
            bind="",
            udp_ports=[0] * shards,
            tcp_port=None,
            announced=["192.0.2.1"],
            signals=self.heard,
            clock=lambda: int(time.time() * 1000),
            failed=self._failed,
        )
        self.engine: NotedEngine = self.plane._engine  # type: ignore[assignment]
        self.lesson.followers.append(lambda room, event: self.plane.follow(room.id, room, event))
        self.lesson.join("ann", Role.TRAINER)
        self.lesson.start("ann")

    def _failed(self) -> None:
        self.failures += 1

    @property
    def home(self) -> int:
        return self.plane._board.classes["class-1"].home

    def happen(self, *events: tuple[Any, ...]) -> None:
        """The engine reports these in one go."""
        self.engine.events += events
        self.plane._listening.listen()

    async def publish(self, height: int = 360) -> None:
        tracks = [MICROPHONE, {"mid": "1", "source": "camera", "height": height}]
        await self.plane.publish("class-1", "ann", "ann", {"sdp": LAYERED, "tracks": tracks})

    async def subscribe(self, person: str, **request: Any) -> Any:
        return await self.plane.subscribe("class-1", person, person, request)

    async def watch(self, person: str) -> dict[str, str]:
        """Receive and be connected; returns mids by use."""
        mids = await self.answer(person)
        self.happen(("connected", self.newest_peer, "udp"))
        return mids

    async def answer(self, person: str) -> dict[str, str]:
        """Receive, not yet connected; returns mids by use."""
        if person not in self.lesson.room.participants:
            self.lesson.join(person)
        offer = await self.subscribe(person, action="offer", tiles=1)
        lines = [line for line in offer["sdp"].split("\r\n") if not line.startswith(("a=candidate", "a=end-of", "a=ssrc", "a=ice-lite"))]
        answer = "\r\n".join(lines).replace("a=sendonly", "a=recvonly").replace("a=setup:actpass", "a=setup:active")
        await self.subscribe(person, action="answer", sdp=answer)
        return {slot["use"]: slot["mid"] for slot in offer["slots"]}

    @property
    def newest_peer(self) -> int:
        return int(self.engine.of("open_peer")[-1][0][0])

    def grade(self, *report: int) -> tuple[int, int]:
        """(score, loss) after the engine reported (peer, rtt, loss in, loss out)."""
        for device in self.plane._board.classes["class-1"].devices.values():
            device.graded_at = 0
        self.happen(("quality", *report, 0, 0, 0))
        told = self.heard.newest["staff", "quality"]
        return told["score"], told["loss"]

    def slot(self, mid: str) -> int:
        return next(args[0] for args, kwargs in self.engine.of("add_slot") if kwargs["mid"] == mid)


@pytest.fixture
async def built(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[[int], House]]:
    monkeypatch.setattr(media.plane, "Engine", NotedEngine)
    houses = []

    def build(shards: int) -> House:
        houses.append(House(shards))
        return houses[-1]

    yield build
    for house in houses:
        house.plane.stop()


@pytest.fixture
async def house(built: Callable[[int], House]) -> House:
    return built(1)


async def test_layers_are_announced_lowest_first_with_their_extensions(house: House) -> None:
    await house.publish()
    [(_, sound), (_, picture)] = house.engine.of("add_track")
    assert (sound["rids"], picture["rids"]) == ((), ("q", "h", "f"))
    extensions = house.engine.of("open_peer")[0][1]["extensions"]
    assert (extensions["rid"], extensions["rrid"]) == (10, 11)


async def test_places_have_the_rank_of_their_use(house: House) -> None:
    mids = await house.watch("bo")
    ranks = {kwargs["mid"]: kwargs["rank"] for _, kwargs in house.engine.of("add_slot")}
    for use, rank in RANK.items():
        assert use not in mids or ranks[mids[use]] == rank
    assert (ranks[mids["screen"]], ranks[mids["main"]], ranks[mids["tile"]]) == (0, 1, 2)


async def test_sizes_limit_layers_once_the_picture_plays_and_again_when_it_changes(house: House) -> None:
    await house.publish(height=360)
    house.lesson.do("ann", SetCamera(on=True))
    mids = await house.watch("bo")
    main = house.slot(mids["main"])
    await house.subscribe("bo", action="size", sizes=[{"mid": mids["main"], "height": 180}, {"mid": mids["tile"], "height": 0}])
    assert house.engine.of("limit_slot") == [((main, 1), {})]
    await house.publish(height=720)
    assert house.engine.of("limit_slot")[-1] == ((main, 0), {})
    assert len(house.engine.of("add_track")) == 2, "the same camera goes on"


async def test_sizes_told_before_the_transport_is_up_are_kept(house: House) -> None:
    await house.publish()
    house.lesson.do("ann", SetCamera(on=True))
    house.lesson.join("bo")
    house.plane.play("class-1", "bo", "bo", PLAYER, "main")
    await house.subscribe("bo", action="size", sizes=[{"mid": "1", "height": 90}])
    assert house.engine.of("limit_slot") == []
    house.happen(("connected", house.newest_peer, "udp"))
    commands = [(name, args) for name, args, _ in house.engine.commands if name in ("limit_slot", "assign")]
    assert commands == [("limit_slot", (house.slot("1"), 0)), ("assign", (house.slot("1"), house.engine.of("add_track")[1][0][0]))]


async def test_a_viewer_is_told_all_layers_it_plays_in_one_signal(house: House) -> None:
    mids = await house.watch("bo")
    main, tile = house.slot(mids["main"]), house.slot(mids["tile"])
    house.happen(("layer", main, 2), ("layer", tile, 0), ("layer", 999, 1))
    house.happen(("layer", tile, -1))
    told = [{slot["mid"]: slot["layer"] for slot in signal["slots"]} for who, signal in house.heard.all if signal["type"] == "layers"]
    assert told == [{mids["main"]: 2, mids["tile"]: 0}, {mids["main"]: 2, mids["tile"]: -1}]


async def test_publishers_and_the_first_viewers_live_at_home_and_later_ones_where_fewest_are(built: Callable[[int], House]) -> None:
    house = built(3)
    for n in range(AT_HOME):
        await house.watch(f"p{n}")
    assert {kwargs["shard"] for _, kwargs in house.engine.of("open_peer")} == {house.home}
    assert house.engine.of("open_room")[-1][1] == {"home": house.home}
    for n in range(20):
        await house.watch(f"q{n}")
    elsewhere = [kwargs["shard"] for _, kwargs in house.engine.of("open_peer")][AT_HOME:]
    assert {shard: elsewhere.count(shard) for shard in elsewhere} == {shard: 10 for shard in range(3) if shard != house.home}
    await house.publish()
    assert house.engine.of("open_peer")[-1][1]["shard"] == house.home


async def test_a_crowd_that_comes_at_once_is_spread_before_anybody_has_answered(built: Callable[[int], House]) -> None:
    house = built(3)
    devices = house.plane._board.classes["class-1"].devices
    for n in range(AT_HOME + 20):
        house.lesson.join(f"p{n}")
        await house.subscribe(f"p{n}", action="offer", tiles=0)
    shards = [device.pending.shard for device in devices.values() if device.pending is not None]
    assert shards[:AT_HOME] == [house.home] * AT_HOME
    assert sorted(shards[AT_HOME:].count(shard) for shard in range(3)) == [0, 10, 10]
    for device in devices.values():
        assert device.pending is not None
        device.pending.expires = 0
    house.lesson.join("late")
    await house.subscribe("late", action="offer", tiles=0)
    assert devices["late"].pending is not None
    assert devices["late"].pending.shard == house.home, "offers nobody answered in time take no place"


async def test_an_offer_names_the_port_of_the_shard_it_will_be_served_on_and_keeps_it(built: Callable[[int], House]) -> None:
    house = built(2)
    for n in range(AT_HOME):
        await house.watch(f"p{n}")
    house.lesson.join("bo")
    other = f" {4000 + 1 - house.home} typ host"
    assert other in (await house.subscribe("bo", action="offer", tiles=0))["sdp"]
    await house.watch("bo")
    assert other in (await house.subscribe("bo", action="restart"))["sdp"]


async def test_viewers_that_leave_are_no_longer_counted_on_their_shard(built: Callable[[int], House]) -> None:
    house = built(2)
    board = house.plane._board
    for n in range(4):
        await house.watch(f"p{n}")
    assert sum(board.viewers) == 4
    house.lesson.leave("p0")
    house.happen(("closed", house.engine.of("open_peer")[1][0][0], "consent"))
    await house.watch("p2")  # a new transport in place of the old one
    assert sum(board.viewers) == 2
    house.plane.close("class-1")
    assert (board.viewers, board.slots, board.places) == ([0, 0], {}, {})


async def test_an_encoder_is_opened_from_one_offer_and_restarted_by_a_fragment(house: House) -> None:
    sdp, sent = house.plane.ingest("class-1", "ann", "ann", LAYERED, {"audio": "microphone", "video": "screen"})
    assert (sdp.count("a=recvonly"), sent) == (2, ("microphone", "screen"))
    assert [kwargs["mid"] for _, kwargs in house.engine.of("add_track")] == ["0", "1"]
    before = house.plane.ice_session("class-1", "ann")
    text = house.plane.restart("class-1", "ann", "ann", FRAGMENT)
    ufrag = house.plane.ice_session("class-1", "ann")
    assert text is not None
    assert f"a=ice-ufrag:{ufrag}" in text
    assert text.index("m=audio") < text.index("a=candidate")
    assert ufrag != before
    told = house.engine.of("restart_ice")[0][1]
    assert (told["remote_ufrag"], told["local_ufrag"]) == ("new1", ufrag)
    assert house.plane.restart("class-1", "ann", "ann", FRAGMENT) is None, "the same credentials again are no restart"


async def test_a_player_gets_voices_and_one_picture_from_one_offer(house: House) -> None:
    house.lesson.join("bo")
    sdp = house.plane.play("class-1", "bo", "bo", PLAYER, "focus")
    assert sdp.count("a=sendonly") == 2
    [(_, voice), (_, picture)] = house.engine.of("add_slot")
    assert (voice["auto"], picture["auto"], picture["rank"]) == (0, None, 0)


async def test_a_thread_of_the_engine_that_gave_up_is_counted_and_the_node_is_told(house: House) -> None:
    house.happen(("stopped", 0))
    assert (house.failures, house.plane.metrics()["engine_stopped"]) == (1, 1)


async def test_media_has_reached_somebody_who_says_so_and_nobody_who_is_silent(house: House) -> None:
    reached: list[str] = []
    house.plane.delivered = lambda session, participant: reached.append(participant)
    house.lesson.join("bo")
    await house.watch("bo")
    peer = house.newest_peer
    for loss, kbit in ((None, 500), (501, 500), (0, 0)):
        house.happen(("quality", peer, 20, 0, loss, 0, kbit, 0))
    assert reached == []
    house.happen(("quality", peer, 20, 0, 500, 0, 500, 0))
    assert reached == ["bo"]


async def test_a_spoilt_room_fills_no_places_and_the_next_one_does(house: House) -> None:
    await house.publish()
    house.lesson.do("ann", SetCamera(on=True))
    mids = await house.answer("bo")
    house.plane.hold("class-1")
    house.happen(("connected", house.newest_peer, "udp"))
    assert house.engine.of("assign") == []
    house.plane.reload("class-1", house.lesson.room)
    assert house.engine.of("assign") == [((house.slot(mids["main"]), house.engine.of("add_track")[1][0][0]), {})]


async def test_an_event_that_cannot_be_dealt_with_costs_no_other(house: House, caplog: pytest.LogCaptureFixture) -> None:
    mids = await house.watch("bo")
    house.happen(("layer", house.slot(mids["main"]), 1), ("violation", 0, "probe", "many"), ("stopped", 0))
    assert (house.failures, house.heard.newest["bo", "layers"]["slots"]) == (1, [{"mid": mids["main"], "layer": 1}])
    assert house.plane.metrics()["events_failed"] == 1
    [record] = [record for record in caplog.records if record.name == "jiangtai.media"]
    assert (record.__dict__["type"], record.exc_info is not None) == ("violation", True)


async def test_a_directive_the_engine_refuses_costs_no_other(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.publish()
    house.lesson.do("ann", SetCamera(on=True))
    monkeypatch.setattr(house.engine, "assign", Breaking(house.engine, "assign", times=1), raising=False)
    await house.watch("bo")
    await house.watch("cy")
    assert len(house.engine.of("assign")) == 1
    assert {who for who, kind in house.heard.newest if kind == "slots"} == {"bo", "cy"}
    assert house.plane.metrics()["directives_failed"] == 1


async def test_a_class_whose_viewers_could_not_be_brought_up_to_date_is_tried_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media.switchboard, "PAUSE_S", 0.0)
    await house.publish()
    house.lesson.do("ann", SetCamera(on=True))
    director = house.plane._board.classes["class-1"].director
    working, done = director.refresh, asyncio.Event()

    def broken(room: Room, limit: int = 50) -> list[Directive]:
        monkeypatch.setattr(director, "refresh", again)
        raise RuntimeError("defect")

    def again(room: Room, limit: int = 50) -> list[Directive]:
        done.set()
        return working(room, limit)

    await house.answer("bo")
    monkeypatch.setattr(director, "refresh", broken)
    house.happen(("connected", house.newest_peer, "udp"))
    assert (house.engine.of("assign"), house.plane.metrics()["refreshes_failed"]) == ([], 1)
    await asyncio.wait_for(done.wait(), 5)
    assert len(house.engine.of("assign")) == 1


async def test_a_transport_that_has_ended_no_longer_counts_in_the_grade(house: House) -> None:
    await house.publish()
    lossy = house.newest_peer
    await house.watch("ann")
    assert house.grade(lossy, 20, 300, 0) == (1, 300)
    assert house.grade(house.newest_peer, 20, 0, 0) == (1, 300)
    house.happen(("closed", lossy, "consent"))
    assert house.grade(house.newest_peer, 20, 0, 0) == (4, 0)


async def test_a_viewer_none_of_whose_visible_pictures_fit_has_a_bad_connection(house: House) -> None:
    house.lesson.do("ann", StartScreen())
    await house.plane.publish("class-1", "ann", "ann", {"sdp": LAYERED, "tracks": [{"mid": "1", "source": "screen", "height": 720}]})
    mids = await house.watch("bo")
    peer, screen, main = house.newest_peer, house.slot(mids["screen"]), house.slot(mids["main"])
    house.happen(("layer", main, 0))  # the main place has nothing to play any more
    assert house.grade(peer, 20, 0, 0) == (4, 0), "nothing begun is no complaint"
    house.happen(("layer", screen, -1))
    assert house.grade(peer, 20, 0, 0) == (1, 0)
    house.happen(("layer", screen, 0))
    assert house.grade(peer, 20, 0, 0) == (4, 0)
    house.happen(("layer", screen, -1))
    await house.subscribe("bo", action="size", sizes=[{"mid": mids["screen"], "height": 0}])
    assert house.grade(peer, 20, 0, 0) == (4, 0), "what is out of sight is not missed"


async def test_what_is_refused_while_the_engine_is_behind_is_counted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.lesson.join("bo")
    monkeypatch.setattr(media.ring, "BUSY", -1)
    with pytest.raises(Rejected, match="overloaded"):
        await house.publish()
    with pytest.raises(Rejected, match="overloaded"):
        await house.subscribe("bo", action="offer", tiles=0)
    with pytest.raises(Rejected, match="overloaded"):
        await house.plane.check(PLAYER)
    assert house.plane.metrics()["refused_busy"] == 3
    assert house.engine.of("open_peer") == []


async def test_a_wall_clock_that_is_set_back_silences_nobody(house: House) -> None:
    now = [10_000_000]
    house.plane._board.clock = lambda: now[0]
    await house.publish()
    room, [(track, *_), *_rest] = house.plane._board.classes["class-1"].id, [args for args, _ in house.engine.of("add_track")]
    for figure in (50, 60):
        house.happen(("speakers", room, [(track, figure)]), ("quality", house.newest_peer, figure, 0, 0, 0, 0, 0))
        assert house.heard.newest["*", "speakers"]["speakers"] == [{"participant": "ann", "level": figure}]
        assert house.heard.newest["staff", "quality"]["rtt"] == figure
        now[0] -= 3_600_000
