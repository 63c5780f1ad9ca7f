"""`make bench-peers`: our media engine beside Debian's Janus VideoRoom, with the same load generator, traffic and network, in one run.

One publisher (1.5 Mbit/s of video and Opus) and 10, 100, 300 viewers. Each round starts every server anew and measures one after the other:
ours, Janus with one event loop, with two, and as its package installs it. "At its best" is the cheapest of its tunings in that round.
Cost is CPU of the server process by packets that viewers received, in a steady window; ratios are taken round by round, the median counts.

Both servers listen in a network namespace of the bench's own, since Janus does not gather loopback candidates: this needs root. Needs the
packages janus and iproute2 (`.ci/packages bench`). Takes less than ten minutes; a missed budget makes the exit status 1.
"""

import argparse
import math
import resource
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from loadtests.bench_media import bounded, came, per_viewer
from loadtests.janus import AS_INSTALLED, AT_BEST, NotRunning, Tuning, janus
from loadtests.netns import Namespace, Unavailable, namespace
from loadtests.report import Report, median_ratio
from loadtests.swarm import Cost, Door, SwarmFailed, cost, swarm

OURS: Final = "ours"
SIZES: Final = (10, 100, 300)
#: budgets hold from so many viewers on
TOLD_FROM: Final = 100
LIMIT_S: Final = 590


@dataclass(frozen=True)
class Server:
    """A started server: its process and how the load generator finds it."""

    pid: int
    doors: dict[str, object]


@contextmanager
def serving(tuning: Tuning | None, net: Namespace) -> Iterator[Server]:
    """Janus so tuned, or ours for None, fresh, in the namespace."""
    if tuning is None:
        with Door(bind=net.inside, wrap=net.command) as door:
            yield Server(door.pid, {"whip": f"{door.url}/whip/{{room}}", "whep": f"{door.url}/whep/{{room}}"})
        return
    with tempfile.TemporaryDirectory() as folder, janus(Path(folder), net.inside, tuning, net.command) as running:
        yield Server(running.pid, {"janus": running.url})


@dataclass(frozen=True)
class Round:
    """What one server did in one round."""

    cost: Cost
    told: dict[str, Any]

    @property
    def whole(self) -> float:
        """CPU microseconds per packet if everybody was let in, else nan: a server that refuses some is not cheaper or dearer."""
        return math.nan if self.told["join"]["failed"] else self.cost.process


def measure(tuning: Tuning | None, net: Namespace, viewers: int, options: Mapping[str, object]) -> Round:
    """One server under the load, from its start to its end."""
    with serving(tuning, net) as server:
        load: dict[str, object] = {"publishers": 1, "viewers": viewers, "full": min(viewers, 10), "warmup": 2, **options}
        told = swarm("run", 75, **load, bind=net.outside, pid=server.pid, concurrency=16, tolerate=1_000_000, **server.doors)
    for example in told["join"].get("examples", ())[:1]:
        print(f"  {tuning.name if tuning else OURS}: {example}", file=sys.stderr)
    return Round(cost(told), told)


def best(rounds: Sequence[Sequence[float]]) -> list[float]:
    """The least of several series, round by round; what could not be measured (nan) counts only if nothing could."""
    return [min((cost for cost in costs if not math.isnan(cost)), default=math.nan) for costs in zip(*rounds, strict=True)]


def judge(report: Report, viewers: int, costs: dict[str, list[float]]) -> None:
    """Both ratios, from CPU microseconds per packet by server and round."""
    told = viewers >= TOLD_FROM
    at_best = best([costs[tuning.name] for tuning in AT_BEST])
    line = f"1 -> {viewers}: Janus"
    report.line(f"{line} at its best / ours", median_ratio(at_best, costs[OURS]), "x", 3 if told else None, least=True)
    report.line(f"{line} as installed / ours", median_ratio(costs[AS_INSTALLED.name], costs[OURS]), "x", 6 if told else None, least=True)


def compare(report: Report, net: Namespace, viewers: int, rounds: int, options: Mapping[str, object]) -> dict[str, int]:
    """One size: rounds of all servers, then what each cost. Resident bytes by server."""
    servers: dict[str, Tuning | None] = {OURS: None, **{tuning.name: tuning for tuning in (*AT_BEST, AS_INSTALLED)}}
    found: dict[str, list[Round]] = {name: [] for name in servers}
    for _ in range(rounds):
        for name, tuning in servers.items():
            found[name].append(measure(tuning, net, viewers, options))
    for name, them in found.items():
        line, last, ours = f"1 -> {viewers}, {name}", them[-1].told, name == OURS
        report.line(f"{line}: forwarded packet", statistics.median(r.cost.process for r in them), "us", None)
        report.line(f"{line}: joins failed", sum(r.told["join"]["failed"] for r in them), "", 0 if ours else None)
        report.line(f"{line}: frames that came", 100 * came(last, 1), "%", 95 if ours else None, least=True)
        report.line(f"{line}: packets lost", last["receive"]["loss_permille"], "permille", None)
        report.line(f"{line}: delay p99, video", last["delay_ms"]["video"]["p99"], "ms", None)
        report.line(f"{line}: load generator", last["swarm"]["cpu_us_per_packet"], "us", None)
    report.line(f"1 -> {viewers}, {OURS}: media thread alone", statistics.median(r.cost.media for r in found[OURS]), "us", None)
    # As installed it may be too slow for all: what those who got in cost is still what it costs.
    judge(report, viewers, {name: [r.cost.process if name == AS_INSTALLED.name else r.whole for r in them] for name, them in found.items()})
    return {name: round(statistics.median(r.cost.resident for r in them)) for name, them in found.items()}


def tell_memory(report: Report, resident: Mapping[int, Mapping[str, int]]) -> None:
    """What each further viewer took, from the smallest to the largest audience."""
    fewer, more = min(resident), max(resident)
    if fewer == more:
        return
    for name in resident[more]:
        by_size = {size: servers[name] for size, servers in resident.items()}
        report.line(f"memory per viewer, {name}", per_viewer(by_size, fewer, more) / 1024, "KB", None)


def main() -> int:
    """Compare at every size and write var/bench/peers.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2, choices=range(1, 6))
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measured window")
    parser.add_argument("--no-twcc", action="store_true", help="viewers give no feedback to estimate their bandwidth from")
    parser.add_argument("viewers", nargs="*", type=int, default=SIZES, help="sizes; 10 100 300 by default")
    options = parser.parse_args()
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    load: dict[str, object] = {"seconds": options.seconds, "no_twcc": options.no_twcc}
    report, failed = Report(), None
    try:
        with bounded(LIMIT_S), namespace() as net:
            resident = {viewers: compare(report, net, viewers, options.rounds, load) for viewers in options.viewers}
            tell_memory(report, resident)
    except (Unavailable, NotRunning, SwarmFailed, TimeoutError) as why:
        failed = str(why)
        print(f"bench-peers: {failed}", file=sys.stderr)
    report.save("peers", failed=failed, rounds=options.rounds, seconds=options.seconds)
    return 1 if failed or report.missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
