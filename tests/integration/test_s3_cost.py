"""What publishing a gigabyte to S3 and reading it through the node cost: seconds and memory, beside the library alone and a local file."""

import asyncio
import contextlib
import resource
import sqlite3
import time
from pathlib import Path

import aiohttp
import obstore  # noqa: TID251 - the floor
import pytest

from tests.integration.test_packaging import ready
from tests.integration.test_recording import until
from tests.integration.test_s3 import MIB, files_of, prepare
from tests.support.house import Guest, House, spawned
from tests.support.s3_server import S3Server
from tests.support.taped import Taped

FILES, SIZE = 4, 256 * MIB
WHOLE = FILES * SIZE
#: publishing may add so much to what a node takes anyway
MOST_MIB = 160


def status(pid: int, name: str) -> float:
    """A figure of a process, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


async def read_all(home: House, base: str, guest: Guest, at_a_time: int) -> float:
    """Bytes per second of all files."""
    began = time.monotonic()

    async def one(name: str) -> int:
        async with home.http.get(home.url + base + name, headers=home.proof(guest), timeout=aiohttp.ClientTimeout(total=300)) as answer:
            assert answer.status == 200
            return sum([len(piece) async for piece, _ in answer.content.iter_chunks()])

    gate = asyncio.Semaphore(at_a_time)

    async def gated(name: str) -> int:
        async with gate:
            return await one(name)

    total = sum(await asyncio.gather(*(gated(f"screen-{number}.webm") for number in range(FILES))))
    assert total == WHOLE
    return total / (time.monotonic() - began)


async def measured(home: House, held: Taped, ann: Guest, what: str) -> None:
    told = await ready(home, ann, held.session, held.recording, limit=300)
    for at_a_time in (1, 4):
        before = cpu_s(home.pid)
        rate = await read_all(home, told["base"], ann, at_a_time)
        used = (cpu_s(home.pid) - before) / WHOLE * (1 << 30)
        peak = status(home.pid, "VmHWM")
        print(f"{what}, {at_a_time} at a time: {rate / MIB:.0f} MiB/s, {used:.2f} s of CPU per GiB, peak {peak:.0f} MiB")


def run(var: Path, sql: str) -> list[tuple[object, ...]]:
    """A statement on the node's store, beside the node."""
    with contextlib.closing(sqlite3.connect(var / "jiangtai.sqlite", timeout=30)) as connection, connection:
        return connection.execute(sql).fetchall()


@pytest.mark.prove
async def test_a_gigabyte_is_published_in_bounded_memory(tmp_path: Path, s3_server: S3Server) -> None:
    place = s3_server.place()
    held = await prepare(tmp_path, s3_server, place, files=FILES, size=SIZE)
    floor = s3_server.objects(s3_server.place())
    began = time.monotonic()
    for path in files_of(tmp_path):
        await obstore.put_async(floor._writer, f"floor/{path.name}", path)
    alone = time.monotonic() - began
    print(f"the library alone, as it comes: {alone:.1f} s, peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    run(tmp_path, "UPDATE packaging SET lease_until = 9999999999999")
    async with spawned(tmp_path, **s3_server.environ(place)) as home:
        ann = await home.come_in(held.session, "ann")
        rest, before = status(home.pid, "VmRSS"), cpu_s(home.pid)
        run(tmp_path, "UPDATE packaging SET lease_until = 0, tries = 0")
        await until(lambda: run(tmp_path, "SELECT tries FROM packaging") == [(1,)])
        began = time.monotonic()
        await until(lambda: run(tmp_path, "SELECT state FROM packaging") == [("published",)], 300)
        took, peak, cpu = time.monotonic() - began, status(home.pid, "VmHWM"), cpu_s(home.pid) - before
        print(f"published {WHOLE / MIB:.0f} MiB in {took:.1f} s, {cpu:.1f} s of CPU, peak {peak:.0f} MiB ({rest:.0f} at rest)")
        assert peak - rest < MOST_MIB
        await measured(home, held, ann, "from S3 through the node")


@pytest.mark.prove
async def test_the_same_from_this_machine(tmp_path: Path, s3_server: S3Server) -> None:
    held = await prepare(tmp_path, s3_server, s3_server.place(), files=FILES, size=SIZE)
    run(tmp_path, "UPDATE publication SET place = '', published_at = 1")
    run(tmp_path, "INSERT INTO publication_pointer SELECT session, recording, version FROM publication")
    async with spawned(tmp_path) as home:
        await measured(home, held, await home.come_in(held.session, "ann"), "from this machine")
