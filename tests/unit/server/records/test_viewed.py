"""What is told of watching: valid by the video profile, a few statements however restless, the same bytes each time, never attendance."""

import copy
import json
from typing import Any

import pytest

from recording.watched import Stretch
from server.records import viewed
from server.records import vocabulary as v
from server.records.validate import validate_statement
from server.records.viewed import MAX_SEGMENTS, Video, Viewing
from tests.support.recorded import SITE, START, identity, watched_statements

VIDEO = Video(40_000, "Knots")


def test_begun_completed_and_ended_are_valid_and_say_what_was_played() -> None:
    begun, completed, ended = (one.json for one in watched_statements())
    assert [validate_statement(one) for one in (begun, completed, ended)] == [[], [], []]
    assert [one["verb"]["id"] for one in (begun, completed, ended)] == [v.INITIALIZED, v.COMPLETED, v.TERMINATED]
    assert begun["object"]["definition"] == {"type": v.VIDEO, "name": {"und": "结绳 Knots"}}
    assert ended["object"]["definition"] == {"type": v.VIDEO}
    told = ended["result"]["extensions"]
    assert told[v.VIDEO_SEGMENTS] == "0[.]30.25[,]10[.]12[,]30.25[.]38"
    assert (told[v.VIDEO_PROGRESS], told[v.VIDEO_TIME]) == (0.95, 38)
    assert ended["result"]["duration"] == "PT34.91S"
    assert completed["result"]["completion"] is True
    assert "result" not in begun


def test_the_same_viewing_gives_the_same_bytes() -> None:
    first, again = watched_statements(), watched_statements()
    assert [(one.id, one.body) for one in first] == [(one.id, one.body) for one in again]
    assert len({one.id for one in first}) == 3


def test_another_viewing_has_other_ids_and_another_session_and_the_same_registration() -> None:
    one, other = (viewed.begun(SITE, Viewing("c", "r3", "ann", number, START, START), VIDEO, identity("ann")).json for number in (1, 2))
    assert one["id"] != other["id"]
    context, second = one["context"], other["context"]
    assert context["extensions"][v.VIDEO_SESSION] != second["extensions"][v.VIDEO_SESSION]
    assert context["registration"] == second["registration"] != SITE.uuid("registration", "c")


def test_watching_is_no_attendance() -> None:
    for statement in watched_statements():
        context = statement.json["context"]
        assert statement.json["object"]["id"] != SITE.activity("class-2")
        assert v.SESSION_ID not in context["extensions"]
        assert context["registration"] != SITE.uuid("registration", "class-2")
        assert "parent" not in context["contextActivities"]
        assert [one["id"] for one in context["contextActivities"]["category"]] == [v.VIDEO_PROFILE]
        assert context["contextActivities"]["grouping"][0]["id"] == SITE.activity("class-2")
        assert not statement.kind.startswith("attended/")


def test_restless_seeking_names_the_longest_pieces_and_no_more_than_fit() -> None:
    restless = [Stretch(from_ms=n * 1_000, to_ms=n * 1_000 + 300 + n % 7) for n in range(20_000)]
    video = Video(20_000_000, "")
    told = viewed.segments(restless, video.length_ms).split("[,]")
    assert len(told) == MAX_SEGMENTS
    starts = [float(each.partition("[.]")[0]) for each in told]
    assert starts == sorted(starts)
    statement = viewed.ended(SITE, Viewing("c", "r", "ann", 1, START, START), video, identity("ann"), restless)
    assert validate_statement(statement.json) == []
    assert len(statement.body) < 20_000


def test_nothing_behind_the_end_and_never_more_than_all_of_it_is_seen() -> None:
    beyond = [Stretch(from_ms=0, to_ms=999_000), Stretch(from_ms=500_000, to_ms=600_000)]
    assert viewed.segments(beyond, 40_000) == "0[.]40"
    assert viewed.seen(beyond, VIDEO) == 1
    assert viewed.segments([Stretch(from_ms=50_000, to_ms=60_000)], 40_000) == "0[.]0"
    assert viewed.seen([Stretch(from_ms=0, to_ms=9)], Video(0, "")) == 0
    almost = viewed.ended(SITE, Viewing("c", "r", "ann", 1, START, START), VIDEO, {}, [Stretch(from_ms=0, to_ms=39_999)])
    assert almost.json["result"]["extensions"][v.VIDEO_PROGRESS] == 0.999


def spoilt(change: Any) -> list[str]:
    statement = copy.deepcopy(json.loads(watched_statements()[2].body))
    change(statement)
    return validate_statement(statement)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["object"]["definition"].update(type=v.CLASSROOM),
        lambda s: s["verb"].update(id=v.ATTENDED),
        lambda s: s["context"].pop("registration"),
        lambda s: s["context"]["contextActivities"].pop("grouping"),
        lambda s: s["context"]["contextActivities"].update(parent=s["context"]["contextActivities"]["grouping"]),
        lambda s: s["context"]["extensions"].pop(v.VIDEO_LENGTH),
        lambda s: s["context"]["extensions"].update({v.VIDEO_SESSION: SITE.uuid("viewing")}),
        lambda s: s["context"]["extensions"].update({v.VIDEO_THRESHOLD: 2}),
        lambda s: s["result"].pop("duration"),
        lambda s: s["result"]["extensions"].pop(v.VIDEO_TIME),
        lambda s: s["result"]["extensions"].update({v.VIDEO_PROGRESS: 1.2}),
        lambda s: s["result"]["extensions"].update({v.VIDEO_SEGMENTS: "0-12"}),
        lambda s: s.pop("timestamp"),
        lambda s: s["context"]["contextActivities"].pop("category"),
    ],
)
def test_what_breaks_the_video_profile_is_kept_back(change: Any) -> None:
    assert spoilt(change) != []
