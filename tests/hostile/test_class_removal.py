"""E08: who is removed or banned loses sockets, media, seat and history within two seconds, and comes back by no door that is closed."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from media.peer import Peer
from tests.hostile.crowd import Crowd, Place, crowd, place
from tests.support.house import Guest, House
from tests.support.legs import Picture, until
from tests.support.member import Member, Refused

pytestmark = pytest.mark.asyncio(loop_scope="module")
CUT_S = 2.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[Place]:
    async with place() as found:
        yield found


@contextlib.asynccontextmanager
async def device(member: Member) -> AsyncIterator[Peer]:
    """The media side of a connection."""

    async def call(type_: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = await member.command(type_, **fields)
        if "error" in answer:
            raise Refused(answer["error"]["code"])
        return answer

    peer = Peer(call)
    try:
        yield peer
    finally:
        await peer.close()


async def refusal(home: House, guest: Guest) -> str:
    """Why this seat cannot be connected."""
    with pytest.raises(Refused) as refused:
        async with home.join(guest):
            pass
    return str(refused.value.args[0])


async def later(home: House, guest: Guest, **more: Any) -> Any:
    """Try a token signed after the removal, in a browser without history unless told otherwise."""
    token = home.token(guest.session, guest.sub, now=time.time() + 1.5)
    return await home.call("POST", "/seats", {"token": token}, **more)


async def gone(home: House, guest: Guest, members: list[Member], since: float) -> None:
    """Every socket is closed and the seat is worth nothing, in time."""
    await asyncio.wait_for(asyncio.gather(*(member.closed.wait() for member in members)), CUT_S)
    for method, path, body in (("GET", f"/seats/{guest.seat}", None), ("POST", "/network-check", {"sdp": "v=0"})):
        assert (await home.call(method, path, body, cookie=guest.cookie)).status == 401
    assert (await home.call("GET", f"/classes/{guest.session}/people", cookie=guest.cookie)).status in (401, 403)
    assert time.monotonic() - since < CUT_S


def texts(member: Member) -> list[str]:
    """Chat texts a member ever saw."""
    snapshots = [message["text"] for welcome in member.welcomes for message in welcome.get("snapshot", {}).get("chat", [])]
    return snapshots + [entry["event"]["text"] for entry in member.events if entry["event"]["type"] == "chat_posted"]


async def tabs(scene: Crowd, stack: AsyncExitStack, guest: Guest) -> list[Member]:
    return [await stack.enter_async_context(scene.home.join(guest, tab=tab)) for tab in ("a", "b", "c")]


async def test_e08_who_is_banned_loses_everything_and_finds_every_door_shut(node: Place) -> None:
    home = node.home
    async with crowd(home) as scene, AsyncExitStack() as stack:
        guest = await home.come_in(scene.session, "banned")
        other = await home.come_in(scene.session, "banned")
        members = [*await tabs(scene, stack, guest), await stack.enter_async_context(home.join(other, tab="d"))]
        unused = home.token(scene.session, "banned")
        resume = {"epoch": members[0].epoch, "seq": members[0].last}
        await scene.act("post_chat", text="before")
        await members[0].until(lambda: "before" in texts(members[0]))
        started = time.monotonic()
        await scene.act("remove", participant=guest.participant, ban=True)
        await gone(home, guest, members, started)
        assert {bye["code"] for member in members for bye in member.byes} == {"banned"}
        await scene.act("post_chat", text="after")
        assert not any("after" in texts(member) for member in members)
        assert (await home.call("POST", "/seats", {"token": unused})).code in ("banned", "bad_token")
        for more in ({}, {"cookie": guest.cookie}):
            answer = await later(home, guest, **more)
            assert (answer.status, answer.code) == (403, "banned")
        for seat in (guest, other):
            assert await refusal(home, seat) == "unauthenticated"
            with pytest.raises(Refused):
                async with home.join(seat, resume=resume):
                    pass
        assert (await later(home, Guest(**{**vars(guest), "sub": "Banned"}))).status == 201  # another identity is another person


async def test_e08_who_is_removed_comes_back_only_through_the_waiting_room(node: Place) -> None:
    home = node.home
    async with crowd(home) as scene, AsyncExitStack() as stack:
        guest = await home.come_in(scene.session, "removed")
        members = await tabs(scene, stack, guest)
        unused = home.token(scene.session, "removed")
        await scene.act("post_chat", text="history")
        started = time.monotonic()
        await scene.act("remove", participant=guest.participant)
        await gone(home, guest, members, started)
        assert await refusal(home, guest) == "unauthenticated"
        assert (await home.call("POST", "/seats", {"token": unused})).code == "bad_token"
        answer = await later(home, guest)
        assert answer.status == 201, answer
        back = Guest(**{**vars(guest), "seat": answer.body["seat"], "cookie": answer.cookies[home.cookie_name]})
        assert back.participant == answer.body["participant"]
        member = await stack.enter_async_context(home.join(back))
        assert next(p for p in member.snapshot["participants"] if p["id"] == member.snapshot["me"])["seat"] == "waiting"
        assert (texts(member), member.snapshot["participants"][1:]) == ([], [])
        for command, fields in (
            ("post_chat", {"text": "in?"}),
            ("raise_hand", {}),
            ("people", {}),
            ("media_subscribe", {"action": "offer"}),
        ):
            assert (await member.command(command, **fields))["error"]["code"] in ("not_admitted", "not_allowed")
        assert (await home.call("GET", f"/classes/{guest.session}/people", cookie=back.cookie)).status == 403
        await scene.act("admit", participants=[guest.participant])
        await member.until(lambda: len(member.welcomes) > 1)
        assert "history" in texts(member)
        assert "seq" in await member.command("post_chat", text="thank you")


async def test_e08_media_of_the_banned_stop_in_both_directions(node: Place) -> None:
    home = node.home
    async with crowd(home) as scene, AsyncExitStack() as stack:
        guest = await home.come_in(scene.session, "seen")
        victim = await stack.enter_async_context(home.join(guest))
        boss, bad = [await stack.enter_async_context(device(member)) for member in (scene.boss, victim)]
        for peer, member in ((boss, scene.boss), (bad, victim)):
            await peer.subscribe(tiles=1)
            await peer.publish({"camera": Picture()})
            assert "seq" in await member.command("set_camera", on=True)
        await scene.boss.command("media_subscribe", action="show", tiles=[guest.participant])
        await until(lambda: frames(boss) > 5 and frames(bad) > 5)
        started = time.monotonic()
        await scene.act("remove", participant=guest.participant, ban=True)
        await gone(home, guest, [victim], started)
        await asyncio.sleep(max(0.0, CUT_S - (time.monotonic() - started)))
        received, sent = frames(bad), frames(boss)
        await asyncio.sleep(1)
        assert frames(bad) == received, "the banned still see"
        assert frames(boss) == sent, "the banned are still seen"
        assert all(slot.last_at < started + CUT_S for peer in (boss, bad) for slot in peer.received.values() if slot.last_at)
        with pytest.raises((ConnectionError, Refused, OSError)):
            await bad.call("media_subscribe", {"action": "restart"})


def frames(peer: Peer) -> int:
    """Pictures decoded so far."""
    return sum(slot.frames for slot in peer.received.values() if slot.kind == "video")


async def test_e08_nobody_slips_in_while_being_removed(node: Place) -> None:
    """Connecting all the time from two browsers while the ban falls: what was opened before is cut, what comes after is refused."""
    home = node.home
    async with crowd(home) as scene:
        guests = [await home.come_in(scene.session, "quick") for _ in range(2)]
        opened: list[Member] = []
        over = asyncio.Event()

        async def insist(guest: Guest) -> None:
            while not over.is_set():
                with contextlib.suppress(Refused, ConnectionError):
                    async with home.join(guest) as member:
                        opened.append(member)
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(member.closed.wait(), 0.05)
                await asyncio.sleep(0.01)

        insisting = [asyncio.create_task(insist(guest)) for guest in guests for _ in range(2)]
        await until(lambda: len(opened) > 8)
        [removed, *_] = [event for event in await scene.act("remove", participant=guests[0].participant, ban=True) if "banned" in event]
        assert removed["banned"] is True
        known = len(opened)
        await asyncio.sleep(0.5)
        over.set()
        await asyncio.gather(*insisting)
        late = [member for member in opened[known:] if member.events or not member.byes]
        assert not late, "somebody was let in after the ban"
        stored = node.stored(scene.session)
        banned_at = next(seq for seq, _, _, event in stored if type(event).__name__ == "ParticipantRemoved")
        after = [e for seq, _, _, e in stored if seq > banned_at and getattr(e, "participant", "") == guests[0].participant]
        assert {type(event).__name__ for event in after} <= {"ConnectionClosed"}
