"""Who may be heard and seen, and who receives whom: one class's media as data. Pure; told about tracks, viewers and the room, it answers
with directives (media/directives.py).

Rules
- A track is forwarded if its source is announced as on in the class (signaling/classroom/tracks.py) by an admitted person, and it is the
  one of that person's tracks of that source that counts: that began to send last, else that came last. Browsers offer more than they
  send, so what is idle displaces nothing: rights follow the person, media follows the device that sends.
- The screen place shows the current screen share. The main place shows who was made large, else a trainer, else who speaks, else who has
  a camera. The focus place (WHEP players) shows the screen while one is shared, else what the main place shows. Tiles show who the viewer
  asked for, else the stage in order. Nobody is sent the own picture, and nobody unasked twice.
- A picture stays in the place it has: only what changes is assigned anew.
- Of a picture sent in several sizes a place gets at most the one its viewer has a use for (media/layers.py); out of sight, none.
- Viewers are brought up to date in portions (`refresh`), so that a change in a class of thousands blocks nobody; changes in between
  are skipped over.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from media.directives import Directive, Drop, Limit, Own, Permit, Play, Slot, Tell, Track, Viewer
from media.layers import MOST, worth_sending
from media.negotiation import KIND_FOR, Source
from signaling.classroom.ids import Millis, ParticipantId
from signaling.classroom.roles import Role
from signaling.classroom.seats import Seat
from signaling.classroom.settings import Phase, Profile
from signaling.classroom.state import Room

#: a louder person takes the automatic main place only this long after the last change
MAIN_HOLD_MS: Final = 3_000


def may_receive(room: Room, participant: ParticipantId) -> bool:
    """Whether this person may have a transport at all: admitted, in a class that is not over."""
    person = room.participants.get(participant)
    return person is not None and person.seat is Seat.ADMITTED and room.phase is not Phase.ENDED


def may_publish(room: Room, participant: ParticipantId) -> bool:
    """Whether this person may have a publishing transport; what is forwarded from it is decided track by track."""
    return may_receive(room, participant) and room.participants[participant].role is not Role.INSPECTOR


def _announced(room: Room, track: Track) -> bool:
    if not may_publish(room, track.participant):
        return False
    person = room.participants[track.participant]
    match track.source:
        case "microphone":
            return person.microphone
        case "camera":
            return person.camera
        case "screen" | "screen_audio":
            return room.screen == track.participant


def _prior(room: Room, track: Track) -> bool:
    """Sound that is never left out for louder sound: the staff's, the main person's, in a large class the whole stage's."""
    if track.source != "microphone":
        return False
    person = room.participants.get(track.participant)
    if person is None:
        return False
    return person.staff or room.main == person.id or (room.profile is Profile.LARGE and person.on_stage)


@dataclass(frozen=True)
class _Scene:
    """What all viewers' places are chosen from; camera tracks by person in stage order."""

    cameras: Mapping[ParticipantId, int]
    mains: Sequence[ParticipantId]
    screen: tuple[ParticipantId, int] | None
    screen_audio: int | None


