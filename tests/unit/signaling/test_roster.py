"""The people list, page by page."""

import pytest

from signaling.classroom.errors import Rejected
from signaling.classroom.participants import Connect
from signaling.classroom.roles import Role
from signaling.classroom.settings import Profile
from signaling.messages import People
from signaling.roster import people_page
from tests.support.classroom import Lesson


def lesson(profile: Profile) -> Lesson:
    lesson = Lesson(profile)
    lesson.do("tina", Connect(connection="c-tina", name="Tina", role=Role.TRAINER))
    for n in range(25):
        lesson.do(f"p{n}", Connect(connection=f"c-{n}", name=f"{'李' if n % 5 == 0 else 'Ann'} {n % 7}", role=Role.TRAINEE))
    return lesson


def test_pages_cover_everybody_once_by_name() -> None:
    room = lesson(Profile.LARGE).room
    seen, after = [], None
    while True:
        page = people_page(room, "tina", People(after=after, limit=10))
        seen += page.people
        if page.next is None:
            break
        after = page.next
    assert len(seen) == 26
    assert {person.id for person in seen} == set(room.participants)
    assert [person.name.casefold() for person in seen] == sorted(person.name.casefold() for person in seen)


def test_search_and_page_size() -> None:
    room = lesson(Profile.LARGE).room
    page = people_page(room, "tina", People(query="李", limit=3))
    assert len(page.people) == 3
    assert all(person.name.startswith("李") for person in page.people)
    assert page.next == page.people[-1].id
    assert len(people_page(room, "tina", People(query="ANN 3", limit=50)).people) == sum(
        p.name == "Ann 3" for p in room.participants.values()
    )


def test_rights() -> None:
    large, small = lesson(Profile.LARGE).room, lesson(Profile.SMALL).room
    with pytest.raises(Rejected, match="not_allowed"):
        people_page(large, "p1", People())
    with pytest.raises(Rejected, match="not_admitted"):
        people_page(large, "nobody", People())
    assert len(people_page(small, "p1", People()).people) == 26


def test_unknown_mark_starts_from_the_beginning() -> None:
    room = lesson(Profile.SMALL).room
    assert people_page(room, "tina", People(after="gone")) == people_page(room, "tina", People())
