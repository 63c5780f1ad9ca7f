"""A whole class recorded from browsers and watched again, measured: in the published files, and in the player.

The trainer's camera and microphone play flash and beep for the first part of the class and, after the trainer's page was reloaded, a real
clip and speech. JIANGTAI_CLASS_SECONDS says how long the class is (600). Figures hold where nothing else runs; the load is told with them.
"""

import asyncio
import bisect
import os
import shutil
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from recording import manifest
from recording.manifest import Manifest
from tests.support import board, clip, flash, viewer
from tests.support.browser import Chromium, Page, chromium
from tests.support.demo import DemoNode
from tests.support.figures import Figures, p95
from tests.support.flash import Flash
from tests.support.seat import Seat, enter

pytestmark = [pytest.mark.e2e, pytest.mark.prove, pytest.mark.asyncio(loop_scope="module")]

CLASS_S = float(os.environ.get("JIANGTAI_CLASS_SECONDS", "600"))
#: a short class is not played to its end
WATCH_S = min(62.0, CLASS_S - 12)
SEEKS = 24
QUESTION = "Which knot holds?"
#: a picture and a sound are of one moment if they are so near in time, ms
NEAR_MS = 1_500.0


@dataclass
class Told:
    """What the class's people know of it: epoch ms."""

    flashes: list[Flash] = field(default_factory=list)
    beeps: list[float] = field(default_factory=list)
    said: dict[str, float] = field(default_factory=dict)
    polled: float = 0.0
    #: flash and beep until here
    swapped: float = 0.0
    ended: float = 0.0


@pytest.fixture(scope="module")
def devices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the trainer's camera and microphone play; a browser reads the files whenever it opens the devices."""
    folder = tmp_path_factory.mktemp("devices")
    shutil.copy(flash.camera(), folder / "camera.y4m")
    shutil.copy(flash.microphone(), folder / "microphone.wav")
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def teacher(devices: Path) -> AsyncIterator[Chromium]:
    async with chromium(video=devices / "camera.y4m", audio=devices / "microphone.wav") as browser:
        yield browser


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guests() -> AsyncIterator[Chromium]:
    async with chromium(audio=flash.hum()) as browser:
        yield browser


def now_ms() -> float:
    """The node's clock is the machine's."""
    return time.time() * 1000


async def test_a_recorded_class_keeps_together(teacher: Chromium, guests: Chromium, devices: Path, node: DemoNode) -> None:
    figures = Figures()
    session = await node.create("large")
    ann = await enter(
        teacher, node, await node.link(session, "trainer", "Ann"), "Ann", microphone=True, camera=True, preload=flash.SENDER + board.SENDER
    )
    await ann.start_class()
    bo, cy = [
        await enter(guests, node, await node.link(session, "trainee", name), name, microphone=True, camera=True, preload=preload)
        for name, preload in (("Bo", viewer.HOOKS), ("Cy", ""))
    ]
    told = await _hold(ann, bo, cy, devices)
    figures.note("load-while-class", os.getloadavg()[2 if CLASS_S >= 600 else 0], "processes")
    await bo.see("Watch the replay", limit=60)
    figures.note("replay-offered-after-end", (now_ms() - told.ended) / 1000, "s", 10)
    await ann.page.close()
    await cy.page.close()
    path = next((node.var / "published").rglob("manifest.json"))
    made = manifest.read(path.read_bytes())
    sound = await asyncio.to_thread(_in_files, path.parent, made, told, figures)
    await bo.page.click("a", "Watch the replay")
    await _watched(bo.page, made, told, sound, figures)
    assert not figures.missed, figures.missed


