"""Messages: who may write where, how fast, and what becomes of deleted ones."""

import pytest

from signaling.classroom.chat import MAX_CHARACTERS, MAX_MESSAGES, Channel, ChatDeleted, DeleteChat, PostChat
from signaling.classroom.roles import Role
from signaling.classroom.sanctions import SetPermissions
from signaling.classroom.session import ChangeSettings, OpenLobby
from signaling.classroom.settings import ChatMode, Settings
from tests.support.classroom import Lesson, live

EVERYONE, STAFF, PRIVATE = Channel.EVERYONE, Channel.STAFF, Channel.PRIVATE


def post(lesson: Lesson, who: str, channel: Channel = EVERYONE, to: str | None = None, text: str = "hi") -> str | None:
    return lesson.refusal(who, PostChat(text=text, channel=channel, to=to))


def test_a_message_carries_its_number_and_its_senders_name() -> None:
    lesson = live()
    post(lesson, "ann", text="你好 <b>")
    kept = lesson.room.chat[-1]
    assert (kept.id, kept.by, kept.name, kept.role, kept.text) == (f"m{lesson.room.seq}", "ann", "Ann", Role.TRAINEE, "你好 <b>")


@pytest.mark.parametrize(
    ("mode", "everyone", "staff"),
    [(ChatMode.OPEN, None, None), (ChatMode.STAFF, "chat_off", None), (ChatMode.OFF, "chat_off", "chat_off")],
)
def test_the_mode_of_the_chat_binds_trainees_but_not_staff(mode: ChatMode, everyone: str | None, staff: str | None) -> None:
    lesson = live()
    lesson.do("tom", ChangeSettings(chat=mode))
    assert (post(lesson, "ann"), post(lesson, "bob", STAFF)) == (everyone, staff)
    assert (post(lesson, "tom"), post(lesson, "eve", STAFF), post(lesson, "eve", PRIVATE, "ann")) == (None, None, None)


def test_a_person_can_lose_the_chat() -> None:
    lesson = live()
    lesson.do("eve", SetPermissions(participant="ann", chat=False))
    assert (post(lesson, "ann"), post(lesson, "ann", STAFF), post(lesson, "bob")) == ("chat_off", "chat_off", None)


def test_private_messages_go_from_staff_to_one_person() -> None:
    lesson = live()
    assert post(lesson, "tom", PRIVATE, "ann") is None
    assert post(lesson, "ann", PRIVATE, "tom") == "not_allowed"
    assert post(lesson, "tom", PRIVATE, "ivy") == "not_allowed"
    assert post(lesson, "tom", PRIVATE, "tom") == "not_allowed"
    assert post(lesson, "tom", PRIVATE, "nobody") == "no_such_participant"
    assert post(lesson, "tom", PRIVATE) == "bad_message"
    assert post(lesson, "tom", EVERYONE, "ann") == "bad_message"


def test_slow_mode_spaces_trainees_messages_and_not_staffs() -> None:
    lesson = live(settings=Settings(slow_mode_s=10))
    assert post(lesson, "ann") is None
    lesson.pass_seconds(9.9)
    assert post(lesson, "ann", STAFF) == "slow_mode"
    assert post(lesson, "bob") is None
    lesson.pass_seconds(0.1)
    assert post(lesson, "ann") is None
    assert (post(lesson, "tom"), post(lesson, "tom")) == (None, None)


def test_a_clock_that_was_set_back_keeps_nobody_from_writing() -> None:
    for slow in (0, 10):
        lesson = live(settings=Settings(slow_mode_s=slow))
        assert post(lesson, "ann") is None
        lesson.pass_seconds(-3600)
        assert post(lesson, "ann") is None


def test_trainees_write_from_the_lobby_on() -> None:
    lesson = Lesson()
    lesson.join("tom", Role.TRAINER)
    lesson.join("ann")
    assert (post(lesson, "ann"), post(lesson, "tom")) == ("wrong_phase", None)
    lesson.do("tom", OpenLobby())
    assert post(lesson, "ann") is None


def test_frozen_people_and_inspectors_write_nothing() -> None:
    lesson = live()
    assert post(lesson, "ivy") == "not_allowed"
    lesson.do("tom", ChangeSettings(frozen=True))
    assert (post(lesson, "ann"), post(lesson, "eve")) == ("class_frozen", None)


def test_blank_text_is_refused() -> None:
    assert post(live(), "ann", text=" \n\t ") == "text_refused"


def test_a_deleted_message_keeps_its_place_not_its_text() -> None:
    lesson = live()
    post(lesson, "ann", text="oops")
    message = lesson.room.chat[-1].id
    assert lesson.do("ann", DeleteChat(message=message)) == [ChatDeleted(message=message, author="ann", channel=EVERYONE)]
    assert (lesson.room.chat[-1].text, lesson.room.chat[-1].deleted) == ("", True)
    assert lesson.do("ann", DeleteChat(message=message)) == []
    assert lesson.room.chat_characters == 0


def test_staff_deletes_what_it_sees_and_others_only_their_own() -> None:
    lesson = live()
    post(lesson, "ann")
    anns = lesson.room.chat[-1].id
    post(lesson, "tom", PRIVATE, "bob")
    private = lesson.room.chat[-1].id
    assert lesson.refusal("bob", DeleteChat(message=anns)) == "not_allowed"
    assert lesson.refusal("ann", DeleteChat(message=private)) == "no_such_message"
    assert lesson.refusal("eve", DeleteChat(message=private)) == "no_such_message"
    assert lesson.refusal("eve", DeleteChat(message=anns)) is None
    assert lesson.refusal("eve", DeleteChat(message="m1")) == "no_such_message"


def test_the_room_keeps_a_bounded_number_of_messages() -> None:
    lesson = live()
    for _ in range(MAX_MESSAGES + 5):
        post(lesson, "ann")
    assert len(lesson.room.chat) == MAX_MESSAGES
    assert lesson.room.chat_characters == 2 * MAX_MESSAGES


def test_the_room_keeps_a_bounded_number_of_characters() -> None:
    lesson = live()
    for _ in range(MAX_CHARACTERS // 2_000 + 5):
        post(lesson, "ann", text="x" * 2_000)
    assert lesson.room.chat_characters == sum(len(message.text) for message in lesson.room.chat) == MAX_CHARACTERS
