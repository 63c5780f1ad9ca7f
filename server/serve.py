"""Runs one node: opens the listeners, says READY, stops on SIGTERM.

The first SIGTERM (or SIGINT) drains: no class is woken, those in progress go on until the last person has left, then the node stops. The
second stops within 30 s: everybody is told, every class is saved. SIGHUP reads the token keys again.
"""

import asyncio
import contextlib
import logging
import resource
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from server import demo, keys, logs, telemetry, tls
from server.app import create_app
from server.config import Config
from server.guard import GuardedRunner, end_stalled
from server.keyring import KeyProblem
from server.records.destinations import BadDestinations
from signaling.loop import BATCH, new_event_loop, settle, widen_backlog

log = logging.getLogger("jiangtai.node")
#: how long requests under way may take once the node stops
_STOP_S: Final = 5.0
_LOOK_S: Final = 0.5


class MediaFailed(Exception):
    """The media engine lost a thread: only a new process has media again."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """A node that serves."""

    app: web.Application
    origin: str
    port: int
    private_port: int | None


@contextlib.asynccontextmanager
async def running(config: Config, *, replace: Mapping[web.AppKey[Any], Any] | None = None) -> AsyncIterator[Node]:
    """A node that serves while the block runs. Raises OSError if it cannot listen, KeyProblem for unusable keys."""
    app = create_app(config, replace=replace)
    runner = GuardedRunner(app, app[keys.GUARD], head_seconds=config.limits.head_seconds, shutdown_timeout=_STOP_S)
    await runner.setup()
    servers: list[asyncio.Server] = []
    try:
        context = tls.context_for(config)
        loop = asyncio.get_running_loop()
        handshake_s = float(config.limits.head_seconds) if context else None
        server = await loop.create_server(
            runner.guarded, config.host, config.port, ssl=context, backlog=BATCH, ssl_handshake_timeout=handshake_s
        )
        widen_backlog(server)
        end_stalled(server)
        servers.append(server)
        port = server.sockets[0].getsockname()[1]
        async with _private(app, config) as private_port:
            yield Node(app=app, origin=config.origin(port), port=port, private_port=private_port)
    finally:
        for server in servers:
            server.close()
        await runner.cleanup()


@contextlib.asynccontextmanager
async def _private(app: web.Application, config: Config) -> AsyncIterator[int | None]:
    if config.private_port < 0:
        yield None
        return
    runner = web.AppRunner(telemetry.private_app(app), access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, config.private_host, config.private_port).start()
        except OSError as error:
            raise OSError(error.errno, f"private listener (private_port, -1 switches it off): {error.strerror}") from error
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def serve(config: Config, out: Callable[[str], None]) -> None:
    """Serve until told to stop; `out` gets the lines meant for a person."""
    async with running(config) as node:
        if found := node.app.get(keys.DEMO):
            for role, path in demo.links(node.app, found, time.time()).items():
                out(f"{role:<10} {node.origin}{path}")
        settle()
        out(f"READY {node.origin}")
        await _until_stopped(node.app)
        if node.app[keys.MEDIA_FAILED].is_set():
            raise MediaFailed


async def _until_stopped(app: web.Application) -> None:
    loop = asyncio.get_running_loop()
    asked = asyncio.Semaphore(0)

    def reload() -> None:
        try:
            app[keys.RING].reload()
            log.info("token keys read again")
        except (KeyProblem, OSError, ValueError) as error:
            log.error("token keys kept as they were", extra={"why": type(error).__name__})

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.release)
    loop.add_signal_handler(signal.SIGHUP, reload)
    failed = asyncio.create_task(app[keys.MEDIA_FAILED].wait(), name="media failed")
    failed.add_done_callback(lambda _: asked.release())
    await asked.acquire()
    if app[keys.MEDIA_FAILED].is_set():
        log.critical("the media engine lost a thread; the node stops to be started anew")
        return
    hub = app[keys.HUB]
    hub.refuse_new()
    log.info("draining", extra={"count": len(hub.sessions())})
    while app[keys.COUNTERS].connections:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asked.acquire(), _LOOK_S)
            return


def run(config: Config) -> int:
    """Serve in a fresh event loop; returns the exit status."""
    logs.start(config.log_level)
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def out(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(serve(config, out))
    except (OSError, KeyProblem, BadDestinations) as error:
        sys.stderr.write(f"jiangtai: {error}\n")
        return 1
    except MediaFailed:
        return 1
    return 0
