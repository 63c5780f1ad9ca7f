"""Pictures that carry a number along their bottom, as black and white squares, most significant bit left; here and in pages.

The strip is a fifteenth of the picture's height, so it is read at whatever size the picture was sent, recorded or shown.
"""

import av

STRIP = 15
DARK, BRIGHT = 16, 235
#: JavaScript: numbered.draw(context, width, height, bits, number); numbered.read(picture, width, height, bits) gives -1 if it is not clean
SCRIPT = f"""
window.numbered = {{
  draw(context, width, height, bits, number) {{
    for (let bit = 0; bit < bits; bit++) {{
      context.fillStyle = Math.floor(number / 2 ** (bits - 1 - bit)) % 2 ? "#fff" : "#000";
      context.fillRect(Math.round(bit * width / bits), height * ({STRIP} - 1) / {STRIP}, Math.ceil(width / bits), height / {STRIP});
    }}
  }},
  read(picture, width, height, bits) {{
    const canvas = (numbered.canvas ??= new OffscreenCanvas(256, 8));
    const context = (numbered.context ??= canvas.getContext("2d", {{ willReadFrequently: true }}));
    context.drawImage(picture, 0, height * ({STRIP} - 1) / {STRIP}, width, height / {STRIP}, 0, 0, bits * 8, 8);
    const row = context.getImageData(0, 4, bits * 8, 1).data;
    let number = 0;
    for (let bit = 0; bit < bits; bit++) {{
      const level = row[4 * (bit * 8 + 4) + 1];
      if (level > 85 && level < 170) return -1;
      number = number * 2 + (level > 128 ? 1 : 0);
    }}
    return number;
  }},
}};
"""


def row(number: int, bits: int, width: int) -> bytes:
    """One line of the strip, grey."""
    levels = (BRIGHT if number >> (bits - 1 - x * bits // width) & 1 else DARK for x in range(width))
    return bytes(levels)


def read(frame: av.VideoFrame, bits: int) -> int | None:
    """The number a decoded planar picture shows; None if it is not clean."""
    line = (frame.height - frame.height // (2 * STRIP)) * frame.planes[0].line_size
    luma, number = memoryview(frame.planes[0]), 0
    for bit in range(bits):
        level = luma[line + (2 * bit + 1) * frame.width // (2 * bits)]
        if 85 < level < 170:
            return None
        number = number * 2 + (level > 128)
    return number
