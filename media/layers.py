"""Simulcast layers as sizes: which of them a picture shown so high is worth. Pure.

Each layer is twice as high as the one below it, as browsers send three sizes of one picture.
"""

from typing import Final

#: the highest layer there may be (media/simulcast.py): no limit
MOST: Final = 2
#: nothing is sent: nobody sees it
HIDDEN: Final = -1
#: a picture may be scaled up this much before the next layer pays
_ENOUGH: Final = 0.75


def worth_sending(height: int, layers: int, wanted: int) -> int:
    """The lowest layer at least 3/4 as high as `wanted` pixels, MOST if that is the highest; `height` is the highest layer's."""
    if wanted <= 0:
        return HIDDEN
    top = layers - 1
    return next((layer for layer in range(top) if height >> (top - layer) >= _ENOUGH * wanted), MOST)
