"""The engine with nothing before it: WHIP- and WHEP-like doors over `media._engine`, for benches that measure the engine alone.

`python -m loadtests.engine_door --bind 127.0.0.1` prints one line of JSON, `{"http": PORT}`, and serves until stdin ends.

- `POST /whip/{room}`: an offer that sends; the first audio m-line is a microphone, the first video m-line a camera. 201, answer, Location.
- `POST /whep/{room}`: an offer that receives: audio m-line i gets the room's i-th loudest voice, video m-line k the room's k-th camera.
- `DELETE` of what Location named.
- With `--shards N` the engine has so many ports and threads; peers are spread over them in the order they come.
- With `--switch-s S` every camera plays in another layer every S seconds; viewers of one camera differ.
- `GET /figures`: CPU seconds of the process and of each thread, memory, the engine's metrics and how often each event was told (`closed`
  and `layer` by reason and layer).

Who is let in, who sees whom and what it costs to decide that is the server's business and not here.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import resource
import secrets
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aiohttp import web

from media._engine import Engine  # noqa: TID251 - the engine alone is what is measured
from media.codecs import EXTENSIONS_OF, Kind, read_extensions, read_formats, write_extensions, write_formats
from media.negotiation import Source, answer_publish
from media.sdp import Attribute, Description, Section, parse, write
from media.transport import RemoteTransport, ServerTransport

AUDIO_SLOTS = 3


@dataclass
class Room:
    """A room of the engine: its cameras in order of arrival, and the slots that wait for one."""

    id: int
    cameras: dict[int, int] = field(default_factory=dict)  # track -> peer
    slots: dict[int, tuple[int, int]] = field(default_factory=dict)  # slot -> (peer, place)


class Door:
    """The HTTP side of one engine."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.bind: str = arguments.bind
        self.engine = Engine(bind=self.bind, udp_ports=[0] * arguments.shards, tcp_port=None, queue=1 << 17)
        self.rooms: dict[str, Room] = {}
        self.peers: dict[int, Room] = {}
        self.told: Counter[str] = Counter()
        self.last = 0
        self.shards = itertools.cycle(range(arguments.shards))
        asyncio.get_running_loop().add_reader(self.engine.event_fd, self.listen)

    def listen(self) -> None:
        for event in self.engine.drain():
            self.told[f"{event[0]}_{event[2]}" if event[0] in ("closed", "layer") else event[0]] += 1

    def new(self) -> int:
        self.last += 1
        return self.last

    def room(self, name: str) -> Room:
        if name not in self.rooms:
            room = self.rooms[name] = Room(id=self.new())
            self.engine.open_room(room.id, AUDIO_SLOTS)
        return self.rooms[name]

    def transport(self, shard: int) -> ServerTransport:
        return ServerTransport(
            ufrag=secrets.token_hex(4),
            pwd=secrets.token_hex(12),
            fingerprint=self.engine.fingerprint,
            addresses=(self.bind,),
            udp_port=self.engine.udp_ports[shard],
            tcp_port=None,
        )

    def open(self, room: Room, shard: int, server: ServerTransport, remote: RemoteTransport, extensions: Mapping[str, int]) -> int:
        peer = self.new()
        self.engine.open_peer(
            peer,
            room.id,
            shard=shard,
            local_ufrag=server.ufrag,
            local_pwd=server.pwd,
            remote_ufrag=remote.ufrag,
            remote_pwd=remote.pwd,
            fingerprint=remote.fingerprint,
            extensions=dict(extensions),
        )
        self.peers[peer] = room
        return peer

    async def whip(self, request: web.Request) -> web.Response:
        room = self.room(request.match_info["room"])
        shard = next(self.shards)
        server = self.transport(shard)
        offer = await request.text()
        sources: dict[str, Source] = {}
        for section in parse(offer).sections:
            source: Source = "microphone" if section.kind == "audio" else "camera"
            if source not in sources.values():
                sources[section.first("mid") or ""] = source
        answer, plan = answer_publish(offer, sources, server)
        peer = self.open(room, shard, server, plan.remote, plan.extensions)
        for track in plan.tracks:
            id = self.new()
            # Engines that know simulcast are told the layers' names.
            layers = {"rids": track.rids} if getattr(track, "rids", ()) else {}
            self.engine.add_track(
                id, peer, kind=track.kind, mid=track.mid, ssrcs=track.ssrcs, codecs=track.codecs, allowed=True, priority=False, **layers
            )
            if track.kind == "video":
                room.cameras[id] = peer
        self.assign(room)
        return created(answer, peer)

    async def whep(self, request: web.Request) -> web.Response:
        room = self.room(request.match_info["room"])
        shard = next(self.shards)
        server = self.transport(shard)
        offer = parse(await request.text())
        sections, slots, extensions = [], [], {}
        places: Counter[str] = Counter()
        for section in offer.sections:
            kind: Kind = "audio" if section.kind == "audio" else "video"
            formats, ids = read_formats(section, kind), read_extensions(section, kind)
            extensions |= ids
            slot = {
                "kind": kind,
                "mid": section.first("mid") or "",
                "ssrc": secrets.randbits(31) | 1,
                "rtx_ssrc": secrets.randbits(31) | 1 if kind == "video" else None,
                "codecs": formats.codecs,
                "auto": places[kind] % AUDIO_SLOTS if kind == "audio" else None,
                "rank": 1 if places[kind] == 0 else 2,
            }
            slots.append((slot, places[kind]))
            places[kind] += 1
            names, lines = write_formats(formats)
            attributes = [*transport_lines(slot["mid"], server), *write_extensions(ids, EXTENSIONS_OF[kind]), *lines, *ssrc_lines(slot)]
            sections.append(Section(kind=kind, port=9, protocol=section.protocol, formats=names, attributes=tuple(attributes)))
        sections[0] = replace(sections[0], attributes=sections[0].attributes + server.candidates())
        peer = self.open(room, shard, server, remote_of(offer), extensions)
        for slot, place in slots:
            id = self.new()
            self.engine.add_slot(id, peer, **slot)
            if slot["kind"] == "video":
                room.slots[id] = (peer, place)
        self.assign(room, peer)
        bundle = " ".join(["BUNDLE", *(slot["mid"] for slot, _ in slots)])
        head = (("group", bundle), ("extmap-allow-mixed", ""), ("ice-lite", ""))
        return created(write(Description(origin=("1", 1), attributes=head, sections=tuple(sections))), peer)

    def assign(self, room: Room, only: int | None = None) -> None:
        """Camera k plays in everybody's place k."""
        cameras = list(room.cameras)
        for slot, (peer, place) in room.slots.items():
            if only in (None, peer) and place < len(cameras):
                self.engine.assign(slot, cameras[place])

    async def leave(self, request: web.Request) -> web.Response:
        peer = int(request.match_info["peer"])
        room = self.peers.pop(peer, None)
        if room is not None:
            self.engine.close_peer(peer)
            room.cameras = {track: owner for track, owner in room.cameras.items() if owner != peer}
            room.slots = {slot: held for slot, held in room.slots.items() if held[0] != peer}
        return web.Response()

    async def switch(self, every_s: float) -> None:
        """Limits every camera's place to another of three layers, again and again."""
        for turn in itertools.count():
            await asyncio.sleep(every_s)
            for room in self.rooms.values():
                for viewer, slot in enumerate(room.slots):
                    self.engine.limit_slot(slot, (turn + viewer) % 3)

    async def figures(self, _request: web.Request) -> web.Response:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return web.json_response(
            {
                "cpu": {"user": usage.ru_utime, "system": usage.ru_stime},
                "threads": threads(),
                "rss": memory(),
                "metrics": self.engine.metrics(),
                "events": self.told,
            }
        )


