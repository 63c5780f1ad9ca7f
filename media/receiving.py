"""The receiving side of a device: offered a fixed set of places, which are filled once its transport is up."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from media.devices import AUDIO_SLOTS, RANK, Class, Device, Pending, Transport, plan_player, plan_slots
from media.directives import Slot, Viewer
from media.negotiation import SlotOffer, SubscribePlan, Use, answer_subscribe, media_lines, offer_subscribe, read_subscribe_answer
from media.switchboard import Switchboard
from media.transport import ServerTransport
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import Millis, ParticipantId

#: an offer must be answered within this time
TICKET_MS: Final[Millis] = 60_000


class Receiving:
    """Carries out what receivers ask for, once their right to it was checked."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board

    def offer(self, klass: Class, connection: str, device: Device, tiles: int) -> Mapping[str, Any]:
        """Offer the places of a new transport."""
        slots, shard = plan_slots(tiles), self._board.shard_for_viewer(klass)
        server = self._board.mint(shard)
        klass.devices[connection] = device
        return self._await_answer(device, shard, server, slots, restart=False)

    def answer(self, klass: Class, connection: str, device: Device, offer: str, picture: Use) -> str:
        """Answer a player's offer (WHEP); its m-lines become voices and one place of this use. Raises Rejected("bad_sdp")."""
        slots, shard = plan_player(media_lines(offer, "receives"), picture), self._board.shard_for_viewer(klass)
        server = self._board.mint(shard)
        sdp, plan = answer_subscribe(offer, slots, server)
        klass.devices[connection] = device
        self._replace(klass, connection, device, shard, server, slots, plan)
        return sdp

    def offer_restart(self, klass: Class, device: Device | None) -> Mapping[str, Any]:
        """Offer new ICE credentials for the open transport."""
        if device is None or device.subscribe is None:
            raise Rejected("media_unavailable")
        old = device.subscribe
        return self._await_answer(device, old.shard, self._board.mint(old.shard).after(old.server), old.slots, restart=True)

    def _await_answer(
        self, device: Device, shard: int, server: ServerTransport, slots: Sequence[SlotOffer], *, restart: bool
    ) -> Mapping[str, Any]:
        device.pending = Pending(shard=shard, server=server, slots=slots, expires=self._board.clock() + TICKET_MS, restart=restart)
        described = [{"mid": slot.mid, "kind": slot.kind, "use": slot.use} for slot in slots]
        return {"sdp": offer_subscribe(slots, server), "slots": described}

    def take_answer(self, klass: Class, connection: str, device: Device | None, sdp: str) -> None:
        """Open, or renew, what was offered last."""
        if device is None or device.pending is None or device.pending.expires <= self._board.clock():
            raise Rejected("media_unavailable")
        pending = device.pending
        plan = read_subscribe_answer(sdp, pending.slots)
        device.pending = None
        if pending.restart:
            old = device.subscribe
            if old is None or not old.remote.same_connection(plan.remote):
                raise Rejected("bad_sdp")
            self._board.restart(old, pending.server, plan.remote)
            return
        self._replace(klass, connection, device, pending.shard, pending.server, pending.slots, plan)

    def _replace(
        self,
        klass: Class,
        connection: str,
        device: Device,
        shard: int,
        server: ServerTransport,
        slots: Sequence[SlotOffer],
        plan: SubscribePlan,
    ) -> None:
        """Open a transport with the accepted ones of these places, instead of the one there may be."""
        board = self._board
        if device.subscribe is not None:
            klass.director.remove_viewer(connection)
            board.close_transport(klass, device.subscribe)
        transport = board.open_in_class(klass, connection, "subscribe", shard, server, plan.remote, plan.extensions)
        transport.slots = slots
        device.subscribe = transport
        places = self._add_slots(transport, plan)
        device.waiting = Viewer(participant=device.participant, connection=connection, peer=transport.peer, slots=places)
        board.carry_out(klass, [klass.director.own_of(device.waiting)])

    def _add_slots(self, transport: Transport, plan: SubscribePlan) -> list[Slot]:
        board, places = self._board, []
        voices = iter(range(AUDIO_SLOTS))
        for offered in transport.slots:
            auto = next(voices) if offered.use == "audio" else None
            if offered.mid not in plan.slots:
                continue
            id = board.new_id()
            board.slots[id] = transport.peer
            transport.mids[id] = offered.mid
            places.append(Slot(id=id, mid=offered.mid, use=offered.use))
            board.do(
                board.engine.add_slot,
                id,
                transport.peer,
                kind=offered.kind,
                mid=offered.mid,
                ssrc=offered.ssrc,
                rtx_ssrc=offered.rtx_ssrc,
                codecs=plan.slots[offered.mid],
                auto=auto,
                rank=RANK[offered.use],
            )
        return places

    def show(self, klass: Class, connection: str, people: list[ParticipantId] | None) -> None:
        """Choose who the tiles show."""
        device = klass.devices.get(connection)
        if device is not None and device.waiting is not None:
            device.waiting.show = None if people is None else tuple(people)
            return
        klass.director.show(connection, people)
        self._board.refresh(klass.room.id)

    def size(self, klass: Class, connection: str, heights: Mapping[str, int]) -> None:
        """Say how high each place is shown, by mid; 0 = out of sight."""
        device = klass.devices.get(connection)
        viewer = klass.director.viewers.get(connection)
        if device is not None and device.waiting is not None:
            viewer = device.waiting
        if viewer is not None:
            self._board.carry_out(klass, klass.director.size(viewer, heights))

    def connected(self, peer: int) -> None:
        """A transport is up: if it receives, fill its places."""
        place = self._board.places.get(peer)
        klass = self._board.classes.get(place.session) if place is not None else None
        device = klass.devices.get(place.connection) if klass is not None and place is not None else None
        if klass is None or device is None or device.waiting is None or device.waiting.peer != peer:
            return
        viewer, device.waiting = device.waiting, None
        self._board.carry_out(klass, klass.director.add_viewer(viewer))
        self._board.refresh(klass.room.id)
