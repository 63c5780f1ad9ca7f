"""Life signs on real sockets: who stops answering is known as silent, and its connection ends as of its last sign."""

import asyncio
from pathlib import Path

from server.adapters.sqlite_attendance import SqliteAttendance
from server.attendance import Keeper
from signaling.classroom.participants import ConnectionClosed
from signaling.messages import decode_event
from tests.support.member import Member, join
from tests.support.node import Node, serve

PING_S = 0.2


async def closed(node: Node, session: str) -> list[tuple[int, ConnectionClosed]]:
    """Closed connections in the journal, with their time."""
    found = [(record.at, decode_event(record.event)) async for record in node.journal.read(session, 0, 1_000)]
    return [(at, event) for at, event in found if isinstance(event, ConnectionClosed)]


def go_silent(member: Member) -> None:
    """Stay connected and answer nothing more."""
    assert member._reader is not None
    member._reader.cancel()


async def test_a_silent_connection_is_told_apart_and_ends_at_its_last_sign(tmp_path: Path) -> None:
    async with serve(tmp_path / "node.db", ping_s=PING_S, missed_pings=5) as node:
        await node.create("c1")
        async with join(node, "c1", "loud"), join(node, "c1", "quiet") as quiet:
            go_silent(quiet)
            await asyncio.sleep(0)
            async with asyncio.timeout(10):
                while not node.gateway.silent("c1", 2 * PING_S):  # noqa: ASYNC110 - time passing is what is waited for
                    await asyncio.sleep(0.01)
            silent = node.gateway.silent("c1", 2 * PING_S)
            assert list(silent) == [quiet.sid]
            store = SqliteAttendance(node.database)
            await Keeper(hub=node.hub, gateway=node.gateway, store=store, clock=lambda: 1_000_000).write()
            signs = await store.last("c1")
            assert signs is not None
            assert signs.at == 1_000_000
            assert node.gateway.silent("c1", 0.0).keys() >= {quiet.sid}
            async with asyncio.timeout(10):
                while not await closed(node, "c1"):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            ((at, event),) = await closed(node, "c1")
            assert (event.participant, event.reason) == ("quiet", "lost")
            assert event.seen is not None
            assert 4 * PING_S * 1_000 <= at - event.seen <= 8 * PING_S * 1_000 + 1_000


async def test_a_connection_that_closes_is_counted_to_its_end(tmp_path: Path) -> None:
    async with serve(tmp_path / "node.db", ping_s=PING_S) as node:
        await node.create("c1")
        async with join(node, "c1", "ann"), join(node, "c1", "bob") as bob:
            await bob.leave()
            async with asyncio.timeout(10):
                while not await closed(node, "c1"):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            ((_, event),) = await closed(node, "c1")
            assert event.seen is None


async def test_signs_and_windows_survive_and_grow(tmp_path: Path) -> None:
    async with serve(tmp_path / "node.db") as node:
        store = SqliteAttendance(node.database)
        assert await store.last("c1") is None
        await store.keep({}, {("c1", 7): {"ann"}, ("c1", 8): {"ann"}, ("c2", 7): {"zoe"}})
        await store.keep({}, {("c1", 8): {"bob", "ann"}})
        assert await store.delivered("c1") == [(7, ["ann"]), (8, ["ann", "bob"])]
        assert await store.delivered("c1", 8) == [(8, ["ann", "bob"])]