def threads() -> Counter[str]:
    """CPU seconds by name."""
    found: Counter[str] = Counter()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            found[(task / "comm").read_text().strip()] += int((task / "schedstat").read_text().split()[0]) / 1e9
    return found


def memory() -> int:
    """Resident bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def created(answer: str, peer: int) -> web.Response:
    return web.Response(status=201, text=answer, content_type="application/sdp", headers={"Location": f"/peer/{peer}"})


def transport_lines(mid: str, server: ServerTransport) -> list[Attribute]:
    return [
        ("mid", mid),
        ("ice-ufrag", server.ufrag),
        ("ice-pwd", server.pwd),
        ("fingerprint", f"sha-256 {server.fingerprint}"),
        ("setup", "passive"),
        ("sendonly", ""),
        ("rtcp-mux", ""),
        ("rtcp-rsize", ""),
    ]


def ssrc_lines(slot: Mapping[str, Any]) -> list[Attribute]:
    ssrcs = [ssrc for ssrc in (slot["ssrc"], slot["rtx_ssrc"]) if ssrc is not None]
    group = [("ssrc-group", f"FID {ssrcs[0]} {ssrcs[1]}")] if len(ssrcs) > 1 else []
    return [*group, *(("ssrc", f"{ssrc} cname:door") for ssrc in ssrcs)]


def remote_of(offer: Description) -> RemoteTransport:
    holders = [offer, *offer.sections]
    ufrag, pwd, fingerprint = (next(v for h in holders for v in h.values(n)) for n in ("ice-ufrag", "ice-pwd", "fingerprint"))
    return RemoteTransport(ufrag=ufrag, pwd=pwd, fingerprint=fingerprint.split(" ")[1].upper(), origin=offer.origin[0])


async def serve(arguments: argparse.Namespace) -> None:
    """Until stdin ends."""
    door = Door(arguments)
    app = web.Application()
    app.router.add_post("/whip/{room}", door.whip)
    app.router.add_post("/whep/{room}", door.whep)
    app.router.add_delete("/peer/{peer}", door.leave)
    app.router.add_get("/figures", door.figures)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, arguments.bind, 0, backlog=4096)
    await site.start()
    print(json.dumps({"http": runner.addresses[0][1]}), flush=True)
    switching = asyncio.create_task(door.switch(arguments.switch_s)) if arguments.switch_s else None
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    if switching is not None:
        switching.cancel()
    await runner.cleanup()
    door.engine.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("--shards", type=int, default=1, choices=range(1, 17), metavar="N")
    parser.add_argument("--switch-s", type=float, help="how often cameras change their layer")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
