"""Whoever watches a replay: what each picture shows at the moment it comes on screen, where the sound is then, and what waited."""

from typing import Any, NamedTuple

from tests.support import board, flash, numbered
from tests.support.browser import Page

#: a picture is looked at this often, ms; each look costs the page a few of them
LOOK_MS = 120

HOOKS = (
    numbered.SCRIPT
    + f"""
window.viewer = {{ sounds: [], waits: [], errors: [], samples: [], shown: new Map(), known: new Set(), on: false }};
const NativeAudio = window.Audio;
window.Audio = function (...args) {{
  const made = new NativeAudio(...args);
  viewer.sounds.push(made);
  made.addEventListener("waiting", () => viewer.waits.push(["sound", Math.round(performance.now())]));
  made.addEventListener("error", () => viewer.errors.push(`${{made.error?.code}} ${{made.error?.message}}`));
  return made;
}};
viewer.at = () => viewer.sounds.at(-1).currentTime * 1000;
viewer.key = (key) => document.dispatchEvent(new KeyboardEvent("keydown", {{ key, bubbles: true }}));
viewer.look = (video) => {{
  let sampled = 0;
  const each = (now, meta) => {{
    const media = meta.mediaTime * 1000 + Number(video.dataset.from), tile = video.closest(".rp-tile");
    viewer.shown.set(video, {{ when: performance.now(), media }});
    const sound = viewer.sounds.at(-1), moving = !video.paused && !video.seeking && !sound.paused && !sound.seeking;
    if (viewer.on && moving && tile && !tile.classList.contains("ready") && now - sampled > {LOOK_MS}) {{
      sampled = now;
      const at = viewer.at() + Math.max(0, meta.expectedDisplayTime - performance.now()) * sound.playbackRate;
      const bits = tile.classList.contains("screen") ? {board.BITS} : {flash.BITS};
      const number = numbered.read(video, video.videoWidth, video.videoHeight, bits);
      viewer.samples.push([video.dataset.track, Math.round(at), Math.round(media), number]);
    }}
    if (video.isConnected) video.requestVideoFrameCallback(each);
  }};
  video.requestVideoFrameCallback(each);
  video.addEventListener("waiting", () => viewer.waits.push([video.dataset.track, Math.round(performance.now())]));
}};
setInterval(() => {{
  for (const video of document.querySelectorAll(".rp-tile video")) {{
    if (viewer.known.has(video)) continue;
    viewer.known.add(video);
    viewer.look(video);
  }}
}}, 50);
// Jump to a tenth of the recording; ms until a picture of that moment is on screen. A board that stands still is one drawn before it.
viewer.jump = async (tenth, total) => {{
  const start = performance.now(), goal = total * tenth / 10;
  viewer.key(String(tenth));
  while (performance.now() < start + 5000) {{
    const video = document.querySelector(".rp-tile.main video"), shown = viewer.shown.get(video);
    if (shown && shown.when > start && !video.seeking) {{
      const late = shown.media - goal - (shown.when - start);
      if (late < 500 && late > (video.closest(".screen") ? -10000 : -500)) return Math.round(shown.when - start);
    }}
    await new Promise((next) => setTimeout(next, 5));
  }}
  return -1;
}};
// Where the sound is when this text first stands in such an element, ms; it must not stand there yet.
viewer.appears = async (selector, text, limit) => {{
  const end = performance.now() + limit;
  const there = () => [...document.querySelectorAll(selector)].some((each) => each.textContent === text);
  if (there()) return -2;
  while (performance.now() < end) {{
    const at = viewer.at();
    if (there()) return Math.round(at);
    await new Promise((next) => setTimeout(next, 10));
  }}
  return -1;
}};
"""
)


class Sample(NamedTuple):
    """A picture at the moment it is shown: track, where the sound is, where the picture lies by its file, its number (-1: none), ms."""

    track: str
    at: int
    media: int
    number: int


class Played(NamedTuple):
    """A stretch that was played."""

    samples: list[Sample]
    #: (track or "sound", page's clock) of whatever had to wait
    waits: list[Any]
    #: how much further the sound is after so many ms of wall clock
    moved_ms: float
    took_ms: float


async def start(page: Page) -> None:
    """Press play and wait until the sound moves."""
    await page.see(".rp-play", limit=20)
    await page.until("viewer.sounds.length > 0 && viewer.sounds.at(-1).readyState >= 3", limit=20)
    before = await page.run("() => viewer.at()")
    await page.click(".rp-play")
    await page.until(f"viewer.at() > {before} + 300")


async def play(page: Page, seconds: float) -> Played:
    """Watch for so long."""
    found = await page.run(
        """async (ms) => {
          Object.assign(viewer, { samples: [], waits: [], on: true });
          const from = viewer.at(), start = performance.now();
          await new Promise((next) => setTimeout(next, ms));
          viewer.on = false;
          return { samples: viewer.samples, waits: viewer.waits, moved: viewer.at() - from, took: performance.now() - start };
        }""",
        seconds * 1000,
        limit=seconds + 30,
    )
    return Played([Sample(*each) for each in found["samples"]], found["waits"], found["moved"], found["took"])


async def seek(page: Page, ms: float, total: int) -> None:
    """Jump near a moment: a tenth of the recording, then steps of 5 s, never behind it."""
    await page.run(
        """async (ms, total) => {
          const tenth = Math.min(9, Math.floor(ms / total * 10));
          viewer.key(String(tenth));
          for (let left = ms - total * tenth / 10; left >= 5000; left -= 5000) viewer.key("ArrowRight");
        }""",
        max(0.0, ms),
        total,
    )
