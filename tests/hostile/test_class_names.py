"""E10: names made to be mistaken for somebody, to break the list or to vanish, through both doors a name comes in by.

Judged by what others in the class are shown (their RoomView), never by what the liar is told.
"""

import time
import unicodedata
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from server import auth
from signaling.classroom.roles import Role
from tests.hostile.crowd import TRAINER, Place, place
from tests.support.house import Answer, House
from tests.support.member import Member

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[Place]:
    async with place("--demo") as found:
        yield found


class Scene(NamedTuple):
    """A class that runs, and its trainer."""

    home: House
    session: str
    boss: Member


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(node: Place) -> AsyncIterator[Scene]:
    session = await node.home.create("Knots")
    async with node.home.member(session, "boss", Role.TRAINER, name=TRAINER) as boss:
        await boss.command("start_class")
        yield Scene(node.home, session, boss)


async def by_token(home: House, session: str, name: str) -> Answer:
    """The learning platform's way: the name is in the token."""
    return await home.call("POST", "/seats", {"token": home.token(session, f"u-{time.time_ns()}", name=name)})


async def by_invitation(home: House, session: str, name: str) -> Answer:
    """The way open to anybody with a link: the name is typed."""
    invite = auth.issue(auth.Kind.INVITE, home.ring, audience="jiangtai", now=time.time(), room=session, role=Role.TRAINEE)
    answer = await home.call("POST", "/invitations", {"invite": invite, "name": name})
    return answer if answer.status != 201 else await home.call("POST", "/seats", {"token": answer.body["token"]})


DOORS = [pytest.param(by_token, id="token"), pytest.param(by_invitation, id="invitation")]


async def seen(scene: Scene, answer: Answer) -> dict[str, Any]:
    """How the newcomer stands in a fresh RoomView of another trainee."""
    home, cookie = scene.home, answer.cookies[scene.home.cookie_name]
    async with home.socket({"Cookie": f"{home.cookie_name}={cookie}", "Origin": home.url}) as ws:
        newcomer = Member(ws)
        await newcomer.connect({"seat": answer.body["seat"]})
        me = str(answer.body["participant"])
        await scene.boss.until(lambda: any(e["event"].get("participant") == me for e in scene.boss.events))
        joined = next(
            e["event"] for e in scene.boss.events if e["event"]["type"] == "participant_joined" and e["event"]["participant"] == me
        )
        async with home.member(scene.session, f"looker-{time.time_ns()}") as looker:
            person: dict[str, Any] = next(p for p in looker.snapshot["participants"] if p["id"] == me)
            await scene.boss.until(lambda: scene.boss.last >= looker.snapshot["seq"])
        assert (joined["name"], joined.get("imitates", False)) == (person["name"], person["imitates"])
        await newcomer.leave()
        return person


IMITATIONS = {
    "cyrillic": "Тrаinеr Li",
    "greek": "Τrαiner Lι",
    "all cyrillic but one": "Тгаіпег Li",
    "zero width": "T\u200brai\u200dner\u2060 L\ufeffi",
    "soft hyphen": "Trai\u00adner Li",
    "direction marks": "\u200fTrainer\u200e \u061cLi",
    "isolates": "\u2066Trainer\u2069 \u2067Li\u2069",
    "an override around it": "\u202dTrainer Li\u202c",
    "full width": "Ｔｒａｉｎｅｒ　Ｌｉ",
    "mathematical": "𝐓𝐫𝐚𝐢𝐧𝐞𝐫 𝕷𝖎",
    "circled": "Ⓣⓡⓐⓘⓝⓔⓡ Ⓛⓘ",
    "accents": "Tràïnér Lí",
    "a combining stack": "T\u0301\u0302\u0303\u0304rainer Li",
    "spaces": "  Trainer\u2003\u00a0 Li\u3000",
    "no spaces": "TrainerLi",
    "case": "tRAINER LI",
    "digits and signs": "Tra1ner L1",
    "l for I": "Tralner Ll",
    "rn for m turned": "Trainer-Li.",
    "tag characters": "Trainer Li" + "".join(chr(0xE0000 + ord(c)) for c in "fake"),
    "variation selectors": "T\ufe0fr\ufe0eainer\U000e0101 Li",
    "blank letters": "Trainer\u3164 \u115fLi\u2800",
    "punctuation": "«Trainer» Li!",
    "emoji behind": "Trainer Li 👩‍🏫",
    "the very same": TRAINER,
    "the role as a name": "主讲",
    "the role as a name, in Latin": "ＡＤＭＩＮ",
}


@pytest.mark.parametrize("name", IMITATIONS.values(), ids=IMITATIONS.keys())
@pytest.mark.parametrize("door", DOORS)
async def test_e10_a_name_that_looks_like_the_trainers_is_flagged_for_everybody(scene: Scene, door: Any, name: str) -> None:
    answer = await door(scene.home, scene.session, name)
    assert answer.status == 201, answer
    person = await seen(scene, answer)
    assert person["imitates"] is True, ascii(person["name"])
    assert person["role"] == "trainee"
    assert clean(person["name"]), ascii(person["name"])


