"""Decoding of what clients send, and encoding of what they are told."""

import time
from typing import Any

import msgpack
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from signaling import messages
from signaling.classroom import chat, participants, polls, session
from signaling.classroom.base import Origin
from signaling.classroom.errors import Rejected
from signaling.classroom.roles import Role
from signaling.classroom.seats import Seat
from signaling.messages import COMMANDS, EVENTS, REQUESTS, SIGNALS, decode_command, reference
from tests.support.classroom import live

POST: dict[str, Any] = {"v": 1, "ref": "op-1", "type": "post_chat", "text": "你好"}


def refusal(payload: Any) -> str | None:
    try:
        decode_command(payload)
    except Rejected as refused:
        return refused.code
    return None


@pytest.mark.parametrize("wrap", [dict, msgpack.packb], ids=["decoded", "raw"])
def test_a_command_is_decoded_to_its_type(wrap: Any) -> None:
    ref, command = decode_command(wrap(POST))
    assert ref == "op-1"
    assert command == chat.PostChat(text="你好")


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"v": True},
        {"v": 1.0},
        {"v": None},
        {"ref": None},
        {"ref": ""},
        {"ref": "a b"},
        {"ref": "x" * 65},
        {"ref": 1},
        {"ref": "op\n"},
        {"type": None},
        {"type": 1},
        {"text": ""},
        {"text": "x" * 2_001},
        {"text": None},
        {"text": 1},
        {"text": ["a"]},
        {"text": b"bytes"},
        {"text": "a\0b"},
        {"channel": "nowhere"},
        {"to": "../etc"},
        {"actor": "tom"},
        {"by": "tom"},
        {"role": "trainer"},
        {"text": float("nan")},
        {"unknown": {"deep": [1]}},
    ],
    ids=str,
)
@pytest.mark.parametrize("wrap", [dict, msgpack.packb], ids=["decoded", "raw"])
def test_what_does_not_fit_is_a_bad_message(wrap: Any, change: dict[str, Any]) -> None:
    assert refusal(wrap(POST | change)) == "bad_message"


@pytest.mark.parametrize("field", ["v", "ref", "type", "text"])
def test_every_field_without_default_is_needed(field: str) -> None:
    assert refusal({key: value for key, value in POST.items() if key != field}) == "bad_message"


@pytest.mark.parametrize("kind", ["connect", "disconnect", "session_created", "chat_posted", "present", "nothing", ""])
def test_only_what_clients_may_send_is_known(kind: str) -> None:
    assert refusal(POST | {"type": kind}) == "unknown_type"


def test_lone_surrogates_are_refused_in_either_form() -> None:
    assert refusal(POST | {"text": "\ud800"}) == "bad_message"
    assert refusal(msgpack.packb(POST | {"text": "\ud800"}, unicode_errors="surrogatepass")) == "bad_message"


def test_a_key_that_comes_twice_is_refused_also_inside() -> None:
    twice = b"\x85" + b"".join(map(msgpack.packb, ("v", 1, "ref", "r", "type", "post_chat", "text", "one", "text", "two")))
    assert refusal(twice) == "bad_message"
    track = b"\x83" + b"".join(map(msgpack.packb, ("mid", "0", "source", "camera", "source", "screen")))
    head = b"\x85" + b"".join(map(msgpack.packb, ("v", 1, "ref", "r", "type", "media_publish", "sdp", "v=0", "tracks")))
    assert refusal(head + b"\x91" + track) == "bad_message"


def test_long_maps_of_every_encoding_are_checked_for_keys_that_come_twice() -> None:
    pairs = b"".join(map(msgpack.packb, ("v", 1, "ref", "r", "type", "raise_hand")))
    assert refusal(b"\xde\x00\x03" + pairs) is None
    assert refusal(b"\xdf\x00\x00\x00\x03" + pairs) is None
    assert refusal(b"\xde\x00\x04" + pairs + msgpack.packb("v") + b"\x01") == "bad_message"


@pytest.mark.parametrize("depth", [17, 100, 5_000, 60_000])
@pytest.mark.parametrize("opener", [b"\x91", b"\x81\xa1a"])
def test_deep_nesting_is_refused(depth: int, opener: bytes) -> None:
    bomb = (opener * depth)[: messages.MAX_BYTES - 10] + b"\xc0"
    assert refusal(bomb) == "bad_message"


def test_deep_nesting_is_refused_when_already_decoded() -> None:
    deep: Any = "x"
    for _ in range(40):
        deep = [deep]
    assert refusal(POST | {"text": deep}) == "bad_message"


@pytest.mark.parametrize(
    ("values", "code"),
    [
        (["a"] * 300, None),
        (["a"] * 600, "bad_message"),
        ([["a"] * 60] * 9, "bad_message"),
        ([1] * 60_000, "bad_message"),
        ([[]] * 60_000, "bad_message"),
        ([{"a": 1}] * 15_000, "bad_message"),
        ({str(n): n for n in range(6_000)}, "bad_message"),
    ],
    ids=["300", "600", "540 in lists", "60,000", "60,000 lists", "15,000 maps", "6,000 pairs"],
)
def test_a_message_of_very_many_values_is_refused_soon(values: Any, code: str | None) -> None:
    message = msgpack.packb({"v": 1, "ref": "r", "type": "nothing", "values": values})
    started = time.perf_counter()
    for _ in range(20):
        assert refusal(message) == (code or "unknown_type")
        assert reference(message) == "r"
    assert (time.perf_counter() - started) / 20 < 0.02


