"""The ledger of a running node: checkpoints at the end of classes, own receipts by seat, consistency, the offline command."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from server import cli, keys
from server.records import merkle
from server.records.checkpoint import opened
from server.records.receipts import check
from signaling.classroom.roles import Role
from tests.support.house import SERVICE, Guest, House, house


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path / "var") as home:
        yield home


async def hold_a_class(home: House) -> tuple[str, Guest]:
    session = await home.create("Physics")
    tina = await home.come_in(session, "tina", Role.TRAINER)
    ann = await home.come_in(session, "ann")
    async with home.join(tina) as trainer, home.join(ann) as trainee:
        await trainer.command("start_class")
        await trainee.command("raise_hand")
        await trainer.command("end_class")
    return session, ann


async def checkpoint(home: House, least: int = 1) -> tuple[int, bytes, str]:
    """(size, root, verifier) of the newest checkpoint once it has that size."""
    async with asyncio.timeout(10):
        while True:
            answer = await home.call("GET", "/ledger/checkpoint", headers=SERVICE)
            if answer.status == 200:
                found = opened(answer.body["note"], answer.body["verifier"])
                if found.size >= least:
                    return found.size, found.root, answer.body["verifier"]
            await asyncio.sleep(0.02)  # another task of the node makes it


async def test_the_end_of_a_class_is_checkpointed_and_the_log_only_grows(home: House) -> None:
    assert (await home.call("GET", "/ledger/checkpoint", headers=SERVICE)).code == "not_found"
    assert (await home.call("GET", "/ledger/checkpoint")).code == "unauthenticated"
    session, _ = await hold_a_class(home)
    first, first_root, _ = await checkpoint(home)
    page = (await home.call("GET", f"/classes/{session}/audit", headers=SERVICE)).body
    assert page["checkpoint"].splitlines()[1] == str(first)
    await hold_a_class(home)
    second, second_root, _ = await checkpoint(home, first + 1)
    proof = (await home.call("GET", f"/ledger/consistency?first={first}&second={second}", headers=SERVICE)).body["proof"]
    hashes = [msgspec.json.decode(json.dumps(hash), type=bytes) for hash in proof]
    assert merkle.verify_consistency(first, second, first_root, second_root, hashes)
    assert (await home.call("GET", f"/ledger/consistency?first=1&second={second + 99}", headers=SERVICE)).code == "not_found"


async def test_a_trainee_keeps_receipts_that_are_checked_offline(home: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session, ann = await hold_a_class(home)
    _, _, verifier = await checkpoint(home, 7)
    answer = await home.call("GET", f"/seats/{ann.seat}/receipts", cookie=ann.cookie)
    kept = [json.dumps(one).encode() for one in answer.body["receipts"]]
    told = [check(one, verifier) for one in kept]
    assert {(one.session, one.by) for one in told} == {(session, ann.participant)}
    assert "hand_raised" in [one.event["type"] for one in told]
    assert (await home.call("GET", f"/seats/{ann.seat}/receipts")).status in (401, 403)
    file = tmp_path / "receipt.json"
    file.write_bytes(kept[-1])

    def run(*words: str) -> tuple[int, str]:
        status = cli.main(
            ["ledger", *words, "--var", str(tmp_path / "nowhere" if words[0] == "verify" and len(words) > 1 else tmp_path / "var")]
        )
        return status, capsys.readouterr().out

    status, out = await asyncio.to_thread(run, "verify", str(file), "--key", verifier)
    assert status == 0
    assert out.startswith(f"good: record {told[-1].seq} of class {session}")
    file.write_bytes(kept[-1].replace(b'"index": ', b'"index": 1'))
    status, out = await asyncio.to_thread(run, "verify", str(file))
    assert (status, out.split(":")[0]) == (1, "BROKEN")
    status, out = await asyncio.to_thread(run, "verify")
    assert (status, out.split(":")[0]) == (0, "whole")
    status, out = await asyncio.to_thread(run, "receipt", session, "3")
    assert check(out.encode(), verifier).seq == 3
    status, note = await asyncio.to_thread(run, "checkpoint")
    assert opened(note, verifier).size >= 7
    assert home.node is not None
    assert home.node.app[keys.LEDGER].checkpoints >= 1
