"""The fields of media requests (PROTOCOL.md, "Commands beside those of the classroom"), checked. Pure; raises Rejected("bad_message")."""

import re
from collections.abc import Mapping, Set
from typing import Any, Final, cast

from media.negotiation import KIND_OF, Source
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import ParticipantId

MAX_TILES: Final = 25
MAX_SHOWN: Final = 50
#: a viewer has at most 25 tiles, main and screen
MAX_SIZES: Final = 30
#: pixels; 8K video is 4320 high
MAX_HEIGHT: Final = 4_320
_MID: Final = re.compile(r"[A-Za-z0-9_-]{1,16}", re.ASCII)


def read_sdp(request: Mapping[str, Any]) -> str:
    """The description; its bounds are negotiation's."""
    value = request.get("sdp")
    if not isinstance(value, str):
        raise Rejected("bad_message")
    return value


def read_tracks(request: Mapping[str, Any]) -> dict[str, Source]:
    """tracks: [{mid, source, height?}] as {mid: source}; each mid and each source once."""
    found: dict[str, Source] = {}
    for entry in _entries(request, "tracks", len(KIND_OF), {"mid", "source"}, {"height"}):
        mid, source = _mid(entry), entry["source"]
        if not isinstance(source, str) or source not in KIND_OF or mid in found or source in found.values():
            raise Rejected("bad_message")
        found[mid] = cast(Source, source)
    return found


def read_heights(request: Mapping[str, Any]) -> dict[str, int]:
    """tracks: [{mid, source, height?}] as {mid: height in pixels}, where it is told."""
    entries = _entries(request, "tracks", len(KIND_OF), {"mid", "source"}, {"height"})
    return {_mid(entry): _height(entry, 1) for entry in entries if entry.get("height") is not None}


def read_sizes(request: Mapping[str, Any]) -> dict[str, int]:
    """sizes: [{mid, height}] as {mid: height in device pixels}, 0 = out of sight; each mid once."""
    entries = _entries(request, "sizes", MAX_SIZES, {"mid", "height"})
    found = {_mid(entry): _height(entry, 0) for entry in entries}
    if len(found) != len(entries):
        raise Rejected("bad_message")
    return found


def _entries(
    request: Mapping[str, Any], name: str, most: int, needed: Set[str], further: Set[str] = frozenset()
) -> list[Mapping[str, Any]]:
    entries = request.get(name)
    if not isinstance(entries, list) or not 1 <= len(entries) <= most:
        raise Rejected("bad_message")
    if not all(isinstance(entry, Mapping) and needed <= set(entry) <= needed | further for entry in entries):
        raise Rejected("bad_message")
    return entries


def _mid(entry: Mapping[str, Any]) -> str:
    mid = entry["mid"]
    if not isinstance(mid, str) or not _MID.fullmatch(mid):
        raise Rejected("bad_message")
    return mid


def _height(entry: Mapping[str, Any], least: int) -> int:
    height = entry["height"]
    if not isinstance(height, int) or isinstance(height, bool) or not least <= height <= MAX_HEIGHT:
        raise Rejected("bad_message")
    return height


def read_tiles(request: Mapping[str, Any]) -> int:
    """How many gallery places are wanted, 0-25."""
    tiles = request.get("tiles", 0)
    if not isinstance(tiles, int) or isinstance(tiles, bool) or not 0 <= tiles <= MAX_TILES:
        raise Rejected("bad_message")
    return tiles


def read_people(request: Mapping[str, Any]) -> list[ParticipantId] | None:
    """Who the gallery shows, in order, at most 50; None = the stage."""
    people = request.get("tiles")
    if people is None:
        return None
    if not isinstance(people, list) or len(people) > MAX_SHOWN or not all(isinstance(name, str) for name in people):
        raise Rejected("bad_message")
    return people
