"""Which picture stands for a recording."""

from recording.main_picture import candidates, shown
from recording.manifest import Source, Span, Track


def span(from_ms: int, to_ms: int) -> Span:
    return Span(from_ms=from_ms, to_ms=to_ms, file=f"{from_ms}-{to_ms}.mp4", type="video/mp4", bytes=1)


def track(id: str, participant: str, source: Source, *spans: Span) -> Track:
    return Track(id=id, participant=participant, source=source, spans=list(spans))


TRAINER = track("1", "tom", "camera", span(0, 60_000))
AGAIN = track("9", "tom", "camera", span(70_000, 90_000))
ANN = track("2", "ann", "camera", span(0, 100_000))
SHORT = track("3", "tom", "screen", span(5_000, 9_000))
LONG = track("4", "ann", "screen", span(10_000, 20_000))
SOUND = track("5", "tom", "microphone", span(0, 100_000))


def test_the_screen_shown_longest_is_the_main_picture() -> None:
    assert candidates([TRAINER, ANN, SHORT, LONG, SOUND], {"tom"})[:2] == [LONG.spans, SHORT.spans]


def test_without_a_screen_it_is_the_trainers_camera_however_short() -> None:
    assert candidates([ANN, AGAIN, TRAINER, SOUND], {"tom"}) == [[*TRAINER.spans, *AGAIN.spans], ANN.spans]


def test_a_person_who_came_back_goes_on_with_the_same_picture() -> None:
    more = track("6", "tom", "screen", span(50_000, 58_000))
    assert candidates([LONG, more, SHORT], {"tom"})[0] == [*SHORT.spans, *more.spans], "4 s and 8 s are more than 10 s"


def test_without_pictures_there_is_none() -> None:
    failed = Track(id="7", participant="tom", source="camera", spans=[], failed="codec")
    assert candidates([SOUND, failed], {"tom"}) == []


def test_the_later_of_two_that_overlap_is_shown() -> None:
    first, second = span(0, 10_000), span(8_000, 20_000)
    assert shown([first, second]) == [(first, 8_000), (second, 20_000)]
