"""Debian's Janus as the server to compare with: its configuration, written here, and its process. GPL, so only ever a process beside us.

`AS_INSTALLED` leaves every setting that the package ships; `AT_BEST` are the settings that save it the most work. SRTP profiles cannot be
chosen in its configuration: it takes AES-GCM whenever the peer offers it, as the load generator does.
"""

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from loadtests.swarm import Wrap

HTTP_PORT: Final = 8088
START_S: Final = 15.0
_PLUGINS: Final = (
    *("audiobridge", "duktape", "echotest", "lua", "nosip", "recordplay", "sip", "streaming", "textroom", "videocall", "voicemail"),
)
_TRANSPORTS: Final = ("mqtt", "nanomsg", "pfunix", "rabbitmq", "websockets")

Value = str | bool | int | Mapping[str, Any]


class NotRunning(Exception):
    """Janus did not start; the text ends with the last it said."""


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """`event_loops`: threads that share all peers, None = one thread for each; `lean`: everything else that saves work."""

    name: str
    event_loops: int | None = None
    lean: bool = False


AS_INSTALLED: Final = Tuning(name="as installed")
AT_BEST: Final = (Tuning(name="1 event loop", event_loops=1, lean=True), Tuning(name="2 event loops", event_loops=2, lean=True))


def jcfg(settings: Mapping[str, Value], indent: str = "") -> str:
    """Settings in libconfig's notation."""
    lines = []
    for name, value in settings.items():
        match value:
            case Mapping():
                lines.append(f"{indent}{name}: {{\n{jcfg(value, indent + '  ')}{indent}}}\n")
            case bool():
                lines.append(f"{indent}{name} = {'true' if value else 'false'}\n")
            case int():
                lines.append(f"{indent}{name} = {value}\n")
            case _:
                lines.append(f"{indent}{name} = {json.dumps(value)}\n")
    return "".join(lines)


def configuration(address: str, tuning: Tuning) -> dict[str, str]:
    """File name and text of all that Janus reads: HTTP API on that address, VideoRoom alone, no admin API, no rooms."""
    general: dict[str, Value] = {"debug_level": 4, "debug_colors": False, "session_timeout": 120}
    media: dict[str, Value] = {"ipv6": False}
    nat: dict[str, Value] = {"ice_enforce_list": address}
    if tuning.event_loops is not None:
        general["event_loops"] = tuning.event_loops
    if tuning.lean:
        general["debug_level"] = 2
        media |= {"nack_optimizations": True}
        nat |= {"ice_lite": True}
    core: dict[str, Value] = {
        "general": general,
        "media": media,
        "nat": nat,
        "plugins": {"disable": ",".join(f"libjanus_{name}.so" for name in _PLUGINS)},
        "transports": {"disable": ",".join(f"libjanus_{name}.so" for name in _TRANSPORTS)},
        "events": {"broadcast": False},
    }
    http: dict[str, Value] = {
        "general": {"json": "compact", "base_path": "/janus", "http": True, "port": HTTP_PORT, "ip": address, "https": False},
        "admin": {"admin_http": False, "admin_https": False},
    }
    return {
        "janus.jcfg": jcfg(core),
        "janus.transport.http.jcfg": jcfg(http),
        "janus.plugin.videoroom.jcfg": jcfg({"general": {"events": False}}),
    }


@dataclass(frozen=True)
class Janus:
    """A running Janus."""

    pid: int
    url: str
    version: str


@contextmanager
def janus(folder: Path, address: str, tuning: Tuning, wrap: Wrap) -> Iterator[Janus]:
    """Janus listening on the address, configured in the (empty) folder; `wrap` makes a command run where that address is.

    Raises NotRunning.
    """
    for name, text in configuration(address, tuning).items():
        (folder / name).write_text(text)
    log = folder / "janus.log"
    command = wrap(["janus", "--configs-folder", str(folder), "--config", str(folder / "janus.jcfg"), "--interface", address])
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=folder)
        except FileNotFoundError:
            raise NotRunning("the command `janus` is missing (package janus)") from None
    try:
        url = f"http://{address}:{HTTP_PORT}/janus"
        yield Janus(process.pid, url, _wait(process, url, log))
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> str:
    """The version, once it answers."""
    end = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{url}/info", timeout=2) as answer:
                return str(json.load(answer).get("version_string", "?"))
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    said = log.read_text(errors="replace")[-500:]
    raise NotRunning(f"janus {'did not answer' if process.poll() is None else f'ended with {process.returncode}'}: {said}")
