"""The public WebSocket test cases (groups 1 to 7 and 10) against our transport, which echoes here as the cases expect.

Left out: group 9 (messages up to 16 MiB: ours end at 64 KiB), 12 and 13 (compression: never negotiated).
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from signaling.metrics import Counters
from signaling.outbound import Laggards
from signaling.transport import Connection, Limits, Upgraded, check_upgrade
from signaling.websocket import Opcode, close_code, frame

#: case -> why another outcome than "OK" is right for us
DEVIATIONS = {
    "6.4.3": "NON-STRICT: bad UTF-8 is found when its frame is complete, not at the bad octet; frames are <= 64 KiB",
    "6.4.4": "NON-STRICT: likewise",
}
GROUPS = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"]
UNLIMITED = Limits(message=70_000, frames_per_s=1e9, frames_burst=1e9)


class Echo(Connection):
    """Sends messages back instead of giving them to an owner."""

    def _message(self, opcode: int, payload: bytes) -> None:
        if opcode in (Opcode.TEXT, Opcode.BINARY):
            self.send(frame(Opcode(opcode), payload))
        elif opcode == Opcode.PING:
            self.send(frame(Opcode.PONG, payload))
        elif opcode == Opcode.CLOSE:
            close_code(payload)
            self.close(frame(Opcode.CLOSE, payload[:2]))


@pytest.fixture
async def echo() -> AsyncIterator[str]:
    laggards = Laggards(Counters())

    async def handle(request: web.Request) -> web.StreamResponse:
        accept = check_upgrade(request.clone(rel_url="/?EIO=4&transport=websocket"))
        assert request.transport is not None
        connection = Echo(request.transport, laggards, UNLIMITED)
        head = f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        connection.send(head.encode())
        request.protocol.set_parser(connection)  # type: ignore[arg-type]
        await connection.ended
        return Upgraded()

    app = web.Application()
    app.router.add_get("/", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    yield f"127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
    await runner.cleanup()


async def test_public_cases_pass_but_for_the_listed_deviations(echo: str, tmp_path: Path) -> None:
    kosoku = Path(sys.executable).with_name("kosoku")
    chosen = [argument for group in GROUPS for argument in ("-i", group)]
    process = await asyncio.create_subprocess_exec(str(kosoku), "-p", "8", "-o", str(tmp_path), *chosen, f"ws://{echo}", cwd=tmp_path)
    await asyncio.wait_for(process.wait(), 180)
    index: dict[str, Any] = json.loads((tmp_path / "index.json").read_text())
    (results,) = index.values()
    assert len(results) >= 240
    failed = {
        case: (result["behavior"], result["behaviorClose"])
        for case, result in results.items()
        if result["behavior"] not in ("OK", "INFORMATIONAL") or result["behaviorClose"] not in ("OK", "INFORMATIONAL")
    }
    assert failed.keys() == DEVIATIONS.keys(), failed
    assert {outcome for outcome, _ in failed.values()} == {"NON-STRICT"}
