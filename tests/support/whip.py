"""An encoder and a player nobody here wrote: aiortc, with WHIP and WHEP spoken as the documents say and nothing of our own signaling."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiortc import (  # noqa: TID251 - an independent peer
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError  # noqa: TID251

from media.peer import _candidates_everywhere
from tests.support.house import Answer, House

SDP = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}
_CONFIGURATION = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def post(home: House, endpoint: str, offer: str | bytes, token: str | None, **headers: str) -> Answer:
    """Offer; `endpoint` with its query."""
    proof = bearer(token) if token is not None else {}
    data = offer if isinstance(offer, bytes) else offer.encode()
    return await home.call("POST", endpoint, data=data, headers={**SDP, **proof, **headers})


@dataclass
class Remote:
    """One RTCPeerConnection that came in by an offer."""

    home: House
    token: str
    pc: RTCPeerConnection = field(default_factory=lambda: RTCPeerConnection(_CONFIGURATION))
    created: Answer | None = None
    frames: dict[str, int] = field(default_factory=dict)
    newest: dict[str, Any] = field(default_factory=dict)
    readers: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def path(self) -> str:
        """Its session, relative to the API."""
        assert self.created is not None
        return str(self.created.headers["Location"]).removeprefix("/api/v1")

    async def open(self, endpoint: str) -> Answer:
        """Offer, and take the answer if there is one."""
        await self.pc.setLocalDescription(await self.pc.createOffer())
        self.created = await post(self.home, endpoint, self.pc.localDescription.sdp, self.token)
        if self.created.status == 201:
            answer = _candidates_everywhere(self.created.body.decode())
            await self.pc.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
        return self.created

    async def patch(self, fragment: str, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.home.call("PATCH", self.path, data=fragment.encode(), headers={**FRAGMENT, **bearer(self.token), **named})

    async def delete(self) -> Answer:
        return await self.home.call("DELETE", self.path, headers=bearer(self.token))

    async def read(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                self.newest[track.kind] = await track.recv()
                self.frames[track.kind] = self.frames.get(track.kind, 0) + 1

    async def close(self) -> None:
        await self.pc.close()
        for reader in self.readers:
            reader.cancel()
        await asyncio.gather(*self.readers, return_exceptions=True)


@contextlib.asynccontextmanager
async def encoder(home: House, token: str, *tracks: MediaStreamTrack, endpoint: str = "/whip") -> AsyncIterator[Remote]:
    """Sends these tracks."""
    remote = Remote(home, token)
    for track in tracks:
        remote.pc.addTransceiver(track, direction="sendonly")
    try:
        await remote.open(endpoint)
        yield remote
    finally:
        await remote.close()


@contextlib.asynccontextmanager
async def player(home: House, token: str, *kinds: str, endpoint: str = "/whep") -> AsyncIterator[Remote]:
    """Receives audio and video, or these kinds."""
    remote = Remote(home, token)
    remote.pc.on("track", lambda track: remote.readers.append(asyncio.create_task(remote.read(track))))
    for kind in kinds or ("audio", "video"):
        remote.pc.addTransceiver(kind, direction="recvonly")
    try:
        await remote.open(endpoint)
        yield remote
    finally:
        await remote.close()
