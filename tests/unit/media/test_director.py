"""Who is forwarded to whom, told by the real classroom core."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from media.directives import Directive, Drop, Limit, Own, Permit, Play, Slot, Tell, Track, Viewer
from media.director import Director
from media.layers import MOST
from media.negotiation import Source, Use
from signaling.classroom.base import Command
from signaling.classroom.errors import Rejected
from signaling.classroom.participants import Leave
from signaling.classroom.roles import Role
from signaling.classroom.sanctions import Mute, Remove, SetPermissions, StopCamera
from signaling.classroom.session import ChangeSettings, EndClass
from signaling.classroom.settings import Profile
from signaling.classroom.stage import BringOnStage, SetMain, TakeOffStage
from signaling.classroom.tracks import SetCamera, SetMicrophone, StartScreen, StopScreen
from tests.support.lesson import Lesson

USES: list[Use] = ["audio", "audio", "audio", "screen_audio", "screen", "main", "tile", "tile"]


class Stage:
    """A lesson, its director, and what the engine would hold after every directive."""

    def __init__(self, profile: Profile = Profile.SMALL) -> None:
        self.lesson = Lesson(profile=profile)
        self.director = Director()
        self.next = 100
        self.permits: dict[int, Permit] = {}
        self.playing: dict[int, int | None] = {}
        self.own: dict[int, tuple[int, ...]] = {}
        self.limits: dict[int, int] = {}
        self.told: dict[str, dict[str, str | None]] = {}
        self.dropped: list[str] = []
        self.ids: dict[tuple[str, str], int] = {}
        self.slots: dict[str, dict[str, list[int]]] = {}
        self.lesson.followers.append(self._follow)
        self.lesson.join("ann", Role.TRAINER)
        self.lesson.start("ann")

    def _follow(self, room: object, event: object) -> None:
        self.carry(self.director.follow(self.lesson.room, getattr(event, "participant", None)))
        self.refresh()

    def carry(self, directives: list[Directive]) -> None:
        for directive in directives:
            match directive:
                case Permit(track=track):
                    self.permits[track] = directive
                case Play(slot=slot, track=track):
                    self.playing[slot] = track
                case Limit(slot=slot, layer=layer):
                    self.limits[slot] = layer
                case Own(peer=peer, tracks=tracks):
                    self.own[peer] = tracks
                case Tell(connection=connection, slots=slots):
                    self.told[connection] = {str(slot["mid"]): slot["participant"] for slot in slots}
                case Drop(connection=connection):
                    self.dropped.append(connection)
                    self.gone(connection)

    def refresh(self) -> None:
        while self.director.behind:
            self.carry(self.director.refresh(self.lesson.room, limit=2))

    def gone(self, connection: str) -> None:
        self.director.remove_viewer(connection)
        for uses in [self.slots.pop(connection, {})]:
            for ids in uses.values():
                for id in ids:
                    self.playing.pop(id, None)
        mine = [track.id for track in self.director.tracks.values() if track.connection == connection]
        self.carry(self.director.remove_tracks(self.lesson.room, mine))

    def publish(self, person: str, *sources: Source, connection: str | None = None, layers: int = 1, height: int = 720) -> None:
        tracks = []
        for source in sources:
            self.next += 1
            self.ids[person, source] = self.next
            where = connection or person
            track = Track(id=self.next, participant=person, connection=where, source=source, layers=layers, height=height)
            tracks.append(track)
        self.carry(self.director.add_tracks(self.lesson.room, tracks))
        self.carry(self.director.own(person))
        self.refresh()

    def arrives(self, track: int, sending: bool = True) -> None:
        self.carry(self.director.arrives(self.lesson.room, track, sending))
        self.refresh()

    def watch(self, person: str, connection: str | None = None, uses: list[Use] = USES) -> None:
        connection = connection or person
        slots = []
        places: dict[str, list[int]] = {}
        for index, use in enumerate(uses):
            self.next += 1
            slots.append(Slot(id=self.next, mid=str(index), use=use))
            places.setdefault(use, []).append(self.next)
        self.slots[connection] = places
        self.next += 1
        viewer = Viewer(participant=person, connection=connection, peer=self.next, slots=slots)
        self.carry(self.director.add_viewer(viewer))
        self.refresh()

    def size(self, connection: str, **heights: int) -> None:
        """Show the first place of these uses so high."""
        viewer = self.director.viewers[connection]
        mids = {slot.id: slot.mid for slot in viewer.slots}
        self.carry(self.director.size(viewer, {mids[self.slots[connection][use][0]]: height for use, height in heights.items()}))

    def limit(self, connection: str, use: Use) -> int:
        return self.limits.get(self.slots[connection][use][0], MOST)

    def sees(self, connection: str, use: Use) -> list[str | None]:
        """People in these places, by what the engine plays."""
        return [self.director.person_of(self.playing.get(slot) or 0) for slot in self.slots[connection][use]]

    def forwarded(self, person: str, source: Source) -> bool:
        permit = self.permits.get(self.ids[person, source])
        return permit is not None and permit.allowed

    def do(self, actor: str, command: Command) -> None:
        self.lesson.do(actor, command)


def test_a_track_is_forwarded_only_while_announced_as_on() -> None:
    stage = Stage()
    stage.publish("ann", "microphone", "camera")
    assert not stage.forwarded("ann", "microphone")
    stage.do("ann", SetMicrophone(on=True))
    assert stage.forwarded("ann", "microphone")
    assert not stage.forwarded("ann", "camera")
    stage.do("ann", SetMicrophone(on=False))
    assert not stage.forwarded("ann", "microphone")


def test_announcing_before_publishing_works_too() -> None:
    stage = Stage()
    stage.do("ann", SetCamera(on=True))
    stage.publish("ann", "camera")
    assert stage.forwarded("ann", "camera")


def test_the_trainer_is_large_and_the_stage_fills_the_tiles() -> None:
    stage = Stage()
    for person in ("bo", "cy"):
        stage.lesson.join(person)
        stage.publish(person, "camera")
        stage.do(person, SetCamera(on=True))
    stage.publish("ann", "camera")
    stage.do("ann", SetCamera(on=True))
    stage.lesson.join("dee")
    stage.watch("dee")
    stage.watch("bo")
    stage.watch("ann")
    assert stage.sees("dee", "main") == ["ann"]
    assert stage.sees("dee", "tile") == ["bo", "cy"]
    assert stage.sees("bo", "main") == ["ann"]
    assert stage.sees("bo", "tile") == ["cy", None]
    assert stage.sees("ann", "main") == ["bo"]
    assert stage.sees("ann", "tile") == ["cy", None]
    assert stage.told["dee"] == {"4": None, "5": "ann", "6": "bo", "7": "cy"}


def test_set_main_makes_a_person_large_and_none_gives_it_back() -> None:
    stage = Stage()
    stage.lesson.join("bo")
    for person in ("ann", "bo"):
        stage.publish(person, "camera")
        stage.do(person, SetCamera(on=True))
    stage.lesson.join("cy")
    stage.watch("cy")
    stage.do("ann", SetMain(participant="bo"))
    assert stage.sees("cy", "main") == ["bo"]
    assert stage.sees("cy", "tile") == ["ann", None]
    stage.do("ann", SetMain(participant=None))
    assert stage.sees("cy", "main") == ["ann"]


def test_pictures_keep_their_tiles_when_others_come_and_go() -> None:
    stage = Stage()
    stage.publish("ann", "camera")
    stage.do("ann", SetCamera(on=True))
    for person in ("bo", "cy", "dee"):
        stage.lesson.join(person)
        stage.publish(person, "camera")
        stage.do(person, SetCamera(on=True))
    stage.lesson.join("eve")
    stage.watch("eve")
    assert stage.sees("eve", "tile") == ["bo", "cy"]
    stage.do("bo", SetCamera(on=False))
    assert stage.sees("eve", "tile") == ["dee", "cy"]


def test_a_viewer_chooses_who_is_shown() -> None:
    stage = Stage()
    for person in ("bo", "cy", "dee"):
        stage.lesson.join(person)
        stage.publish(person, "camera")
        stage.do(person, SetCamera(on=True))
    stage.watch("ann")
    stage.director.show("ann", ["dee", "ann", "nobody", "cy"])
    stage.refresh()
    assert set(stage.sees("ann", "tile")) == {"dee", "cy"}
    stage.director.show("ann", [])
    stage.refresh()
    assert stage.sees("ann", "tile") == [None, None]


def test_the_screen_reaches_everybody_but_its_owner() -> None:
    stage = Stage()
    stage.lesson.join("bo")
    stage.watch("bo")
    stage.watch("ann")
    stage.publish("ann", "screen", "screen_audio")
    stage.do("ann", StartScreen())
    assert stage.sees("bo", "screen") == ["ann"]
    assert stage.sees("bo", "screen_audio") == ["ann"]
    assert stage.sees("ann", "screen") == [None]
    stage.do("ann", StopScreen())
    assert stage.sees("bo", "screen") == [None]
    assert not stage.forwarded("ann", "screen")


def test_mute_and_stop_camera_end_forwarding_at_once() -> None:
    stage = Stage()
    stage.lesson.join("bo")
    stage.publish("bo", "microphone", "camera")
    stage.do("bo", SetMicrophone(on=True))
    stage.do("bo", SetCamera(on=True))
    stage.watch("ann")
    stage.do("ann", Mute(participant="bo"))
    assert not stage.forwarded("bo", "microphone")
    stage.do("ann", StopCamera(participant="bo"))
    assert not stage.forwarded("bo", "camera")
    assert stage.sees("ann", "main") == [None]


def test_freezing_leaves_only_the_staff() -> None:
    stage = Stage()
    stage.lesson.join("bo")
    for person in ("ann", "bo"):
        stage.publish(person, "microphone")
        stage.do(person, SetMicrophone(on=True))
    stage.do("ann", ChangeSettings(frozen=True))
    assert stage.forwarded("ann", "microphone")
    assert not stage.forwarded("bo", "microphone")


def test_a_removed_person_is_dropped_everywhere() -> None:
    stage = Stage()
    stage.lesson.join("bo")
    stage.lesson.join("bo", connection="bo-phone")
    stage.publish("bo", "camera")
    stage.do("bo", SetCamera(on=True))
    stage.watch("bo", "bo-phone")
    stage.watch("ann")
    assert stage.sees("ann", "main") == ["bo"]
    stage.do("ann", Remove(participant="bo", ban=True))
    assert set(stage.dropped) >= {"bo", "bo-phone"}
    assert stage.sees("ann", "main") == [None]
    assert not any(track.participant == "bo" for track in stage.director.tracks.values())


def test_in_a_large_class_only_the_stage_is_forwarded_and_has_priority() -> None:
    stage = Stage(Profile.LARGE)
    stage.lesson.join("bo")
    stage.publish("bo", "microphone", "camera")
    with pytest.raises(Rejected):
        stage.do("bo", SetMicrophone(on=True))
    stage.do("ann", BringOnStage(participant="bo"))
    stage.do("bo", SetMicrophone(on=True))
    assert stage.permits[stage.ids["bo", "microphone"]] == Permit(track=stage.ids["bo", "microphone"], allowed=True, priority=True)
    stage.do("ann", TakeOffStage(participant="bo"))
    assert not stage.forwarded("bo", "microphone")


def test_the_newest_device_speaks_for_a_person() -> None:
    stage = Stage()
    stage.publish("ann", "microphone")
    first = stage.ids["ann", "microphone"]
    stage.do("ann", SetMicrophone(on=True))
    stage.lesson.join("ann", Role.TRAINER, "ann-phone")
    stage.publish("ann", "microphone", connection="ann-phone")
    assert not stage.permits[first].allowed
    assert stage.forwarded("ann", "microphone")
    stage.carry(stage.director.remove_tracks(stage.lesson.room, [stage.ids["ann", "microphone"]]))
    assert stage.permits[first].allowed


def test_of_two_devices_the_one_that_sends_counts_and_what_is_idle_displaces_nothing() -> None:
    stage = Stage()
    stage.lesson.join("bo")
    stage.watch("bo")
    stage.do("ann", SetCamera(on=True))
    stage.publish("ann", "camera", connection="encoder")
    encoder = stage.ids["ann", "camera"]
    stage.arrives(encoder)
    stage.publish("ann", "microphone", "camera", "screen", connection="browser")
    browser = stage.ids["ann", "camera"]
    assert (stage.permits[encoder].allowed, browser in stage.permits) == (True, False)
    assert stage.playing[stage.slots["bo"]["main"][0]] == encoder
    # The browser's camera is switched on: the newest picture is what is meant.
    stage.arrives(browser)
    assert (stage.permits[encoder].allowed, stage.permits[browser].allowed) == (False, True)
    assert stage.playing[stage.slots["bo"]["main"][0]] == browser
    # And off again: the encoder never stopped.
    stage.arrives(browser, False)
    assert (stage.permits[encoder].allowed, stage.permits[browser].allowed) == (True, False)
    assert stage.playing[stage.slots["bo"]["main"][0]] == encoder


def test_who_carries_a_source_is_who_sends_it() -> None:
    stage = Stage()
    stage.publish("ann", "camera")
    camera = stage.ids["ann", "camera"]
    assert not stage.director.sends("ann", "camera")
    stage.arrives(camera)
    assert stage.director.sends("ann", "camera")
    stage.arrives(camera, False)
    assert not stage.director.sends("ann", "camera")


def test_nobody_hears_the_own_microphone_on_any_device() -> None:
    stage = Stage()
    stage.watch("ann")
    stage.watch("ann", "ann-phone")
    stage.publish("ann", "microphone", "camera")
    mine = (stage.ids["ann", "microphone"],)
    assert [stage.own[viewer.peer] for viewer in stage.director.viewers.values()] == [mine, mine]


def test_the_loudest_takes_the_automatic_main_place_but_not_too_often() -> None:
    stage = Stage()
    for person in ("bo", "cy", "dee"):
        stage.lesson.join(person)
        stage.publish(person, "microphone", "camera")
        stage.do(person, SetCamera(on=True))
        stage.do(person, SetMicrophone(on=True))
    stage.watch("ann")
    assert stage.sees("ann", "main") == ["bo"]
    heard = stage.director.heard([(stage.ids["cy", "microphone"], 20), (stage.ids["bo", "microphone"], 40), (999, 1)], 10_000)
    stage.refresh()
    assert heard == [("cy", 20), ("bo", 40)]
    assert stage.sees("ann", "main") == ["cy"]
    stage.director.heard([(stage.ids["dee", "microphone"], 10)], 11_000)
    stage.refresh()
    assert stage.sees("ann", "main") == ["cy"]
    stage.director.heard([(stage.ids["dee", "microphone"], 10)], 13_001)
    stage.refresh()
    assert stage.sees("ann", "main") == ["dee"]
    stage.director.heard([(stage.ids["bo", "microphone"], 10)], 5_000)  # the wall clock was set back
    stage.refresh()
    assert stage.sees("ann", "main") == ["bo"]


def test_a_device_that_hangs_up_leaves_no_picture_behind() -> None:
    stage = Stage()
    stage.lesson.join("bo")
    stage.watch("bo")
    stage.publish("ann", "camera")
    stage.do("ann", SetCamera(on=True))
    assert stage.sees("bo", "main") == ["ann"]
    stage.gone("ann")
    stage.refresh()
    assert stage.playing[stage.slots["bo"]["main"][0]] is None
    assert stage.told["bo"]["5"] is None


def test_chat_and_hands_outdate_no_viewer() -> None:
    stage = Stage()
    stage.watch("ann")
    assert stage.director.follow(stage.lesson.room, None) == []
    assert stage.director.follow(stage.lesson.room, "ann") == []
    assert not stage.director.behind


def test_a_small_picture_gets_a_small_layer_and_a_hidden_one_none() -> None:
    stage = Stage()
    stage.publish("ann", "camera", layers=3)
    stage.do("ann", SetCamera(on=True))
    stage.lesson.join("bo")
    stage.watch("bo")
    assert stage.limit("bo", "main") == MOST
    stage.size("bo", main=240)
    assert stage.limit("bo", "main") == 0
    stage.size("bo", main=0, screen=0)
    assert stage.limit("bo", "main") == -1
    stage.size("bo", main=2000)
    assert stage.limit("bo", "main") == MOST


def test_who_takes_a_place_is_measured_by_the_own_height() -> None:
    stage = Stage()
    for person, height in (("bo", 720), ("cy", 180)):
        stage.lesson.join(person)
        stage.publish(person, "camera", layers=3, height=height)
        stage.do(person, SetCamera(on=True))
    stage.watch("ann")
    stage.size("ann", main=180, tile=180)
    assert (stage.limit("ann", "main"), stage.limit("ann", "tile")) == (0, MOST)
    stage.do("ann", SetMain(participant="cy"))
    assert (stage.limit("ann", "main"), stage.limit("ann", "tile")) == (MOST, 0)


def test_a_picture_that_grows_needs_a_lower_layer() -> None:
    stage = Stage()
    stage.publish("ann", "camera", layers=3, height=360)
    stage.do("ann", SetCamera(on=True))
    stage.lesson.join("bo")
    stage.watch("bo")
    stage.size("bo", main=180)
    assert stage.limit("bo", "main") == 1
    stage.director.resize(stage.ids["ann", "camera"], 720)
    stage.refresh()
    assert stage.limit("bo", "main") == 0


def test_a_single_layer_is_only_ever_sent_or_not() -> None:
    stage = Stage()
    stage.publish("ann", "camera")
    stage.do("ann", SetCamera(on=True))
    stage.lesson.join("bo")
    stage.watch("bo")
    stage.size("bo", main=90)
    assert stage.limits == {}
    stage.size("bo", main=0)
    assert stage.limit("bo", "main") == -1


def test_a_player_follows_the_screen_while_one_is_shared_else_the_main_person() -> None:
    stage = Stage()
    stage.lesson.join("bo")
    stage.watch("bo", uses=["audio", "focus"])
    stage.publish("ann", "camera", "screen")
    stage.do("ann", SetCamera(on=True))
    assert stage.playing[stage.slots["bo"]["focus"][0]] == stage.ids["ann", "camera"]
    stage.do("ann", StartScreen())
    assert stage.playing[stage.slots["bo"]["focus"][0]] == stage.ids["ann", "screen"]
    stage.do("ann", StopScreen())
    assert stage.playing[stage.slots["bo"]["focus"][0]] == stage.ids["ann", "camera"]


PEOPLE = ["ann", "bo", "cy", "dee"]


@settings(max_examples=50, stateful_step_count=30, deadline=None)
class Anything(RuleBasedStateMachine):
    """Whatever happens, nobody gets what is not theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage()

    def _try(self, actor: str, command: Command) -> None:
        try:
            self.stage.do(actor, command)
        except Rejected:
            return

    @rule(person=st.sampled_from(PEOPLE[1:]))
    def join(self, person: str) -> None:
        try:
            self.stage.lesson.join(person)
        except Rejected:
            return

    @rule(person=st.sampled_from(PEOPLE), on=st.booleans(), camera=st.booleans())
    def switch(self, person: str, on: bool, camera: bool) -> None:
        self._try(person, SetCamera(on=on) if camera else SetMicrophone(on=on))

    @rule(person=st.sampled_from(PEOPLE), on=st.booleans())
    def share(self, person: str, on: bool) -> None:
        self._try(person, StartScreen() if on else StopScreen())

    @rule(person=st.sampled_from(PEOPLE), sources=st.sets(st.sampled_from(["microphone", "camera", "screen", "screen_audio"]), min_size=1))
    def publish(self, person: str, sources: set[Source]) -> None:
        if person in self.stage.lesson.room.participants:
            self.stage.publish(person, *sorted(sources))

    @rule(which=st.integers(0, 50), sending=st.booleans())
    def arrives(self, which: int, sending: bool) -> None:
        tracks = list(self.stage.director.tracks)
        if tracks:
            self.stage.arrives(tracks[which % len(tracks)], sending)

    @rule(person=st.sampled_from(PEOPLE))
    def watch(self, person: str) -> None:
        if person in self.stage.lesson.room.participants and person not in self.stage.slots:
            self.stage.watch(person)

    @rule(person=st.sampled_from(PEOPLE), main=st.sampled_from([0, 90, 360, 1080]), tile=st.sampled_from([0, 180]))
    def size(self, person: str, main: int, tile: int) -> None:
        if person in self.stage.slots:
            self.stage.size(person, main=main, tile=tile)

    @rule(person=st.sampled_from(PEOPLE), people=st.lists(st.sampled_from(PEOPLE), max_size=4) | st.none())
    def show(self, person: str, people: list[str] | None) -> None:
        self.stage.director.show(person, people)
        self.stage.refresh()

    @rule(person=st.sampled_from(PEOPLE))
    def hang_up(self, person: str) -> None:
        self.stage.gone(person)
        self.stage.refresh()

    @rule(person=st.sampled_from(PEOPLE[1:]), what=st.sampled_from(["remove", "ban", "off", "on", "leave", "block", "unblock"]))
    def moderate(self, person: str, what: str) -> None:
        commands: dict[str, Command] = {
            "remove": Remove(participant=person),
            "ban": Remove(participant=person, ban=True),
            "off": TakeOffStage(participant=person),
            "on": BringOnStage(participant=person),
            "block": SetPermissions(participant=person, camera=False, microphone=False),
            "unblock": SetPermissions(participant=person, camera=True, microphone=True),
        }
        self._try(person if what == "leave" else "ann", commands.get(what, Leave()))

    @rule(person=st.sampled_from(PEOPLE) | st.none())
    def make_large(self, person: str | None) -> None:
        self._try("ann", SetMain(participant=person))

    @rule(frozen=st.booleans(), screens=st.booleans())
    def switch_settings(self, frozen: bool, screens: bool) -> None:
        self._try("ann", ChangeSettings(frozen=frozen, screens=screens))

    @precondition(lambda self: self.stage.lesson.room.seq > 30)
    @rule()
    def end(self) -> None:
        self._try("ann", EndClass())

    @invariant()
    def only_announced_tracks_are_permitted(self) -> None:
        room = self.stage.lesson.room
        for track in self.stage.director.tracks.values():
            permit = self.stage.permits.get(track.id)
            if permit is None or not permit.allowed:
                continue
            person = room.participants[track.participant]
            assert person.seat == "admitted"
            on = {"microphone": person.microphone, "camera": person.camera}.get(track.source, room.screen == person.id)
            assert on, track

    @invariant()
    def one_track_per_person_and_source(self) -> None:
        allowed = [(t.participant, t.source) for t in self.stage.director.tracks.values() if t.allowed]
        assert len(set(allowed)) == len(allowed)

    @invariant()
    def what_is_idle_is_not_permitted_in_place_of_what_is_sent(self) -> None:
        tracks = self.stage.director.tracks.values()
        sent = {(t.participant, t.source) for t in tracks if t.sending}
        assert not [t for t in tracks if t.allowed and not t.sending and (t.participant, t.source) in sent]

    @invariant()
    def only_what_is_out_of_sight_is_held_back(self) -> None:
        for viewer in self.stage.director.viewers.values():
            for slot, wanted in viewer.wishes.items():
                if self.stage.playing.get(slot) is not None:
                    assert (self.stage.limits.get(slot, MOST) == -1) == (wanted == 0)

    @invariant()
    def places_play_permitted_foreign_tracks_once(self) -> None:
        for connection, viewer in self.stage.director.viewers.items():
            tracks = [self.stage.playing.get(slot.id) for slot in viewer.slots]
            played = [track for track in tracks if track is not None]
            if viewer.show is None:
                assert len(set(played)) == len(played)
            for track in played:
                assert self.stage.permits[track].allowed
                assert self.stage.director.tracks[track].participant != viewer.participant
            assert self.stage.told[connection]["5"] == self.stage.sees(connection, "main")[0]


TestAnything = Anything.TestCase


@given(st.integers(1, 500))
def test_refresh_works_in_portions(limit: int) -> None:
    stage = Stage()
    stage.publish("ann", "camera")
    for index in range(5):
        viewer = Viewer(participant=f"p{index}", connection=f"c{index}", peer=index + 1, slots=[Slot(id=index + 1, mid="0", use="main")])
        stage.director.add_viewer(viewer)
    stage.director.refresh(stage.lesson.room, limit)
    assert stage.director.behind == (limit < 5)
