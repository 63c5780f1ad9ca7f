"""The load generator in a class on a whole node: independent peers (str0m) behind people who speak our own signaling, or WHIP and WHEP."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from server.swarm import CRATE, NAME, ROOT, NotBuilt, find
from tests.support.house import spawned

CLIPS = ROOT / "var" / "swarm"


def program() -> Path:
    """The load generator, else the unoptimised one that tests make do with."""
    unoptimised = CRATE.parent / "target" / "debug" / NAME
    try:
        return find()
    except NotBuilt:
        if not unoptimised.exists():
            pytest.skip("`make integration` builds the load generator")
        return unoptimised


async def load(tmp_path: Path, *options: str) -> tuple[int, dict[str, Any], str]:
    """Exit status, report and table of a class of 2 publishers and 5 viewers on a fresh node."""
    if not (CLIPS / "vp8-low.ivf").exists():
        pytest.skip("`make integration` encodes what the load generator sends")
    environ = {**os.environ, "JIANGTAI_SWARM": str(program())}
    async with spawned(tmp_path / "var", MEDIA_TCP_PORT="-1") as house:
        line = [
            *(sys.executable, "-m", "server.cli", "swarm", "class", "--url", house.url, "--var", str(tmp_path / "var")),
            *("--trainers", "2", "--viewers", "5", "--full", "2", "--layer", "low", "--warmup", "1", "--seconds", "2", *options),
        ]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*line, stdout=pipe, stderr=pipe, env=environ, cwd=ROOT)
        try:
            async with asyncio.timeout(40):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert out, err.decode()
    return process.returncode or 0, json.loads(out), err.decode()


async def test_a_class_is_joined_over_our_own_signaling_and_plays_whole(tmp_path: Path) -> None:
    status, told, table = await load(tmp_path)
    assert status == 0, table
    assert (told["join"]["joined"], told["join"]["failed"], told["checks"]["broken"]) == (5, 0, 0)
    # Everybody sees both trainers and hears both.
    assert (told["checks"]["playing"], told["class"]["silent"]) == (20, 0)
    begin, end = told["class"]["start"], told["class"]["end"]
    assert (begin["phase"], begin["present"], begin["people"]) == ("live", 7, 7), "the node counts them as people"
    heard = end["heard"]
    assert (heard["publish_connected"], heard["subscribe_connected"], heard.get("gaps", 0)) == (2, 5, 0)
    assert heard["events"] > 0
    assert told["delay_ms"]["video"]["n"] > 0
    assert {"seat", "connect", "media_publish", "media_subscribe", "answer"} == set(end["steps_ms"])


async def test_a_class_is_joined_over_whip_and_whep_and_plays_whole(tmp_path: Path) -> None:
    status, told, table = await load(tmp_path, "--door", "whip")
    assert status == 0, table
    assert (told["join"]["joined"], told["join"]["failed"], told["checks"]["broken"]) == (5, 0, 0)
    assert (told["checks"]["playing"], told["class"]["silent"]) == (10, 0)
    # The assistant who started the class is one more.
    assert (told["class"]["start"]["phase"], told["class"]["start"]["present"]) == ("live", 8)
