"""E03, E08, D07, G03 and neighbours: who may have a media transport, and for how long.

The real engine and classroom; signaling left out.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from media.devices import Device
from media.plane import MAX_CHECKS, MAX_DEVICES, TICKET_MS
from signaling.classroom.errors import Rejected
from signaling.classroom.participants import Decline
from signaling.classroom.roles import Role
from signaling.classroom.sanctions import Remove
from signaling.classroom.session import ChangeSettings, EndClass
from tests.support.bare import BareNode, bare_node

OFFER = (Path(__file__).parents[1] / "unit/media/offers/chromium.sdp").read_text()
PUBLISH = {"sdp": OFFER, "tracks": [{"mid": "0", "source": "microphone"}]}
RECEIVE = {"action": "offer", "tiles": 1}
ONE_M_LINE = OFFER[: OFFER.index("m=video")].replace("BUNDLE 0 1 2 3", "BUNDLE 0")


async def publish(node: BareNode, person: str, connection: str | None = None, request: Mapping[str, Any] = PUBLISH) -> Mapping[str, Any]:
    return await node.plane.publish(node.lesson.room.id, person, connection or person, request)


async def subscribe(node: BareNode, person: str, request: Mapping[str, Any] = RECEIVE, connection: str | None = None) -> Mapping[str, Any]:
    return await node.plane.subscribe(node.lesson.room.id, person, connection or person, request)


def answered(offer: str) -> str:
    """An answer to one of our offers, as a browser that never connects would give it."""
    lines = [line for line in offer.split("\r\n") if not line.startswith(("a=candidate", "a=end-of", "a=ssrc", "a=ice-lite"))]
    return "\r\n".join(lines).replace("a=sendonly", "a=recvonly").replace("a=setup:actpass", "a=setup:active")


async def refused(code: str, call: Any) -> None:
    with pytest.raises(Rejected) as caught:
        await call
    assert caught.value.code == code


def swapped(sdp: str) -> str:
    """The same with another certificate."""
    return re.sub(r"a=fingerprint:sha-256 \S+", "a=fingerprint:sha-256 " + ":".join(["5A"] * 32), sdp)


def device(node: BareNode) -> Device:
    [klass] = node.plane._board.classes.values()
    return klass.devices["ann"]


def transports(node: BareNode) -> int:
    return sum(device.publish is not None for klass in node.plane._board.classes.values() for device in klass.devices.values()) + sum(
        device.subscribe is not None for klass in node.plane._board.classes.values() for device in klass.devices.values()
    )


async def test_who_waits_or_was_declined_gets_no_transport() -> None:
    async with bare_node() as node:
        node.do("ann", ChangeSettings(waiting_room=True))
        node.lesson.join("bo")
        for call in (publish(node, "bo"), subscribe(node, "bo"), subscribe(node, "bo", {"action": "restart"})):
            await refused("not_admitted", call)
        node.do("ann", Decline(participant="bo"))
        for call in (publish(node, "bo"), subscribe(node, "bo")):
            await refused("not_admitted", call)
        assert transports(node) == 0


async def test_strangers_and_unknown_classes_get_none() -> None:
    async with bare_node() as node:
        await refused("not_admitted", publish(node, "nobody"))
        await refused("media_unavailable", node.plane.publish("other-class", "ann", "ann", PUBLISH))


async def test_an_inspector_receives_and_never_publishes() -> None:
    async with bare_node() as node:
        node.lesson.join("ivy", Role.INSPECTOR)
        await refused("not_allowed", publish(node, "ivy"))
        assert "sdp" in await subscribe(node, "ivy")


async def test_removal_closes_transports_and_forgets_offers_at_once() -> None:
    async with bare_node() as node:
        node.lesson.join("bo")
        await publish(node, "bo")
        offer = await subscribe(node, "bo")
        node.do("ann", Remove(participant="bo", ban=True))
        assert transports(node) == 0
        await refused("not_admitted", subscribe(node, "bo", {"action": "answer", "sdp": answered(offer["sdp"])}))


async def test_a_ticket_works_once() -> None:
    async with bare_node() as node:
        offer = await subscribe(node, "ann")
        answer = {"action": "answer", "sdp": answered(offer["sdp"])}
        assert await subscribe(node, "ann", answer) == {}
        await refused("media_unavailable", subscribe(node, "ann", answer))
        assert transports(node) == 1


async def test_g03_a_restart_with_another_certificate_is_refused_and_leaves_the_transport_as_it_was() -> None:
    async with bare_node() as node:
        offer = await subscribe(node, "ann")
        await subscribe(node, "ann", {"action": "answer", "sdp": answered(offer["sdp"])})
        open_before = device(node).subscribe
        restart = answered((await subscribe(node, "ann", {"action": "restart"}))["sdp"])
        await refused("bad_sdp", subscribe(node, "ann", {"action": "answer", "sdp": swapped(restart)}))
        assert open_before is not None
        assert device(node).subscribe is open_before
        await refused("media_unavailable", subscribe(node, "ann", {"action": "answer", "sdp": restart}))
        again = answered((await subscribe(node, "ann", {"action": "restart"}))["sdp"])
        assert await subscribe(node, "ann", {"action": "answer", "sdp": again}) == {}
        assert transports(node) == 1


async def test_g03_an_offer_with_another_certificate_is_a_new_transport_and_ends_the_old_one() -> None:
    async with bare_node() as node:
        await publish(node, "ann")
        before = device(node).publish
        await publish(node, "ann", request=PUBLISH | {"sdp": swapped(OFFER)})
        after = device(node).publish
        assert before is not None
        assert after is not None
        assert after.peer != before.peer
        assert (before.peer in node.plane._board.places, after.peer in node.plane._board.places) == (False, True)


async def test_a_ticket_expires() -> None:
    async with bare_node() as node:
        offer = await subscribe(node, "ann")
        now = node.plane._board.clock()
        node.plane._board.clock = lambda: now + TICKET_MS
        await refused("media_unavailable", subscribe(node, "ann", {"action": "answer", "sdp": answered(offer["sdp"])}))
        assert transports(node) == 0


async def test_a_ticket_is_of_no_use_to_another_connection() -> None:
    async with bare_node() as node:
        node.lesson.join("bo")
        offer = await subscribe(node, "ann")
        await refused("media_unavailable", subscribe(node, "bo", {"action": "answer", "sdp": answered(offer["sdp"])}))
        await refused("not_admitted", publish(node, "bo", connection="ann"))


async def test_tickets_are_random_and_long() -> None:
    async with bare_node() as node:
        seen = set()
        for _ in range(20):
            sdp = (await subscribe(node, "ann"))["sdp"]
            seen.add(next(line for line in sdp.split("\r\n") if line.startswith("a=ice-pwd:")))
        assert len(seen) == 20
        assert all(len(line) == len("a=ice-pwd:") + 32 for line in seen)


async def test_a_person_has_at_most_three_devices_with_media() -> None:
    async with bare_node() as node:
        for index in range(MAX_DEVICES):
            node.lesson.join("ann", Role.TRAINER, f"device-{index}")
            await subscribe(node, "ann", connection=f"device-{index}")
        node.lesson.join("ann", Role.TRAINER, "one-more")
        await refused("too_many", subscribe(node, "ann", connection="one-more"))
        node.lesson.leave("ann", "device-0")
        assert "sdp" in await subscribe(node, "ann", connection="one-more")


async def test_a_request_that_outlives_its_connection_gets_nothing() -> None:
    async with bare_node() as node:
        node.lesson.join("ann", Role.TRAINER, "phone")
        node.lesson.leave("ann", "phone")
        for call in (publish(node, "ann", "phone"), subscribe(node, "ann", connection="phone")):
            await refused("not_admitted", call)
        assert node.plane.metrics()["devices"] == 0


async def test_a_refused_request_leaves_nothing_behind() -> None:
    async with bare_node() as node:
        before = node.plane.metrics()["devices"]
        await refused("bad_sdp", publish(node, "ann", request=PUBLISH | {"sdp": "v=0"}))
        await refused("bad_message", publish(node, "ann", request={"sdp": OFFER}))
        await refused("bad_message", subscribe(node, "ann", {"action": "dance"}))
        await refused("bad_message", subscribe(node, "ann", {"action": "offer", "tiles": 26}))
        await refused("media_unavailable", subscribe(node, "ann", {"action": "restart"}))
        assert node.plane.metrics()["devices"] == before
        assert transports(node) == 0


async def test_the_end_of_the_class_ends_all_media() -> None:
    async with bare_node() as node:
        await publish(node, "ann")
        await subscribe(node, "ann")
        node.do("ann", EndClass())
        assert node.plane.metrics()["classes"] == 0
        await refused("media_unavailable", publish(node, "ann"))
        node.lesson.leave("ann")
        assert node.plane.metrics()["classes"] == 0


async def test_network_checks_are_bounded() -> None:
    async with bare_node() as node:
        for _ in range(MAX_CHECKS):
            assert "a=ice-lite" in await node.plane.check(ONE_M_LINE)
        await refused("overloaded", node.plane.check(ONE_M_LINE))
        assert node.plane.metrics()["checks"] == MAX_CHECKS
        await refused("bad_sdp", _after_one(node))


async def _after_one(node: BareNode) -> str:
    """A check with four m-lines, once there is room again."""
    node.plane._end_check(next(iter(node.plane._checks)))
    return await node.plane.check(OFFER)
