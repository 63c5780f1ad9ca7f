"""Runs `jiangtai-swarm` (media/engine/swarm, told of in its README) and reads what a server under it costs."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from loadtests.report import median_ratio
from server.swarm import NotBuilt, find

ROOT: Final = Path(__file__).parents[1]
#: the engine names its threads so; all else of the process is the bench's HTTP door
MEDIA_THREADS: Final = "media-"
_TICK: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")

Told = Mapping[str, Any]
#: a command line, and the one that runs it elsewhere
Wrap = Callable[[Sequence[str]], Sequence[str]]


class SwarmFailed(Exception):
    """The load generator could not do what was asked; the text is the last it said."""


def swarm(command: str, timeout_s: float, **options: object) -> dict[str, Any]:
    """What `jiangtai-swarm COMMAND` tells. Options are its own with underscores: `True` gives a flag, `None` and `False` are left out.

    Raises SwarmFailed when it told nothing or took longer than timeout_s; broken streams are told, not raised.
    """
    try:
        done = subprocess.run(
            [str(find()), command, *words(options)], capture_output=True, text=True, timeout=timeout_s, cwd=ROOT, check=False
        )
    except (NotBuilt, FileNotFoundError) as missing:
        raise SwarmFailed(str(missing)) from None
    except subprocess.TimeoutExpired as late:
        raise SwarmFailed(f"not done after {timeout_s:g} s: {_tail(late.stderr)}") from None
    if not done.stdout.startswith("{"):
        raise SwarmFailed(f"exit status {done.returncode}: {_tail(done.stderr)}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def words(options: Mapping[str, object]) -> list[str]:
    """Options as the words of a command line."""
    found: list[str] = []
    for name, value in options.items():
        if value is None or value is False:
            continue
        found.append(f"--{name.replace('_', '-')}")
        if value is not True:
            found.append(str(value))
    return found


def _tail(text: str | bytes | None) -> str:
    told = text.decode(errors="replace") if isinstance(text, bytes) else text or ""
    return told.strip()[-500:]


@dataclass(frozen=True)
class Cost:
    """What one measured window cost a server. `process` and `media` are CPU microseconds per packet the viewers were sent."""

    process: float
    media: float
    packets: int
    #: CPU seconds per second of its busiest media thread
    load: float
    resident: int


def cost(run: Told, packets: int | None = None) -> Cost:
    """Of what `swarm run` told with --pid; `packets` if the server counted them itself, else media received, without repair and padding."""
    server, seconds = run["server"], run["seconds"]
    sent = run["receive"]["media_packets"] if packets is None else packets
    media = [used for name, used in server["threads"].items() if name.startswith(MEDIA_THREADS)]
    per = 1e6 / sent if sent else float("nan")
    return Cost(server["cpu_seconds"] * per, sum(media) * per, sent, max(media, default=0.0) / seconds, server["rss_bytes"][1])


@dataclass(frozen=True)
class Usage:
    """CPU seconds (of the whole process, of its media threads) and resident bytes of a process so far."""

    process: float
    media: float
    resident: int


def usage(pid: int) -> Usage:
    """Of a running process, from /proc; the clock there has steps of 10 ms."""
    root = Path("/proc") / str(pid)
    threads = [cpu_of((task / "stat").read_text()) for task in (root / "task").iterdir()]
    media = sum(cpu for name, cpu in threads if name.startswith(MEDIA_THREADS))
    resident = int((root / "statm").read_text().split()[1]) * _PAGE
    return Usage(cpu_of((root / "stat").read_text())[1], media, resident)


def cpu_of(stat: str) -> tuple[str, float]:
    """Name and CPU seconds in the text of a /proc stat file; a name may hold blanks and brackets."""
    begin, end = stat.index("("), stat.rindex(")")
    fields = stat[end + 2 :].split()
    return stat[begin + 1 : end], (int(fields[11]) + int(fields[12])) / _TICK


class Door:
    """The native engine behind WHIP, WHEP and /figures (loadtests/engine_door.py), a process of its own."""

    def __init__(self, *, bind: str = "127.0.0.1", wrap: Wrap = list, environ: Mapping[str, str] | None = None, **options: object) -> None:
        """Start it on that address; `wrap` makes a command run where the address is. Raises SwarmFailed if it does not start."""
        command = [sys.executable, "-m", "loadtests.engine_door", *words({"bind": bind, **options})]
        variables = {**os.environ, "PYTHONPATH": str(ROOT), **(environ or {})}
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(wrap(command), stdin=pipe, stdout=pipe, text=True, cwd=ROOT, env=variables)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SwarmFailed(f"the engine's door ended with {self._process.wait()}")
        self.url = f"http://{bind}:{json.loads(line)['http']}"

    def __enter__(self) -> "Door":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid


def forwarded(run: Told) -> int:
    """Packets the engine says it forwarded in the window."""
    return metric_delta(run, "forwarded")


def metric_delta(run: Told, name: str) -> int:
    """By how much an engine counter grew in the window."""
    return int(run["figures"]["end"]["metrics"][name] - run["figures"]["start"]["metrics"][name])


def run_lengths(run: Told) -> dict[str, int]:
    """How many runs of which length were sent in the window (metrics `runs_<lengths>`)."""
    names = [name for name in run["figures"]["end"]["metrics"] if name.startswith("runs_")]
    return {name.removeprefix("runs_").replace("_", "-"): metric_delta(run, name) for name in sorted(names, key=_first_number)}


def _first_number(name: str) -> int:
    return int(name.split("_")[1])


def ratio(costs: Sequence[Cost], floors: Sequence[float]) -> float:
    """Median over rounds of cost per packet by the floor's."""
    return median_ratio([c.process for c in costs], floors)
