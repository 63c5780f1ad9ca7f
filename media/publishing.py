"""The publishing side of a device: its offer answered, its tracks known to engine and director."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from media.devices import Class, Device, Transport
from media.directives import Track
from media.negotiation import PublishPlan, Source, TrackPlan, answer_publish
from media.switchboard import Switchboard
from media.transport import ServerTransport

#: how high a picture is if its sender does not say
USUAL_HEIGHT: Final[Mapping[Source, int]] = {"camera": 720, "screen": 1080}


class Publishing:
    """Carries out what publishers ask for, once their right to it was checked."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board

    def answer(
        self,
        klass: Class,
        connection: str,
        device: Device,
        offer: str,
        tracks: Mapping[str, Source],
        heights: Mapping[str, int],
        *,
        lowest_first: bool = True,
    ) -> Mapping[str, Any]:
        """Answer an offer: first, changed (same connection of the browser) or after an ICE restart.

        `heights` are those of the full pictures in pixels, by mid, where known; `lowest_first`: see simulcast.read_simulcast.
        """
        fresh = self._board.mint(klass.home)
        sdp, plan = answer_publish(offer, tracks, fresh, lowest_first=lowest_first)
        klass.devices[connection] = device
        old = device.publish
        if old is None or not old.remote.same_connection(plan.remote):
            device.publish = self._open(klass, connection, device, fresh, plan, heights)
            if old is not None:
                self._board.close_transport(klass, old)
            return {"sdp": sdp}
        restart = plan.remote.ufrag != old.remote.ufrag
        server = (fresh if restart else old.server).after(old.server)
        sdp, plan = answer_publish(offer, tracks, server, known=old.extensions, lowest_first=lowest_first)
        if restart:
            self._board.restart(old, server, plan.remote)
        self._change_tracks(klass, connection, device, old, plan, heights)
        old.server, old.remote = server, plan.remote
        return {"sdp": sdp}

    def _open(
        self, klass: Class, connection: str, device: Device, server: ServerTransport, plan: PublishPlan, heights: Mapping[str, int]
    ) -> Transport:
        transport = self._board.open_in_class(klass, connection, "publish", klass.home, server, plan.remote, plan.extensions)
        self._add_tracks(klass, connection, device, transport, plan.tracks, heights)
        return transport

    def _add_tracks(
        self,
        klass: Class,
        connection: str,
        device: Device,
        transport: Transport,
        plans: Iterable[TrackPlan],
        heights: Mapping[str, int],
    ) -> None:
        board, added = self._board, []
        for plan in plans:
            track = board.new_id()
            transport.tracks[plan.mid] = (track, plan)
            added.append(
                Track(
                    id=track,
                    participant=device.participant,
                    connection=connection,
                    source=plan.source,
                    layers=max(len(plan.rids), 1),
                    height=_height(plan, heights),
                )
            )
            board.do(
                board.engine.add_track,
                track,
                transport.peer,
                kind=plan.kind,
                mid=plan.mid,
                ssrcs=plan.ssrcs,
                codecs=plan.codecs,
                allowed=False,
                rids=plan.rids,
                voice=plan.source == "microphone",
            )
        board.carry_out(klass, klass.director.add_tracks(klass.room, added))
        board.carry_out(klass, klass.director.own(device.participant))
        board.refresh(klass.room.id)

    def _change_tracks(
        self, klass: Class, connection: str, device: Device, transport: Transport, plan: PublishPlan, heights: Mapping[str, int]
    ) -> None:
        """A later offer on the same transport: what changed is replaced, what stayed goes on."""
        wanted = {track.mid: track for track in plan.tracks}
        gone = [(mid, id) for mid, (id, old) in transport.tracks.items() if wanted.get(mid) != old]
        for mid, _ in gone:
            del transport.tracks[mid]
        self._remove_tracks(klass, [id for _, id in gone])
        for id, stayed in transport.tracks.values():
            klass.director.resize(id, _height(stayed, heights))
        new = [track for mid, track in wanted.items() if mid not in transport.tracks]
        self._add_tracks(klass, connection, device, transport, new, heights)

    def _remove_tracks(self, klass: Class, ids: Sequence[int]) -> None:
        for id in ids:
            self._board.do(self._board.engine.remove_track, id)
        self._board.carry_out(klass, klass.director.remove_tracks(klass.room, ids))


def _height(plan: TrackPlan, heights: Mapping[str, int]) -> int:
    return heights.get(plan.mid) or USUAL_HEIGHT.get(plan.source, 0)
