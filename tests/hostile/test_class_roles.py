"""E09: nobody gives orders from below, nobody takes the class from its trainer, and what happens when the last trainer leaves.

What a role may do is the product's own table (`signaling/classroom/room.py`); here every order it forbids is really given, on a running
node, and must leave the class as it was. The rules for trainers are those of the module headers of sanctions and session.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from signaling.classroom.roles import CAPABILITIES, Role
from signaling.classroom.room import RULES
from tests.hostile.crowd import Crowd, Place, crowd, place
from tests.support.house import SERVICE

module_loop = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[Place]:
    async with place() as found:
        yield found


def orders(target: str, poll: str, message: str) -> dict[str, dict[str, Any]]:
    """Every command a client may send to a class, each complete and each aimed at this person where it aims at somebody."""
    known: dict[str, Any] = {
        "participant": target, "participants": [target], "poll": poll, "message": message, "minutes": 5, "text": "order!", "on": True,
        "reaction": "clap", "question": "Q?", "options": ["a", "b"], "choices": [0], "check": "k1", "nonce": "n",
        "left_out": True,
    }  # fmt: skip
    further = {
        "change_settings": {"frozen": True, "chat": "off", "locked": True},
        "set_permissions": {"chat": False, "microphone": False},
        "remove": {"ban": True},
    }
    found: dict[str, dict[str, Any]] = {}
    for command, rule in RULES.items():
        if rule.by not in ("node", "desk"):
            required = {field.name: known[field.name] for field in msgspec.structs.fields(command) if field.required}
            tag = str(command.__struct_config__.tag)
            found[tag] = required | further.get(tag, {})
    return found


def forbidden(role: Role) -> set[str]:
    """Commands no right of the role covers."""
    return {str(c.__struct_config__.tag) for c, rule in RULES.items() if rule.by == "member" and rule.needs.isdisjoint(CAPABILITIES[role])}


def test_the_commands_a_trainee_must_never_give_are_as_written_here() -> None:
    orders_of_staff = {
        "open_lobby", "start_class", "take_break", "resume_class", "end_class", "change_settings", "admit", "decline", "bring_on_stage",
        "take_off_stage", "set_main", "lower_all_hands", "create_poll", "open_poll", "close_poll", "reveal_poll", "mute", "mute_all",
        "stop_camera", "stop_screen_of", "set_permissions", "remove", "unban", "start_check", "schedule_checks",
        "start_recording", "stop_recording", "leave_out",
    }  # fmt: skip
    assert forbidden(Role.TRAINEE) == orders_of_staff
    assert forbidden(Role.ASSISTANT) == {"end_class", "raise_hand", "answer_poll", "answer_check"}
    assert forbidden(Role.INSPECTOR) == {str(c.__struct_config__.tag) for c, rule in RULES.items() if rule.by == "member"}


async def things(scene: Crowd) -> tuple[str, str]:
    """A poll and a message to give orders about."""
    poll = await scene.act("create_poll", question="Now?", options=["yes", "no"])
    message = await scene.act("post_chat", text="Good morning")
    return str(poll[-1]["poll"]), str(message[-1]["message"])


async def deeds(node: Place, scene: Crowd, by: str) -> list[str]:
    """Kinds of events this person caused, from the journal."""
    return [type(event).__name__ for _, author, _, event in node.stored(scene.session) if author == by]


@module_loop
@pytest.mark.parametrize("role", [Role.TRAINEE, Role.INSPECTOR])
async def test_e09_orders_from_below_are_refused_and_change_nothing(node: Place, role: Role) -> None:
    home = node.home
    async with crowd(home) as scene:
        guest = await home.come_in(scene.session, "rebel", role)
        me = guest.participant
        poll, message = await things(scene)
        for target in (scene.owner.participant, scene.someone.snapshot["me"], me):
            async with home.join(guest) as rebel:
                before = await deeds(node, scene, me)
                for command, fields in orders(target, poll, message).items():
                    if command in forbidden(role):
                        assert (await rebel.command(command, **fields))["error"]["code"] == "not_allowed", command
                assert await deeds(node, scene, me) == before
        assert not scene.boss.closed.is_set()


SANCTIONS: list[tuple[str, dict[str, Any]]] = [
    ("remove", {}),
    ("remove", {"ban": True}),
    ("mute", {}),
    ("stop_camera", {}),
    ("stop_screen_of", {}),
    ("set_permissions", {"microphone": False, "camera": False, "screen": False, "chat": False}),
    ("take_off_stage", {}),
    ("bring_on_stage", {}),
    ("decline", {}),
    ("unban", {}),
]


@module_loop
@pytest.mark.parametrize("role", [Role.ASSISTANT, Role.TRAINER])
async def test_e09_staff_does_nothing_to_a_trainer(node: Place, role: Role) -> None:
    async with crowd(node.home) as scene, node.home.member(scene.session, "second", role) as second:
        target = scene.owner.participant
        assert "seq" in await scene.boss.command("set_microphone", on=True)
        assert "seq" in await scene.boss.command("set_camera", on=True)
        assert "seq" in await scene.boss.command("start_screen")
        before = await deeds(node, scene, second.snapshot["me"])
        for command, fields in SANCTIONS:
            answer = await second.command(command, participant=target, **fields)
            # on stage already, and neither waiting nor banned: nothing to do
            nothing = command in ("bring_on_stage", "unban", "decline")
            assert "error" in answer or nothing, (command, answer)
            assert nothing or answer["error"]["code"] == "not_allowed", (command, answer)
        await second.command("mute_all")
        assert await deeds(node, scene, second.snapshot["me"]) == before
        async with scene.home.join(scene.owner, tab="again") as again:
            me = next(person for person in again.snapshot["participants"] if person["id"] == target)
        assert (me["role"], me["microphone"], me["camera"], me["screen"], me["on_stage"]) == ("trainer", True, True, True, True)
        assert set(me["permissions"].values()) == {True}
        assert not scene.boss.closed.is_set()


@module_loop
async def test_e09_an_assistant_is_sanctioned_by_trainers_alone(node: Place) -> None:
    home = node.home
    async with crowd(home) as scene, AsyncExitStack() as stack:
        guest = await home.come_in(scene.session, "helper", Role.ASSISTANT)
        helper = await stack.enter_async_context(home.join(guest))
        others = [
            await stack.enter_async_context(home.member(scene.session, f"other-{role}", role))
            for role in (Role.ASSISTANT, Role.INSPECTOR, Role.TRAINEE)
        ]
        for other in others:
            for command in ("remove", "set_permissions"):
                answer = await other.command(command, participant=guest.participant)
                assert answer["error"]["code"] == "not_allowed"
        assert (await helper.command("remove", participant=guest.participant))["error"]["code"] == "not_allowed"
        assert (await scene.boss.command("remove", participant=scene.owner.participant))["error"]["code"] == "not_allowed"
        assert not helper.closed.is_set()
        await scene.act("remove", participant=guest.participant)
        await helper.closed.wait()


@module_loop
async def test_e09_a_class_outlives_its_last_trainer(node: Place) -> None:
    home = node.home
    async with crowd(home) as scene, AsyncExitStack() as stack:
        helper = await stack.enter_async_context(home.member(scene.session, "helper", Role.ASSISTANT))
        pupil = await stack.enter_async_context(home.member(scene.session, "pupil"))
        owner = scene.owner.participant
        assert "seq" in await scene.boss.command("set_camera", on=True)
        assert "seq" in await scene.boss.command("leave")
        await scene.boss.closed.wait()
        await helper.until(lambda: any(e["event"] == {"type": "participant_left", "participant": owner} for e in helper.events))
        camera = next(e["event"] for e in reversed(helper.events) if e["event"]["type"] == "camera_changed")
        assert (camera["participant"], camera["on"]) == (owner, False)
        for command in sorted(forbidden(Role.TRAINEE)):
            fields = orders(owner, "p1", "m1")[command]
            assert (await pupil.command(command, **fields))["error"]["code"] == "not_allowed", command
        for command, fields in (("remove", {}), ("set_permissions", {"chat": False}), ("mute", {}), ("stop_camera", {})):
            answer = await helper.command(command, participant=owner, **fields)
            assert answer["error"]["code"] == "not_allowed", "an absent trainer is a trainer"
        scene.people.accepted.add("wrong_phase")  # whose hand goes up in the break
        for command, fields in (("take_break", {"minutes": 1}), ("resume_class", {}), ("post_chat", {"text": "we go on"})):
            assert "seq" in await helper.command(command, **fields)
        async with home.join(scene.owner) as back:
            assert back.snapshot["session"]["phase"] == "live"
            assert "end_class" in back.snapshot["capabilities"]
        assert "class_ended" not in helper.types()


@module_loop
async def test_e09_only_a_trainer_or_the_platform_ends_a_class(node: Place) -> None:
    home = node.home
    session = await home.create()
    async with AsyncExitStack() as stack:
        boss, helper, pupil, inspector = [
            await stack.enter_async_context(home.member(session, role, role))
            for role in (Role.TRAINER, Role.ASSISTANT, Role.TRAINEE, Role.INSPECTOR)
        ]
        await boss.command("start_class")
        await boss.command("leave")
        for member in (helper, pupil, inspector):
            assert (await member.command("end_class"))["error"]["code"] == "not_allowed"
        assert (await home.call("POST", f"/classes/{session}/end", {})).status == 401
        assert "class_ended" not in helper.types()
        assert (await home.call("POST", f"/classes/{session}/end", {}, headers=SERVICE)).status < 300
        await helper.until(lambda: "class_ended" in helper.types())
        assert [by for _, by, _, event in node.stored(session) if type(event).__name__ == "ClassEnded"] == [None]
