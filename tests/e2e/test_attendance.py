"""Presence checks and the class report, by hand in a real browser."""

import asyncio

import pytest

from tests.support.browser import Chromium
from tests.support.demo import DemoNode
from tests.support.seat import Seat, enter

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

CARD = ".check-card"
FOCUS = "document.activeElement"


async def _class(crome: Chromium, node: DemoNode) -> tuple[Seat, Seat, Seat]:
    """Ann teaches Bo and Cy."""
    ann, bo, cy = await asyncio.gather(
        enter(crome, node, "trainer", "Ann"), enter(crome, node, "trainee", "Bo"), enter(crome, node, "trainee", "Cy")
    )
    await ann.start_class()
    for trainee in (bo, cy):
        await trainee.see("Live")
    return ann, bo, cy


async def _check(ann: Seat) -> None:
    await ann.press("More")
    await ann.page.click("[role=menuitem]", "Check presence")


async def test_a_check_is_answered_with_the_keyboard_and_does_not_take_typed_text(crome: Chromium, node: DemoNode) -> None:
    ann, bo, cy = await _class(crome, node)
    await bo.page.click("#tab-chat")
    await bo.page.fill("form.compose textarea", "half a sen")
    await cy.page.run("() => document.activeElement.blur()")
    await _check(ann)
    await bo.page.see(CARD)
    await bo.page._driver.type_text("tence")
    assert await bo.page.run("() => document.querySelector('form.compose textarea').value") == "half a sentence"
    assert await bo.page.run(f"() => {FOCUS}.tagName") == "TEXTAREA"
    assert "Presence check" in await bo.page.run("() => document.querySelector('.check-card [role=alert]').textContent")
    await cy.page.until(f"{FOCUS}?.closest('{CARD}') !== null && {FOCUS}.tagName === 'BUTTON'")
    await cy.page.press("Enter")
    await cy.see("Thank you, noted")
    await ann.see("1 of 2 answered")
    await ann.page.click("details summary")
    await ann.page.see(".check-count details p", "Bo")
    await bo.page.click(f"{CARD} button", "I am here")
    await ann.see("2 of 2 answered")
    await ann.see("Everybody answered")
    await bo.page.until("/1\\/1 checks/.test(document.body.innerText)", limit=15)
    assert await bo.page.run("() => document.querySelector('form.compose textarea').value") == "half a sentence"


async def test_a_page_loaded_anew_shows_the_open_check(crome: Chromium, node: DemoNode) -> None:
    ann, bo, cy = await _class(crome, node)
    await _check(ann)
    await bo.page.see(CARD)
    await bo.page.reload()
    await bo.page.see(CARD, limit=20)
    await bo.page.press("k") if await bo.page.run(f"() => {FOCUS} === document.body") else await bo.page.click(f"{CARD} button")
    await ann.see("1 of 2 answered")
    await cy.page.see(CARD)


async def test_a_check_is_answered_over_an_open_dialog_which_stays(crome: Chromium, node: DemoNode) -> None:
    ann, bo, _ = await _class(crome, node)
    await bo.press("More")
    await bo.page.click("[role=menuitem]", "Appearance")
    await bo.page.see("[role=dialog]")
    await _check(ann)
    await bo.page.see(CARD)
    assert await bo.page.run(f"() => {FOCUS}.closest('[role=dialog]') !== null")
    assert await bo.page.run(f"() => document.querySelector('{CARD}').closest('[aria-hidden=true], [inert]') === null")
    await bo.page.click(f"{CARD} button", "I am here")
    await ann.see("1 of 2 answered")
    await bo.page.see("[role=dialog]")


async def test_the_report_shows_it_takes_a_correction_and_gives_sheets(crome: Chromium, node: DemoNode) -> None:
    ann, bo, cy = await _class(crome, node)
    await _check(ann)
    await bo.page.click(f"{CARD} button", "I am here")
    await ann.see("1 of 2 answered")
    seat = await ann.page.run("() => location.pathname.split('/').pop()")
    session = (await ann.page.run("(seat) => fetch(`/api/v1/seats/${seat}`).then((r) => r.json())", seat))["session"]
    await ann.press("End class")
    await ann.confirm("End class")
    await ann.page.click("a", "Class report")
    await ann.see("Attendance")
    assert await ann.page.run("() => location.pathname") == f"/report/{session}"
    for name in ("Bo", "Cy"):
        await ann.page.see(".sheet .who b", name)
    await ann.see("50%")
    text = await ann.page.run("() => fetch(document.querySelector('a[download]').href).then((r) => r.text())")
    assert "Study hours" in text
    assert [row.split(",")[0] for row in text.splitlines()[1:]] in (["Bo", "Cy"], ["Cy", "Bo"])
    kind = await ann.page.run("() => fetch(document.querySelectorAll('a[download]')[1].href).then((r) => r.headers.get('content-type'))")
    assert "spreadsheetml" in kind
    await ann.page.click(".sheet .who", "Cy")
    await ann.page.click(".sheet .more button", "Correct")
    await ann.page.run("() => { const s = document.querySelector('[role=dialog] select'); s.value = 'excused'; "
                       "s.dispatchEvent(new Event('change', { bubbles: true })); }")  # fmt: skip
    await ann.confirm("Record the correction")
    await ann.see("Please give a reason")
    await ann.page.fill("[role=dialog] input[placeholder]", "ill, told before")
    await ann.confirm("Record the correction")
    await ann.see("Corrected by Ann: ill, told before")
    await cy.page.click("a", "My attendance")
    await cy.see("Corrected by Ann: ill, told before")
    await cy.miss("Bo")


async def test_media_that_arrives_is_counted_for_who_watches(crome: Chromium, node: DemoNode) -> None:
    ann = await enter(crome, node, "trainer", "Ann", camera=True)
    bo = await enter(crome, node, "trainee", "Bo")
    await ann.start_class()
    await bo.first_picture()
    seat = await bo.page.run("() => location.pathname.split('/').pop()")
    session = (await bo.page.run("(seat) => fetch(`/api/v1/seats/${seat}`).then((r) => r.json())", seat))["session"]
    address = f"/api/v1/classes/{session}/attendance/own?seat={seat}"
    delivered = f"fetch('{address}').then((r) => r.json()).then((own) => own.attendance.delivered_ms)"
    assert await bo.page.until(delivered, limit=30) > 0
