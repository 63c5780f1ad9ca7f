"""What a replay gets after it is published, in a real browser: the film, pictures on the seek bar, captions."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from recording.amendment import Words, captioned
from server import keys
from tests.e2e.test_replay import published, watch
from tests.support.browser import Chromium, Page
from tests.support.house import House, house
from tests.support.taped import Taped

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

FILM_S = 90
ZH = "WEBVTT\n\n00:02.000 --> 00:20.000\n问题链从<i>主问题</i>开始 &amp; 展开\n"
EN = "WEBVTT\n\n00:02.000 --> 00:20.000\nA chain begins with its main question\n"
#: puts the pointer over a share of the seek bar
HOVER = """(share) => {
  const bar = document.querySelector(".rp-seek"), box = bar.getBoundingClientRect();
  bar.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX: box.left + box.width * share, clientY: box.top + 5 }));
}"""
#: what a thumbnail's piece of its sheet looks like: (width, height, whether it has light and dark)
PIECE = """async () => {
  const found = document.querySelector(".rp-seek .th"), style = getComputedStyle(found);
  const image = new Image();
  image.src = style.backgroundImage.slice(5, -2);
  await image.decode();
  const canvas = new OffscreenCanvas(160, 90), context = canvas.getContext("2d");
  const [x, y] = style.backgroundPosition.split(" ").map((each) => -parseInt(each));
  context.drawImage(image, x, y, 160, 90, 0, 0, 160, 90);
  const levels = [...context.getImageData(0, 0, 160, 90).data].filter((_, at) => at % 4 === 0);
  return [found.offsetWidth, found.offsetHeight, Math.max(...levels) - Math.min(...levels) > 120];
}"""


@pytest_asyncio.fixture(loop_scope="module")
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as home:
        yield home


async def say(home: House, held: Taped, language: str, text: str) -> None:
    assert home.node is not None
    app = home.node.app
    await captioned(app[keys.PUBLISHED], held.session, held.recording, Words(text.encode(), language, None), app[keys.CLOCK])


async def key(page: Page, name: str) -> None:
    await page.run("(key) => reel.key(key)", name)


async def test_a_page_that_is_open_gets_the_film_and_its_thumbnails(crome: Chromium, home: House) -> None:
    held = await published(home)
    page = await watch(crome, home, held, await home.come_in(held.session, "ann"))
    await page.see(".rp-below a[download]", limit=FILM_S)
    told = await page.run(
        """async () => {
          const link = document.querySelector(".rp-below a[download]");
          const answer = await fetch(link.href);
          const bytes = new Uint8Array(await answer.arrayBuffer());
          return [link.download, answer.status, answer.headers.get("Content-Disposition"), new TextDecoder().decode(bytes.slice(4, 8))];
        }""",
        limit=20,
    )
    assert told[:2] == ["问题链课堂设计.mp4", 200]
    assert told[2].startswith("attachment; ")
    assert told[3] == "ftyp"
    assert await page.run("() => document.querySelector('.rp-tile.main video').src.includes('.webm')"), "what is played stays as it is"
    await page.until("!document.querySelector('.rp-seek .th')")
    await page.run(HOVER, 0.5)
    await page.see(".rp-seek .th", limit=20)
    assert await page.run(PIECE) == [160, 90, True]
    await page.run("() => document.querySelector('.rp-seek').dispatchEvent(new PointerEvent('pointerout', { bubbles: true }))")
    await page.miss(".rp-seek .tip")
    await page.press("Tab")
    await page.run("() => document.querySelector('.rp-seek').focus()")
    await page.see(".rp-seek .th", limit=20)
    before = await page.run("() => document.querySelector('.rp-seek .tip .w').textContent")
    await page.press("ArrowRight")
    await page.until(f"document.querySelector('.rp-seek .tip .w').textContent !== {before!r}")
    await page.run("() => document.querySelector('.rp-seek').blur()")
    await page.miss(".rp-seek .tip")
    await page.close()


async def test_a_sheet_that_is_gone_leaves_the_moment_without_a_picture(crome: Chromium, home: House) -> None:
    held = await published(home)
    assert home.node is not None
    guest = await home.come_in(held.session, "ann")
    page = await watch(crome, home, held, guest)
    await page.see(".rp-below a[download]", limit=FILM_S)
    for path in home.node.app[keys.PUBLISHED].root.rglob("thumbnails-*.jpg"):
        path.write_bytes(b"no picture at all")
    await page.run(HOVER, 0.3)
    await page.see(".rp-seek .tip")
    await page.until("performance.getEntriesByType('resource').some((each) => each.name.includes('thumbnails-'))")
    assert await page.run("() => document.querySelector('.rp-seek .th') === null")
    await page.close()


async def test_captions_are_off_until_asked_for(crome: Chromium, home: House) -> None:
    held = await published(home)
    await say(home, held, "zh", ZH)
    page = await watch(crome, home, held, await home.come_in(held.session, "ann"))
    await page.see("[aria-pressed=false][aria-label=字幕], [aria-pressed=false][aria-label=Captions]")
    await key(page, "2")
    await page.miss(".rp-cap")
    await key(page, "c")
    await page.see(".rp-cap", "问题链从主问题开始 & 展开")
    assert await page.run("() => document.querySelector('.rp-cap').lang") == "zh"
    await page.see("[aria-pressed=true][aria-label=字幕], [aria-pressed=true][aria-label=Captions]")
    await key(page, "6")
    await page.miss(".rp-cap")
    await key(page, "2")
    await page.see(".rp-cap")
    await key(page, "c")
    await page.miss(".rp-cap")
    await page.close()


async def test_several_languages_are_a_choice(crome: Chromium, home: House) -> None:
    held = await published(home)
    await say(home, held, "zh", ZH)
    await say(home, held, "en", EN)
    page = await watch(crome, home, held, await home.come_in(held.session, "ann"))
    await key(page, "2")
    await page.click("[aria-label^='字幕'], [aria-label^='Captions']")
    await page.click("[role=menuitem]", "English")
    await page.see(".rp-cap", "A chain begins with its main question")
    await page.click("[aria-label^='字幕'], [aria-label^='Captions']")
    await page.click("[role=menuitem]", "中文")
    await page.see(".rp-cap", "问题链从主问题开始")
    await key(page, "c")
    await page.miss(".rp-cap")
    await key(page, "c")
    await page.see(".rp-cap", "问题链从主问题开始")
    await page.close()


async def test_without_captions_there_is_no_button(crome: Chromium, home: House) -> None:
    held = await published(home)
    page = await watch(crome, home, held, await home.come_in(held.session, "ann"))
    assert await page.run('() => document.querySelector(\'[aria-label^="字幕"], [aria-label^="Captions"]\') === null')
    await key(page, "c")
    await page.miss(".rp-cap")
    await page.close()
