"""Classes with a person in them who is to be erased, held on a whole node; and a look at every byte below `var`."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from server import auth
from signaling.classroom.roles import Role
from tests.support.house import SERVICE, Guest, House
from tests.support.member import Member

#: weird on purpose: quotes, a backslash, letters beyond the basic plane, a right-to-left mark
SUBJECT = 'zhang\u200f-"工号"\\10086-𠮷'
NAME = "张三丰先生"
NAMESAKE = "zhang-of-another-house"


def bytes_left(var: Path, *words: str) -> list[str]:
    """Files below var whose bytes hold one of the words, as it is or as JSON spells it."""
    words = tuple(dict.fromkeys((*words, *(json.dumps(word, ensure_ascii=False)[1:-1] for word in words))))
    found = []
    for path in sorted(var.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            found += [f"{path.relative_to(var)}: {word!r} at {data.find(word.encode())}" for word in words if word.encode() in data]
    return found


async def operator(home: House) -> str:
    """The cookie of an operator."""
    login = auth.issue(auth.Kind.OPERATOR, home.ring, audience="jiangtai", now=time.time(), sub="o")
    return (await home.call("POST", "/operator", {"login": login})).cookies["jiangtai-operator"]


async def a_class(home: House, title: str, *, end: bool = True) -> tuple[str, Guest]:
    """A class in which the person does and suffers everything; its id, and the person in it."""
    session = await home.create(title)
    person = await home.come_in(session, SUBJECT, name=NAME)
    namesake = await home.come_in(session, NAMESAKE, name=NAME)
    trainer = await home.come_in(session, "trainer", Role.TRAINER, name="Wang Min")
    async with home.join(trainer) as boss, home.join(namesake) as other:
        await boss.command("start_class")
        async with home.join(person) as me, home.join(person) as phone:
            await _everything(boss, other, me, phone, person.participant)
        async with home.join(await home.come_in(session, SUBJECT, name=NAME)) as again:  # another browser
            await again.command("post_chat", text="back again, my words")
        overridden = await home.call(
            "POST",
            f"/classes/{session}/attendance/{person.participant}/override",
            {"status": "excused", "reason": "said to be ill"},
            cookie=trainer.cookie,
        )
        assert overridden.status in (200, 201, 204), overridden
        if end:
            assert (await home.call("POST", f"/classes/{session}/end", {}, headers=SERVICE)).status < 300
            await boss.until(lambda: "class_ended" in boss.types())
    return session, person


async def _everything(boss: Member, other: Member, me: Member, phone: Member, id: str) -> None:
    await me.command("post_chat", text="my own words")
    await phone.command("post_chat", text="my own words to staff", channel="staff")
    await other.command("post_chat", text="the namesake's words")
    await boss.command("post_chat", text=f"well said, {NAME}")
    await boss.command("post_chat", text="a word to you alone", channel="private", to=id)
    poll = await boss.command("create_poll", question="1+1?", options=["1", "2"])
    assert "seq" in poll
    await me.until(lambda: "poll_opened" in me.types())
    opened = next(entry["event"]["poll"] for entry in me.events if entry["event"]["type"] == "poll_opened")
    assert "error" not in await me.command("answer_poll", poll=opened, choices=[1])
    assert "error" not in await other.command("answer_poll", poll=opened, choices=[0])
    await boss.command("close_poll", poll=opened)
    await me.command("raise_hand")
    await boss.command("lower_hand", participant=id)
    await me.command("set_microphone", on=True)
    await boss.command("mute", participant=id)
    await boss.command("leave_out", participant=id, left_out=True)
    await boss.command("set_permissions", participant=id, camera=False)
    await boss.command("set_main", participant=id)
    await me.command("react", reaction="clap")
    await boss.command("start_check", window_s=30)
    await me.until(lambda: "check_asked" in me.types())
    asked = next(entry["event"] for entry in me.events if entry["event"]["type"] == "check_asked")
    await me.command("answer_check", check=asked["check"], nonce=asked["nonce"])


async def erased(home: House, cookie: str, subject: str = SUBJECT, issuer: str = "node", within: float = 30) -> Any:
    """Ask for it as operator, and wait for the receipt."""
    answer = await home.call("POST", "/erasures", {"issuer": issuer, "subject": subject, "confirm": subject}, operator=cookie)
    assert answer.status == 200, answer
    id = answer.body["id"]
    async with asyncio.timeout(within):
        while answer.body["state"] != "done":
            await asyncio.sleep(0.05)
            answer = await home.call("GET", f"/erasures/{id}", operator=cookie)
    return answer.body
