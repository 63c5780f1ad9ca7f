"""The places a viewer is offered."""

from collections import Counter

import pytest

from media.devices import AUDIO_SLOTS, plan_slots


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
