"""What the trainer shares: a board that is drawn fast for a while, then stands still, then slowly, each picture with the time it was drawn.

The time is epoch ms in steps of 20, cut to 16 bits (the recording is shorter); one bit more says that pictures follow each other fast.
"""

from collections.abc import Iterator
from pathlib import Path

import av

from tests.support import numbered

STEP_MS, TIME_BITS = 20, 16
BITS = TIME_BITS + 1
FAST = 1 << TIME_BITS
TURN_MS = STEP_MS << TIME_BITS
#: JavaScript for the sender, after numbered.SCRIPT: the board stands in for the screen of this machine
SENDER = f"""
window.board = document.createElement("canvas");
Object.assign(board, {{ width: 960, height: 540 }});
board.draw = (fast) => {{
  const context = board.getContext("2d"), now = Date.now();
  context.fillStyle = "#f7f4ee";
  context.fillRect(0, 0, 960, 540);
  context.fillStyle = "#222";
  context.font = "28px sans-serif";
  for (let line = 1; line < 13; line++) context.fillText(`${{line}}. The end goes through loop ${{now - line * 977}}`, 30, line * 38);
  numbered.draw(context, 960, 540, {BITS}, (fast ? {FAST} : 0) + Math.floor(now / {STEP_MS}) % {FAST});
}};
// Ten seconds of 20 pictures a second, five of none, five of four a second.
board.count = 0;
board.tick = () => {{
  const phase = board.count++ % 400;
  if (phase < 200) board.draw(phase < 190);
  else if (phase >= 300 && phase % 5 === 0) board.draw(false);
}};
if (navigator.mediaDevices) {{
  navigator.mediaDevices.getDisplayMedia = async () => {{
    board.timer ??= setInterval(board.tick, 50);
    return board.captureStream();
  }};
}}
"""


def shown(path: Path, from_ms: float) -> Iterator[tuple[float, int]]:
    """(ms of the recording, code) of each picture that is one of many in a file that lies at `from_ms`."""
    with av.open(str(path)) as read:
        for frame in read.decode(video=0):
            code = numbered.read(frame, BITS)
            if code is not None and code & FAST and frame.time is not None:
                yield from_ms + frame.time * 1000, code & ~FAST


def late(at_ms: float, code: int) -> float:
    """How much later than it was drawn a picture stands at an epoch time, ms; negative if it is early."""
    drawn = code * STEP_MS + STEP_MS / 2
    return (at_ms - drawn + TURN_MS / 2) % TURN_MS - TURN_MS / 2
