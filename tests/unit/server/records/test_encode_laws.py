"""Laws of the encoder over classes made up by chance: every statement valid and named once, arrivals and departures by turns."""

import contextlib
from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from server.records import vocabulary as v
from server.records.validate import validate_statement
from signaling.classroom import chat, hands, participants, polls, reactions, sanctions, session, tracks
from signaling.classroom.base import Command
from signaling.classroom.errors import Rejected
from signaling.classroom.roles import Role
from signaling.classroom.settings import Settings
from tests.support.recorded import Log, statements_of

PEOPLE = ("tina", "ann", "bob", "eve")
_who = st.sampled_from(PEOPLE)
_on = st.booleans()
_commands: st.SearchStrategy[Command] = st.one_of(
    st.sampled_from([session.StartClass(), session.ResumeClass(), hands.RaiseHand(), hands.LowerHand(), hands.LowerAllHands()]),
    st.sampled_from(
        [tracks.StartScreen(), tracks.StopScreen(), participants.Leave(), chat.PostChat(text="x"), session.TakeBreak(minutes=1)]
    ),
    st.builds(tracks.SetMicrophone, on=_on),
    st.builds(tracks.SetCamera, on=_on),
    st.builds(reactions.React, reaction=st.sampled_from(list(reactions.Reaction))),
    st.builds(participants.Admit, participants=st.just([])),
    st.builds(participants.Decline, participant=_who),
    st.builds(sanctions.Remove, participant=_who, ban=_on),
    st.builds(sanctions.Unban, participant=_who),
    st.builds(session.ChangeSettings, frozen=_on, hands=_on, waiting_room=_on),
    st.builds(polls.CreatePoll, question=st.just("?"), options=st.just(["a", "b"]), anonymous=_on),
    st.builds(polls.AnswerPoll, poll=st.sampled_from(["p9", "p12", "p15", "p20"]), choices=st.just([1])),
)
_steps = st.lists(
    st.one_of(
        st.tuples(st.just("do"), _who, _commands),
        st.tuples(st.just("join"), _who, st.sampled_from(["phone", "desk"])),
        st.tuples(st.just("lose"), _who, st.sampled_from(["phone", "desk"])),
    ),
    max_size=60,
)


def play(steps: list[tuple[str, str, object]], waiting_room: bool) -> Log:
    log = Log(settings=Settings(waiting_room=waiting_room))
    for what, who, more in steps:
        with contextlib.suppress(Rejected):
            if what == "do" and isinstance(more, Command):
                log.do(who, more)
            elif what == "join":
                log.join(who, Role.TRAINER if who == "tina" else Role.TRAINEE, f"{who}-{more}")
            elif what == "lose":
                log.lose(who, f"{who}-{more}")
    log.do(None, session.EndClass())
    for person in list(log.lesson.room.participants.values()):
        for connection in list(person.connections):
            log.lose(person.id, connection)
    return log


@settings(max_examples=150)
@given(_steps, _on)
def test_whatever_happens_in_class_is_told_well(steps: list[tuple[str, str, object]], waiting_room: bool) -> None:
    statements = statements_of(play(steps, waiting_room).entries)
    assert [flaw for statement in statements for flaw in validate_statement(statement.json)] == []
    assert len({statement.id for statement in statements}) == len(statements)
    verbs = [statement.json["verb"]["id"] for statement in statements]
    assert verbs[0] == v.INITIALIZED
    assert verbs.count(v.INITIALIZED) == verbs.count(v.TERMINATED) == 1
    assert verbs[-1] == v.TERMINATED
    inside: dict[str, bool] = defaultdict(bool)
    hands_up: dict[str, bool] = defaultdict(bool)
    for statement in statements:
        verb, who = statement.json["verb"]["id"], statement.json["actor"]["account"]["name"]
        if verb in (v.JOINED, v.LEFT):
            assert inside[who] == (verb == v.LEFT), who
            inside[who] = verb == v.JOINED
        if verb in (v.REACTED, v.UNREACTED) and statement.json["result"]["extensions"][v.EMOJI] == v.HAND:
            assert hands_up[who] == (verb == v.UNREACTED), who
            hands_up[who] = verb == v.REACTED
    assert not any(inside.values())
    assert not any(hands_up.values())
