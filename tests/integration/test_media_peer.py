"""aiortc participants through the real engine: what is announced arrives, what is not does not."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from media.peer import Peer
from signaling.classroom.errors import Rejected
from signaling.classroom.sanctions import Remove
from signaling.classroom.tracks import SetCamera, SetMicrophone
from tests.support import clip
from tests.support.bare import BareNode, bare_node


def calls(node: BareNode, person: str, connection: str | None = None) -> Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]:
    """The signaling of one device, straight into the plane."""

    async def call(type: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        way = node.plane.publish if type == "media_publish" else node.plane.subscribe
        return await way(node.lesson.room.id, person, connection or person, fields)

    return call


async def until(truth: Callable[[], Any], limit: float = 15) -> None:
    end = time.monotonic() + limit
    while not truth():
        assert time.monotonic() < end, "never true"
        await asyncio.sleep(0.02)


async def test_a_played_file_is_seen_and_heard_and_switched_off() -> None:
    async with bare_node() as node:
        node.lesson.join("bo")
        seen: list[bytes] = []

        def watch(use: str, frame: Any) -> None:
            if use == "main" and len(seen) < 400:
                seen.append(clip.thumb(frame))

        trainer, trainee = Peer(calls(node, "ann")), Peer(calls(node, "bo"), watch)
        try:
            await trainee.subscribe(tiles=1)
            await trainer.play(str(clip.source()))
            node.announce("ann")
            main = next(slot for slot in trainee.received.values() if slot.use == "main")
            voices = [slot for slot in trainee.received.values() if slot.use == "audio"]
            await until(lambda: main.frames > 40 and any(slot.frames > 40 for slot in voices))
            index, alike = clip.nearest(seen[-1])
            assert alike > 28, f"{alike:.1f} dB to frame {index}"

            node.do("ann", SetCamera(on=False))
            node.do("ann", SetMicrophone(on=False))
            await asyncio.sleep(0.5)
            before = main.frames
            await asyncio.sleep(1)
            assert main.frames == before
        finally:
            await trainer.close()
            await trainee.close()


async def test_removal_closes_the_transports_at_once() -> None:
    async with bare_node() as node:
        node.lesson.join("bo")
        trainee = Peer(calls(node, "bo"))
        try:
            await trainee.subscribe()
            await until(lambda: trainee.states[1] == "connected")
            node.do("ann", Remove(participant="bo", ban=True))
            await until(lambda: node.plane.metrics()["peers"] == 0, limit=2)
            for request in ({"action": "offer"}, {"action": "restart"}, {"action": "answer", "sdp": "v=0"}):
                with pytest.raises(Rejected) as caught:
                    await calls(node, "bo")("media_subscribe", request)
                assert caught.value.code == "not_admitted"
        finally:
            await trainee.close()