def test_a_message_beyond_64_kib_is_too_large() -> None:
    assert refusal(msgpack.packb(POST | {"text": "x" * messages.MAX_BYTES})) == "too_large"


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\xc0", b"\x01", b"\x90", b"\x84\xa1v", msgpack.packb(POST) + b"\x00", b"\xff" * 50])
def test_broken_bytes_are_a_bad_message(data: bytes) -> None:
    assert refusal(data) == "bad_message"


@given(st.binary(max_size=300))
@example(b"\xdf\xff\xff\xff\xff")
@example(b"\xdd\xff\xff\xff\xff")
@example(b"\xdb\xff\xff\xff\xff")
def test_no_bytes_break_the_decoder(data: bytes) -> None:
    assert refusal(data) in ("bad_message", "unknown_type", "too_large", None)
    reference(data)


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=9) | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.sampled_from([kind.__struct_config__.tag for kind in (*COMMANDS, *REQUESTS)]),
    st.dictionaries(
        st.sampled_from(sorted({name for kind in (*COMMANDS, *REQUESTS) for name in kind.__struct_fields__})), _values, max_size=4
    ),
)
def test_decoded_and_raw_messages_get_the_same_answer(tag: str, fields: dict[str, Any]) -> None:
    payload = {**fields, "v": 1, "ref": "r", "type": tag}
    decoded, raw = refusal(payload), refusal(msgspec.msgpack.encode(payload))
    assert decoded == raw


def test_the_operation_id_is_found_in_an_otherwise_bad_message() -> None:
    assert reference(POST | {"text": 1}) == "op-1"
    assert reference(msgpack.packb({"ref": "op-2"})) == "op-2"
    assert reference({"ref": "bad ref"}) is None
    assert reference(b"\xc1") is None


def test_requests_of_a_connection_are_decoded_beside_commands() -> None:
    _, asked = decode_command({"v": 1, "ref": "r", "type": "media_subscribe", "action": "show", "tiles": ["ann", "bob"]})
    assert asked == messages.MediaSubscribe(action="show", tiles=["ann", "bob"])
    assert refusal({"v": 1, "ref": "r", "type": "media_subscribe", "action": "offer", "tiles": 26}) == "bad_message"
    assert refusal({"v": 1, "ref": "r", "type": "people", "limit": 101}) == "bad_message"


def test_types_of_commands_events_and_signals_are_unique() -> None:
    for kinds in ((*COMMANDS, *REQUESTS), EVENTS, SIGNALS):
        tags = [kind.__struct_config__.tag for kind in kinds]
        assert len(tags) == len(set(tags))


def test_events_come_back_from_the_journals_form() -> None:
    event = participants.ParticipantJoined(participant="ann", name="Ann", role=Role.TRAINEE, seat=Seat.WAITING)
    assert messages.decode_event(messages.encode_event(event)) == event
    with pytest.raises(msgspec.DecodeError):
        messages.decode_event(msgpack.packb({"type": "raise_hand"}))


def test_a_batch_is_made_of_entries_encoded_once() -> None:
    lesson = live()
    lesson.do("ann", chat.PostChat(text="hi"), "secret-op")
    entries = [messages.encode_entry(seq, origin, event) for seq, origin, event in lesson.journal[-2:]]
    batch = messages.Batch(after=5, upto=lesson.room.seq, events=[msgspec.Raw(entry) for entry in entries])
    told = msgpack.unpackb(msgspec.msgpack.encode(batch))
    assert (told["after"], told["upto"]) == (5, lesson.room.seq)
    assert told["events"][-1] == {
        "seq": lesson.room.seq,
        "at": lesson.now,
        "by": "ann",
        "event": {
            "type": "chat_posted",
            "message": f"m{lesson.room.seq}",
            "name": "Ann",
            "role": "trainee",
            "channel": "everyone",
            "text": "hi",
        },
    }
    assert "secret-op" not in str(told)


def test_what_the_node_did_has_no_author() -> None:
    told = msgpack.unpackb(messages.encode_entry(3, Origin(at=9), session.ClassStarted()))
    assert told == {"seq": 3, "at": 9, "event": {"type": "class_started"}}


def test_answers_carry_number_or_problem() -> None:
    encode = msgspec.to_builtins
    assert encode(messages.accepted("r", 7)) == {"ref": "r", "seq": 7}
    assert encode(messages.refused("r", "stage_full")) == {"ref": "r", "error": {"code": "stage_full", "retry": "later"}}


def test_signals_leave_out_what_is_not_told() -> None:
    told = msgpack.unpackb(msgspec.msgpack.encode([messages.Present(present=3), messages.TypingPeople(participants=["ann"])]))
    assert told == [{"type": "present", "present": 3}, {"type": "typing", "participants": ["ann"]}]


def test_a_class_state_of_another_shape_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        messages.decode_room(msgpack.packb({"id": "s"}))


def test_polls_keep_their_bounds_on_the_wire() -> None:
    poll = {"v": 1, "ref": "r", "type": "create_poll", "question": "?", "options": ["a"]}
    assert refusal(poll) == "bad_message"
    assert refusal(poll | {"options": ["a"] * 11}) == "bad_message"
    assert decode_command(poll | {"options": ["a", "b"]})[1] == polls.CreatePoll(question="?", options=["a", "b"])
