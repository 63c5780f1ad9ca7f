"""How high a layer must be for a picture of some height on the screen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.layers import HIDDEN, MOST, worth_sending


@pytest.mark.parametrize(
    ("wanted", "layer"),
    [(0, HIDDEN), (1, 0), (180, 0), (240, 0), (241, 1), (360, 1), (480, 1), (481, MOST), (720, MOST), (2160, MOST)],
)
def test_the_lowest_layer_that_is_nearly_high_enough_is_sent(wanted: int, layer: int) -> None:
    assert worth_sending(720, 3, wanted) == layer


def test_two_layers_halve_once() -> None:
    assert [worth_sending(1080, 2, wanted) for wanted in (540, 720, 721)] == [0, 0, MOST]


@given(st.integers(1, 4320), st.integers(1, 4320))
def test_a_single_layer_is_never_limited(height: int, wanted: int) -> None:
    assert worth_sending(height, 1, wanted) == MOST


@given(st.integers(1, 4320), st.integers(1, 3), st.integers(1, 4319))
def test_who_shows_it_larger_never_gets_a_lower_layer(height: int, layers: int, wanted: int) -> None:
    assert worth_sending(height, layers, wanted) <= worth_sending(height, layers, wanted + 1)
