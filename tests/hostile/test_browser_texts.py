"""F01: more than two hundred texts that would be programs if anything took them for markup, said in class and looked at in a real Chromium.

Each is a chat message and (what fits of it) the name of who says it, a poll's option or question, or a class's title. Trainer and trainee
watch. A program that runs would call `ran`, open a dialog or break the content policy; each is counted, and the judge is tried first on a
page without any protection, where the same texts must bite.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from moderation.names import BadName, normalise
from moderation.screening import WordScreen
from server import auth
from signaling.classroom.roles import Role
from tests.hostile.crowd import Place, place
from tests.hostile.markup import corpus
from tests.hostile.test_browser_crafted import Links
from tests.support.browser import Chromium, Page, chromium
from tests.support.member import Member
from tests.support.seat import enter

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

#: runs before the page's own scripts, in frames too; everything is told to the top window
JUDGE = """
window.seen = { ran: [], dialogs: [], policy: [], errors: [] };
const tell = (where) => (...all) => {
  try { top.seen[where].push(all.map(String).join(" ").slice(0, 200)); } catch { /* a frame of another origin */ }
};
window.ran = tell("ran");
for (const name of ["alert", "confirm", "prompt", "print", "open"]) window[name] = tell("dialogs");
document.addEventListener("securitypolicyviolation", (event) => tell("policy")(event.violatedDirective, event.blockedURI, event.sample));
addEventListener("error", (event) => event.error && tell("errors")(event.error.stack));
addEventListener("unhandledrejection", (event) => tell("errors")(event.reason?.stack ?? event.reason));
"""

TEXTS = corpus()
#: the others hold control characters, which the node refuses
SAYABLE = [text for text in TEXTS if WordScreen().check(text) is None]
NAMES = [text for text in TEXTS if len(text) <= 200]


def shown_as(text: str) -> str | None:
    """The name this text becomes; None if it is refused."""
    try:
        return normalise(text)
    except BadName:
        return None


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[Place]:
    async with place("--demo") as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Chromium]:
    async with chromium() as found:
        yield found


async def verdict(page: Page) -> dict[str, list[str]]:
    """What the judge has seen so far, once everything begun has had its turn."""
    await page.run("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
    seen: dict[str, list[str]] = await page.run("() => seen")
    return seen


#: classes as the operator's page lists them: title, and number of elements in it
TITLES = "() => [...document.querySelectorAll('tbody tr b:first-child')].map((b) => [b.textContent, b.childElementCount])"
CLEAN: dict[str, list[str]] = {"ran": [], "dialogs": [], "policy": [], "errors": []}


async def test_the_texts_bite_where_text_is_taken_for_markup(browser: Chromium) -> None:
    """The judge and the texts themselves: a page that writes them into its markup runs most of them."""
    assert len(SAYABLE) >= 200
    page = await browser.page(preload=JUDGE)
    await page.goto("data:text/html,<!doctype html><body>")
    bite = """
    async (texts) => { let bitten = 0;
      for (const text of texts) {
        const before = seen.ran.length, box = document.createElement("div");
        document.body.append(box); box.innerHTML = text;
        for (let turn = 0; turn < 20 && seen.ran.length === before; turn += 1) await new Promise((next) => setTimeout(next, 5));
        bitten += seen.ran.length > before ? 1 : 0; box.remove();
      }
      return bitten; }
    """
    sample = [text for text in TEXTS if "<img" in text or "<svg" in text][:60]
    assert await page.run(bite, sample) > 20
    await page.run("() => alert(1)")
    assert (await verdict(page))["dialogs"] == ["1"]
    await page.close()


async def watch(browser: Chromium, links: Links, role: str, name: str) -> Page:
    """A real page in class that the judge looks at."""
    seat = await enter(browser, links, role, name, preload=JUDGE)  # type: ignore[arg-type]
    await seat.page.see(".class-top")
    return seat.page


async def speak(node: Place, session: str, n: int, text: str) -> None:
    """Come in under a text as the name, if it can be one, and say the text."""
    name = text if text in NAMES and shown_as(text) else f"Speaker {n}"
    async with node.home.member(session, f"speaker-{n}", name=name) as member:
        answer = await member.command("post_chat", text=text)
        assert ("seq" in answer) is (text in SAYABLE), (text, answer)


async def said(page: Page, count: int) -> list[list[Any]]:
    """Every message on the page: text, name, and whether either holds an element."""
    await page.until(f"document.querySelectorAll('.chat .msg:not(.going)').length >= {count}", limit=20)
    found: list[list[Any]] = await page.run(
        "() => [...document.querySelectorAll('.chat .msg')].map((line) => [line.querySelector('p'), line.querySelector('.h b')])"
        ".map(([p, b]) => [p.textContent, b.textContent, p.childElementCount + b.childElementCount])"
    )
    return found


@pytest.mark.parametrize("half", [0, 1])
async def test_f01_as_chat_and_as_names_texts_are_text(node: Place, browser: Chromium, half: int) -> None:
    texts = TEXTS[half::2]  # a small class knows 300 people
    session = await node.home.create("Knots")
    links = Links(node.home, session)
    trainer, trainee = await watch(browser, links, "trainer", "Ann"), await watch(browser, links, "trainee", "Bo")
    await trainer.click("button", "Start class")
    await trainee.see(".chip.live")
    for start in range(0, len(texts), 20):
        await asyncio.gather(*(speak(node, session, start + n, text) for n, text in enumerate(texts[start : start + 20])))
    names = [(shown_as(text) if text in NAMES else None) or f"Speaker {n}" for n, text in enumerate(texts)]
    wanted = {(text, name) for text, name in zip(texts, names, strict=True) if text in SAYABLE}
    for page in (trainer, trainee):
        lines = await said(page, len(wanted))
        assert {(text, name) for text, name, _ in lines} == wanted
        assert not any(elements for _, _, elements in lines)
        assert await people(page) >= set(names)
        assert await verdict(page) == CLEAN
    await trainee.reload()
    await trainee.see(".class-top")
    assert {(text, name) for text, name, _ in await said(trainee, len(wanted))} == wanted, "after a reload, from the snapshot"
    assert await verdict(trainee) == CLEAN
    await trainer.close()
    await trainee.close()


async def people(page: Page) -> set[str]:
    """Names in the people list, which draws only what is in view: scrolled from top to end."""
    await page.click("#tab-people")
    await page.see(".people .person")
    names: list[str] = await page.run(
        """async () => { const box = document.querySelector(".people"), found = new Set();
          for (let end = -1; end !== box.scrollTop; ) { end = box.scrollTop;
            for (const row of box.querySelectorAll(".person b")) found.add(row.getAttribute("title") ?? row.textContent);
            box.scrollTop += box.clientHeight * 0.9; await new Promise((next) => requestAnimationFrame(() => setTimeout(next, 20))); }
          return [...found]; }"""
    )
    await page.click("#tab-chat")
    return set(names)


async def test_f01_as_polls_texts_are_text(node: Place, browser: Chromium) -> None:
    session = await node.home.create("Knots")
    texts = [text for text in SAYABLE if len(text) <= 120]
    async with node.home.member(session, "boss", Role.TRAINER, name="Boss") as boss:
        await boss.command("start_class")
        links = Links(node.home, session)
        trainer, trainee = await watch(browser, links, "assistant", "Ann"), await watch(browser, links, "trainee", "Bo")
        polls = [texts[start : start + 10] for start in range(0, len(texts) - 1, 10)]
        for number, options in enumerate(polls):
            question = SAYABLE[-1 - number][:300]
            await ask(boss, question, options if len(options) > 1 else [*options, "other"])
            if number % 6 == 0:
                await trainee.until(f"document.querySelector('#panel-chat .poll h3')?.textContent === {json.dumps(question)}")
            await boss.command("close_poll", poll=poll_of(boss))
            await boss.command("reveal_poll", poll=poll_of(boss))
        for page in (trainer, trainee):
            await page.click("#tab-polls")
            await page.until(f"document.querySelectorAll('.polls .poll').length === {len(polls)}", limit=20)
            options = await page.run("() => [...document.querySelectorAll('.polls .result .l > span')].map((e) => e.textContent)")
            assert set(texts[: len(polls) * 10]) <= set(options)
            questions = await page.run("() => [...document.querySelectorAll('.polls h3')].map((e) => e.textContent + e.childElementCount)")
            assert set(questions) == {f"{SAYABLE[-1 - number][:300]}0" for number in range(len(polls))}
            assert await page.run("() => document.querySelectorAll('.polls :is(img, svg[onload], script, iframe, object)').length") == 0
            assert await verdict(page) == CLEAN
        await trainer.close()
        await trainee.close()


async def ask(boss: Member, question: str, options: list[str]) -> None:
    """Open a poll, and hear of it."""
    answer = await boss.command("create_poll", question=question, options=options)
    assert "seq" in answer, (question, options, answer)
    await boss.until(lambda: boss.last >= answer["seq"])


def poll_of(boss: Member) -> str:
    """The poll opened last."""
    return str(next(entry["event"]["poll"] for entry in reversed(boss.events) if entry["event"]["type"] == "poll_opened"))


async def test_f01_as_titles_texts_are_text(node: Place, browser: Chromium) -> None:
    """In the class itself, and on the operator's page, which lists the five classes with most people."""
    home = node.home
    titles = [text for text in TEXTS if text.strip() and len(text) <= 120][::12]
    operator = await browser.page(preload=JUDGE)
    login = auth.issue(auth.Kind.OPERATOR, home.ring, audience="jiangtai", now=time.time(), sub="operator")
    await operator.goto(f"{home.url}/operator#login={login}")
    for start in range(0, len(titles), 5):
        wanted = titles[start : start + 5]
        async with contextlib.AsyncExitStack() as stack:
            for session in [await home.create(title) for title in wanted]:
                await stack.enter_async_context(home.member(session, "boss", Role.TRAINER))
            listed = f"({TITLES})()"
            await operator.until(f"{json.dumps(wanted)}.every((title) => {listed}.some((row) => row[0] === title))", limit=15)
            assert not any(elements for _, elements in await operator.run(TITLES))
    assert await verdict(operator) == CLEAN
    await operator.close()
    for title in titles[::9]:
        page = await watch(browser, Links(home, await home.create(title)), "trainee", "Bo")
        await page.until(f"document.querySelector('.class-top h1').textContent === {json.dumps(title)}")
        assert await page.run("() => document.querySelector('.class-top h1').childElementCount") == 0
        assert await verdict(page) == CLEAN
        await page.close()


