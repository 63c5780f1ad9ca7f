"""What the engine reports, turned into signals, grades and counters."""

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from media.devices import Transport
from media.directives import Viewer
from media.layers import HIDDEN
from media.negotiation import KIND_FOR
from media.quality import Report, all_paused, score
from media.receiving import Receiving
from media.recorder import Recorder
from media.switchboard import Switchboard
from signaling.classroom.ids import ParticipantId, SessionId

if TYPE_CHECKING:
    from media._engine import Event  # noqa: TID251 - its type alone

log = logging.getLogger("jiangtai.media")

T = TypeVar("T")

SPEAKERS_MS: Final = 200
QUALITY_MS: Final = 2_000
#: of what was sent, permille
HALF: Final = 500


class Listening:
    """The engine's only listener. A wall clock that was set back silences nobody until it has caught up."""

    def __init__(
        self,
        board: Switchboard,
        receiving: Receiving,
        recorder: Recorder,
        *,
        closed: Callable[[int], None],
        failed: Callable[[], None],
        delivered: Callable[[SessionId, ParticipantId], None],
    ) -> None:
        """`closed` is told of every transport that ended by itself, before anybody else; `failed` when a thread of the engine gave up;
        `delivered` of whom media reaches, by the receivers' own reports."""
        self._recorder = recorder
        self._board = board
        self._receiving = receiving
        self._closed = closed
        self._failed = failed
        self._delivered = delivered
        #: receiving transports whose layers changed and were not told yet
        self._changed: dict[int, None] = {}

    def listen(self) -> None:
        """Hear everything the engine has to say; an event that cannot be dealt with costs no other."""
        for event in self._board.engine.drain():
            self._attempt(event[0], self._heard, event)
        changed, self._changed = self._changed, {}
        for peer in changed:
            self._attempt("layer", self._tell_layers, peer)

    def _attempt(self, kind: str, deal: Callable[[T], None], what: T) -> None:
        try:
            deal(what)
        except Exception:
            self._board.counts["events_failed"] += 1
            log.exception("an event of the engine was not dealt with", extra={"type": kind})

    def _heard(self, event: "Event") -> None:
        board = self._board
        match event:
            case ("connected", peer, way):
                board.counts[f"connected_{way}"] += 1
                board.tell(peer, {"type": "media", "state": "connected"})
                self._receiving.connected(peer)
            case ("closed", peer, reason):
                self._peer_closed(peer, reason)
            case ("speakers", room, levels):
                self._speakers(room, levels)
            case ("audio_slots", room, tracks):
                klass = board.class_of(room)
                if klass is not None:
                    people = [klass.director.person_of(track) for track in tracks]
                    board.signals.to_all(klass.room.id, {"type": "audio", "slots": people})
            case ("quality", peer, rtt, loss_in, loss_out, _, kbit_out, *_):
                self._grade(peer, Report(rtt_ms=rtt, loss_in=loss_in, loss_out=loss_out or 0))
                self._reached(peer, loss_out, kbit_out)
            case ("layer", slot, layer):
                self._layer(slot, layer)
            case ("violation", _, kind, count):
                board.counts[f"violation_{kind}"] += count
            case ("journal", room, state, file, size, records, lost):
                board.counts[f"journal_{state}"] += 1
                self._recorder.heard(room, state, file, size, records, lost)
            case ("stopped", _):
                board.counts["engine_stopped"] += 1
                self._failed()
            case ("track", track, sending, _):
                board.counts["track_changes"] += 1
                self._arrives(track, sending)

    def _peer_closed(self, peer: int, reason: str) -> None:
        board = self._board
        board.counts[f"closed_{reason}"] += 1
        self._closed(peer)
        board.tell(peer, {"type": "media", "state": "closed", "reason": reason})
        place = board.places.get(peer)
        klass = board.classes.get(place.session) if place is not None else None
        if place is None or klass is None:
            return
        device = klass.devices[place.connection]
        for transport in (device.publish, device.subscribe):
            if transport is not None and transport.peer == peer:
                board.forget(transport)
        device.reports.pop(place.side, None)
        if device.publish is not None and device.publish.peer == peer:
            ids = [id for id, _ in device.publish.tracks.values()]
            device.publish = None
            board.carry_out(klass, klass.director.remove_tracks(klass.room, ids))
        elif device.subscribe is not None and device.subscribe.peer == peer:
            device.subscribe = device.waiting = None
            klass.director.remove_viewer(place.connection)
        if device.publish is None and device.subscribe is None and device.pending is None:
            del klass.devices[place.connection]
        board.refresh(place.session)

    def _arrives(self, track: int, sending: bool) -> None:
        """Of several devices of a person the one that sends counts."""
        board = self._board
        klass = board.class_of_track(track)
        if klass is not None and (directives := klass.director.arrives(klass.room, track, sending)):
            board.carry_out(klass, directives)
            board.refresh(klass.room.id)

    def _speakers(self, room: int, levels: Sequence[tuple[int, int]]) -> None:
        board = self._board
        klass, now = board.class_of(room), board.clock()
        if klass is None or (levels and 0 <= now - klass.spoke_at < SPEAKERS_MS):
            return
        klass.spoke_at = now
        heard = klass.director.heard(levels, now)
        speakers = [{"participant": participant, "level": level} for participant, level in heard]
        board.signals.to_all(klass.room.id, {"type": "speakers", "speakers": speakers})
        board.refresh(klass.room.id)

    def _layer(self, slot: int, layer: int) -> None:
        transport = self._board.receiver(self._board.slots.get(slot))
        if transport is not None:
            transport.layers[transport.mids[slot]] = layer
            self._changed[transport.peer] = None

    def _tell_layers(self, peer: int) -> None:
        """All of them that are known."""
        transport, place = self._board.receiver(peer), self._board.places.get(peer)
        if transport is not None and place is not None:
            slots = [{"mid": mid, "layer": layer} for mid, layer in transport.layers.items()]
            self._board.signals.to_connection(place.session, place.connection, {"type": "layers", "slots": slots})

    def _reached(self, peer: int, loss_out: int | None, kbit_out: int) -> None:
        """Something was sent and, by a receiver's report, at least half of it came."""
        place = self._board.places.get(peer)
        klass = self._board.classes.get(place.session) if place is not None else None
        came = loss_out is not None and loss_out <= HALF
        if place is not None and klass is not None and place.side == "subscribe" and kbit_out > 0 and came:
            self._delivered(place.session, klass.devices[place.connection].participant)

    def _grade(self, peer: int, report: Report) -> None:
        board = self._board
        place = board.places.get(peer)
        klass = board.classes.get(place.session) if place is not None else None
        if place is None or klass is None:
            return
        device = klass.devices[place.connection]
        device.reports[place.side] = report
        now = board.clock()
        if 0 <= now - device.graded_at < QUALITY_MS:
            return
        device.graded_at = now
        viewer = klass.director.viewers.get(place.connection)
        paused = viewer is not None and device.subscribe is not None and all_paused(_shown(viewer, device.subscribe))
        grade, rtt, loss = score(device.reports, starved=paused)
        signal = {"type": "quality", "participant": device.participant, "score": grade, "rtt": rtt, "loss": loss}
        board.signals.to_participant(place.session, device.participant, signal)
        board.signals.to_staff(place.session, signal)


def _shown(viewer: Viewer, transport: Transport) -> list[int | None]:
    """The layer each picture plays that is meant to be seen; None = not told yet."""
    pictures = [slot for slot in viewer.slots if KIND_FOR[slot.use] == "video" and viewer.playing.get(slot.id) is not None]
    return [transport.layers.get(slot.mid) for slot in pictures if viewer.limits.get(slot.id) != HIDDEN]
