"""E12 and C05: reaction ids that are none, and keys that mean something to JavaScript, from Python and from the official client."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from signaling.classroom.reactions import Reaction
from tests.hostile.crowd import Crowd, Place, crowd, place
from tests.support.house import Guest, House
from tests.support.member import Member, Refused

pytestmark = pytest.mark.asyncio(loop_scope="module")
MODULES = Path(__file__).parents[2] / "web" / "node_modules"
KEYS = ("__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "__defineGetter__", "valueOf")

#: what a JavaScript program can put into a reaction, as source
CRAFTED = """[
  "__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "__defineSetter__", "", " ", "clap ", "CLAP", "clap\\u0000", "👏",
  "x".repeat(30000), "<img src=x onerror=alert(1)>", "../clap", "9", "null", "undefined",
  0, 1, -1, 2 ** 53, 2 ** 70, NaN, Infinity, true, false, null, undefined, [], ["clap"], [["clap"]], {}, {clap: 1}, {length: -1},
  JSON.parse('{"__proto__": {"polluted": true}}'), {constructor: {prototype: {polluted: true}}}, {toString: "clap"},
  {type: "Buffer", data: [1]},  new Uint8Array([99, 108, 97, 112]), new Date(0), "clap".split(""), Array(300).fill("clap"),
]"""

#: the official client says every crafted reaction, then an honest one, and tells what it heard
CLIENT = """
const { createRequire } = require("node:module");
const [, modules, url, cookie, seat] = process.argv;
const load = createRequire(modules + "/");
const { io } = load("socket.io-client");
const parser = load("socket.io-msgpack-parser");
const seen = { codes: [], counts: {}, errors: [], disconnects: [], byes: [], polluted: null };
process.on("uncaughtException", (error) => seen.errors.push(String(error.stack)));
const socket = io(url, { path: "/rt/", transports: ["websocket"], parser, reconnection: false, auth: { seat },
  extraHeaders: { Cookie: cookie, Origin: url } });
socket.on("connect_error", (error) => { seen.errors.push(error.message); finish(); });
socket.on("disconnect", (reason) => seen.disconnects.push(reason));
socket.on("bye", (bye) => seen.byes.push(bye.code));
socket.on("signals", (list) => {
  for (const signal of list) if (signal.type === "reactions") for (const [kind, n] of Object.entries(signal.counts)) {
    seen.counts[kind] = (seen.counts[kind] ?? 0) + n;
  }
  if (seen.counts.heart) setTimeout(finish, 100);
});
const say = (message) => new Promise((done) => {
  socket.timeout(5000).emit("command", message, (error, reply) => done(error ? "silence" : reply));
});
let over = false;
function finish() {
  if (over) return;
  over = true;
  seen.polluted = {}.polluted ?? null;
  process.stdout.write(JSON.stringify(seen), () => process.exit(0));
}
socket.once("welcome", async () => {
  let n = 0;
  for (const reaction of CRAFTED) {
    const reply = await say({ v: 1, ref: `r-${n++}`, type: "react", reaction });
    seen.codes.push(reply.error ? reply.error.code : reply === "silence" ? reply : "done");
    // at the pace PROTOCOL allows
    await new Promise((next) => setTimeout(next, 30));
  }
  const honest = await say({ v: 1, ref: "honest", type: "react", reaction: "heart" });
  seen.honest = "seq" in honest;
});
setTimeout(finish, 20000);
""".replace("CRAFTED", CRAFTED)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[Place]:
    async with place() as found:
        yield found


async def official(home: House, guest: Guest) -> dict[str, Any]:
    """One run of the official client as this guest."""
    arguments = [str(MODULES), home.url, f"{home.cookie_name}={guest.cookie}", guest.seat]
    process = await asyncio.create_subprocess_exec("node", "-e", CLIENT, *arguments, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(), 25)
    seen: dict[str, Any] = json.loads(out)
    return seen


def reacted(node: Place, scene: Crowd) -> list[str]:
    """Every reaction in the journal that is not a bystander's."""
    return [event.reaction.value for _, _, _, event in node.stored(scene.session) if type(event).__name__ == "Reacted"]


async def test_e12_the_official_client_can_say_no_reaction_that_is_none(node: Place) -> None:
    assert (MODULES / "socket.io-client").is_dir(), "the web client's packages are not installed: make setup"
    async with crowd(node.home) as scene:
        guest = await node.home.come_in(scene.session, "crafty")
        seen = await official(node.home, guest)
        assert len(seen["codes"]) > 40
        assert set(seen["codes"]) <= {"bad_message", "too_large"}, seen
        assert (seen["honest"], seen["counts"]) == (True, {"heart": 1})
        assert (seen["errors"], seen["disconnects"], seen["byes"], seen["polluted"]) == ([], [], [], None)
        assert reacted(node, scene) == ["heart"]
        for member in scene.people.members:
            kinds = {kind for signal in member.signals if signal["type"] == "reactions" for kind in signal["counts"]}
            assert kinds <= {"heart"}


