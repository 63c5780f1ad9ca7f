"""Junk at the media port while a class goes on (G16): media stay whole, answers quick and memory flat; each datagram is counted."""

import asyncio
import json
import os
import socket
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from tests.hostile.test_media_checks import check
from tests.support.legs import Bystanders, Leg, bystanders, until

PASSWORD = "of-a-peer-that-never-comes"
#: counters a datagram from a stranger ends in
ENDS = (
    "dropped_empty",
    "dropped_unknown_kind",
    "dropped_oversize",
    "dropped_no_pair",
    "dropped_stun_malformed",
    "dropped_stun_fingerprint",
    "dropped_stun_unknown_user",
    "dropped_stun_integrity",
    "dropped_stun_unasked",
)


def strangers(metrics: Mapping[str, int]) -> int:
    """Those the engine dropped, and those the kernel had no room for."""
    return sum(metrics[name] for name in ENDS) + metrics["dropped_receive_full"]


def resident_mb() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


async def flood(port: int, rate: int, seconds: int) -> dict[str, float]:
    """What the sender says of itself."""
    command = (sys.executable, "-m", "tests.support.junk", str(port), str(rate), str(seconds))
    sender = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await sender.communicate()
    told: dict[str, float] = json.loads(out)
    return told


async def lost_and_came(leg: Leg, kind: str) -> tuple[int, int]:
    """Packets of one kind that did not reach a viewer, and that did."""
    found = [s for s in (await leg.pc.getStats()).values() if s.type == "inbound-rtp" and s.kind == kind]
    return sum(s.packetsLost for s in found), sum(s.packetsReceived for s in found)


class Waits:
    """How long an honest client waits for the answer to its check, over and over."""

    def __init__(self, datagram: bytes, port: int) -> None:
        self.answered: list[float] = []
        self.unanswered = 0
        self._datagram = datagram
        self._port = port
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", self._port))
            sock.settimeout(1)
            while not self._stop.wait(0.01):
                begun = time.perf_counter()
                sock.send(self._datagram)
                try:
                    while sock.recv(500)[:2] != b"\x01\x01":
                        pass  # the engine asks this address in turn
                    self.answered.append(time.perf_counter() - begun)
                except TimeoutError:
                    self.unanswered += 1

    @contextmanager
    def measured(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join()

    def percentile(self, n: int) -> float:
        """Milliseconds."""
        return 1000 * statistics.quantiles(self.answered, n=100)[n - 1]


def spare(good: Bystanders) -> bytes:
    """A check that is answered: of a peer that is announced and never comes."""
    extensions: dict[str, int] = {}
    good.stage.engine.open_peer(
        90_000,
        1,
        shard=0,
        local_ufrag="spare",
        local_pwd=PASSWORD,
        remote_ufrag="x",
        remote_pwd=PASSWORD,
        fingerprint=":".join(["AB"] * 32),
        extensions=extensions,
        expires_ms=600_000,
    )
    return check("spare:x", PASSWORD)


@pytest.mark.parametrize(
    ("rate", "seconds"),
    [pytest.param(40_000, 3, id="short"), pytest.param(200_000, 15, id="long", marks=pytest.mark.prove)],
)
async def test_g16_a_class_goes_on_under_a_flood_of_junk(rate: int, seconds: int) -> None:
    async with bystanders() as good:
        engine = good.stage.engine
        port = engine.udp_ports[0]
        waits = Waits(spare(good), port)
        await until(lambda: engine.metrics()["peers"] == 3)
        # The first pictures and the first flood take memory that is kept.
        warm = await flood(port, rate, 1)
        await until(lambda: strangers(engine.metrics()) >= warm["sent"])
        before, memory = engine.metrics(), resident_mb()
        was = {kind: await lost_and_came(good.pupil, kind) for kind in ("audio", "video")}
        began = time.monotonic()
        with waits.measured():
            told = await flood(port, rate, seconds)
        await good.flow()
        elapsed = time.monotonic() - began
        after = engine.metrics()
        counted = strangers(after) - strangers(before)
        dropped = after["dropped_receive_full"] - before["dropped_receive_full"]
        figures = f"{told['rate']:,.0f} datagrams/s, {told['sent']:,} sent, {counted:,} counted, {dropped:,} of them by the kernel, "
        for kind in ("audio", "video"):
            lost, came = (now - then for now, then in zip(await lost_and_came(good.pupil, kind), was[kind], strict=True))
            figures += f"{kind} {came} came {lost} lost, "
            assert lost <= (lost + came) / 100, f"{kind}: {lost} of {lost + came} lost"
            # Sound is fifty packets a second, whatever else happens.
            assert kind == "video" or came > 50 * elapsed * 0.9, f"{came} in {elapsed:.1f} s"
        figures += f"answers {waits.percentile(50):.2f} ms, p99 {waits.percentile(99):.2f} ms, {waits.unanswered} missing, "
        print(f"\n{figures}memory +{resident_mb() - memory:.1f} MB")
        # What the kernel had no room for may be the class's own, too.
        assert told["sent"] <= counted <= told["sent"] + min(dropped, 100), figures
        # Beside other tests the sender may get half of a core; the long flood has the machine to itself.
        assert told["rate"] > rate * (0.95 if seconds > 10 else 0.5), "the sender itself is starved"
        assert waits.unanswered <= len(waits.answered) / 100
        assert waits.percentile(99) < 100, figures
        assert resident_mb() - memory < 30
        assert after["panics"] == after["receive_errors"] == after["dropped_outbox_full"] == 0


async def test_viewers_who_leave_without_a_word_cost_the_others_nothing() -> None:
    async with bystanders() as good:
        engine = good.stage.engine
        gone = [await good.stage.view() for _ in range(5)]
        for leg in gone:
            engine.assign(leg.slots["main"], good.teacher.tracks["camera"])
        await until(lambda: all(leg.frames.get("main", 0) > 2 for leg in gone))
        for leg in gone:
            # Their sockets are closed: whatever is sent to them comes back as "port unreachable".
            await leg.dtls.transport._connection.close()
        await good.flow()
        before = engine.metrics()["packets_out"]
        await until(lambda: engine.metrics()["packets_out"] > before + 500)
        await good.flow()
        lost = {kind: (await lost_and_came(good.pupil, kind))[0] for kind in ("audio", "video")}
        assert lost == {"audio": 0, "video": 0}
        assert engine.metrics()["receive_errors"] == 0


async def test_g16_a_thousand_empty_and_overlong_datagrams_are_counted() -> None:
    async with bystanders() as good:
        engine = good.stage.engine
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", engine.udp_ports[0]))
            # No more at a time than a small receive buffer holds.
            for n in range(1, 101):
                for _ in range(5):
                    sock.send(b"")
                    sock.send(bytes(9000))
                    sock.send(b"\x7f")
                await until(lambda n=n: strangers(engine.metrics()) == 15 * n)
        kinds = ("dropped_empty", "dropped_oversize", "dropped_unknown_kind")
        assert [engine.metrics()[name] for name in kinds] == [500] * 3
        await good.flow()
