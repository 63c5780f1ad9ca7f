"""Encoders and players of others (aiortc) through a whole node: they are people in class, and what they send and see is decided there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from media import switchboard
from media.peer import Peer
from server import keys
from signaling.classroom.roles import Role
from tests.support.house import House, house
from tests.support.legs import Picture, Tone, brightness, loudness, until
from tests.support.member import Member
from tests.support.whip import Remote, encoder, player

CREDENTIALS = "a=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=end-of-candidates\r\n"


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as home:
        yield home


@asynccontextmanager
async def live(home: House) -> AsyncIterator[tuple[str, Member]]:
    """A class that runs, and its trainer in it."""
    session = await home.create("Knots")
    async with home.member(session, "ann", Role.TRAINER) as ann:
        await ann.command("start_class")
        yield session, ann


def person(home: House, session: str, name: str) -> Any:
    """The class's own record of who has this name."""
    assert home.node is not None
    room = home.node.app[keys.HUB].room(session)
    assert room is not None
    return next((found for found in room.participants.values() if found.name == name), None)


def open_streams(home: House) -> int:
    assert home.node is not None
    return len(home.node.app[keys.STREAMS])


def events(member: Member, kind: str) -> list[dict[str, Any]]:
    return [entry["event"] for entry in member.events if entry["event"]["type"] == kind]


async def watched(remote: Remote, *, light: int) -> None:
    """A picture of this brightness and a loud tone arrive."""
    await until(lambda: remote.frames.get("video", 0) > 10 and remote.frames.get("audio", 0) > 10)
    await until(lambda: abs(brightness(remote.newest["video"]) - light) < 12 and loudness(remote.newest["audio"]) > 4_000)


async def silent(remote: Remote, kind: str) -> None:
    """Once what was on its way is there, nothing of this kind comes any more."""
    await asyncio.sleep(0.5)
    before = remote.frames[kind]
    await asyncio.sleep(1)
    assert remote.frames[kind] == before


async def test_what_an_encoder_sends_is_seen_and_heard_by_a_player(home: House) -> None:
    async with live(home) as (session, ann):
        async with (
            encoder(home, home.token(session, "obs", Role.TRAINER), Tone(), Picture(200)) as studio,
            player(home, home.token(session, "tv")) as screen,
        ):
            assert (studio.created.status, screen.created.status) == (201, 201)  # type: ignore[union-attr]
            await watched(screen, light=200)
            sender, viewer = person(home, session, "obs"), person(home, session, "tv")
            assert (sender.microphone, sender.camera, sender.present) == (True, True, True)
            assert (viewer.microphone, viewer.camera, viewer.present) == (False, False, True)
            await ann.until(lambda: {event["name"] for event in events(ann, "participant_joined")} == {"obs", "tv"})
            await ann.until(lambda: len(events(ann, "connection_opened")) == 2)
            told = repr((ann.events, ann.signals))
            assert studio.path.rpartition("/")[2] not in told, "the session's URL is nobody else's"
            assert (await studio.delete()).status == 200
            assert not person(home, session, "obs").camera
        await until(lambda: open_streams(home) == 0)
        await ann.until(lambda: len(events(ann, "connection_closed")) == 2)


async def test_a_player_sees_the_screen_while_one_is_shared_if_it_wants_that(home: House) -> None:
    async with (
        live(home) as (session, _),
        encoder(home, home.token(session, "desk", Role.TRAINER), Tone(), Picture(60)),
        player(home, home.token(session, "tv"), endpoint="/whep?view=screen") as screen,
        player(home, home.token(session, "radio"), "audio") as radio,
    ):
        await watched(screen, light=60)
        slides = encoder(home, home.token(session, "slides", Role.ASSISTANT), Picture(220), endpoint="/whip?source=screen")
        async with slides as sharing:
            assert sharing.created.status == 201, sharing.created  # type: ignore[union-attr]
            await until(lambda: abs(brightness(screen.newest["video"]) - 220) < 12)
            await sharing.delete()
            await until(lambda: abs(brightness(screen.newest["video"]) - 60) < 12)
        await until(lambda: radio.frames.get("audio", 0) > 10 and loudness(radio.newest["audio"]) > 4_000)


async def test_muting_stopping_and_removing_hold_for_streams(home: House) -> None:
    async with (
        live(home) as (session, ann),
        encoder(home, home.token(session, "obs", Role.ASSISTANT), Tone(), Picture(200)) as studio,
        player(home, home.token(session, "tv")) as screen,
    ):
        await watched(screen, light=200)
        sender, viewer = person(home, session, "obs").id, person(home, session, "tv").id
        assert "seq" in await ann.command("mute", participant=sender)
        await silent(screen, "audio")
        assert "seq" in await ann.command("stop_camera", participant=sender)
        await silent(screen, "video")
        assert studio.pc.connectionState == screen.pc.connectionState == "connected"
        for who in (viewer, sender):
            assert "seq" in await ann.command("remove", participant=who, ban=True)
        await until(lambda: screen.pc.connectionState == studio.pc.connectionState == "closed", limit=5)
        assert [(await remote.delete()).status for remote in (screen, studio)] == [404, 404]
        await until(lambda: open_streams(home) == 0)
        async with player(home, home.token(session, "tv")) as back:
            assert back.created.code == "banned"  # type: ignore[union-attr]


