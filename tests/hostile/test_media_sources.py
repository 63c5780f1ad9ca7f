"""Sources nobody announced and sources that may not send: bounded, never forwarded, told (G07, G13)."""

import struct

from tests.support.legs import Leg, Picture, Tone, bystanders, until


def rtp(sequence: int, *, pt: int = 96, ssrc: int = 77, extensions: bytes = b"") -> bytes:
    block = struct.pack("!HH", 0xBEDE, len(extensions) // 4) + extensions if extensions else b""
    return struct.pack("!BBHII", 0x90 if block else 0x80, pt, sequence, 0, ssrc) + block + b"\x10\x00payload"


def negotiated(leg: Leg, name: str) -> int:
    line = next(line for line in leg.pc.remoteDescription.sdp.splitlines() if line.startswith("a=extmap:") and name in line)
    return int(line.split(":")[1].split(" ")[0])


async def test_g07_ten_thousand_sources_are_bounded_and_told_of() -> None:
    async with bystanders() as good:
        engine = good.stage.engine
        leg = await good.stage.publish({"camera": Picture()})
        await until(lambda: good.stage.told("track", leg.tracks["camera"], True))
        for ssrc in range(10_000):
            await leg.send_raw(leg.seal(rtp(1, ssrc=500_000 + ssrc)))
        await until(lambda: engine.metrics()["dropped_unknown_ssrc"] + engine.metrics()["dropped_too_many_ssrc"] >= 9_000)
        await until(lambda: good.stage.told("violation", leg.peer, "unknown_ssrc"))
        tellings = [event for event in good.stage.events if event[0] == "violation" and event[1] == leg.peer]
        assert len(tellings) <= 20
        assert engine.metrics()["tracks"] == 3
        await good.flow()


async def test_g07_another_publishers_source_and_mid_are_not_stolen() -> None:
    async with bystanders() as good:
        engine = good.stage.engine
        sender = next(s for s in good.teacher.pc.getSenders() if s.kind == "video")
        leg = await good.stage.publish({"camera": Picture()}, allowed=False)
        await until(lambda: leg.pc.connectionState == "connected")
        mid = negotiated(leg, "sdes:mid")
        pupils_before = good.pupil.frames["main"]
        for n in range(200):
            await leg.send_raw(leg.seal(rtp(40_000 + n, ssrc=sender._ssrc)))
            await leg.send_raw(leg.seal(rtp(50_000 + n, ssrc=90_000, extensions=bytes([mid << 4, 0x37, 0, 0]))))
        await until(lambda: engine.metrics()["dropped_unknown_ssrc"] >= 1)
        await good.flow()
        assert good.pupil.frames["main"] > pupils_before
        lost = [s.packetsLost for s in (await good.pupil.pc.getStats()).values() if s.type == "inbound-rtp" and s.kind == "video"]
        assert lost == [0], "nothing was mixed into the teacher's picture"


async def test_g07_unknown_payload_types_are_dropped() -> None:
    async with bystanders() as good:
        leg = await good.stage.publish({"camera": Picture()})
        await until(lambda: good.stage.told("track", leg.tracks["camera"], True))
        name = leg.pc.getTransceivers()[0].mid.encode()
        extension = bytes([negotiated(leg, "sdes:mid") << 4 | len(name) - 1]) + name
        await leg.send_raw(leg.seal(rtp(1, ssrc=4711, pt=5, extensions=extension + bytes(-len(extension) % 4))))
        await until(lambda: good.stage.engine.metrics()["dropped_unknown_pt"] >= 1)
        await good.flow()


async def test_g13_who_may_not_send_is_not_forwarded_and_is_told_of() -> None:
    async with bystanders() as good:
        engine = good.stage.engine
        leg = await good.stage.publish({"microphone": Tone(), "screen": Picture(250)}, allowed=False)
        viewer = await good.stage.view()
        engine.assign(viewer.slots["main"], leg.tracks["screen"])
        await until(lambda: good.stage.told("violation", leg.peer, "not_allowed"))
        await good.flow()
        assert viewer.frames.get("main", 0) == 0
        # That it is sent is told: of several devices of a person the one that sends counts.
        assert good.stage.told("track", leg.tracks["screen"], True)
        engine.set_track(leg.tracks["screen"], allowed=True, priority=False)
        await until(lambda: viewer.frames.get("main", 0) > 5)
