"""The places a viewer is offered."""

from collections import Counter

import pytest

from media.codecs import Kind
from media.devices import AUDIO_SLOTS, plan_player, plan_slots
from signaling.classroom.errors import Rejected


@pytest.mark.parametrize("tiles", [0, 1, 25])
def test_everybody_gets_voices_screen_main_and_the_tiles_asked_for(tiles: int) -> None:
    slots = plan_slots(tiles)
    assert Counter(slot.use for slot in slots) == Counter({"audio": AUDIO_SLOTS, "screen_audio": 1, "screen": 1, "main": 1, "tile": tiles})
    assert [slot.mid for slot in slots] == [str(index) for index in range(len(slots))]


def test_every_stream_has_an_ssrc_of_its_own_and_video_one_for_repair() -> None:
    slots = plan_slots(25)
    ssrcs = [ssrc for slot in slots for ssrc in (slot.ssrc, slot.rtx_ssrc) if ssrc is not None]
    assert len(set(ssrcs)) == len(ssrcs)
    assert 0 not in ssrcs
    assert all((slot.rtx_ssrc is None) == (slot.kind == "audio") for slot in slots)


def test_a_player_gets_voices_in_the_order_of_its_lines_and_one_picture() -> None:
    slots = plan_player([("a", "audio"), ("v", "video"), ("b", "audio")], "focus")
    assert [(slot.mid, slot.use) for slot in slots] == [("a", "audio"), ("v", "focus"), ("b", "audio")]
    assert len({ssrc for slot in slots for ssrc in (slot.ssrc, slot.rtx_ssrc) if ssrc is not None}) == 4


@pytest.mark.parametrize("kinds", [["video", "video"], ["audio"] * (AUDIO_SLOTS + 1)])
def test_a_player_that_wants_more_is_refused(kinds: list[Kind]) -> None:
    with pytest.raises(Rejected):
        plan_player([(str(n), kind) for n, kind in enumerate(kinds)], "main")