class Director:
    """One class. Methods return directives in the order they must be carried out."""

    def __init__(self) -> None:
        self.tracks: dict[int, Track] = {}
        self.viewers: dict[str, Viewer] = {}
        self._current: dict[tuple[ParticipantId, Source], int] = {}
        self._turns = itertools.count(1)
        self._loudest: ParticipantId | None = None
        self._loudest_since: Millis = 0
        self._stale: dict[str, None] = {}
        self._scene: _Scene | None = None
        self._seen: object = None

    def counting(self) -> list[Track]:
        """Of every person and source the track that counts."""
        return [self.tracks[id] for id in self._current.values()]

    # What devices do.

    def add_tracks(self, room: Room, tracks: Iterable[Track]) -> list[Directive]:
        """A device publishes these; they are known to the engine as not allowed yet."""
        owners = set()
        for track in tracks:
            self.tracks[track.id] = track
            track.turn = next(self._turns)
            self._choose(track.participant, track.source)
            owners.add(track.participant)
        return [directive for owner in sorted(owners) for directive in self._review(room, owner)]

    def remove_tracks(self, room: Room, ids: Iterable[int]) -> list[Directive]:
        """These tracks are gone (the engine knows); another device's takes over where there is one."""
        owners = set()
        for id in ids:
            track = self.tracks.pop(id, None)
            if track is None:
                continue
            owners.add(track.participant)
            if track.allowed and track.source != "microphone":
                self._outdate()
            self._choose(track.participant, track.source)
        return [directive for owner in sorted(owners) for directive in self._review(room, owner)]

    def arrives(self, room: Room, id: int, sending: bool) -> list[Directive]:
        """A track's packets begin to arrive, or no longer do."""
        track = self.tracks.get(id)
        if track is None:
            return []
        track.sending = sending
        if sending:
            track.turn = next(self._turns)
        self._choose(track.participant, track.source)
        return self._review(room, track.participant)

    def add_viewer(self, viewer: Viewer) -> list[Directive]:
        """A device receives; its places are filled by the next refresh."""
        self.viewers[viewer.connection] = viewer
        self._stale[viewer.connection] = None
        return [self.own_of(viewer)]

    def remove_viewer(self, connection: str) -> None:
        self.viewers.pop(connection, None)
        self._stale.pop(connection, None)

    def show(self, connection: str, people: Sequence[ParticipantId] | None) -> None:
        """A viewer chooses who its tiles show, in order; None = the stage."""
        viewer = self.viewers.get(connection)
        if viewer is not None:
            viewer.show = None if people is None else tuple(people)
            self._stale[connection] = None

    def size(self, viewer: Viewer, heights: Mapping[str, int]) -> list[Directive]:
        """A viewer shows its places this high, by mid; 0 = out of sight. Places not named stay as they were."""
        viewer.wishes.update({slot.id: heights[slot.mid] for slot in viewer.slots if slot.mid in heights})
        return self._limit(viewer)

    def resize(self, track: int, height: int) -> None:
        """A track's full picture is this high from now on."""
        found = self.tracks.get(track)
        if found is not None and found.height != height:
            found.height = height
            self._stale.update(dict.fromkeys(self.viewers))

    # What happens in class.

    def follow(self, room: Room, touched: ParticipantId | None) -> list[Directive]:
        """An event was journaled; `touched` is the person it names, if any."""
        directives: list[Directive] = []
        seen = (room.screen, room.main, tuple(room.cameras), tuple(room.crew), tuple(room.stage))
        changed = seen != self._seen
        self._seen = seen
        if touched is not None:
            if not may_receive(room, touched):
                directives += [Drop(connection=connection) for connection in self._connections(touched)]
            directives += self._review(room, touched)
        if changed:
            for owner in {track.participant for track in self.tracks.values()} - {touched}:
                directives += self._review(room, owner)
            self._outdate()
        return directives

    def heard(self, levels: Sequence[tuple[int, int]], now: Millis) -> list[tuple[ParticipantId, int]]:
        """Who speaks, loudest first, from (track, level); may move the automatic main place."""
        people: dict[ParticipantId, int] = {}
        for id, level in levels:
            track = self.tracks.get(id)
            if track is not None:
                people.setdefault(track.participant, level)
        loudest = next((person for person in people if (person, "camera") in self._current), None)
        held = 0 <= now - self._loudest_since < MAIN_HOLD_MS  # a clock that was set back holds nothing
        if loudest is not None and loudest != self._loudest and not held:
            self._loudest, self._loudest_since = loudest, now
            self._outdate()
        return list(people.items())

    def person_of(self, track: int) -> ParticipantId | None:
        """Whose track this is; None when unknown or 0."""
        found = self.tracks.get(track)
        return found.participant if found is not None else None

    def sends(self, participant: ParticipantId, source: Source) -> bool:
        """Whether a device of this person sends this source, announced or not."""
        return any(track.sending for track in self._tracks(participant, source))

    # Bringing viewers up to date.

    @property
    def behind(self) -> bool:
        """Whether refresh has something to do."""
        return bool(self._stale)

    def refresh(self, room: Room, limit: int = 50) -> list[Directive]:
        """Fill the places of at most `limit` viewers that are out of date."""
        if self._scene is None:
            self._scene = self._set(room)
        directives: list[Directive] = []
        for connection in list(self._stale)[:limit]:
            del self._stale[connection]
            directives += self._place(self.viewers[connection], self._scene)
        return directives

    def _tracks(self, participant: ParticipantId, source: Source) -> list[Track]:
        return [track for track in self.tracks.values() if (track.participant, track.source) == (participant, source)]

    def _choose(self, participant: ParticipantId, source: Source) -> None:
        """Settle which of a person's tracks of one source counts."""
        chosen = max(self._tracks(participant, source), key=lambda track: (track.sending, track.turn), default=None)
        if chosen is None:
            self._current.pop((participant, source), None)
        else:
            self._current[participant, source] = chosen.id

    def _outdate(self) -> None:
        self._scene = None
        self._stale.update(dict.fromkeys(self.viewers))

    def _connections(self, participant: ParticipantId) -> list[str]:
        found = [track.connection for track in self.tracks.values() if track.participant == participant]
        found += [viewer.connection for viewer in self.viewers.values() if viewer.participant == participant]
        return sorted(set(found))

    def _review(self, room: Room, participant: ParticipantId) -> list[Directive]:
        """Tell the engine this person's rights where they changed."""
        directives: list[Directive] = []
        mine = [track for track in self.tracks.values() if track.participant == participant]
        for track in mine:
            counts = self._current.get((track.participant, track.source)) == track.id
            allowed, priority = counts and _announced(room, track), _prior(room, track)
            if (allowed, priority) != (track.allowed, track.priority):
                if allowed != track.allowed and track.source != "microphone":
                    self._outdate()
                track.allowed, track.priority = allowed, priority
                directives.append(Permit(track=track.id, allowed=allowed, priority=priority))
        return directives

    def own(self, participant: ParticipantId) -> list[Directive]:
        """Which microphones this person's devices must not play; to be told whenever one was added."""
        return [self.own_of(viewer) for viewer in self.viewers.values() if viewer.participant == participant]

    def own_of(self, viewer: Viewer) -> Own:
        """Which microphones this one device must not play."""
        mine = (t.id for t in self.tracks.values() if t.participant == viewer.participant and t.source == "microphone")
        return Own(peer=viewer.peer, tracks=tuple(mine))

    def _allowed(self, participant: ParticipantId, source: Source) -> int | None:
        id = self._current.get((participant, source))
        return id if id is not None and self.tracks[id].allowed else None

    def _set(self, room: Room) -> _Scene:
        cameras = {}
        for person in (*room.crew, *room.stage):
            track = self._allowed(person, "camera")
            if track is not None:
                cameras[person] = track
        trainers = [person for person in room.crew if room.participants[person].role is Role.TRAINER]
        wished = [room.main, *trainers, self._loudest, *cameras]
        mains = [person for person in dict.fromkeys(wished) if person is not None and person in cameras]
        sharer = room.screen
        screen = self._allowed(sharer, "screen") if sharer is not None else None
        return _Scene(
            cameras=cameras,
            mains=mains,
            screen=(sharer, screen) if sharer is not None and screen is not None else None,
            screen_audio=self._allowed(sharer, "screen_audio") if sharer is not None else None,
        )

    def _place(self, viewer: Viewer, scene: _Scene) -> list[Directive]:
        me = viewer.participant
        main = next((person for person in scene.mains if person != me), None)
        if viewer.show is None:
            wanted = [person for person in scene.cameras if person not in (me, main)]
        else:
            wanted = [person for person in dict.fromkeys(viewer.show) if person != me and person in scene.cameras]
        foreign = scene.screen is not None and scene.screen[0] != me
        chosen: dict[int, int | None] = {}
        tiles = [slot for slot in viewer.slots if slot.use == "tile"]
        for slot in viewer.slots:
            if slot.use == "main":
                chosen[slot.id] = scene.cameras[main] if main is not None else None
            elif slot.use == "screen":
                chosen[slot.id] = scene.screen[1] if scene.screen is not None and foreign else None
            elif slot.use == "focus":
                shown = scene.cameras[main] if main is not None else None
                chosen[slot.id] = scene.screen[1] if scene.screen is not None and foreign else shown
            elif slot.use == "screen_audio":
                chosen[slot.id] = scene.screen_audio if foreign else None
        chosen.update(_keep_places(tiles, viewer.playing, [scene.cameras[person] for person in wanted[: len(tiles)]]))
        changes = {slot: track for slot, track in chosen.items() if viewer.playing.get(slot) != track}
        viewer.playing.update(chosen)
        # What is paused goes first, so that no track is for a moment in two places.
        directives: list[Directive] = [Play(slot=slot, track=None) for slot, track in changes.items() if track is None]
        directives += self._limit(viewer)
        directives += [Play(slot=slot, track=track) for slot, track in changes.items() if track is not None]
        if changes or not viewer.told:
            viewer.told = True
            directives.append(self._tell(viewer))
        return directives

    def _limit(self, viewer: Viewer) -> list[Directive]:
        """What changed of which layers this viewer has a use for."""
        directives: list[Directive] = []
        for slot, wanted in viewer.wishes.items():
            track = self.tracks.get(viewer.playing.get(slot) or 0)
            if track is None:
                continue
            layer = worth_sending(track.height, track.layers, wanted)
            if layer != viewer.limits.get(slot, MOST):
                viewer.limits[slot] = layer
                directives.append(Limit(slot=slot, layer=layer))
        return directives

    def _tell(self, viewer: Viewer) -> Tell:
        found: list[Mapping[str, str | None]] = []
        for slot in viewer.slots:
            if KIND_FOR[slot.use] == "video":
                id = viewer.playing.get(slot.id)
                track = self.tracks.get(id) if id is not None else None
                if track is None:
                    found.append({"mid": slot.mid, "participant": None})
                else:
                    found.append({"mid": slot.mid, "participant": track.participant, "source": track.source})
        return Tell(connection=viewer.connection, slots=tuple(found))


def _keep_places(tiles: Sequence[Slot], playing: Mapping[int, int | None], wanted: Sequence[int]) -> dict[int, int | None]:
    """Which track each tile plays: who is wanted and has a tile keeps it, the others fill the free ones in order."""
    kept = {slot.id: playing.get(slot.id) for slot in tiles if playing.get(slot.id) in wanted}
    new = iter([track for track in wanted if track not in kept.values()])
    return {slot.id: kept[slot.id] if slot.id in kept else next(new, None) for slot in tiles}
