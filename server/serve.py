"""Runs one node in the foreground: opens the listeners, says READY, stops on SIGTERM.

The first SIGTERM (or SIGINT) drains: no new class, running ones go on until they end. The second stops within 30 s with all state saved.
SIGHUP reads the token keys again.
"""

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Callable

from aiohttp import web

from server import demo, keys, tls
from server.app import create_app
from server.config import Config
from server.guard import GuardedRunner
from server.keyring import KeyProblem

log = logging.getLogger("jiangtai.node")
_STOP_S = 20.0
_BACKLOG = 1024


async def serve(config: Config, out: Callable[[str], None]) -> None:
    """Serve until told to stop; `out` gets the lines meant for a person."""
    app = create_app(config)
    runner = GuardedRunner(app, app[keys.GUARD], head_seconds=config.limits.head_seconds, shutdown_timeout=_STOP_S)
    await runner.setup()
    try:
        if runner.server is None:
            raise RuntimeError("the runner did not set up")
        server = await asyncio.get_running_loop().create_server(
            runner.server, config.host, config.port, ssl=tls.context_for(config), backlog=_BACKLOG, ssl_handshake_timeout=_handshake(config)
        )
        origin = config.origin(server.sockets[0].getsockname()[1])
        if config.demo:
            await _announce_demo(app, origin, out)
        out(f"READY {origin}")
        await _until_stopped(app, out)
        server.close()
    finally:
        await runner.cleanup()


async def _announce_demo(app: web.Application, origin: str, out: Callable[[str], None]) -> None:
    app[demo.DEMO] = found = await demo.start(app)
    for role, path in demo.links(app, found, time.time()).items():
        out(f"{role:<10} {origin}{path}")


def _handshake(config: Config) -> float | None:
    return float(config.limits.head_seconds) if config.secure else None


async def _until_stopped(app: web.Application, out: Callable[[str], None]) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    asked = 0

    def stop() -> None:
        nonlocal asked
        asked += 1
        stopped.set()

    def reload() -> None:
        try:
            app[keys.RING].reload()
            log.info("token keys read again")
        except (KeyProblem, OSError) as error:
            log.error("token keys kept as they were", extra={"why": str(error)})

    for name in ("SIGTERM", "SIGINT"):
        loop.add_signal_handler(getattr(signal, name), stop)
    loop.add_signal_handler(signal.SIGHUP, reload)
    await stopped.wait()


def run(config: Config) -> int:
    """Serve in a fresh event loop; returns the exit status."""

    def out(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    try:
        asyncio.run(serve(config, out))
    except (OSError, KeyProblem) as error:
        sys.stderr.write(f"jiangtai: {error}\n")
        return 1
    return 0
