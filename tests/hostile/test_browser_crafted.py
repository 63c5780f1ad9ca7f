"""E12 and C05 against the real page: what a broken or malicious server could send must neither break it nor reach its prototypes.

The page's own WebSocket is handed frames as if the node had sent them; everything behind it is the built client in a real Chromium.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from server import auth
from signaling.classroom.roles import Role
from tests.hostile.crowd import TRAINER, Place, place
from tests.support.browser import Chromium, Page, chromium
from tests.support.house import House
from tests.support.member import Member
from tests.support.seat import enter

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

#: keeps the sockets the page opens and every error nobody caught
WATCH = """
window.sockets = []; window.failures = [];
window.WebSocket = class extends WebSocket { constructor(...all) { super(...all); sockets.push(this); } };
addEventListener("error", (event) => failures.push(String(event.error?.stack ?? event.message)));
addEventListener("unhandledrejection", (event) => failures.push(String(event.reason?.stack ?? event.reason)));
"""
HAND_OVER = """
(bytes) => {
  const socket = sockets.filter((each) => each.url.includes("/rt/") && each.readyState === 1).at(-1);
  socket.dispatchEvent(new MessageEvent("message", { data: new Uint8Array(bytes).buffer }));
}
"""
CLEAN = """
() => {
  const bad = ["polluted", "text", "name", "role"].filter((key) => key in {} || key in []);
  for (const proto of [Object.prototype, Array.prototype]) {
    bad.push(...Object.keys(proto));
    if (Object.getPrototypeOf(proto) !== (proto === Object.prototype ? null : Object.prototype)) bad.push("prototype chain");
  }
  if (typeof Object.prototype.toString !== "function" || `${{}}` !== "[object Object]") bad.push("toString");
  return bad;
}
"""
KEYS = ("__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "valueOf", "then", "$$typeof", "")


class Links:
    """What `enter` needs of a node: its address, and an invitation per role to one class."""

    def __init__(self, home: House, session: str) -> None:
        self.url = home.url
        self.links = {role.value: f"/join#invite={self._invite(home, session, role)}" for role in Role}

    @staticmethod
    def _invite(home: House, session: str, role: Role) -> str:
        return auth.issue(auth.Kind.INVITE, home.ring, audience="jiangtai", now=time.time(), room=session, role=role)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[Place]:
    async with place("--demo") as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Chromium]:
    async with chromium() as found:
        yield found


class Stage:
    """A page in class, and the trainer, who is no browser."""

    def __init__(self, page: Page, boss: Member) -> None:
        self.page = page
        self.boss = boss

    async def receive(self, name: str, argument: Any) -> None:
        """As if the node had sent this event."""
        packet = msgspec.msgpack.encode({"type": 2, "data": [name, argument], "nsp": "/"})
        await self.page.run(HAND_OVER, list(packet))

    async def entries(self, *events: dict[str, Any]) -> None:
        """As if these events had happened now."""
        last = await self.page.run("() => __jiangtai.seq")
        listed = [{"seq": last + 1 + n, "at": int(time.time() * 1000), "by": "someone", "event": event} for n, event in enumerate(events)]
        await self.receive("events", {"after": last, "upto": last + len(events), "events": listed})

    async def alive(self, word: str) -> None:
        """The page still shows what the class says, and nothing has reached a prototype."""
        assert "seq" in await self.boss.command("post_chat", text=word)
        await self.page.see(".chat .msg p", word)
        assert await self.page.run("() => failures") == []
        assert await self.page.run(CLEAN) == []


@pytest_asyncio.fixture(loop_scope="module")
async def stage(node: Place, browser: Chromium) -> AsyncIterator[Stage]:
    home = node.home
    session = await home.create("Knots")
    async with home.member(session, "boss", Role.TRAINER, name=TRAINER) as boss:
        await boss.command("start_class")
        seat = await enter(browser, Links(home, session), "trainee", "Bo", preload=WATCH)  # type: ignore[arg-type]
        await seat.page.see(".class-top")
        # the figures of `?debug` are what tells the number the page has reached
        await seat.page.goto(f"{home.url}{await seat.page.run('() => location.pathname')}?debug")
        await seat.page.until("window.__jiangtai?.status === 'online'")
        yield Stage(seat.page, boss)
        await seat.page.close()


async def test_e12_reactions_that_are_none_break_no_page(stage: Stage) -> None:
    counts: list[Any] = [
        *({key: 3} for key in KEYS), {"unheard_of": 2, "clap": 1}, {"clap": -1}, {"clap": "many"}, {"clap": None}, {"clap": {"a": 1}},
        {"clap": 1e308}, {"x" * 20_000: 1}, {str(n): n for n in range(2_000)}, {}, {"<img src=x onerror=alert(1)>": 1}, {"heart": 2},
    ]  # fmt: skip
    for each in counts:
        await stage.receive("signals", [{"type": "reactions", "counts": each}])
    await stage.page.see(".burst")
    kinds = await stage.page.run("() => [...document.querySelectorAll('.burst')].map((e) => e.className)")
    assert all(kind.split() in (["burst", "r-clap"], ["burst", "r-heart"]) for kind in kinds), kinds
    await stage.alive("after reactions")


async def test_e12_signals_that_are_none_break_no_page(stage: Stage) -> None:
    me = await stage.page.run("() => __jiangtai.state.view.me")
    for signal in [
        *({"type": key} for key in KEYS),
        *({"type": "quality", "participant": key, "score": 9, "rtt": -1, "loss": 7} for key in KEYS),
        *({"type": "typing", "participants": [key, me]} for key in KEYS),
        *({"type": "speakers", "speakers": [{"participant": key, "level": 127}]} for key in KEYS),
        *({"type": "tally", "poll": key, "tally": [1], "voters": 1} for key in KEYS),
        *({"type": "slots", "slots": [{"mid": key, "participant": key, "source": "camera"}]} for key in KEYS),
        *({"type": "audio", "slots": [key]} for key in KEYS),
        {"type": "present", "present": 5, "__proto__": {"polluted": True}},
    ]:
        await stage.receive("signals", [signal])
    await stage.alive("after signals")


async def test_c05_prototype_keys_from_the_server_are_harmless(stage: Stage) -> None:
    poison = {"polluted": True, "text": "poison", "name": "poison", "role": "trainer"}
    nested = {"__proto__": poison, "constructor": {"prototype": poison}, "prototype": poison}
    me = await stage.page.run("() => __jiangtai.state.view.me")
    who = {"name": "Cy", "role": "trainee", **nested}
    for key in KEYS:
        await stage.entries(
            {"type": "participant_joined", "participant": key, "name": "Cy", "role": "trainee", "seat": "admitted", **nested},
            {"type": "hand_raised", "participant": key, "who": who},
            {
                "type": "chat_posted",
                "message": key,
                "name": key,
                "role": "trainee",
                "channel": "everyone",
                "text": key or "empty",
                **nested,
            },
            {"type": "poll_opened", "poll": key, "question": key, "options": [key, "b"], "multiple": False, "anonymous": False, **nested},
            {"type": "poll_closed", "poll": key, "tally": [1, 0], "voters": 1},
            {"type": "permissions_changed", "participant": me, "permissions": {"chat": True, "camera": True, **nested}},
            {"type": key, **nested},
        )
    assert (
        await stage.page.run("() => __jiangtai.state.view.participants.find((each) => each.id === __jiangtai.state.view.me).role")
        == "trainee"
    )
    shown = await stage.page.run("() => [...document.querySelectorAll('.chat .msg p')].map((e) => e.textContent)")
    assert set(KEYS) - {""} <= set(shown)
    assert await stage.page.run("() => failures") == []
    assert await stage.page.run(CLEAN) == []
    # The page is now ahead of the class; once it comes back, the class is what the node says again.
    await stage.page.run("() => sockets.at(-1).close()")
    await stage.page.until("!__jiangtai.state.view.participants.some((each) => each.name === 'Cy') && __jiangtai.status === 'online'")
    await stage.alive("after events")


async def test_c05_packets_that_are_none_break_no_page(stage: Stage) -> None:
    bombs: list[bytes] = [
        b"", b"\xc1", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\x91" * 5_000,
        msgspec.msgpack.encode({"type": 2, "data": [{"__proto__": {"polluted": True}}], "nsp": "/"}),
        msgspec.msgpack.encode({"type": 3, "data": [{"__proto__": {"polluted": True}}], "id": 0, "nsp": "/"}),
        msgspec.msgpack.encode({"type": 3, "data": [1], "id": "__proto__", "nsp": "/"}),
        msgspec.msgpack.encode({"__proto__": {"polluted": True}, "type": 9, "nsp": "/"}),
        msgspec.msgpack.encode({"type": 2, "data": ["__proto__", {"polluted": True}], "nsp": "/"}),
        msgspec.msgpack.encode({"type": 2, "data": ["constructor", {"polluted": True}], "nsp": "/__proto__"}),
    ]  # fmt: skip
    for bomb in bombs:
        await stage.page.until("__jiangtai.status === 'online'")
        await stage.page.run(HAND_OVER, list(bomb))
    # A packet that cannot be read may cost the connection, never the page.
    await stage.page.until("__jiangtai.status === 'online'", limit=15)
    assert "seq" in await stage.boss.command("post_chat", text="after packets")
    await stage.page.see(".chat .msg p", "after packets")
    assert await stage.page.run(CLEAN) == []


@pytest.mark.parametrize(
    ("spoil", "found"), [("", []), ("Object.prototype.polluted = 1;", ["polluted"]), ("Array.prototype.x = 1;", ["x"])]
)
async def test_the_judge_tells_a_spoilt_prototype_from_a_clean_one(spoil: str, found: list[str]) -> None:
    program = f"{spoil} console.log(JSON.stringify([...new Set(({CLEAN})())]))"
    process = await asyncio.create_subprocess_exec("node", "-e", program, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(), 20)
    assert json.loads(out) == found
