"""The fields of media requests (PROTOCOL.md, "Commands beside those of the classroom"), checked. Pure; raises Rejected("bad_message")."""

import re
from collections.abc import Mapping
from typing import Any, Final, cast

from media.negotiation import KIND_OF, Source
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import ParticipantId

MAX_TILES: Final = 25
MAX_SHOWN: Final = 50
_MID: Final = re.compile(r"[A-Za-z0-9_-]{1,16}", re.ASCII)


def read_sdp(request: Mapping[str, Any]) -> str:
    """The description; its bounds are negotiation's."""
    value = request.get("sdp")
    if not isinstance(value, str):
        raise Rejected("bad_message")
    return value


def read_tracks(request: Mapping[str, Any]) -> dict[str, Source]:
    """tracks: [{mid, source}] as {mid: source}; each mid and each source once."""
    wish = request.get("tracks")
    if not isinstance(wish, list) or not 1 <= len(wish) <= len(KIND_OF):
        raise Rejected("bad_message")
    found: dict[str, Source] = {}
    for entry in wish:
        if not isinstance(entry, Mapping) or set(entry) != {"mid", "source"}:
            raise Rejected("bad_message")
        mid, source = entry["mid"], entry["source"]
        if not isinstance(mid, str) or not isinstance(source, str) or not _MID.fullmatch(mid) or source not in KIND_OF:
            raise Rejected("bad_message")
        if mid in found or source in found.values():
            raise Rejected("bad_message")
        found[mid] = cast(Source, source)
    return found


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
