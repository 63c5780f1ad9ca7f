"""Legal holds on the operator page of a real node, on a desk and on a phone; what a class whose log is gone shows."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from server import auth, keys
from server.retention.due import DAY_MS
from signaling.classroom.roles import Role
from tests.support import taped
from tests.support.browser import Chromium, Firefox, Page
from tests.support.house import Guest, House, house

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module")
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, **{"retention.log_days": 90}) as home:
        yield home


async def operator(home: House, page: Page) -> None:
    login = auth.issue(auth.Kind.OPERATOR, home.ring, audience="jiangtai", now=time.time(), sub="operator")
    await page.goto(f"{home.url}/operator#login={login}")
    await page.see(".holds")
    await english(page)


async def english(page: Page) -> None:
    await page.see("button[lang]")
    if await page.run("() => document.querySelector('button[lang]').lang") == "en":
        await page.click("button[lang]")


async def as_guest(home: House, page: Page, guest: Guest, path: str) -> None:
    await page.goto(home.url + "/")
    await page.run("(name, value) => { document.cookie = `${name}=${value}; path=/`; }", home.cookie_name, guest.cookie)
    await english(page)
    await page.goto(home.url + path)


@pytest.mark.parametrize(("browser", "width"), [("chromium", 1440), ("chromium", 390), ("firefox", 1280)])
async def test_the_operator_holds_a_class_and_lifts_the_hold(crome: Chromium, fox: Firefox, home: House, browser: str, width: int) -> None:
    session = await home.create("Lesson")
    made = crome if browser == "chromium" else fox
    page = await made.page(width, 844)
    await operator(home, page)
    await page.see(".holds", "Nothing is held")
    await page.click(".holds button", "Add a hold")
    await page.click(".dialog footer button", "Hold")
    await page.see(".dialog [role=alert]", "Please fill in every field")
    await page.fill(".dialog input", "no-such-class")
    await page.fill(".dialog label:last-of-type input", "法院 order <b>7</b>")
    await page.click(".dialog footer button", "Hold")
    await page.see(".dialog [role=alert]", "There is no class with this id")
    await page.fill(".dialog input", session)
    await page.click(".dialog footer button", "Hold")
    await page.see(".holds li", session)
    await page.see(".holds li span", "法院 order <b>7</b>")
    assert home.node is not None
    assert await home.node.app[keys.HOLDS].held(session)
    await page.click(".holds li button", "Lift")
    await page.see("[role=alertdialog]", "Lift this legal hold?")
    await page.click("[role=alertdialog] button", "Cancel")
    await page.click(".holds li button", "Lift")
    await page.click("[role=alertdialog] footer button", "Lift")
    await page.see(".holds", "Nothing is held")
    await page.close()


async def test_a_trainer_is_told_of_a_hold_and_everybody_when_nothing_is_kept(crome: Chromium, home: House) -> None:
    held = taped.hold("lesson", seconds=20)
    assert home.node is not None
    node = home.node.app
    await taped.store(held, node[keys.JOURNAL], node[keys.DIRECTORY], node[keys.RECORDINGS], title="Lesson")
    await taped.publish(held, node[keys.PUBLISHED], title="Lesson")
    tom, ann = await home.come_in("lesson", "tom", Role.TRAINER), await home.come_in("lesson", "ann")
    hold = await node[keys.HOLDS].add(session="lesson", issuer="", subject="", reason="order 7", by="operator", at=1)
    assert hold is not None
    page = await crome.page(1280, 800)
    await as_guest(home, page, tom, f"/report/lesson?seat={tom.seat}")
    await page.see(".report .facts", "Kept for legal reasons; nothing may be deleted: order 7")
    await node[keys.HOLDS].lift(hold.number, by="operator", at=2)
    ended_at = held.lesson.now
    await node[keys.DIRECTORY].mark_ended("lesson", ended_at)
    await node[keys.HUB]._retire("lesson")
    for at in (ended_at, ended_at + 91 * DAY_MS):
        assert await node[keys.SWEEP].sweep(lambda at=at: at, pause_s=0)  # type: ignore[misc]
    for guest, path in (
        (tom, f"/report/lesson?seat={tom.seat}"),
        (ann, f"/report/lesson?seat={ann.seat}"),
        (ann, "/replay/lesson"),
        (ann, f"/replay/lesson/{held.recording}"),
        (ann, f"/class/{ann.seat}"),
    ):
        await as_guest(home, page, guest, path)
        await page.see(".message h2", "This class is no longer kept")
    await page.close()
