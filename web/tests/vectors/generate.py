"""Writes lessons.json: random lessons by the real classroom core, as each of several viewers is told them.

Per viewer a list of steps: `snapshot` (a welcome) or `entries`, each with the view the server has of that moment. The client's reducer
has to arrive at the same. Run from the project's root: `.venv/bin/python web/tests/vectors/generate.py`.
"""

import json
import random
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

sys.path.insert(0, str(Path(__file__).parents[3]))

from signaling.classroom import audience, chat, hands, participants, polls, recording, room, sanctions, session, stage, tracks
from signaling.classroom.base import Command, Context, Event, Origin
from signaling.classroom.errors import Rejected
from signaling.classroom.roles import Role
from signaling.classroom.settings import ChatMode, Profile, Settings

STEPS: Final = 170
EVERY: Final = 73
VIEWERS: Final = ("trainer", "assistant", "t1", "t2", "inspector")
STAFF: Final = {"trainer": Role.TRAINER, "assistant": Role.ASSISTANT, "inspector": Role.INSPECTOR}
PEOPLE: Final = STAFF | {f"t{i}": Role.TRAINEE for i in range(1, 8)}


def plain(value: Any) -> Any:
    return msgspec.to_builtins(value)


def command(dice: random.Random, state: room.Room) -> Command:
    """Some command, sensible more often than not."""
    who = dice.choice(list(PEOPLE))
    poll = dice.choice([*state.polls, "none"])
    message = dice.choice([*(kept.id for kept in state.chat[-5:]), "none"])
    on = dice.random() < 0.7
    choices: list[Command] = [
        session.StartClass(),
        session.TakeBreak(minutes=5),
        session.ResumeClass(),
        session.ResumeClass(),
        session.ChangeSettings(waiting_room=on, screens=on),
        session.ChangeSettings(frozen=not on),
        session.ChangeSettings(chat=dice.choice(list(ChatMode))),
        participants.Leave(),
        participants.Admit(participants=[]),
        participants.Admit(participants=[who]),
        participants.Decline(participant=who),
        stage.BringOnStage(participant=who),
        stage.TakeOffStage(participant=who),
        stage.LeaveStage(),
        stage.SetMain(participant=dice.choice([who, None])),
        hands.RaiseHand(),
        hands.RaiseHand(),
        hands.LowerHand(),
        hands.LowerHand(participant=who),
        hands.LowerAllHands(),
        tracks.SetMicrophone(on=on),
        tracks.SetCamera(on=on),
        tracks.StartScreen(),
        tracks.StopScreen(),
        chat.PostChat(text=f"line {state.seq}"),
        chat.PostChat(text="to the staff", channel=chat.Channel.STAFF),
        chat.PostChat(text="between us", channel=chat.Channel.PRIVATE, to=who),
        chat.DeleteChat(message=message),
        polls.CreatePoll(question=f"Which, {state.seq}?", options=["one", "two", "three"], multiple=on, anonymous=not on, open=on),
        polls.OpenPoll(poll=poll),
        polls.AnswerPoll(poll=poll, choices=[dice.randrange(3)]),
        polls.ClosePoll(poll=poll),
        polls.RevealPoll(poll=poll),
        sanctions.Mute(participant=who),
        sanctions.MuteAll(),
        sanctions.SetPermissions(participant=who, chat=on, microphone=on),
        sanctions.Remove(participant=who, ban=not on),
        sanctions.Unban(participant=who),
        recording.StartRecording(),
        recording.StopRecording(),
        recording.LeaveOut(participant=who, left_out=on),
    ]
    return dice.choice(choices)


class Watched:
    """One class and what its viewers are told."""

    def __init__(self, seed: int, profile: Profile) -> None:
        self.dice = random.Random(seed)  # noqa: S311 - the same lessons every time
        self.now = 1_700_000_000_000
        settings = Settings(auto_stage=profile is Profile.SMALL, stage_size=4, waiting_room=seed % 2 == 1)
        created = room.create("c1", "Knots", profile, settings)
        self.state = room.begin(created)
        self.lines: dict[str, list[dict[str, Any]]] = {name: [] for name in VIEWERS}
        self.told: dict[str, list[dict[str, Any]]] = {name: [] for name in VIEWERS}
        self.watching: set[str] = set()
        self.evolve(None, created)

    def evolve(self, by: str | None, event: Event) -> None:
        origin = Origin(at=self.now, by=by)
        seq = self.state.seq + 1
        room.evolve(self.state, seq, origin, event)
        for name in list(self.watching):
            if audience.visible(self.state, name, origin, event):
                shown = audience.redact(self.state, audience.lane_of(self.state, name), event)
                self.told[name].append(plain({"seq": seq, "at": origin.at, **({"by": by} if by else {}), "event": shown}))
            if audience.relocated(event) == name:
                self.snapshot(name)

    def snapshot(self, name: str) -> None:
        self.told[name] = []
        self.watching.add(name)
        self.lines[name].append({"snapshot": plain(audience.view_for(self.state, name))})

    def mark(self) -> None:
        for name in self.watching:
            if self.told[name]:
                self.lines[name].append({"entries": self.told[name], "view": plain(audience.view_for(self.state, name))})
                self.told[name] = []

    def do(self, actor: str | None, asked: Command) -> None:
        self.now += 1_000
        try:
            events = room.decide(self.state, Context(actor=actor, now=self.now, seq=self.state.seq + 1), asked)
        except Rejected:
            return
        for event in events:
            self.evolve(actor, event)
        for name in list(self.watching):
            person = self.state.participants.get(name)
            if person is not None and not person.connections:
                self.mark()
                self.watching.discard(name)

    def run(self) -> dict[str, list[dict[str, Any]]]:
        for step in range(STEPS):
            who = self.dice.choice(list(PEOPLE)) if step >= len(PEOPLE) else list(PEOPLE)[step]
            person = self.state.participants.get(who)
            if person is None or not person.connections:
                self.do(who, participants.Connect(connection=f"{who}-{step}", name=who, role=PEOPLE[who]))
                person = self.state.participants.get(who)
                if who in VIEWERS and person is not None and person.connections:
                    self.snapshot(who)
            elif self.dice.random() < 0.04:
                self.do(who, participants.Disconnect(connection=person.connections[0], reason="lost"))
            else:
                actor = self.dice.choice(["trainer", "trainer", "trainer", who, who])
                self.do(actor, command(self.dice, self.state))
            if step % EVERY == 0:
                self.mark()
        self.mark()
        return self.lines


def main() -> None:
    lessons = [
        {"seed": seed, "profile": profile.value, "viewers": Watched(seed, profile).run()}
        for seed, profile in ((1, Profile.SMALL), (2, Profile.SMALL), (3, Profile.LARGE), (4, Profile.LARGE))
    ]
    target = Path(__file__).with_name("lessons.json")
    target.write_text(json.dumps(lessons, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
