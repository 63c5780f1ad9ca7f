"""What people do with each other in class, by hand in real browsers."""

import asyncio
import time

import pytest

from tests.support.browser import Chromium, Firefox
from tests.support.demo import DemoNode
from tests.support.rhythm import loudness
from tests.support.seat import Seat, arrive, enter

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]


async def _class(crome: Chromium, fox: Firefox, node: DemoNode) -> tuple[Seat, Seat, Seat]:
    """Ann teaches, Bo listens in Chromium, Cy in Firefox."""
    ann, bo, cy = await asyncio.gather(
        enter(crome, node, "trainer", "Ann"), enter(crome, node, "trainee", "Bo"), enter(fox, node, "trainee", "Cy")
    )
    await ann.start_class()
    for trainee in (bo, cy):
        await trainee.see("Live")
    return ann, bo, cy


async def test_chat_reaches_everybody_and_a_deleted_message_goes(crome: Chromium, fox: Firefox, node: DemoNode) -> None:
    ann, bo, cy = await _class(crome, fox, node)
    await bo.say("Which knot first?")
    await cy.say("Mine is <b>loose</b>")
    for person in (ann, bo, cy):
        await person.see("Which knot first?")
        await person.see("Mine is <b>loose</b>")
    await ann.press("Delete message")
    await ann.confirm("Delete message")
    for person in (ann, bo, cy):
        await person.see("This message was deleted")


async def test_reactions_are_seen_by_others(crome: Chromium, fox: Firefox, node: DemoNode) -> None:
    ann, bo, cy = await _class(crome, fox, node)
    for person in (ann, cy):
        await person.page.run(
            "() => { window.bursts = 0; new MutationObserver(() => { bursts += document.querySelectorAll('.burst').length; })"
            ".observe(document.body, { childList: true, subtree: true }); }"
        )
    await bo.press("React")
    await bo.press("Applause")
    for person in (ann, cy):
        await person.page.until("window.bursts > 0")


async def test_a_poll_is_answered_and_shown(crome: Chromium, fox: Firefox, node: DemoNode) -> None:
    ann, bo, cy = await _class(crome, fox, node)
    await ann.page.click("#tab-polls")
    await ann.press("New poll")
    await ann.page.fill("[role=dialog] textarea", "Which knot?")
    for option, text in (("Option A", "Bowline"), ("Option B", "Reef")):
        await ann.page.fill(f"[role=dialog] input[aria-label='{option}']", text)
    await ann.confirm("Open now")
    for trainee, choice in ((bo, "Bowline"), (cy, "Reef")):
        await trainee.page.click("#tab-polls")
        await trainee.page.click("label.choice", choice)
        await trainee.press("Answer")
        await trainee.see("Answered")
    await ann.page.until("/\\b2( \\/ \\d+)? answered/.test(document.body.innerText)")
    assert not await bo.page.run("() => document.body.innerText.includes('50%')")
    await ann.page.click("button", "Close")
    await ann.press("Show result")
    for trainee in (bo, cy):
        await trainee.see("50%")


async def test_the_waiting_room_holds_people_until_they_are_admitted(crome: Chromium, fox: Firefox, node: DemoNode) -> None:
    ann, _, _ = await _class(crome, fox, node)
    await ann.setting("Waiting room")
    dee = await enter(crome, node, "trainee", "Dee")
    await dee.see("Waiting for the trainer to let you in")
    eve = await enter(fox, node, "trainee", "Eve")
    await eve.see("Waiting for the trainer to let you in")
    for person in (dee, eve):
        assert await person.page.run("() => rtc.remote.size") == 0
        assert not await person.page.run("() => document.body.innerText.includes('Bo')")
    await ann.page.click("#tab-people")
    await ann.press("Admit")
    await dee.page.see("#tab-chat")
    await ann.press("Decline")
    await eve.see("The trainer did not let you in")


async def test_a_muted_person_is_silent_within_two_seconds(trainer_browser: Chromium, crome: Chromium, node: DemoNode) -> None:
    ann = await enter(crome, node, "trainer", "Ann")
    await ann.start_class()
    bo = await enter(trainer_browser, node, "trainee", "Bo", microphone=True)
    cy = await enter(crome, node, "trainee", "Cy")
    await cy.page.until("rtc.total('audio', 'packetsReceived').then((n) => n > 100)", limit=20)
    await ann.manage("Bo", "Mute")
    muted = time.monotonic()
    await bo.page.see("button[aria-label='Unmute']")
    await asyncio.sleep(max(0.0, 2 - (time.monotonic() - muted)))
    powers = await loudness(cy.energy, 9)
    assert max(powers) < 1e-6, powers