async def test_e12_every_known_reaction_and_no_other_is_taken(node: Place) -> None:
    async with crowd(node.home) as scene, node.home.member(scene.session, "eve") as eve:
        for reaction in Reaction:
            assert "seq" in await eve.command("react", reaction=reaction.value)
        for other in (*KEYS, "CLAP", " clap", "ｃlap", "clap\u200b", "сlap", b"clap", 0, None, ["clap"]):
            assert (await eve.command("react", reaction=other))["error"]["code"] == "bad_message", other
        assert (await eve.command("react"))["error"]["code"] == "bad_message"
        assert reacted(node, scene) == [reaction.value for reaction in Reaction]


async def test_c05_keys_of_prototypes_are_refused_wherever_they_stand(node: Place) -> None:
    home = node.home
    async with crowd(home) as scene:
        for key in KEYS:
            async with home.member(scene.session, f"eve-{key}") as eve:
                await refuse_everything(eve, key)
                me = eve.snapshot["me"]
            kinds = [type(event).__name__ for _, by, _, event in node.stored(scene.session) if by == me]
            assert kinds[:2] == ["ParticipantJoined", "ConnectionOpened"]
            assert set(kinds[2:]) <= {"ConnectionClosed"}


async def refuse_everything(eve: Member, key: str) -> None:
    """Say the key as a name of a field, a type, an id; nothing of it may be done."""
    bad: list[tuple[str, dict[str, Any]]] = [
        ("post_chat", {"text": "hello", key: {"polluted": True}}),
        ("post_chat", {"text": {key: "hello"}}),
        ("react", {"reaction": "clap", key: None}),
        ("raise_hand", {key: 1}),
        ("media_subscribe", {"action": "show", "tiles": [{key: 1}]}),
        ("media_publish", {"sdp": "v=0", "tracks": [{"mid": "0", "source": "camera", key: 1}]}),
        ("typing", {key: []}),
        (key, {}),
    ]
    for type_, fields in bad:
        answer = await eve.command(type_, **fields)
        assert answer["error"]["code"] in ("bad_message", "unknown_type"), (type_, fields)
    for type_, fields, code in (
        ("mute", {"participant": key}, "not_allowed"),
        ("delete_chat", {"message": key}, "no_such_message"),
        ("answer_poll", {"poll": key, "choices": [0]}, "no_such_poll"),
        ("post_chat", {"text": "x", "channel": "private", "to": key}, "not_allowed"),
    ):
        answer = await eve.command(type_, **fields)
        assert answer["error"]["code"] in (code, "bad_message"), (type_, fields)


async def test_c05_such_words_are_good_as_text_and_as_ids_of_ones_own(node: Place) -> None:
    home = node.home
    async with crowd(home) as scene:
        guests = [await home.come_in(scene.session, key, name=f"{key} Wu") for key in KEYS]
        options = list(KEYS)
        poll = (await scene.act("create_poll", question="__proto__", options=options))[-1]["poll"]
        for index, (key, guest) in enumerate(zip(KEYS, guests, strict=True)):
            async with home.join(guest, tab=key) as member:
                said = await member.command("post_chat", ref=key if key[0] != "_" else f"op{key}", text=key)
                assert "seq" in said, said
                assert "seq" in await member.command("answer_poll", poll=poll, choices=[index])
        await scene.act("reveal_poll", poll=poll)
        async with home.member(scene.session, "late") as late:
            assert [message["text"] for message in late.snapshot["chat"]] == list(KEYS)
            [shown] = late.snapshot["polls"]
            assert (shown["question"], shown["options"], shown["tally"]) == ("__proto__", options, [1] * len(KEYS))
            assert {f"{key} Wu" for key in KEYS} <= {person["name"] for person in late.snapshot["participants"]}


@pytest.mark.parametrize("key", ["__proto__", "constructor", "prototype"])
async def test_c05_connecting_with_such_keys_opens_nothing_else(node: Place, key: str) -> None:
    home = node.home
    async with crowd(home) as scene:
        guest = await home.come_in(scene.session, f"guest-{key}")
        async with home.socket(home.proof(guest)) as ws:
            member = Member(ws)
            await member.connect({"seat": guest.seat, key: {"role": "trainer", "seat": "other"}})
            me = next(person for person in member.snapshot["participants"] if person["id"] == guest.participant)
            assert me["role"] == "trainee"
            await member.leave()
        async with home.socket(home.proof(guest)) as ws:
            member = Member(ws)
            with pytest.raises(Refused):
                await member.connect({"seat": key})
            await member.leave()