async def test_a_trainee_publishes_on_stage_only_and_a_freeze_cuts(home: House) -> None:
    async with live(home) as (session, ann):
        await ann.command("change_settings", auto_stage=False)
        async with encoder(home, home.token(session, "pupil"), Picture()) as studio:
            assert studio.created.code == "not_on_stage"  # type: ignore[union-attr]
        assert not person(home, session, "pupil").present, "nothing is left behind"
        await ann.command("bring_on_stage", participant=person(home, session, "pupil").id)
        async with (
            encoder(home, home.token(session, "pupil"), Picture(200)) as studio,
            player(home, home.token(session, "tv"), "video") as tv,
        ):
            await until(lambda: tv.frames.get("video", 0) > 10)
            await ann.command("change_settings", frozen=True)
            await silent(tv, "video")
            assert not person(home, session, "pupil").camera
            assert studio.pc.connectionState == "connected"
        await until(lambda: open_streams(home) == 0)


async def test_a_stream_that_hangs_up_leaves_the_class(home: House) -> None:
    async with live(home) as (session, ann):
        async with encoder(home, home.token(session, "obs", Role.TRAINER), Tone(), Picture()) as studio:
            await until(lambda: studio.pc.connectionState == "connected")
        await ann.until(lambda: [event["reason"] for event in events(ann, "connection_closed")] == ["lost"])
        assert not person(home, session, "obs").microphone
        await until(lambda: open_streams(home) == 0)


async def test_an_encoder_beside_the_own_browser_switches_off_only_what_it_switched_on(home: House) -> None:
    session = await home.create()
    async with home.member(session, "ann", Role.TRAINER) as ann:
        await ann.command("start_class")
        await ann.command("set_microphone", on=True)
        async with encoder(home, home.token(session, "ann", Role.TRAINER), Tone(), Picture()) as studio:
            assert studio.created.status == 201  # type: ignore[union-attr]
            me = person(home, session, "ann")
            assert (me.microphone, me.camera, len(me.connections)) == (True, True, 2)
            await studio.delete()
        assert (me.microphone, me.camera, len(me.connections)) == (True, False, 1)


async def test_what_a_browser_offers_and_does_not_send_leaves_the_encoders_picture(home: House) -> None:
    session = await home.create()
    async with home.member(session, "ann", Role.TRAINER) as ann:
        await ann.command("start_class")
        me = person(home, session, "ann")
        [browser] = me.connections
        assert home.node is not None
        plane = home.node.app[keys.PLANE]
        async with (
            encoder(home, home.token(session, "ann", Role.TRAINER), Picture(200)) as studio,
            player(home, home.token(session, "tv")) as screen,
        ):
            await until(lambda: screen.frames.get("video", 0) > 10)
            device = Peer(lambda kind, fields: plane.publish(session, me.id, browser, fields))
            try:
                # As the page does for a microphone alone: the camera's place is offered, nothing is sent there.
                await device.publish({"microphone": Tone(), "camera": "video", "screen": "video"})  # type: ignore[dict-item]
                await ann.command("set_microphone", on=True)
                await until(lambda: screen.frames.get("audio", 0) > 10 and loudness(screen.newest["audio"]) > 4_000)
                before = screen.frames["video"]
                await until(lambda: screen.frames["video"] > before + 20)
                assert abs(brightness(screen.newest["video"]) - 200) < 12
                await studio.delete()
                # Nobody sends a camera any more.
                await until(lambda: not me.camera)
                assert me.microphone
            finally:
                await device.close()


async def test_the_end_of_the_class_ends_its_streams(home: House) -> None:
    async with live(home) as (session, ann):
        async with (
            encoder(home, home.token(session, "obs", Role.TRAINER), Picture()) as studio,
            player(home, home.token(session, "tv")) as tv,
        ):
            await until(lambda: studio.pc.connectionState == tv.pc.connectionState == "connected")
            await ann.command("end_class")
            await until(lambda: open_streams(home) == 0)
            await until(lambda: studio.pc.connectionState == tv.pc.connectionState == "closed", limit=5)
        async with player(home, home.token(session, "late")) as late:
            assert late.created.code == "class_ended"  # type: ignore[union-attr]