async def test_a_removed_person_is_out_and_a_barred_one_stays_out_in_a_new_browser(crome: Chromium, fox: Firefox, node: DemoNode) -> None:
    session = await node.create("small")
    ann = await enter(crome, node, await node.link(session, "trainer", "Ann"), "Ann")
    await ann.start_class()
    bo = await enter(crome, node, await node.link(session, "trainee", "Bo", "bo@school"), "Bo", microphone=True)
    await bo.see("Live")
    await ann.manage("Bo", "Remove and bar")
    await ann.confirm("Remove and bar")
    await bo.page.until("rtc.connections.every((pc) => pc.connectionState === 'closed')", limit=5)
    await bo.see("You can no longer enter this class")
    again = await arrive(fox, node, await node.link(session, "trainee", "Robert", "bo@school"), "Robert")
    await again.see("You cannot enter this class")
    assert await again.page.run("() => rtc.remote.size") == 0


async def test_a_locked_class_lets_nobody_new_in_but_everybody_back(crome: Chromium, fox: Firefox, node: DemoNode) -> None:
    ann, bo, _ = await _class(crome, fox, node)
    await ann.setting("Lock class")
    dee = await enter(crome, node, "trainee", "Dee")
    await dee.see("locked")
    assert not await dee.page.run("() => !!document.querySelector('#tab-chat')")
    await bo.page.reload()
    await bo.page.see("#tab-chat", limit=10)
    await ann.setting("Lock class")
    eve = await enter(crome, node, "trainee", "Eve")
    await eve.page.see("#tab-chat")


async def test_freezing_stops_trainees_and_not_the_trainer(
    trainer_browser: Chromium, crome: Chromium, fox: Firefox, node: DemoNode
) -> None:
    ann, bo, cy = await _class(crome, fox, node)
    dee = await enter(trainer_browser, node, "trainee", "Dee", microphone=True)
    await cy.page.until("rtc.total('audio', 'packetsReceived').then((n) => n > 50)", limit=20)
    await ann.setting("Freeze class")
    await bo.see("The trainer froze the class")
    await dee.page.see("button[aria-label='Unmute']")
    before = await cy.page.run("() => rtc.total('audio', 'packetsReceived')")
    await asyncio.sleep(2)
    assert await cy.page.run("() => rtc.total('audio', 'packetsReceived')") <= before + 5
    await ann.say("Back in a minute")
    await bo.see("Back in a minute")
    await ann.press("Unfreeze")
    await bo.say("Thank you")
    await ann.see("Thank you")


async def test_the_screen_arrives_and_goes(crome: Chromium, fox: Firefox, node: DemoNode) -> None:
    ann, bo, cy = await _class(crome, fox, node)
    await ann.press("Share screen")
    for trainee in (bo, cy):
        await trainee.see("Ann is sharing")
        await trainee.page.until("rtc.seen().some((video) => video.currentTime > 0 && video.videoWidth >= 640)", limit=20)
    await ann.press("Stop sharing")
    for trainee in (bo, cy):
        await trainee.page.until("rtc.seen().length === 0")


async def test_a_raised_hand_comes_on_stage_seen_and_heard_by_all(
    trainer_browser: Chromium, crome: Chromium, fox: Firefox, node: DemoNode
) -> None:
    session = await node.create("large")
    ann = await enter(crome, node, await node.link(session, "trainer", "Ann"), "Ann")
    await ann.start_class()
    bo = await enter(trainer_browser, node, await node.link(session, "trainee", "Bo"), "Bo", microphone=True, camera=True)
    cy = await enter(crome, node, await node.link(session, "trainee", "Cy"), "Cy")
    dee = await enter(fox, node, await node.link(session, "trainee", "Dee"), "Dee")
    await bo.press("Hand")
    await ann.page.click("#tab-people")
    await ann.press("On stage")
    await bo.see("You are on stage")
    for name in ("Unmute", "Turn camera on"):
        if await bo.page.run("(name) => !!document.querySelector(`button[aria-label='${name}']`)", name):
            await bo.press(name)
    for person in (ann, cy, dee):
        await person.page.until("rtc.seen().some((video) => video.currentTime > 0)", limit=20)
    for person in (ann, cy, dee):
        assert max(await loudness(person.energy, 6)) > 1e-5, person.name
    await ann.manage("Bo", "Off stage")
    for person in (ann, cy, dee):
        await person.page.until("rtc.seen().length === 0")
