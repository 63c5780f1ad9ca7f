"""A node as a process: the command line, READY, signals, restart."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from server import config, keyring, keys, serve
from server.app import create_app
from signaling.classroom.roles import Role
from tests.support.house import SERVICE, House, spawned


def jiangtai(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "server.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, **environ},
    )


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with spawned(tmp_path, "--demo") as home:
        yield home


async def test_a_demo_prints_one_link_per_role_and_then_ready(home: House) -> None:
    assert home.lines[-1] == f"READY {home.url}"
    printed = dict(line.split() for line in home.lines[:-1])
    assert set(printed) == {"trainer", "assistant", "trainee", "inspector", "operator"}
    invite = printed["trainee"].partition("#invite=")[2]
    token = (await home.call("POST", "/invitations", {"invite": invite, "name": "Li Hua"})).body["token"]
    assert (await home.call("POST", "/seats", {"token": token})).status == 201


async def test_a_second_start_is_ready_in_five_seconds(tmp_path: Path) -> None:
    async with spawned(tmp_path, "--demo"):
        pass
    started = time.monotonic()
    async with spawned(tmp_path, "--demo"):
        assert time.monotonic() - started < 5


async def test_the_first_sigterm_drains_and_the_second_stops_with_everything_saved(tmp_path: Path) -> None:
    async with spawned(tmp_path) as home:
        session = await home.create()
        boss = await home.come_in(session, "boss", Role.TRAINER)
        async with home.join(boss) as member:
            await member.command("start_class")
            os.kill(home.pid, signal.SIGTERM)
            await home.logged("draining")
            async with home.http.get(f"{home.url}/healthz") as response:
                assert response.status == 503
            kept = (await member.command("post_chat", text="still here"))["seq"]
            os.kill(home.pid, signal.SIGTERM)
            await asyncio.wait_for(member.closed.wait(), 5)
            assert [bye["code"] for bye in member.byes] == ["draining"]
    async with spawned(tmp_path) as home, home.join(boss) as member:
        assert member.snapshot["session"]["phase"] == "live"
        assert member.snapshot["seq"] >= kept
        assert [message["text"] for message in member.snapshot["chat"]] == ["still here"]


async def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    async with spawned(tmp_path) as home:
        session = await home.create()
        boss = await home.come_in(session, "boss", Role.TRAINER)
        async with home.join(boss) as member:
            await member.command("start_class")
            for number in range(5):
                await member.command("post_chat", text=f"m{number}")
            os.kill(home.pid, signal.SIGKILL)
            await asyncio.wait_for(member.closed.wait(), 5)
    async with spawned(tmp_path) as home, home.join(boss) as member:
        assert [message["text"] for message in member.snapshot["chat"]] == [f"m{number}" for number in range(5)]


async def test_sighup_reads_the_keys_again_and_survives_a_bad_file(tmp_path: Path) -> None:
    async with spawned(tmp_path) as home:
        session = await home.create()
        own = tmp_path / "keys" / "node.json"
        keyring.rotate(own, time.time())
        fresh = keyring.open_ring(own)
        home.ring = fresh
        refused = await home.call("POST", "/seats", {"token": home.token(session, "u")})
        assert refused.code == "bad_token"
        os.kill(home.pid, signal.SIGHUP)
        await home.logged("read again")
        assert await home.come_in(session, "u")
        own.write_text("{")
        os.kill(home.pid, signal.SIGHUP)
        await home.logged("kept as they were")
        assert await home.come_in(session, "v")


async def test_classes_are_kept_from_the_command_line(home: House, tmp_path: Path) -> None:
    remote = ("--var", str(tmp_path), "--url", home.url)

    async def run(*arguments: str) -> str:
        done = await asyncio.to_thread(jiangtai, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    session = (await run("class", "create", "--title", "第一课", "--policy", "continuing.1", "--replay", "trainers", *remote)).strip()
    made = (await home.call("GET", f"/classes/{session}", headers=SERVICE)).body
    assert (made["policy"], made["replay"]) == ("continuing.1", "trainers")
    assert session in await run("class", "list", *remote)
    link = (await run("token", "--class", session, "--role", "trainer", "--sub", "u1", "--name", "何老师", *remote)).strip()
    assert link.startswith(f"{home.url}/join#token=")
    taken = await home.call("POST", "/seats", {"token": link.partition("#token=")[2]})
    assert (taken.status, taken.body["name"]) == (201, "何老师")
    login = (await run("operator", *remote)).strip().partition("#login=")[2]
    assert (await home.call("POST", "/operator", {"login": login})).status == 204
    async with home.member(session, "boss", Role.TRAINER) as boss:
        await boss.command("start_class")
    shown = [json.loads(line) for line in (await run("audit", "show", session, *remote)).splitlines()]
    assert "class_started" in {entry["act"] for entry in shown}
    assert (await run("audit", "verify", session, "--var", str(tmp_path))).startswith("whole: ")
    await run("class", "end", session, *remote)
    assert session not in await run("class", "list", *remote)
    assert session in await run("class", "list", "--ended", *remote)


def test_the_command_line_tells_what_is_wrong(tmp_path: Path) -> None:
    bad = jiangtai("serve", "--var", str(tmp_path), JIANGTAI_PORT="99999", JIANGTAI_LOG_LEVEL="loud")
    assert bad.returncode == 2
    assert "port" in bad.stderr
    assert "log_level" in bad.stderr
    nobody = jiangtai("class", "list", "--var", str(tmp_path), "--url", "http://127.0.0.1:1")
    assert nobody.returncode == 1
    assert "no node" in nobody.stderr
    assert jiangtai("audit", "verify", "x", "--var", str(tmp_path)).returncode == 1
    assert "udp_ports" in jiangtai("config", "--reference").stdout


def test_a_port_in_use_is_told_in_one_line(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = jiangtai("serve", "--var", str(tmp_path), "--port", str(taken.getsockname()[1]), JIANGTAI_PRIVATE_PORT="-1")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


async def test_a_node_whose_media_engine_lost_a_thread_stops_at_once_to_be_started_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apps: list[web.Application] = []

    def create(*args: Any, **kwargs: Any) -> web.Application:
        apps.append(create_app(*args, **kwargs))
        return apps[-1]

    monkeypatch.setattr(serve, "create_app", create)
    ready = asyncio.Event()
    loaded = config.load(environ={}, overrides={"var": str(tmp_path), "port": 0, "private_port": -1})
    serving = asyncio.create_task(serve.serve(loaded, lambda line: ready.set() if line.startswith("READY") else None))
    try:
        await asyncio.wait_for(ready.wait(), 20)
        apps[0][keys.MEDIA_FAILED].set()
        with pytest.raises(serve.MediaFailed):
            await asyncio.wait_for(serving, 20)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().remove_signal_handler(number)


@pytest.mark.parametrize("kind", ["UDP", "TCP"])
def test_a_media_port_in_use_is_told_by_its_name(tmp_path: Path, kind: str) -> None:
    import socket

    with socket.socket(type=socket.SOCK_DGRAM if kind == "UDP" else socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        ports = {"UDP": {"JIANGTAI_MEDIA_UDP_PORTS": f"0,{port}"}, "TCP": {"JIANGTAI_MEDIA_TCP_PORT": str(port)}}[kind]
        done = jiangtai("serve", "--var", str(tmp_path), "--port", "0", JIANGTAI_PRIVATE_PORT="-1", **ports)
    assert done.returncode == 1
    assert "Errno 98" in done.stderr
    assert f"media {kind} port" in done.stderr
    assert f":{port}: " in done.stderr
    assert "Traceback" not in done.stderr


def test_keys_are_made_and_rotated(tmp_path: Path) -> None:
    made = jiangtai("key", "api", "lms")
    assert 'api_keys = ["lms:' in made.stdout
    assert jiangtai("key", "rotate", "--var", str(tmp_path)).returncode == 0
    assert len(json.loads((tmp_path / "keys" / "node.json").read_text())["keys"]) == 1
