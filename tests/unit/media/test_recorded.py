"""What is recorded: the stage, nothing of the audience, nothing of who is left out."""

import json

import pytest

from media.directives import Track
from media.negotiation import Source, TrackPlan
from media.recorded import describe, recorded
from signaling.classroom.recording import LeaveOut, StartRecording, StopRecording
from signaling.classroom.settings import Profile
from signaling.classroom.stage import BringOnStage, TakeOffStage
from tests.support.classroom import Lesson, live


def track(id: int, participant: str, source: Source = "camera") -> Track:
    return Track(id=id, participant=participant, connection=f"{participant}-1", source=source)


TRACKS = [track(1, "tom"), track(2, "tom", "microphone"), track(3, "ann"), track(4, "ann", "microphone"), track(5, "bob", "screen")]


def recording(profile: Profile = Profile.SMALL) -> Lesson:
    lesson = live(profile)
    lesson.do("tom", StartRecording())
    return lesson


def test_nothing_unless_it_was_started_and_nothing_after_it_was_stopped() -> None:
    lesson = live()
    assert recorded(lesson.room, TRACKS) == {}
    lesson.do("tom", StartRecording())
    assert set(recorded(lesson.room, TRACKS)) == {1, 2, 3, 4, 5}
    lesson.do("tom", StopRecording())
    assert recorded(lesson.room, TRACKS) == {}


def test_sound_is_left_out_last_then_screens_then_the_trainers_picture() -> None:
    assert recorded(recording().room, TRACKS) == {1: 2, 2: 0, 3: 3, 4: 0, 5: 1}


def test_only_the_stage_is_recorded() -> None:
    lesson = recording(Profile.LARGE)
    assert set(recorded(lesson.room, TRACKS)) == {1, 2}
    lesson.do("tom", BringOnStage(participant="ann"))
    assert set(recorded(lesson.room, TRACKS)) == {1, 2, 3, 4}
    lesson.do("tom", TakeOffStage(participant="ann"))
    assert set(recorded(lesson.room, TRACKS)) == {1, 2}


def test_who_is_left_out_is_not_recorded() -> None:
    lesson = recording()
    lesson.do("tom", LeaveOut(participant="ann", left_out=True))
    assert set(recorded(lesson.room, TRACKS)) == {1, 2, 5}


def test_strangers_are_not_recorded() -> None:
    assert recorded(recording().room, [track(9, "nobody")]) == {}


@pytest.mark.parametrize("source", ["microphone", "camera"])
def test_a_description_is_enough_to_play_the_track(source: Source) -> None:
    plan = TrackPlan(mid="0", source=source, kind="video", ssrcs=((1, 2),), codecs=((96, "vp8", 97),), rids=("q", "h", "f"))
    told = json.loads(describe(track(1, "ann", source), plan, {"mid": 4}))
    assert (told["participant"], told["source"], told["kind"]) == ("ann", source, "video")
    assert (told["codecs"], told["rids"], told["extensions"]) == ([[96, "vp8", 97]], ["q", "h", "f"], {"mid": 4})
