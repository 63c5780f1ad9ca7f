"""The two foreign records stores as processes: `strict` (xapi-statements from npm, in memory) and `lax` (Ralph from PyPI, one file).

Installed by `.ci/stores` under `.cache/stores`; neither is shipped.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".cache" / "stores"
#: what both accept
AUTHORIZATION = "Basic Y2xhc3M6c2VjcmV0"
HEADERS = {"Authorization": AUTHORIZATION, "X-Experience-API-Version": "1.0.3", "Content-Type": "application/json"}
_START_S = 60.0


def installed(path: Path) -> Path:
    """The path, which must be there."""
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: run .ci/stores (make setup does)")
    return path


@contextlib.asynccontextmanager
async def strict(folder: Path) -> AsyncIterator[str]:
    """The strict store; yields its endpoint."""
    server = installed(FOLDER / "node_modules" / "xapi-statements" / "dist" / "server.js")
    port = free_port()
    settings = {
        "EXPRESS_PORT": str(port),
        "MODELS_REPO": "memory",
        "STORAGE_REPO": "memory",
        "AUTH_REPO": "test",
        "EVENTS_REPO": "test",
        "SERVICE_AWAIT_UPDATES": "true",
        "FS_LOCAL_STORAGE_DIR": str(folder / "strict"),
        "EXPRESS_MORGAN_DIRECTORY": str(folder / "strict-log"),
    }
    async with _process(["node", str(server)], settings, folder, f"http://127.0.0.1:{port}/xAPI", "/about"):
        yield f"http://127.0.0.1:{port}/xAPI"


@contextlib.asynccontextmanager
async def lax(folder: Path) -> AsyncIterator[str]:
    """The lax store; yields its endpoint."""
    programs = installed(FOLDER / "ralph" / "bin")
    port = free_port()
    settings = {
        "RALPH_RUNSERVER_BACKEND": "fs",
        "RALPH_APP_DIR": str(folder),
        "RALPH_AUTH_FILE": str(folder / "auth.json"),
        "RALPH_BACKENDS__LRS__FS__DEFAULT_DIRECTORY_PATH": str(folder / "lax"),
        "RALPH_BACKENDS__LRS__FS__DEFAULT_LRS_FILE": "lrs.jsonl",
        "PYTHONPATH": str(ROOT / "tests" / "support" / "stores"),
    }
    who = ["auth", "-u", "class", "-p", "secret", "-s", "all", "-N", "class", "-M", "mailto:class@example.org", "-w"]
    made = await asyncio.create_subprocess_exec(
        str(programs / "ralph"), *who, env={**os.environ, **settings}, cwd=folder, stdout=asyncio.subprocess.DEVNULL
    )
    assert await asyncio.wait_for(made.wait(), _START_S) == 0
    command = [str(programs / "uvicorn"), "ralph_append:app", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    url = f"http://127.0.0.1:{port}/xAPI"
    async with _process(command, settings, folder, url, "/statements?limit=1"):
        yield url


@contextlib.asynccontextmanager
async def _process(command: list[str], settings: dict[str, str], folder: Path, url: str, path: str) -> AsyncIterator[None]:
    with (folder / "store.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(*command, env={**os.environ, **settings}, cwd=folder, stdout=log, stderr=log)
    try:
        async with asyncio.timeout(_START_S), aiohttp.ClientSession(headers=HEADERS) as http:
            while True:
                assert process.returncode is None, (folder / "store.log").read_text("utf-8")[-2000:]
                with contextlib.suppress(aiohttp.ClientError):
                    async with http.get(url + path) as answer:
                        if answer.status < 500:
                            break
                await asyncio.sleep(0.1)  # another process: nothing to wait for but its port
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