async def test_a_node_that_stops_takes_its_streams_out_of_class(home: House) -> None:
    async with live(home) as (session, ann), encoder(home, home.token(session, "obs", Role.TRAINER), Picture()) as studio:
        await until(lambda: studio.pc.connectionState == "connected")
        assert home.node is not None
        await home.node.app[keys.STREAMS].stop()
        await ann.until(lambda: len(events(ann, "connection_closed")) == 1)
        async with player(home, home.token(session, "late")) as late:
            assert late.created.code == "draining"  # type: ignore[union-attr]
            assert late.created.headers["Retry-After"] == "5"  # type: ignore[union-attr]


async def test_ice_news_need_the_state_they_are_about(home: House) -> None:
    async with live(home) as (session, _), encoder(home, home.token(session, "obs", Role.TRAINER), Tone(), Picture()) as studio:
        offer, tag = studio.pc.localDescription.sdp, studio.created.headers["ETag"]  # type: ignore[union-attr]
        lines = dict(line.split(":", 1) for line in offer.split("\r\n") if line.startswith(("a=ice-ufrag", "a=ice-pwd")))
        same = CREDENTIALS.format(ufrag=lines["a=ice-ufrag"], pwd=lines["a=ice-pwd"])
        trickled = await studio.patch(same, If_Match=tag)
        assert (trickled.status, "ETag" in trickled.headers) == (204, False)
        assert (await studio.patch(same)).code == "precondition_required"
        assert (await studio.patch(same, If_Match='"other"')).code == "precondition_failed"
        assert (await studio.patch("nonsense", If_Match="*")).code == "bad_sdp"
        await until(lambda: studio.pc.connectionState == "connected")

        fresh = CREDENTIALS.format(ufrag="fresh", pwd="0123456789012345678901")
        renewed = await studio.patch(fresh, If_Match="*")
        assert renewed.status == 200
        assert renewed.headers["Content-Type"].startswith("application/trickle-ice-sdpfrag")
        text = renewed.body.decode()
        assert renewed.headers["ETag"] not in (tag, "")
        assert f"a=ice-ufrag:{renewed.headers['ETag'].strip(chr(34))}\r\n" in text
        assert "a=ice-lite\r\n" in text
        assert "a=candidate:" in text
        assert (await studio.patch(same, If_Match=tag)).code == "precondition_failed"
        assert (await studio.patch(fresh, If_Match=renewed.headers["ETag"])).status == 204


async def test_pages_of_any_origin_may_ask_and_read_the_answers(home: House) -> None:
    foreign = {"Origin": "https://player.example"}
    for endpoint in ("/whip", "/whep", "/whip?source=screen", "/whep?view=screen", "/whip?source=nonsense", "/whip/some-session?x=1"):
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
        answer = await home.call("OPTIONS", endpoint, headers={**foreign, **asked})
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert {"POST", "PATCH", "DELETE"} <= set(answer.headers["Access-Control-Allow-Methods"].split(", "))
        assert {"Authorization", "Content-Type", "If-Match"} <= set(answer.headers["Access-Control-Allow-Headers"].split(", "))
        assert answer.headers["Accept-Post"] == "application/sdp"
    refused = await home.call("POST", "/whep", data=b"v=0", headers={**foreign, "Content-Type": "application/sdp"})
    assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert refused.headers["Access-Control-Allow-Origin"] == "*"
    mistyped = await home.call("POST", "/whip?source=nonsense", data=b"v=0", headers={**foreign, "Content-Type": "application/sdp"})
    assert (mistyped.code, mistyped.headers["Access-Control-Allow-Origin"]) == ("bad_message", "*"), "what is wrong can be read"
    assert {"Location", "ETag"} <= set(refused.headers["Access-Control-Expose-Headers"].split(", "))
    other = await home.call("GET", "/openapi.json", headers=foreign)
    assert "Access-Control-Allow-Origin" not in other.headers


async def test_endpoints_have_nothing_to_show_but_say_what_they_are(home: House) -> None:
    for endpoint in ("/whip", "/whep", "/whip?source=screen", "/whep?view=screen"):
        assert (await home.call("GET", endpoint)).status == 204, endpoint
    for endpoint in ("/whep", "/whep?view=screen"):
        found = await home.call("HEAD", endpoint)
        assert (found.status, found.headers["Content-Type"].partition(";")[0]) == (200, "application/sdp")
    assert (await home.call("PUT", "/whip", data=b"")).status == 405


async def test_players_on_other_shards_see_what_those_at_home_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switchboard, "AT_HOME", 1)
    async with house(tmp_path, **{"media.udp_ports": (0, 0)}) as home, live(home) as (session, _):
        studio = encoder(home, home.token(session, "obs", Role.TRAINER), Tone(), Picture(200))
        async with studio, player(home, home.token(session, "one")) as one:
            await watched(one, light=200)
            async with player(home, home.token(session, "two")) as two, player(home, home.token(session, "three")) as three:
                await asyncio.gather(watched(two, light=200), watched(three, light=200))
                assert home.node is not None
                assert sorted(home.node.app[keys.PLANE]._board.viewers) == [1, 2]
            await until(lambda: open_streams(home) == 2)