async def _hold(ann: Seat, bo: Seat, cy: Seat, devices: Path) -> Told:
    """The class, from the start of its recording to its end."""
    told = Told()
    await ann.press("More")
    await ann.page.click("[role=menuitem]", "Start recording")
    await ann.confirm("Start recording")
    await bo.see("Recording")
    began = time.monotonic()

    async def at(share: float) -> None:
        await asyncio.sleep(max(0.0, began + share * CLASS_S - time.monotonic()))

    async def say(person: Seat, text: str) -> None:
        await person.say(text)
        told.said[text] = now_ms()
        await ann.see(text)

    await ann.press("Share screen")
    await at(0.06)
    await say(bo, "The first knot")
    await _on_stage(ann, bo)
    await at(0.16)
    await _mute(ann, max(3.0, 0.02 * CLASS_S))
    await at(0.22)
    await ann.page.run("() => truth.video.applyConstraints({ width: 320, height: 180 })")
    await at(0.28)
    await _poll(ann, told)
    await at(0.34)
    await ann.manage("Bo", "Off stage")
    await _on_stage(ann, cy)
    await at(0.40)
    await ann.page.run("() => truth.video.applyConstraints({ width: 640, height: 360 })")
    await say(cy, "The second knot")
    await at(0.46)
    await ann.press("Turn camera off")
    await asyncio.sleep(max(3.0, 0.02 * CLASS_S))
    await ann.press("Turn camera on")
    await at(0.54)
    await _mute(cy, 3.0)
    await ann.manage("Cy", "Off stage")
    await at(0.62)
    await _tell(ann.page, told)
    told.swapped = now_ms()
    for made, name in ((clip.camera(), "camera.y4m"), (clip.microphone(), "microphone.wav")):
        shutil.copy(made, devices / f"next-{name}")
        (devices / f"next-{name}").rename(devices / name)
    await ann.page.reload()
    await ann.see("Live", limit=20)
    await ann.press("Share screen", limit=20)
    await say(bo, "The third knot")
    await at(0.74)
    await _on_stage(ann, bo)
    await at(0.82)
    await _mute(ann, max(3.0, 0.02 * CLASS_S))
    await at(0.90)
    await ann.manage("Bo", "Off stage")
    await say(cy, "The last knot")
    await at(1.0)
    await ann.press("End class")
    await ann.confirm("End class")
    told.ended = now_ms()
    return told


async def _on_stage(ann: Seat, guest: Seat) -> None:
    await guest.press("Hand")
    await ann.page.click("#tab-people")
    await ann.press("On stage")
    await guest.page.see("button[aria-label='Unmute'], button[aria-label='Mute']")
    for name in ("Unmute", "Turn camera on"):
        if await guest.page.run("(name) => !!document.querySelector(`button[aria-label='${name}']`)", name):
            await guest.press(name)


async def _mute(person: Seat, seconds: float) -> None:
    await person.page.click("footer button", "Mute")
    await asyncio.sleep(seconds)
    await person.page.click("footer button", "Unmute")


async def _poll(ann: Seat, told: Told) -> None:
    await ann.page.click("#tab-polls")
    await ann.press("New poll")
    await ann.page.fill("[role=dialog] textarea", QUESTION)
    for option, text in (("Option A", "Bowline"), ("Option B", "Reef")):
        await ann.page.fill(f"[role=dialog] input[aria-label='{option}']", text)
    await ann.confirm("Open now")
    told.polled = now_ms()


async def _tell(page: Page, told: Told) -> None:
    """What the sender's page saw of its own flashes and beeps."""
    found = await page.run("() => truth.tell()")
    told.flashes = sorted(Flash(at, int(number)) for at, number in found["flashes"])
    told.beeps = sorted(found["beeps"])


def _nearest(times: Sequence[float], at: float) -> float | None:
    """The entry of a sorted list that is nearest, if it is of the same moment."""
    index = bisect.bisect(times, at)
    near = min(times[max(0, index - 1) : index + 1], key=lambda each: abs(each - at), default=None)
    return near if near is not None and abs(near - at) <= NEAR_MS else None


