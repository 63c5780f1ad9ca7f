"""Fields of media requests."""

import pytest

from media.requests import MAX_SIZES, read_heights, read_people, read_sdp, read_sizes, read_tiles, read_tracks
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
        [{"mid": "0", "source": "camera", "width": 1}],
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


def test_heights_are_read_where_they_are_told() -> None:
    tracks = [{"mid": "0", "source": "camera", "height": 1080}, {"mid": "1", "source": "screen", "height": None}]
    assert read_heights({"tracks": [*tracks, {"mid": "2", "source": "microphone"}]}) == {"0": 1080}


@pytest.mark.parametrize("height", [0, -1, 4321, True, 1.5, "720"])
def test_impossible_heights_are_refused(height: object) -> None:
    with pytest.raises(Rejected):
        read_heights({"tracks": [{"mid": "0", "source": "camera", "height": height}]})


def test_sizes_are_read_and_nought_means_out_of_sight() -> None:
    assert read_sizes({"sizes": [{"mid": "5", "height": 720}, {"mid": "6", "height": 0}]}) == {"5": 720, "6": 0}


@pytest.mark.parametrize(
    "sizes",
    [
        None,
        [],
        "5",
        [{"mid": "5"}],
        [{"mid": "5", "height": 720, "width": 1}],
        [{"mid": 5, "height": 720}],
        [{"mid": "5", "height": -1}],
        [{"mid": "5", "height": 4321}],
        [{"mid": "5", "height": True}],
        [{"mid": "5", "height": 1}, {"mid": "5", "height": 2}],
        [{"mid": str(n), "height": 1} for n in range(MAX_SIZES + 1)],
    ],
)
def test_impossible_sizes_are_refused(sizes: object) -> None:
    with pytest.raises(Rejected):
        read_sizes({"sizes": sizes})
