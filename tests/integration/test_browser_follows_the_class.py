"""The browser's `apply` (TypeScript) against the server: fed what the node sends, each viewer ends up with what a snapshot would say."""

import json
import pathlib
import subprocess
from typing import Any, Final

import msgspec
import pytest

from signaling import messages
from signaling.classroom import audience, participants
from signaling.classroom.base import Event, Origin
from signaling.classroom.ids import ParticipantId
from signaling.classroom.view import RoomView
from tests.stateful.test_simulation import CREW, Player
from tests.support.clients import ClassLesson, Told, comparable

WEB: Final = pathlib.Path(__file__).parents[2] / "web"
STEPS: Final = 400
DRIVER: Final = """
import { readFileSync } from "node:fs";
import { apply } from "APPLY";
const views = JSON.parse(readFileSync(0, "utf8")).map((track) => {
  let view = null;
  return track.flatMap((step) => {
    if (step.snapshot) view = step.snapshot;
    if (step.entry) view = apply(view, step.entry);
    return step.check ? [view] : [];
  });
});
process.stdout.write(JSON.stringify(views));
"""


class Recorded(ClassLesson):
    """A class that writes down what each viewer is sent."""

    def __init__(self, *arguments: Any) -> None:
        self.tracks: dict[ParticipantId, list[dict[str, Any]]] = {}
        super().__init__(*arguments)

    def _tell(self, viewer: ParticipantId, client: Told, seq: int, origin: Origin, event: Event) -> None:
        if audience.visible(self.room, viewer, origin, event):
            redacted = audience.redact(self.room, audience.lane_of(self.room, viewer), event)
            entry = msgspec.msgpack.decode(messages.encode_entry(seq, origin, redacted))
            self.tracks.setdefault(viewer, []).append({"entry": entry})
        super()._tell(viewer, client, seq, origin, event)

    def _snapshot(self, viewer: ParticipantId) -> RoomView:
        view = super()._snapshot(viewer)
        self.tracks.setdefault(viewer, []).append({"snapshot": msgspec.to_builtins(view)})
        return view


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The browser's reducer, bundled for node."""
    folder = tmp_path_factory.mktemp("apply")
    driver, bundle, rolldown = folder / "driver.mjs", folder / "bundle.mjs", WEB / "node_modules/.bin/rolldown"
    assert rolldown.exists(), "the web packages are missing: make setup"
    driver.write_text(DRIVER.replace("APPLY", str(WEB / "src/state/apply/index.ts")))
    arguments = [str(rolldown), str(driver), "--platform", "node", "--file", str(bundle)]
    subprocess.run(arguments, cwd=WEB, check=True, capture_output=True, timeout=60)
    return bundle


def play(seed: int) -> tuple[Recorded, list[ParticipantId], list[list[RoomView]]]:
    """A random lesson; per viewer, what the server would say at the moments marked in the track."""
    player = Player(seed)
    room = player.lesson.room
    lesson = player.lesson = Recorded(room.profile, room.settings, room.id)  # type: ignore[assignment]
    expected: dict[ParticipantId, list[RoomView]] = {}
    for person, role in CREW.items():
        player.attempt(person, participants.Connect(connection=f"{person}-1", name=f"Name {person}", role=role, likeness="wang"))
    for step in range(STEPS):
        player.step()
        for viewer, client in lesson.clients.items():
            if client.asleep_at is None and step % 5 == 0:
                lesson.tracks[viewer].append({"check": True})
                expected.setdefault(viewer, []).append(comparable(audience.view_for(lesson.room, viewer), room.profile))
    viewers = list(lesson.tracks)
    return lesson, viewers, [expected.get(viewer, []) for viewer in viewers]


@pytest.mark.parametrize("seed", range(6))
def test_every_browser_follows_its_class(program: pathlib.Path, seed: int) -> None:
    lesson, viewers, expected = play(seed)
    told = json.dumps([lesson.tracks[viewer] for viewer in viewers])
    ran = subprocess.run(["node", str(program)], input=told, text=True, capture_output=True, check=True, timeout=60)
    for viewer, seen, wanted in zip(viewers, json.loads(ran.stdout), expected, strict=True):
        for nth, (view, right) in enumerate(zip(seen, wanted, strict=True)):
            assert comparable(msgspec.convert(view, RoomView), lesson.room.profile) == right, f"{viewer}, check {nth}"
