"""A participant without a browser: publishes a file or test picture, receives and counts. For bots, tests and "play a file into class".

Beside media nothing is known here: `call(type, fields)` carries `media_publish` and `media_subscribe` to the node and returns the result,
whatever the connection behind it. One publishing and one receiving RTCPeerConnection, as PROTOCOL.md tells.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from aiortc import (  # noqa: TID251 - this is the one place
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.contrib.media import MediaPlayer  # noqa: TID251
from aiortc.mediastreams import MediaStreamError  # noqa: TID251

from media.negotiation import Source
from media.sdp import parse, write

Call: TypeAlias = Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
#: (slot's use, frame) for every decoded frame
Watch: TypeAlias = Callable[[str, Any], None]

# Otherwise aiortc leaves all but the first m-line of a kind on a transport it has closed.
_CONFIGURATION: Final = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)


@dataclass(kw_only=True)
class Received:
    """What came through one slot; times are of the monotonic clock."""

    mid: str
    kind: str
    use: str
    frames: int = 0
    first_at: float | None = None
    last_at: float | None = None


@dataclass
class Peer:
    """One device of one participant."""

    call: Call
    watch: Watch | None = None
    received: dict[str, Received] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._up: RTCPeerConnection | None = None
        self._down: RTCPeerConnection | None = None
        self._readers: list[asyncio.Task[None]] = []
        self._players: list[MediaPlayer] = []

    async def publish(self, tracks: Mapping[Source, MediaStreamTrack]) -> None:
        """Send these tracks; returns once the node has answered. Raises what `call` raises."""
        self._up = up = RTCPeerConnection(_CONFIGURATION)
        senders = {source: up.addTransceiver(track, direction="sendonly") for source, track in tracks.items()}
        await up.setLocalDescription(await up.createOffer())
        described = [{"mid": transceiver.mid, "source": source} for source, transceiver in senders.items()]
        answer = await self.call("media_publish", {"sdp": up.localDescription.sdp, "tracks": described})
        await up.setRemoteDescription(RTCSessionDescription(sdp=_candidates_everywhere(answer["sdp"]), type="answer"))

    async def play(self, path: str, *, loop: bool = True) -> None:
        """Publish a media file as camera and microphone, over and over."""
        player = MediaPlayer(path, loop=loop)
        self._players.append(player)
        found: dict[Source, MediaStreamTrack] = {}
        if player.audio is not None:
            found["microphone"] = player.audio
        if player.video is not None:
            found["camera"] = player.video
        await self.publish(found)

    async def subscribe(self, tiles: int = 0) -> None:
        """Receive: one Received per slot, counted as frames are decoded."""
        offer = await self.call("media_subscribe", {"action": "offer", "tiles": tiles})
        for slot in offer["slots"]:
            self.received[slot["mid"]] = Received(mid=slot["mid"], kind=slot["kind"], use=slot["use"])
        self._down = down = RTCPeerConnection(_CONFIGURATION)
        await down.setRemoteDescription(RTCSessionDescription(sdp=_candidates_everywhere(offer["sdp"]), type="offer"))
        for transceiver in down.getTransceivers():
            reader = self._read(transceiver.receiver.track, self.received[transceiver.mid or ""])
            self._readers.append(asyncio.create_task(reader))
        await down.setLocalDescription(await down.createAnswer())
        await self.call("media_subscribe", {"action": "answer", "sdp": down.localDescription.sdp})

    async def _read(self, track: MediaStreamTrack, slot: Received) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                slot.frames += 1
                slot.last_at = time.monotonic()
                slot.first_at = slot.first_at or slot.last_at
                if self.watch is not None:
                    self.watch(slot.use, frame)

    @property
    def states(self) -> tuple[str | None, str | None]:
        """Connection states (publishing, receiving), None where there is none."""
        up = self._up.connectionState if self._up is not None else None
        down = self._down.connectionState if self._down is not None else None
        return up, down

    async def close(self) -> None:
        """Hang up both ways (idempotent)."""
        for connection in (self._up, self._down):
            if connection is not None:
                await connection.close()
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        self._readers.clear()


def _candidates_everywhere(sdp: str) -> str:
    """The description with its candidates under every m-line: aiortc looks under the last of a kind, not the first of the group."""
    description = parse(sdp)
    names = ("candidate", "end-of-candidates")
    found = tuple(line for section in description.sections for line in section.attributes if line[0] in names)
    sections = [
        replace(section, attributes=tuple(line for line in section.attributes if line[0] not in names) + found)
        for section in description.sections
    ]
    return write(replace(description, sections=tuple(sections)))