async def test_f01_the_policy_stops_what_a_defect_would_let_through(node: Place, browser: Chromium) -> None:
    """The second wall, on the class page itself: a script that writes markup is refused by Trusted Types, and the judge sees the report."""
    page = await watch(browser, Links(node.home, await node.home.create("Knots")), "trainee", "Bo")
    refused = await page.run(
        # in a task of its own: what the test itself evaluates is above the policy
        """() => new Promise((done) => setTimeout(() => { const refused = [];
          for (const write of [(e) => { e.innerHTML = "<img src=x onerror=ran(1)>"; }, (e) => { e.outerHTML = "<b>"; },
            (e) => e.insertAdjacentHTML("beforeend", "<b>"), () => { document.write("<b>"); }, () => { eval("ran(1)"); },
            () => new Function("ran(1)")(), () => setTimeout("ran(1)"),
            () => { const s = document.createElement("script"); s.text = "ran(1)"; document.body.append(s); },
            () => trustedTypes.createPolicy("evil", { createHTML: (text) => text })]) {
            try { write(document.body.appendChild(document.createElement("div"))); refused.push(false); } catch { refused.push(true); }
          }
          done(refused); }))"""
    )
    assert all(refused), refused
    seen = await verdict(page)
    assert len(seen["policy"]) >= len(refused)
    assert (seen["ran"], seen["dialogs"]) == ([], [])
    await page.close()