def clean(name: str) -> bool:
    """Whether a shown name is bounded, has nothing invisible in it, and no tower of marks."""
    marks = [unicodedata.category(character) == "Mn" for character in name]
    towers = any(all(marks[n : n + 4]) for n in range(len(marks) - 3))
    invisible = any(unicodedata.category(character) in ("Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp") for character in name)
    return 1 <= len(name) <= 64 and name == name.strip() and "  " not in name and not towers and not invisible


HONEST = ["Trainee Wu", "李明", "阿迪力·买买提", "O'Brien", "Łukasz", "José", "محمد", "नमस्ते", "Ana Trainer-Lima", "x" * 64, "Bo 2"]


@pytest.mark.parametrize("name", HONEST)
async def test_e10_honest_names_stay_and_are_not_flagged(scene: Scene, name: str) -> None:
    person = await seen(scene, await by_invitation(scene.home, scene.session, name))
    assert (person["name"], person["imitates"]) == (name, False)


MISSHAPEN = {
    "bidi override": ("\u202eiL reniarT", "iL reniarT"),
    "nested embeddings": ("\u202b" * 30 + "Bo" + "\u202c" * 30, "Bo"),
    "zero width in between": ("B\u200bo", "Bo"),
    "marks without end": ("Z" + "\u0337" * 150 + "oe", "Z\u0337\u0337\u0337oe"),
    "line breaks": ("Bo\n\r\tWu\u2028Li\u0085", "Bo Wu Li"),
    "markup": ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
    "long": ("long " * 39, ("long " * 13)[:64].strip()),
    "ligature that unfolds": ("ﷺ" * 20, None),
    "interlinear": ("Bo\ufff9Wu\ufffa\ufffb", "BoWu"),
    "private use": ("\ue000Bo\U000f0000", "Bo"),
    "unassigned": ("Bo\u0378\U000e0fff", "Bo"),
}


@pytest.mark.parametrize(("name", "shown"), MISSHAPEN.values(), ids=MISSHAPEN.keys())
@pytest.mark.parametrize("door", DOORS)
async def test_e10_misshapen_names_are_put_right(scene: Scene, door: Any, name: str, shown: str | None) -> None:
    person = await seen(scene, await door(scene.home, scene.session, name))
    assert clean(person["name"]), ascii(person["name"])
    assert shown is None or person["name"] == shown, ascii(person["name"])
    assert person["imitates"] is False


REFUSED = {
    "nothing": "",
    "spaces": "   ",
    "NUL": "Bo\0Wu",
    "NUL alone": "\0",
    "emoji alone": "😀😀😀",
    "a family of emoji": "👨‍👩‍👧‍👦",
    "zero width alone": "\u200b\u200c\u200d\ufeff",
    "blank letters alone": "\u3164\u115f\u2800",
    "marks alone": "\u0301" * 40,
    "dots": "···",
    "overrides alone": "\u202e\u202d\u2066",
    "ten thousand letters": "x" * 10_000,
    "ten thousand marks": "a" + "\u0301" * 9_999,
}


@pytest.mark.parametrize("name", REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("door", DOORS)
async def test_e10_names_that_name_nobody_are_refused(scene: Scene, door: Any, name: str) -> None:
    before = scene.boss.last
    started = time.perf_counter()
    answer = await door(scene.home, scene.session, name)
    assert time.perf_counter() - started < 1
    assert answer.status in (400, 401, 413), answer
    assert answer.code in ("bad_message", "bad_token", "too_large")
    assert not answer.cookies
    assert not [e for e in scene.boss.events if e["seq"] > before and e["event"]["type"] == "participant_joined"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"name":"\\ud800"}',
        b'{"name":"\xff\xfe"}',
        b'{"name":"\xc0\xaf"}',
        b'{"name":["Bo"]}',
        b'{"name":{"a":1}}',
        b'{"name":1}',
        b'{"name":null}',
    ],
    ids=["lone surrogate", "no UTF-8", "overlong", "list", "map", "number", "null"],
)
async def test_e10_a_name_that_is_no_text_is_refused(scene: Scene, body: bytes) -> None:
    invite = auth.issue(auth.Kind.INVITE, scene.home.ring, audience="jiangtai", now=time.time(), room=scene.session, role=Role.TRAINEE)
    sent = body.replace(b"{", b'{"invite":"' + invite.encode() + b'",', 1)
    answer = await scene.home.call("POST", "/invitations", data=sent, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.code) == (400, "bad_message")


async def test_e10_an_imitator_who_came_first_is_flagged_when_the_trainer_comes(scene: Scene) -> None:
    home, session = scene.home, scene.session
    async with home.member(session, "early", name="Ассистент Су") as early, home.member(session, "looker") as looker:
        me = early.snapshot["me"]
        async with home.member(session, "second", Role.ASSISTANT, name="Accистeнт Cy"):
            await looker.until(lambda: any(e["event"] == {"type": "name_flagged", "participant": me} for e in looker.events))
        async with home.member(session, "later") as later:
            assert next(p for p in later.snapshot["participants"] if p["id"] == me)["imitates"] is True
