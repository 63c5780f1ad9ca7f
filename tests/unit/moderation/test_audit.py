from moderation.audit import ALWAYS, TO_OTHERS, told
from signaling.classroom.chat import Channel, ChatPosted
from signaling.classroom.participants import ConnectionOpened, ParticipantJoined
from signaling.classroom.polls import PollAnswered
from signaling.classroom.roles import Role
from signaling.classroom.sanctions import ParticipantRemoved
from signaling.classroom.seats import Person, Seat
from signaling.classroom.stage import StageLeft
from signaling.classroom.tracks import CameraChanged, MicrophoneChanged


def test_an_act_names_who_did_what_to_whom() -> None:
    who = Person(name="Li Hua", role=Role.TRAINEE)
    entry = told(7, 1000, "boss", ParticipantRemoved(participant="pupil", who=who, banned=True))
    assert entry is not None
    assert (entry.seq, entry.at, entry.by, entry.act, entry.target, entry.details) == (
        7,
        1000,
        "boss",
        "participant_removed",
        "pupil",
        {"banned": True, "name": "Li Hua", "role": "trainee"},
    )


def test_what_people_do_to_themselves_is_no_act_of_supervision() -> None:
    for event in (
        MicrophoneChanged(participant="pupil", on=False),
        CameraChanged(participant="pupil", on=False),
        StageLeft(participant="pupil"),
    ):
        assert told(1, 1, "pupil", event) is None
        assert told(1, 1, "boss", event) is not None
        assert told(1, 1, None, event) is not None


def test_everybody_who_comes_in_is_told_with_role_and_name_but_not_the_key_names_are_compared_by() -> None:
    event = ParticipantJoined(participant="i", name="Inspector", role=Role.INSPECTOR, seat=Seat.ADMITTED, likeness="inspector")
    entry = told(1, 1, "i", event)
    assert entry is not None
    assert entry.details["role"] == "inspector"
    assert entry.details["name"] == "Inspector"
    assert "likeness" not in entry.details


def test_words_and_answers_are_never_told() -> None:
    said = ChatPosted(message="m1", name="A", role=Role.TRAINEE, channel=Channel.EVERYONE, text="secret")
    assert told(1, 1, "a", said) is None
    assert told(1, 1, "a", PollAnswered(poll="p1", choices=[1])) is None
    assert told(1, 1, "a", ConnectionOpened(participant="a", connection="c")) is None
    for kind in ALWAYS | TO_OTHERS:
        assert "text" not in kind.__struct_fields__
