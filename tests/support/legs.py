"""Independent peers (aiortc) on the bare engine, and two of them as bystanders: while something is being attacked, their media must flow.

Nothing of the plane takes part: only `media._engine` and the session descriptions.
"""

import array
import asyncio
import contextlib
import itertools
import math
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, cast

import av
from aiortc import (  # noqa: TID251 - an independent peer
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, VideoStreamTrack  # noqa: TID251

from media._engine import Engine  # noqa: TID251 - the subject
from media.negotiation import SlotOffer, Source, answer_publish, offer_subscribe, read_subscribe_answer
from media.transport import ServerTransport

ROOM = 1


async def until(truth: Callable[[], Any], limit: float = 15) -> None:
    """Waits for something to become true."""
    end = time.monotonic() + limit
    while not truth():
        assert time.monotonic() < end, "never true"
        await asyncio.sleep(0.02)


class Picture(VideoStreamTrack):
    """A small moving picture of one brightness (0-255)."""

    def __init__(self, brightness: int = 128) -> None:
        super().__init__()
        self.brightness = brightness

    async def recv(self) -> av.VideoFrame:
        pts, base = await self.next_timestamp()
        frame = av.VideoFrame(96, 96, "yuv420p")
        for plane, value in zip(frame.planes, (self.brightness, 128, 128), strict=True):
            content = bytearray([value]) * plane.buffer_size
            row = pts // 3000 % plane.height * plane.line_size
            content[row : row + plane.line_size] = bytes([16]) * plane.line_size
            plane.update(bytes(content))
        frame.pts, frame.time_base = pts, base
        return frame


def brightness(frame: av.VideoFrame) -> float:
    """Mean luma, 0-255."""
    plane = frame.planes[0]
    content = bytes(plane)
    rows = [content[n * plane.line_size : n * plane.line_size + plane.width] for n in range(plane.height)]
    return sum(map(sum, rows)) / (plane.width * plane.height)


def loudness(frame: av.AudioFrame) -> int:
    """Highest sample, 0-32768."""
    return max(abs(sample) for sample in array.array("h", bytes(frame.planes[0])))


class Tone(AudioStreamTrack):
    """A loud tone of 440 Hz."""

    async def recv(self) -> av.AudioFrame:
        frame = cast(av.AudioFrame, await super().recv())
        step, start = 2 * math.pi * 440 / frame.sample_rate, frame.pts or 0
        wave = array.array("h", (int(12000 * math.sin(step * (start + n))) for n in range(frame.samples)))
        frame.planes[0].update(wave.tobytes())
        return frame


class Leg:
    """One RTCPeerConnection and what the engine calls it."""

    def __init__(self, stage: "Stage", peer: int) -> None:
        self.stage = stage
        self.peer = peer
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.tracks: dict[Source, int] = {}
        self.slots: dict[str, int] = {}
        self.frames: dict[str, int] = {}
        self.newest: dict[str, Any] = {}
        self._readers: list[asyncio.Task[None]] = []

    @property
    def dtls(self) -> Any:
        """aiortc's transport: keys, and a way to send anything."""
        return (self.pc.getSenders() or self.pc.getReceivers())[0].transport

    async def send_raw(self, datagram: bytes) -> None:
        """A datagram from this peer's own, checked address."""
        await self.dtls.transport._send(datagram)

    def seal(self, rtp: bytes) -> bytes:
        """Protects any RTP bytes with this peer's keys."""
        return bytes(self.dtls._tx_srtp.protect(rtp))

    async def read(self, name: str, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                self.newest[name] = await track.recv()
                self.frames[name] = self.frames.get(name, 0) + 1

    def start_reading(self) -> None:
        for transceiver in self.pc.getTransceivers():
            self._readers.append(asyncio.create_task(self.read(transceiver.mid or "", transceiver.receiver.track)))

    async def close(self) -> None:
        await self.pc.close()
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)


class Stage:
    """An engine with one room, and its legs."""

    def __init__(self, audio_slots: int = 3) -> None:
        self.engine = Engine(bind="127.0.0.1")
        self.engine.open_room(ROOM, audio_slots)
        self.events: list[tuple[Any, ...]] = []
        self.legs: list[Leg] = []
        self._ids = itertools.count(1)

    def pump(self) -> None:
        self.events += self.engine.drain()

    def told(self, kind: str, *rest: Any) -> bool:
        """Whether an event of this kind beginning with these fields has come."""
        self.pump()
        return any(event[0] == kind and event[1 : 1 + len(rest)] == rest for event in self.events)

    def transport(self) -> ServerTransport:
        return ServerTransport(
            ufrag=secrets.token_hex(4),
            pwd=secrets.token_hex(12),
            fingerprint=self.engine.fingerprint,
            addresses=("127.0.0.1",),
            udp_port=self.engine.udp_ports[0],
            tcp_port=None,
        )

    def open(self, peer: int, transport: ServerTransport, remote: Any, extensions: Mapping[str, int], fingerprint: str = "") -> None:
        self.engine.open_peer(
            peer,
            ROOM,
            shard=0,
            local_ufrag=transport.ufrag,
            local_pwd=transport.pwd,
            remote_ufrag=remote.ufrag,
            remote_pwd=remote.pwd,
            fingerprint=fingerprint or remote.fingerprint,
            extensions=dict(extensions),
        )

    async def publish(
        self, tracks: Mapping[Source, MediaStreamTrack], *, allowed: bool = True, codec: str | None = None, fingerprint: str = ""
    ) -> Leg:
        """A peer that sends these."""
        leg = Leg(self, next(self._ids))
        self.legs.append(leg)
        senders = {source: leg.pc.addTransceiver(track, direction="sendonly") for source, track in tracks.items()}
        if codec is not None:
            for transceiver in senders.values():
                if transceiver.kind == "video":
                    known = RTCRtpSender.getCapabilities("video").codecs
                    transceiver.setCodecPreferences([c for c in known if codec in c.mimeType.lower() or "rtx" in c.mimeType])
        await leg.pc.setLocalDescription(await leg.pc.createOffer())
        transport = self.transport()
        wishes = {transceiver.mid or "": source for source, transceiver in senders.items()}
        answer, plan = answer_publish(leg.pc.localDescription.sdp, wishes, transport)
        self.open(leg.peer, transport, plan.remote, plan.extensions, fingerprint)
        for track in plan.tracks:
            leg.tracks[track.source] = next(self._ids)
            self.engine.add_track(
                leg.tracks[track.source],
                leg.peer,
                kind=track.kind,
                mid=track.mid,
                ssrcs=track.ssrcs,
                codecs=track.codecs,
                allowed=allowed,
            )
        await leg.pc.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
        return leg

    async def view(self, *, voices: int = 1) -> Leg:
        """A peer with one picture slot ("main") and automatic audio slots ("voice0" ...)."""
        leg = Leg(self, next(self._ids))
        self.legs.append(leg)
        places = [SlotOffer(mid="main", use="main", ssrc=secrets.randbits(32), rtx_ssrc=secrets.randbits(32))]
        places += [SlotOffer(mid=f"voice{n}", use="audio", ssrc=secrets.randbits(32)) for n in range(voices)]
        transport = self.transport()
        await leg.pc.setRemoteDescription(RTCSessionDescription(sdp=offer_subscribe(places, transport), type="offer"))
        leg.start_reading()
        await leg.pc.setLocalDescription(await leg.pc.createAnswer())
        plan = read_subscribe_answer(leg.pc.localDescription.sdp, places)
        self.open(leg.peer, transport, plan.remote, plan.extensions)
        for n, place in enumerate(places):
            leg.slots[place.mid] = next(self._ids)
            self.engine.add_slot(
                leg.slots[place.mid],
                leg.peer,
                kind=place.kind,
                mid=place.mid,
                ssrc=place.ssrc,
                rtx_ssrc=place.rtx_ssrc,
                codecs=plan.slots[place.mid],
                auto=n - 1 if place.kind == "audio" else None,
            )
        return leg

    async def close(self) -> None:
        await asyncio.gather(*(leg.close() for leg in self.legs))
        self.engine.close()


class Bystanders:
    """A teacher and a pupil who have nothing to do with the attack."""

    def __init__(self, stage: Stage, teacher: Leg, pupil: Leg) -> None:
        self.stage = stage
        self.teacher = teacher
        self.pupil = pupil

    async def flow(self) -> None:
        """Picture and sound go on arriving, and both are still connected."""
        before = dict(self.pupil.frames)
        await until(lambda: all(self.pupil.frames[name] >= before[name] + 10 for name in ("main", "voice0")), limit=5)
        self.stage.pump()
        assert not [event for event in self.stage.events if event[0] == "closed" and event[1] in (self.teacher.peer, self.pupil.peer)]


@contextlib.asynccontextmanager
async def stage(audio_slots: int = 3) -> AsyncIterator[Stage]:
    made = Stage(audio_slots)
    try:
        yield made
    finally:
        await made.close()


@contextlib.asynccontextmanager
async def bystanders() -> AsyncIterator[Bystanders]:
    """Two good peers whose media flows when the test begins and must flow when it ends."""
    async with stage() as made:
        teacher = await made.publish({"camera": Picture(), "microphone": Tone()})
        pupil = await made.view()
        made.engine.assign(pupil.slots["main"], teacher.tracks["camera"])
        await until(lambda: pupil.frames.get("main", 0) > 5 and pupil.frames.get("voice0", 0) > 5)
        yield Bystanders(made, teacher, pupil)
