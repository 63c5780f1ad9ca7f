"""Fields of media requests."""

import pytest

from media.requests import read_people, read_sdp, read_tiles, read_tracks
from signaling.classroom.errors import Rejected


@pytest.mark.parametrize(
    "wish",
    [
        None,
        [],
        {},
        [{"mid": "0"}],
        [{"mid": "0", "source": "tape"}],
        [{"mid": 0, "source": "camera"}],
        [{"mid": "0", "source": ["camera"]}],
        [{"mid": "0", "source": "camera"}, {"mid": "0", "source": "screen"}],
        [{"mid": "0", "source": "camera"}, {"mid": "1", "source": "camera"}],
        [{"mid": str(n), "source": "camera"} for n in range(5)],
    ],
)
def test_track_lists_that_make_no_sense_are_refused(wish: object) -> None:
    with pytest.raises(Rejected):
        read_tracks({"tracks": wish})


def test_track_lists_are_read() -> None:
    assert read_tracks({"tracks": [{"mid": "0", "source": "microphone"}, {"mid": "1", "source": "camera"}]}) == {
        "0": "microphone",
        "1": "camera",
    }


@pytest.mark.parametrize("tiles", [-1, 26, True, "3", 2.0, None])
def test_impossible_numbers_of_tiles_are_refused(tiles: object) -> None:
    with pytest.raises(Rejected):
        read_tiles({"tiles": tiles})


def test_tiles_default_to_none() -> None:
    assert read_tiles({}) == 0
    assert read_tiles({"tiles": 25}) == 25


@pytest.mark.parametrize("people", ["ann", [1], [["ann"]], ["p"] * 51])
def test_impossible_lists_of_people_are_refused(people: object) -> None:
    with pytest.raises(Rejected):
        read_people({"tiles": people})


def test_no_list_means_the_stage_and_an_empty_one_nobody() -> None:
    assert read_people({}) is None
    assert read_people({"tiles": []}) == []


@pytest.mark.parametrize("sdp", [None, 7, b"v=0"])
def test_a_description_is_text(sdp: object) -> None:
    with pytest.raises(Rejected):
        read_sdp({"sdp": sdp})