def _in_files(folder: Path, made: Manifest, told: Told, figures: Figures) -> float:
    """Flashes against beeps in the published files; returns how late (ms) the sound lies, as the middle of its beeps."""
    zero, until = float(made.started_at), told.swapped - made.started_at
    heard = list(flash.beeps(folder / str(made.mix and made.mix.file), until))
    late_sound = {beep: beep - (true - zero) for beep in heard if (true := _nearest(told.beeps, beep + zero)) is not None}
    late_sound = {beep: late for beep, late in late_sound.items() if abs(late) <= 450}
    skews, late_pictures, late_screen = [], [], []
    times = sorted(late_sound)
    known = [each.at for each in told.flashes]
    for track in made.tracks:
        if track.failed not in (None, "empty"):
            figures.missed.append(f"track {track.id} failed: {track.failed}")
        for span in track.spans:
            if track.source == "camera" and span.from_ms < until:
                for seen in flash.flashes(folder / span.file, span.from_ms):
                    true = _nearest(known, seen.at + zero)
                    if true is None or told.flashes[known.index(true)].number != seen.number:
                        continue
                    late_pictures.append(seen.at - (true - zero))
                    beep = _nearest(times, seen.at)
                    if beep is not None:
                        skews.append(late_pictures[-1] - late_sound[beep])
            if track.source == "screen":
                late_screen += [board.late(at + zero, code) for at, code in board.shown(folder / span.file, span.from_ms)]
    sound = sorted(late_sound.values())[len(late_sound) // 2] if late_sound else 0.0
    figures.note("flashes-with-beeps", len(skews), "pairs")
    assert len(skews) >= 0.3 * CLASS_S, (len(skews), len(heard), len(told.beeps), len(told.flashes), len(late_pictures))
    figures.note("file-sound-late-p95", p95(late_sound.values()), "ms")
    figures.note("file-camera-late-p95", p95(late_pictures), "ms")
    figures.note("file-camera-against-sound-p50", sorted(skews)[len(skews) // 2], "ms")
    figures.note("file-camera-against-sound-p95", p95(skews), "ms", 40)
    figures.note("file-screen-against-sound-p95", p95(late - sound for late in late_screen), "ms")
    return sound


async def _watched(page: Page, made: Manifest, told: Told, sound: float, figures: Figures) -> None:
    """The replay: played, jumped about in, its chat and polls waited for."""
    await viewer.start(page)
    steady = [await viewer.play(page, WATCH_S)]
    if CLASS_S >= 300:
        await viewer.seek(page, 0.55 * made.duration_ms, made.duration_ms)
        await asyncio.sleep(2)
        steady.append(await viewer.play(page, WATCH_S))
    jumps, after = [], []
    for number in range(SEEKS):
        jumps.append(await page.run("(tenth, total) => viewer.jump(tenth, total)", number * 7 % 10, made.duration_ms))
        await asyncio.sleep(1)
        after += (await viewer.play(page, 1.5)).samples
    late = [await _appears(page, made, "Chat", ".rp-msg p", text, said) for text, said in told.said.items()]
    late.append(await _appears(page, made, "Polls", ".rp-poll h3", QUESTION, told.polled))
    played = [sample for each in steady for sample in each.samples]
    for name, samples in (("playing", played), ("after-seek", after)):
        _in_step(name, samples, made, told, sound, figures)
    figures.note("seek-to-picture-p95", p95(5_000 if each < 0 else each for each in jumps), "ms", 500)
    figures.note("chat-and-polls-late-most", max(late), "ms", 250)
    figures.note("chat-and-polls-early-most", -min(late), "ms", 250)
    figures.note("stalls", sum(len([wait for wait in each.waits if wait[0] == "sound"]) for each in steady), "times", 0)
    figures.note("sound-behind-wall-clock", max(each.took_ms - each.moved_ms for each in steady), "ms", 100)
    figures.note("pictures-waiting", sum(len([wait for wait in each.waits if wait[0] != "sound"]) for each in steady), "times")
    assert await page.run("() => viewer.errors") == []
    assert await page.run("() => document.querySelectorAll('.rp-tile.failed, .rp-error').length") == 0
    await page.close()


async def _appears(page: Page, made: Manifest, tab: str, selector: str, text: str, told: float) -> float:
    """How much later than it was said in class something appears, ms on the sound's clock."""
    moment = told - made.started_at
    await page.click("[role=tab]", tab)
    await viewer.seek(page, moment - 3_000, made.duration_ms)
    await asyncio.sleep(0.5)
    at = float(await page.run("(selector, text, limit) => viewer.appears(selector, text, limit)", selector, text, 20_000))
    assert at >= 0, (text, at)
    return at - moment


def _in_step(name: str, samples: Sequence[viewer.Sample], made: Manifest, told: Told, sound: float, figures: Figures) -> None:
    """How far what is shown is from what is heard: by the pictures' own numbers, and by their files' times."""
    trainer = next(track.participant for track in made.tracks if track.source == "screen" and track.spans)
    source = {track.id: track.source for track in made.tracks if track.participant == trainer}
    by_number: dict[str, list[float]] = {"camera": [], "screen": []}
    for track, at, _, number in samples:
        epoch = at + made.started_at - sound
        if number < 0 or track not in source:
            continue
        if source[track] == "screen":
            if number & board.FAST:
                by_number["screen"].append(board.late(epoch, number & ~board.FAST))
        elif epoch < told.swapped:
            # Whose flash it was: the picture's second has a number, too.
            known = [each.at for each in told.flashes if each.number == number // flash.RATE * flash.RATE]
            if (true := _nearest(known, epoch)) is not None:
                by_number["camera"].append(epoch - true - number % flash.RATE * flash.FRAME_MS)
    figures.note(f"{name}-samples", len(samples), "pictures")
    figures.note(f"{name}-media-against-sound-p95", p95(sample.media - sample.at for sample in samples), "ms", 60)
    for kind, late in by_number.items():
        if late:
            figures.note(f"{name}-{kind}-shown-against-sound-p95", p95(late), "ms", 60)
