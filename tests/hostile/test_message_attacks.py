"""C01 to C05 of the hostile cases: messages made to break the decoder, to slip something past it, or to be stored and hurt later."""

import time

import msgspec
import pytest

from tests.hostile.conftest import Bystanders
from tests.support.process import NodeProcess
from tests.support.raw import command, connect, frame

pytestmark = pytest.mark.asyncio(loop_scope="module")
encode = msgspec.msgpack.encode


def text(value: bytes) -> bytes:
    """A MessagePack string of any bytes."""
    return b"\xda" + len(value).to_bytes(2, "big") + value


def raw_command(fields: bytes, count: int, number: int = 7) -> bytes:
    """A command packet whose fields (count pairs, encoded) follow v and ref."""
    argument = bytes([0x80 | (count + 2)]) + encode("v") + encode(1) + encode("ref") + encode("raw") + fields
    body = b"\x84" + encode("type") + b"\x02" + encode("nsp") + encode("/") + encode("id") + encode(number)
    return frame(2, body + encode("data") + b"\x92" + encode("command") + argument)


CHAT = encode("type") + encode("post_chat")


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param(raw_command(CHAT + encode("text") + b"\x91" * 50_000 + b"\xc0", 2), id="C01 depth 50,000"),
        pytest.param(raw_command(CHAT + encode("text") + b"\x81\xa1a" * 15_000 + b"\xc0", 2), id="C01 maps in maps"),
        pytest.param(raw_command(CHAT + encode("text") + encode(float("nan")), 2), id="C01 NaN"),
        pytest.param(raw_command(CHAT + encode("text") + encode(float("inf")), 2), id="C01 infinity"),
        pytest.param(raw_command(CHAT + encode("text") + encode(2**63), 2), id="C02 number for text"),
        pytest.param(raw_command(encode("type") + encode("set_microphone") + encode("on") + encode("true"), 2), id="C02 text for true"),
        pytest.param(raw_command(encode("type") + encode("set_microphone") + encode("on") + b"\x01", 2), id="C02 1 for true"),
        pytest.param(raw_command(CHAT + encode("text") + encode("a") + encode("text") + encode("b"), 3), id="C02 key twice"),
        pytest.param(raw_command(CHAT + CHAT + encode("text") + encode("a"), 3), id="C02 type twice"),
        pytest.param(raw_command(CHAT + encode("text") + encode("a") + encode("role") + encode("trainer"), 3), id="C02 role"),
        pytest.param(raw_command(CHAT + encode("text") + encode("a") + encode("by") + encode("tina"), 3), id="C02 author"),
        pytest.param(raw_command(CHAT + encode("text") + encode("a") + encode("actor") + encode("tina"), 3), id="C02 actor"),
        pytest.param(raw_command(CHAT + encode("text") + encode("a") + encode("session") + encode("c2"), 3), id="C02 another class"),
        pytest.param(raw_command(CHAT + encode("text") + encode("a") + encode("__proto__") + encode({"a": 1}), 3), id="C05 __proto__"),
        pytest.param(raw_command(CHAT + encode("text") + encode("a") + encode("constructor") + encode({}), 3), id="C05 constructor"),
        pytest.param(raw_command(CHAT + encode("text") + text(b"\xff\xfe"), 2), id="C03 not UTF-8"),
        pytest.param(raw_command(CHAT + encode("text") + text(b"\xc0\xaf"), 2), id="C03 overlong"),
        pytest.param(raw_command(CHAT + encode("text") + text(b"\xed\xa0\x80"), 2), id="C03 lone surrogate"),
        pytest.param(raw_command(CHAT + encode("text") + encode("a\0b"), 2), id="C03 zero character"),
        pytest.param(raw_command(CHAT + encode("text") + encode(""), 2), id="empty text"),
        pytest.param(raw_command(CHAT + encode("text") + encode("x" * 2_001), 2), id="long text"),
        pytest.param(raw_command(CHAT + encode("text") + b"\xdd\xff\xff\xff\xff", 2), id="C04 list of 4e9"),
        pytest.param(raw_command(CHAT + encode("text") + b"\xdf\xff\xff\xff\xff", 2), id="C04 map of 4e9"),
        pytest.param(raw_command(CHAT + encode("text") + b"\xdb\xff\xff\xff\xff", 2), id="C04 text of 4e9"),
        pytest.param(raw_command(CHAT + encode("text") + b"\xd4\x00\x00", 2), id="C04 extension"),
        pytest.param(raw_command(CHAT + encode("text") + b"\xd6\xff" + bytes(4), 2), id="C04 timestamp"),
        pytest.param(raw_command(CHAT + encode(float("nan")) + encode(1), 2), id="C04 NaN key"),
        pytest.param(raw_command(CHAT + b"\x90" + encode(1), 2), id="C04 list key"),
        pytest.param(raw_command(CHAT + encode("text") + b"\xc1", 2), id="C04 reserved byte"),
        pytest.param(raw_command(encode("type") + encode("connect") + encode("connection") + encode("x"), 2), id="node's own command"),
        pytest.param(raw_command(encode("type") + encode("disconnect") + encode("reason") + encode("x"), 2), id="node's own disconnect"),
        pytest.param(raw_command(encode("type") + encode(["post_chat"]), 1), id="type is a list"),
    ],
)
async def test_bad_message_changes_nothing(node: NodeProcess, bystanders: Bystanders, attack: bytes) -> None:
    async with connect(node) as raw:
        welcome = await raw.join("c1", "eve")
        begun = time.perf_counter()
        await raw.send(attack, command(8, type="lower_hand"))
        answers = await raw.acks_until(8)
        assert time.perf_counter() - begun < 1
        assert "seq" in answers[8]
        # answered with a code if it could be told which command it was, else counted as an error of the connection
        assert 7 not in answers or answers[7]["error"]["code"] in ("bad_message", "unknown_type")
        chat = welcome["snapshot"]["chat"]
    async with connect(node) as raw:
        again = await raw.join("c1", "eve")
        assert again["snapshot"]["chat"] == chat
        assert next(p for p in again["snapshot"]["participants"] if p["id"] == "eve")["role"] == "trainee"
