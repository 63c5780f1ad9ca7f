"""A class recorded from browsers and watched again in a browser, with nothing in between done by hand."""

import asyncio
import time

import pytest

from tests.support.browser import Chromium
from tests.support.demo import DemoNode
from tests.support.seat import enter

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

#: seconds of the class
LESSON_S = 8
SHOWN = """[...document.querySelectorAll(".rp-tile video")].filter((video) =>
  video.videoWidth > 0 && !video.paused && video.readyState >= 3).length"""
#: a playing picture moves
MOVES = """async () => {
  const video = [...document.querySelectorAll(".rp-tile video")].find((each) => each.videoWidth > 0 && !each.paused);
  const before = video.currentTime;
  await new Promise((next) => setTimeout(next, 1500));
  return video.currentTime - before;
}"""


async def test_a_class_is_recorded_and_watched_seconds_after_its_end(crome: Chromium, node: DemoNode) -> None:
    ann = await enter(crome, node, "trainer", "Ann", microphone=True, camera=True)
    bo = await enter(crome, node, "trainee", "Bo")
    await ann.start_class()
    await bo.first_picture()
    await ann.press("More")
    await ann.page.click("[role=menuitem]", "Start recording")
    await ann.confirm("Start recording")
    await bo.see("Recording")
    began = time.monotonic()
    await bo.say("remember this")
    await ann.see("remember this")
    await asyncio.sleep(max(0.0, LESSON_S - (time.monotonic() - began)))
    await ann.press("End class")
    await ann.confirm("End class")
    ended = time.monotonic()
    await bo.see("Watch the replay", limit=40)
    ready = time.monotonic() - ended
    await bo.page.click("a", "Watch the replay")
    await bo.page.see(".rp-play", limit=20)
    await bo.page.click(".rp-play")
    await bo.page.until(f"{SHOWN} >= 1", limit=20)
    moved = float(await bo.page.run(MOVES))
    assert ready <= 10
    print(f"replay offered {ready:.1f} s after the end; {moved:.2f} s played in 1.5 s")
    assert moved > 1.0
    await bo.see("remember this", limit=15)
    assert await bo.page.run("() => document.querySelectorAll('.rp-tile.failed, .rp-error').length") == 0
