"""The engine between independent peers: pictures and sound pass through ICE, DTLS and SRTP of somebody else's making."""

import asyncio

import pytest

from media._engine import Engine  # noqa: TID251 - the subject
from tests.support.legs import Picture, Tone, brightness, bystanders, loudness, stage, until


@pytest.mark.parametrize("codec", ["vp8", "h264"])
async def test_picture_and_sound_arrive(codec: str) -> None:
    async with stage() as made:
        teacher = await made.publish({"camera": Picture(200), "microphone": Tone()}, codec=codec)
        pupil = await made.view()
        made.engine.assign(pupil.slots["main"], teacher.tracks["camera"])
        await until(lambda: pupil.frames.get("main", 0) > 30 and pupil.frames.get("voice0", 0) > 30)
        assert abs(brightness(pupil.newest["main"]) - 200) < 10
        assert loudness(pupil.newest["voice0"]) > 5000
        assert made.told("connected", teacher.peer, "udp")
        assert made.told("connected", pupil.peer, "udp")
        assert made.told("track", teacher.tracks["camera"], True, codec)
        assert made.told("audio_slots", 1, [teacher.tracks["microphone"], 0, 0])


async def test_a_late_viewer_sees_the_picture_soon() -> None:
    async with bystanders() as good:
        late = await good.stage.view()
        good.stage.engine.assign(late.slots["main"], good.teacher.tracks["camera"])
        await until(lambda: late.frames.get("main", 0) > 0, limit=3)
        await good.flow()


async def test_a_slot_changes_its_source_without_the_viewer_noticing_more_than_the_picture() -> None:
    async with bystanders() as good:
        other = await good.stage.publish({"camera": Picture(230)})
        await until(lambda: good.stage.told("track", other.tracks["camera"], True))
        for _ in range(3):
            for track, light in ((other.tracks["camera"], 230), (good.teacher.tracks["camera"], 128)):
                good.stage.engine.assign(good.pupil.slots["main"], track)
                await until(lambda light=light: abs(brightness(good.pupil.newest["main"]) - light) < 20, limit=5)
        await good.flow()
        lost = [s.packetsLost for s in (await good.pupil.pc.getStats()).values() if s.type == "inbound-rtp" and s.kind == "video"]
        assert lost == [0]


async def test_a_closed_peer_hears_of_it_and_the_rest_goes_on() -> None:
    async with bystanders() as good:
        other = await good.stage.view()
        await until(lambda: other.pc.connectionState == "connected")
        good.stage.engine.close_peer(other.peer)
        await until(lambda: good.stage.told("closed", other.peer, "requested"))
        await until(lambda: other.pc.connectionState in ("closed", "failed"), limit=5)
        await good.flow()


async def test_a_silenced_source_stops_and_may_speak_again() -> None:
    async with bystanders() as good:
        engine, voice = good.stage.engine, good.teacher.tracks["microphone"]
        engine.set_track(voice, allowed=False, priority=False)
        await until(lambda: good.stage.told("audio_slots", 1, [0, 0, 0]))
        await asyncio.sleep(0.3)
        before = good.pupil.frames["voice0"]
        await asyncio.sleep(0.5)
        assert good.pupil.frames["voice0"] <= before + 1
        engine.set_track(voice, allowed=True, priority=False)
        await good.flow()


async def test_arguments_that_make_no_sense_are_refused() -> None:
    async with stage() as made:
        engine = made.engine
        for call in (
            lambda: engine.open_room(0),
            lambda: engine.close_peer(0),
            lambda: engine.assign(1, 0),
            lambda: engine.add_track(1, 1, kind="smell", mid="0", codecs=[(96, "vp8", 97)], allowed=True),  # type: ignore[arg-type]
            lambda: engine.add_track(1, 1, kind="video", mid="", codecs=[(96, "vp8", 97)], allowed=True),
            lambda: engine.add_track(1, 1, kind="video", mid="0", codecs=[(96, "vp8", 96)], allowed=True),
            lambda: engine.add_track(1, 1, kind="video", mid="0", codecs=[(200, "vp8", None)], allowed=True),
            lambda: engine.add_slot(1, 1, kind="video", mid="0", ssrc=7, rtx_ssrc=7, codecs=[(96, "vp8", None)]),
        ):
            with pytest.raises(ValueError, match=r"^[a-z_]+: "):
                call()
        engine.close_peer(12345)
        await until(lambda: engine.metrics()["commands_ignored"] == 1)


async def test_a_full_ring_refuses_at_once() -> None:
    engine = Engine(bind="127.0.0.1", tcp_port=None, queue=1)

    def flood() -> None:
        for _ in range(100_000):
            engine.request_key_frame(1)

    try:
        with pytest.raises(BlockingIOError):
            flood()
        assert engine.tcp_port is None
    finally:
        engine.close()
        engine.close()
    with pytest.raises(RuntimeError):
        engine.open_room(1)
