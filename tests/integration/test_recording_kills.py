"""Nodes killed at random moments of recorded classes: what is missing at the cut, and that every class is published and plays."""

import asyncio
import contextlib
import os
import random
import signal
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from media import journals
from recording import manifest
from signaling.classroom.roles import Role
from tests.integration.test_packaging import ready, seconds
from tests.integration.test_recording import rows, teaching, until, written
from tests.support.house import spawned

KILLS: Final = int(os.environ.get("JIANGTAI_KILLS", "50"))
#: pcapng draft, section 4.3: enhanced packet block
_PACKET: Final = 6


def arrivals(capture: Path) -> Iterator[tuple[int, float]]:
    """(SSRC, Unix time of arrival) of each RTP packet in an exported capture."""
    data, at = capture.read_bytes(), 0
    while at < len(data):
        kind, size = struct.unpack_from("<II", data, at)
        if kind == _PACKET:
            _, high, low, kept, _ = struct.unpack_from("<IIIII", data, at + 8)
            packet = data[at + 28 : at + 28 + kept]
            # Behind an IPv4 and a UDP header; RTCP has packet types from 200 on there.
            if len(packet) >= 40 and not 200 <= packet[29] <= 207:
                yield struct.unpack_from(">I", packet, 36)[0], ((high << 32) | low) / 1e6
        at += size


def missing_ms(var: Path, session: str, killed_at: float) -> dict[int, float]:
    """Milliseconds from each track's last packet in the journal until the kill."""
    capture = var / "cut.pcapng"
    journals.export([file.path for file in journals.files(var / "journal", session)], capture, "pcapng", 0)
    return {ssrc: (killed_at - last) * 1000 for ssrc, last in dict(arrivals(capture)).items()}


@pytest.mark.prove
async def test_whatever_the_moment_of_the_kill_little_is_missing_and_the_class_is_published_and_plays(tmp_path: Path) -> None:
    dice = random.Random(20261126)
    missing, published = [], 0
    async with contextlib.AsyncExitStack() as running:
        home = await running.enter_async_context(spawned(tmp_path))
        for _ in range(KILLS):
            session = await home.create()
            guest = await home.come_in(session, "tom", Role.TRAINER)
            async with teaching(home, guest) as trainer:
                await trainer.command("start_recording")
                await until(lambda session=session: written(tmp_path, session) > 20_000)  # type: ignore[misc]
                await asyncio.sleep(dice.uniform(0.1, 2.5))
                killed_at = time.time()
                os.kill(home.pid, signal.SIGKILL)
                await trainer.closed.wait()
            await running.aclose()
            home = await running.enter_async_context(spawned(tmp_path))
            cut = missing_ms(tmp_path, session, killed_at)
            assert len(cut) == 2, "a picture and a sound"
            missing.append(max(cut.values()))
            async with home.join(guest) as trainer:
                assert "error" not in await trainer.command("end_class")
            [row] = [row for row in await rows(tmp_path) if row.session == session]
            told = await ready(home, guest, session, row.id)
            [version] = [
                path.parent
                for path in (tmp_path / "published").glob("*/v*/manifest.json")
                if manifest.read(path.read_bytes()).session == session
            ]
            for track in told["content"]["tracks"]:
                for span in track["spans"]:
                    first, last, frames = seconds(version / span["file"])
                    assert frames > 5
                    assert last > first
            assert sorted(track["source"] for track in told["content"]["tracks"] if track["spans"]) == ["camera", "microphone"]
            published += 1
    missing.sort()
    median, worst = missing[len(missing) // 2], missing[-1]
    print(f"missing of a track at the cut: median {median:.0f} ms, worst {worst:.0f} ms; {published} of {KILLS} published and played")
    assert worst <= 100
