"""A trainer closes and opens the replay from the report page, in real browsers; the report names who of the roster never came."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from server import keys
from signaling.classroom.roles import Role
from tests.support import taped
from tests.support.browser import Chromium, Page
from tests.support.house import SERVICE, Guest, House, house

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

CHOOSE = """(value) => {
  const select = document.querySelector(".report .share select");
  select.value = value;
  select.dispatchEvent(new Event("change", { bubbles: true }));
}"""


@pytest_asyncio.fixture(loop_scope="module")
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as home:
        yield home


async def seated(browser: Chromium, home: House, guest: Guest, path: str, width: int = 1280) -> Page:
    page = await browser.page(width, 800)
    await page.goto(home.url + "/")
    await page.run("(name, value) => { document.cookie = `${name}=${value}; path=/`; }", home.cookie_name, guest.cookie)
    await page.goto(home.url + path)
    return page


async def test_a_trainer_closes_and_opens_the_replay(crome: Chromium, home: House) -> None:
    assert home.node is not None
    node = home.node.app
    held = taped.hold("lesson", seconds=40)
    await taped.store(held, node[keys.JOURNAL], node[keys.DIRECTORY], node[keys.RECORDINGS], title="Knots")
    await taped.publish(held, node[keys.PUBLISHED], title="Knots")
    roster = [{"subject": "zoe", "name": "陈晓兰"}, {"subject": "max", "name": "Max"}]
    assert (await home.call("PUT", "/classes/lesson/roster", {"people": roster}, headers=SERVICE)).status == 200
    tom, ann = await home.come_in("lesson", "tom", Role.TRAINER), await home.come_in("lesson", "ann")
    report = await seated(crome, home, tom, f"/report/lesson?seat={tom.seat}")
    await report.until("document.querySelectorAll('.report .sheet tbody tr').length === 4")
    names = await report.run("() => [...document.querySelectorAll('.report .who .named')].map((each) => each.innerText.split('\\n'))")
    assert ["陈晓兰", "lms:zoe"] in names
    assert ["陈晓兰", "ann"] in names
    assert ["Max"] in names
    await report.until("document.querySelector('.report .share select').value === 'participants'")
    await report.run(CHOOSE, "nobody")
    await report.until("document.querySelector('.report .share select').value === 'nobody'")
    assert (await home.call("GET", "/classes/lesson", headers=SERVICE)).body["replay"] == "nobody"
    replay = await seated(crome, home, ann, f"/replay/lesson/{held.recording}", width=390)
    words = ("这节课的回放没有对你开放", "This replay is not open to you")
    await replay.until(f"{list(words)}.includes(document.querySelector('.message h2')?.textContent)")
    await report.run(CHOOSE, "participants")
    await report.until("document.querySelector('.report .share select').value === 'participants'")
    await replay.goto(f"{home.url}/replay/lesson/{held.recording}")
    await replay.until("document.querySelector('.rp-player') !== null")
    await replay.close()
    await report.close()
