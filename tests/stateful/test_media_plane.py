"""The media plane while people come, go, publish, watch, are promoted, demoted and sent out, on several devices: the engine holds what the
class says and nothing is left behind.

The engine is one that is written down; what it would hold is followed from the commands. JIANGTAI_LONG=1 looks longer and elsewhere.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import media.plane
from media.devices import Class
from media.plane import NativePlane
from signaling.classroom.base import Command, Event
from signaling.classroom.errors import Rejected
from signaling.classroom.participants import Admit, Connect, Disconnect, Leave
from signaling.classroom.recording import LeaveOut, StartRecording, StopRecording
from signaling.classroom.roles import Role
from signaling.classroom.sanctions import Mute, Remove, SetPermissions
from signaling.classroom.seats import Seat
from signaling.classroom.session import ChangeSettings, EndClass, ResumeClass, StartClass, TakeBreak
from signaling.classroom.stage import BringOnStage, SetMain, TakeOffStage
from signaling.classroom.tracks import SetCamera, SetMicrophone, StartScreen, StopScreen
from tests.support.bare import Heard
from tests.support.lesson import Lesson
from tests.support.machine import play
from tests.support.noted import NotedEngine

OFFERS = Path(__file__).parents[1] / "unit" / "media" / "offers"
OFFER = (OFFERS / "chromium-simulcast.sdp").read_text()
PLAYER = (OFFERS / "chromium-player.sdp").read_text()
PEOPLE = ["ann", "bo", "cy"]
people = st.sampled_from(PEOPLE)
devices = st.sampled_from(["", "-phone"])

own = st.one_of(
    st.sampled_from([StartScreen(), StopScreen(), Leave()]),
    st.builds(SetMicrophone, on=st.booleans()),
    st.builds(SetCamera, on=st.sampled_from([True, True, False])),
)
staffs = st.one_of(
    st.builds(BringOnStage, participant=people),
    st.builds(TakeOffStage, participant=people),
    st.builds(SetMain, participant=people | st.none()),
    st.builds(Remove, participant=people, ban=st.just(False)),
    st.just(Admit(participants=[])),
    st.builds(Mute, participant=people),
    st.builds(SetPermissions, participant=people, camera=st.booleans()),
    st.builds(ChangeSettings, frozen=st.booleans(), screens=st.booleans()),
    st.sampled_from([TakeBreak(minutes=5), ResumeClass(), ResumeClass()]),
)
recordings = st.sampled_from([StartRecording(), StartRecording(), StopRecording()]) | st.builds(
    LeaveOut, participant=people, left_out=st.booleans()
)


class Held:
    """What an engine holds after the commands so far; nearly any command about what it does not know is a fault."""

    def __init__(self) -> None:
        self.peers: dict[int, int] = {}
        self.tracks: dict[int, tuple[int, bool]] = {}
        self.slots: dict[int, tuple[int, int | None]] = {}
        self.recorded: set[int] = set()

    def take(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        match name, args:
            case "open_peer", (peer, room):
                assert peer not in self.peers
                self.peers[peer] = room
            case "close_peer", (peer,):
                self.close(peer)
            case "close_room", (room,):
                for peer in [peer for peer, where in self.peers.items() if where == room]:
                    self.close(peer)
            case "add_track", (track, peer):
                assert peer in self.peers
                self.tracks[track] = (peer, kwargs["allowed"])
            case "remove_track", (track,):
                del self.tracks[track]
                self.recorded.discard(track)
            case "set_track", (track,) if track in self.tracks:  # of a device that was just dropped it means nothing
                self.tracks[track] = (self.tracks[track][0], kwargs["allowed"])
            case "add_slot", (slot, peer):
                assert peer in self.peers
                self.slots[slot] = (peer, None)
            case "assign", (slot, track):
                assert track is None or self.tracks[track][1]
                self.slots[slot] = (self.slots[slot][0], track)
            case "limit_slot", (slot, _):
                assert slot in self.slots
            case ("own_tracks", (peer, _)) | ("restart_ice", (peer,)):
                assert peer in self.peers
            case "record_track", (track, *_):
                assert track in self.tracks
                self.recorded.add(track)
            case "stop_recording_track", (track,):
                self.recorded.remove(track)

    def close(self, peer: int) -> None:
        del self.peers[peer]
        self.tracks = {track: (whose, allowed) for track, (whose, allowed) in self.tracks.items() if whose != peer}
        self.slots = {slot: (whose, track) for slot, (whose, track) in self.slots.items() if whose != peer}
        self.recorded &= set(self.tracks)


class AnyMedia(RuleBasedStateMachine):
    """Rules are what people, staff, browsers and the engine do."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.lesson = Lesson()
        self.held = Held()
        self.read = self.offers = 0
        self.plane = self.loop.run(self._plane())
        self.engine: NotedEngine = self.plane._engine  # type: ignore[assignment]
        self.happened: list[Event] = []
        self.lesson.followers.append(lambda room, event: self.happened.append(event))
        self.attempt("tom", Connect(connection="tom", name="tom", role=Role.TRAINER))
        self.attempt("tom", StartClass())

    async def _plane(self) -> NativePlane:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(media.plane, "Engine", NotedEngine)
            return NativePlane(
                bind="", udp_ports=[0], tcp_port=None, announced=["192.0.2.1"], signals=Heard(), clock=lambda: self.lesson.now
            )

    def teardown(self) -> None:
        self.plane.stop()
        self.loop.close()

    def attempt(self, actor: str | None, command: Command) -> None:
        """As the runner does it: the plane is told of each event when the room has gone through all of them."""
        try:
            self.lesson.do(actor, command)
        except Rejected:
            return
        for event in self.happened:
            self.plane.follow("class-1", self.lesson.room, event)
        self.happened.clear()

    def ask(self, request: Coroutine[Any, Any, Any]) -> Any:
        async def answered() -> Any:
            try:
                return await request
            except Rejected:
                return None

        return self.loop.run(answered())

    def happen(self, *event: Any) -> None:
        self.engine.events.append(event)
        self.plane._listening.listen()

    @rule(person=people, device=devices, role=st.sampled_from([Role.TRAINEE, Role.TRAINEE, Role.ASSISTANT, Role.INSPECTOR]))
    def comes(self, person: str, device: str, role: Role) -> None:
        self.attempt(person, Connect(connection=f"{person}{device}", name=person, role=role))

    @rule(person=people, device=devices)
    def goes(self, person: str, device: str) -> None:
        self.attempt(person, Disconnect(connection=f"{person}{device}", reason="lost"))

    @rule(person=people, command=own)
    def acts(self, person: str, command: Command) -> None:
        self.attempt(person, command)

    @rule(command=staffs)
    def staff_acts(self, command: Command) -> None:
        self.attempt("tom", command)

    @rule(command=recordings)
    def staff_records(self, command: Command) -> None:
        self.attempt("tom", command)

    @rule(person=people, device=devices, screen=st.booleans(), sound=st.booleans(), anew=st.booleans(), restart=st.booleans())
    def publishes(self, person: str, device: str, screen: bool, sound: bool, anew: bool, restart: bool) -> None:
        """`anew`: from another connection of the browser; `restart`: with new ICE credentials."""
        self.offers += anew
        text = OFFER.replace("o=- 2461944051445655546", f"o=- {self.offers}")
        if restart:
            text = text.replace("a=ice-ufrag:eoq7", f"a=ice-ufrag:new{self.lesson.now}")
        tracks = [{"mid": "1", "source": "screen" if screen else "camera"}]
        tracks += [{"mid": "0", "source": "microphone"}] if sound else []
        self.ask(self.plane.publish("class-1", person, f"{person}{device}", {"sdp": text, "tracks": tracks}))

    @rule(person=people, device=devices, tiles=st.integers(0, 2), answered=st.booleans(), again=st.booleans())
    def watches(self, person: str, device: str, tiles: int, answered: bool, again: bool) -> None:
        ask = {"action": "restart"} if again else {"action": "offer", "tiles": tiles}
        offer = self.ask(self.plane.subscribe("class-1", person, f"{person}{device}", ask))
        if offer is None or not answered:
            return
        lines = [line for line in offer["sdp"].split("\r\n") if not line.startswith(("a=candidate", "a=end-of", "a=ssrc", "a=ice-lite"))]
        sdp = "\r\n".join(lines).replace("a=sendonly", "a=recvonly").replace("a=setup:actpass", "a=setup:active")
        self.ask(self.plane.subscribe("class-1", person, f"{person}{device}", {"action": "answer", "sdp": sdp}))

    @rule(person=people, device=devices, screen=st.booleans())
    def plays(self, person: str, device: str, screen: bool) -> None:
        try:
            self.plane.play("class-1", person, f"{person}{device}", PLAYER, "focus" if screen else "main")
        except Rejected:
            return

    @precondition(lambda self: bool(self.held.peers))
    @rule(which=st.integers(0, 20))
    def a_transport_is_up(self, which: int) -> None:
        self.happen("connected", list(self.held.peers)[which % len(self.held.peers)], "udp")

    @precondition(lambda self: bool(self.held.peers))
    @rule(which=st.integers(0, 20))
    def a_transport_ends(self, which: int) -> None:
        peer = list(self.held.peers)[which % len(self.held.peers)]
        self.held.close(peer)
        self.happen("closed", peer, "consent")

    @precondition(lambda self: bool(self.held.tracks))
    @rule(which=st.integers(0, 20), sending=st.booleans())
    def packets_come(self, which: int, sending: bool) -> None:
        self.happen("track", list(self.held.tracks)[which % len(self.held.tracks)], sending, 0)

    @rule()
    def the_room_is_built_anew(self) -> None:
        self.plane.hold("class-1")
        self.plane.reload("class-1", self.lesson.room)

    @precondition(lambda self: self.lesson.room.seq > 60)
    @rule()
    def the_class_ends(self) -> None:
        self.attempt("tom", EndClass())

    @invariant()
    def nothing_is_left_behind(self) -> None:
        for name, args, kwargs in self.engine.commands[self.read :]:
            self.held.take(name, args, kwargs)
        self.read = len(self.engine.commands)
        board, klass = self.plane._board, self.plane._board.classes.get("class-1")
        assert set(board.places) == set(self.held.peers)
        assert set(board.slots) == set(self.held.slots)
        assert sum(board.viewers) == sum(place.side == "subscribe" for place in board.places.values())
        if klass is None:
            assert not self.held.peers
            assert not self.held.recorded
        else:
            assert set(klass.director.tracks) == set(self.held.tracks)
            self.check_rights(klass)

    def check_rights(self, klass: Class) -> None:
        """Devices are open connections of admitted people; of what is announced one track is forwarded, shown and perhaps recorded."""
        room, held = self.lesson.room, self.held
        for connection, device in klass.devices.items():
            assert room.participants[device.participant].seat is Seat.ADMITTED
            assert connection in room.participants[device.participant].connections
        forwarded: Counter[tuple[str, str]] = Counter()
        for id, track in klass.director.tracks.items():
            forwarded[track.participant, track.source] += held.tracks[id][1]
        for (participant, source), count in forwarded.items():
            person = room.participants[participant]
            assert count == {"microphone": person.microphone, "camera": person.camera}.get(source, room.screen == participant)
        assert all(track is None or held.tracks[track][1] for _, track in held.slots.values())
        for id in held.recorded:
            track = klass.director.tracks[id]
            assert room.recording is not None
            assert room.participants[track.participant].on_stage
            assert track.participant not in room.left_out


def test_nothing_is_left_behind_in_the_engine() -> None:
    play(AnyMedia, games=60, long_games=1_000)
