"""Whether a thing is due: a hold wins, nothing before the end of its class, no raw media without a whole replay, clocks harm nothing."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from server.retention.due import DAY_MS, MAX_DAYS, Kind, Thing, days_of, verdict

#: whatever a clock, a file system or a damaged row may say
MOMENTS = st.integers(min_value=-(2**63), max_value=2**63 - 1)
DAYS = st.integers(min_value=0, max_value=MAX_DAYS)
THINGS = st.builds(
    Thing,
    session=st.just("s1"),
    kind=st.sampled_from(Kind),
    ended_at=st.none() | MOMENTS,
    since=MOMENTS,
    whole=st.booleans(),
    in_use=st.booleans(),
    held=st.booleans(),
    wish=st.none() | st.integers(min_value=1, max_value=MAX_DAYS),
)


@given(thing=THINGS, rule=DAYS, now=MOMENTS)
def test_what_is_due_is_free_over_whole_unused_and_old_enough(thing: Thing, rule: int, now: int) -> None:
    found = verdict(thing, rule, now)
    assert found.due == (found.why == "due")
    if found.due:
        assert not thing.held
        assert not thing.in_use
        assert thing.whole
        assert thing.ended_at is not None
        assert thing.ended_at <= now
        days = days_of(rule, thing.wish)
        assert days > 0
        assert now - max(thing.ended_at, thing.since) >= days * DAY_MS


@given(thing=THINGS, rule=DAYS, now=MOMENTS)
def test_a_hold_wins_over_everything(thing: Thing, rule: int, now: int) -> None:
    assert verdict(msgspec.structs.replace(thing, held=True), rule, now).why == "held"


@given(thing=THINGS, rule=DAYS, now=MOMENTS, back=st.integers(min_value=0, max_value=2**62))
def test_a_clock_that_steps_back_only_postpones(thing: Thing, rule: int, now: int, back: int) -> None:
    later, earlier = verdict(thing, rule, now), verdict(thing, rule, now - back)
    assert later.due or not earlier.due
    assert later.due_at == earlier.due_at
    younger = msgspec.structs.replace(thing, since=thing.since + back)
    assert verdict(thing, rule, now).due or not verdict(younger, rule, now).due


@given(thing=THINGS, rule=DAYS, now=MOMENTS, wish=st.integers(min_value=1, max_value=MAX_DAYS))
def test_a_class_may_ask_for_less_and_never_gets_more(thing: Thing, rule: int, now: int, wish: int) -> None:
    plain, asking = msgspec.structs.replace(thing, wish=None), msgspec.structs.replace(thing, wish=wish)
    assert not verdict(plain, rule, now).due or verdict(asking, rule, now).due


@given(thing=THINGS, now=MOMENTS)
def test_zero_days_are_for_ever(thing: Thing, now: int) -> None:
    assert not verdict(msgspec.structs.replace(thing, wish=None), 0, now).due


def test_why_something_stays_is_told_in_order() -> None:
    thing, now = Thing(session="s", kind=Kind.JOURNAL, ended_at=0, since=0), 10 * DAY_MS

    def why(rule: int = 7, **changed: object) -> str:
        return verdict(msgspec.structs.replace(thing, **changed), rule, now).why

    assert why() == "due"
    assert why(held=True, ended_at=None) == "held"
    assert why(ended_at=None, whole=False) == "class_not_ended"
    assert why(ended_at=now + 1) == "class_not_ended"
    assert why(rule=0) == "kept_for_ever"
    assert why(whole=False) == "not_published"
    assert why(since=4 * DAY_MS) == "not_yet"
    assert why(in_use=True) == "in_use"
