"""`make bench-peers`: our media engine beside Debian's Janus VideoRoom, with the same load generator, traffic and network, in one run.

One publisher (1.5 Mbit/s of video and Opus) and 10, 100, 300 viewers. Each round starts every server anew and measures one after the other:
ours, Janus with one event loop, with two, and as its package installs it. "At its best" is the cheapest of its tunings in that round.
Cost is CPU of the server process by media packets that viewers received (opened, new, no repair, no padding: the same for all), in a
steady window; ratios are taken round by round, the median counts. Every other round goes through the servers backwards. A round does not
count if the server refused viewers or kept media from them, or if the generator itself was too slow: that is told, and a ratio without any
round left is no number and misses its budget. Where no round of Janus as installed counts (it needs more processors than there are), both
are measured once more with a stream of a third, and that ratio is judged. Ours is judged as in bench-media, every round of it.

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

from loadtests.bench import bounded
from loadtests.bench_media import per_viewer
from loadtests.janus import AS_INSTALLED, AT_BEST, NotRunning, Tuning, janus
from loadtests.netns import Namespace, Unavailable, namespace
from loadtests.report import Report, as_usual, median_ratio
from loadtests.soundness import ENOUGH, came, generator_share, heard, judge, tell_examples
from loadtests.swarm import Cost, Door, SwarmFailed, cost, swarm

OURS: Final = "ours"
SIZES: Final = (10, 100, 300)
#: budgets hold from so many viewers on
TOLD_FROM: Final = 100
LIMIT_S: Final = 590
#: 500 kbit/s of video: what is left to compare where Janus as installed cannot carry the whole stream
LIGHTER: Final = {"layer": "mid"}
#: seconds for a load, and for a viewer to get in: Janus as installed may be too slow for some of many, and each of those waits as long
LOAD_S: Final = 120
JOIN_S: Final = 10


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
            doors: dict[str, object] = {name: f"{door.url}/{name}/{{room}}" for name in ("whip", "whep")}
            doors["figures"] = f"{door.url}/figures"
            yield Server(door.pid, doors)
        return
    with tempfile.TemporaryDirectory() as folder, janus(Path(folder), net.inside, tuning, net.command) as running:
        yield Server(running.pid, {"janus": running.url})


@dataclass(frozen=True)
class Round:
    """What one server did in one round."""

    cost: Cost
    told: dict[str, Any]

    def fault(self, *, refusals: bool = False) -> str | None:
        """Why it does not count, if so. What is kept from viewers makes a server neither cheaper nor dearer, and nor does who is refused.

        `refusals`: those who got in are enough.
        """
        join, dropped = self.told["join"], self.told["swarm"]["receive_buffer_errors"]
        if dropped:
            return f"the generator's machine did not take {dropped} datagrams in time"
        if join["failed"] and not refusals:
            return f"{join['failed']} joins failed"
        for what, share in (("frames", came(self.told, 1)), ("audio packets", heard(self.told, 1))):
            if share < ENOUGH:
                return f"{100 * share:.0f} % of the {what} came"
        return None

    def whole(self, *, refusals: bool = False) -> float:
        """CPU microseconds per packet if it counts, else nan."""
        return math.nan if self.fault(refusals=refusals) else self.cost.process


def measure(tuning: Tuning | None, net: Namespace, viewers: int, options: Mapping[str, object]) -> Round:
    """One server under the load, from its start to its end."""
    with serving(tuning, net) as server:
        load: dict[str, object] = {"publishers": 1, "viewers": viewers, "full": min(viewers, 10), "warmup": 2, **options}
        load |= {"bind": net.outside, "pid": server.pid, "concurrency": 16, "join_timeout": JOIN_S, "tolerate": 1_000_000}
        try:
            told = swarm("run", LOAD_S, **load, **server.doors)
        except SwarmFailed as failed:
            raise SwarmFailed(f"1 -> {viewers}, {OURS if tuning is None else tuning.name}: {failed}") from None
    return Round(cost(told), told)


def best(rounds: Sequence[Sequence[float]]) -> list[float]:
    """The least of several series, round by round; what could not be measured (nan) counts only if nothing could."""
    return [min((cost for cost in costs if not math.isnan(cost)), default=math.nan) for costs in zip(*rounds, strict=True)]


def order(names: Sequence[str], number: int) -> list[str]:
    """In which a round measures: every other one backwards, so that nobody always comes first."""
    return list(names if number % 2 == 0 else reversed(names))


def whole_ratio(tops: Sequence[float], bottoms: Sequence[float]) -> float:
    """The median ratio of the rounds that count on both sides; nan for none."""
    both = [(top, bottom) for top, bottom in zip(tops, bottoms, strict=True) if not math.isnan(top + bottom)]
    return median_ratio([top for top, _ in both], [bottom for _, bottom in both])


def compare_costs(
    report: Report, viewers: int, costs: Mapping[str, Sequence[float]], lighter: Mapping[str, Sequence[float]] | None = None
) -> None:
    """Both ratios, from CPU microseconds per packet by server and round, nan for those that do not count.

    `lighter`: the same with the lighter stream; if given, Janus as installed is judged by it.
    """
    told = viewers >= TOLD_FROM
    at_best = best([costs[tuning.name] for tuning in AT_BEST])
    line, installed = f"1 -> {viewers}: Janus", AS_INSTALLED.name
    report.line(f"{line} at its best / ours", whole_ratio(at_best, costs[OURS]), "x", 3 if told else None, least=True)
    judged = 6 if told else None
    ratio = whole_ratio(costs[installed], costs[OURS])
    report.line(f"{line} as installed / ours", ratio, "x", None if lighter else judged, least=True)
    if lighter:
        ratio = whole_ratio(lighter[installed], lighter[OURS])
        report.line(f"{line} as installed / ours, lighter stream", ratio, "x", judged, least=True)


def tell(report: Report, line: str, rounds: Sequence[Round]) -> None:
    """What one server did, for information."""
    runs = [r.told for r in rounds]
    report.line(f"{line}: forwarded packet", statistics.median(r.cost.process for r in rounds), "us", None)
    if OURS not in line:
        report.line(f"{line}: joins failed", sum(run["join"]["failed"] for run in runs), "", None)
        report.line(f"{line}: frames that came", 100 * min(came(run, 1) for run in runs), "%", None)
        report.line(f"{line}: audio that came", 100 * min(heard(run, 1) for run in runs), "%", None)
        report.line(f"{line}: streams broken", sum(run["checks"]["broken"] for run in runs), "", None)
        report.line(f"{line}: streams frozen", sum(run["checks"]["frozen"] for run in runs), "", None)
        report.line(f"{line}: packets lost", max(run["receive"]["loss_permille"] for run in runs), "permille", None)
        tell_examples(runs)
    report.line(f"{line}: delay p99, video", runs[-1]["delay_ms"]["video"]["p99"], "ms", None)
    profiles = sorted({profile for run in runs for profile in run["srtp_profiles"]})
    print(f"{line}: {', '.join(profiles)}")


def measure_rounds(
    report: Report, net: Namespace, viewers: int, servers: Mapping[str, Tuning | None], rounds: int, options: Mapping[str, object]
) -> tuple[dict[str, list[Round]], dict[str, list[float]]]:
    """Rounds of all these servers; what each did, and what it cost by round (nan for those that do not count)."""
    found: dict[str, list[Round]] = {name: [] for name in servers}
    for number in range(rounds):
        for name in order(list(servers), number):
            found[name].append(measure(servers[name], net, viewers, options))
    costs: dict[str, list[float]] = {}
    for name, them in found.items():
        line = f"1 -> {viewers}, {name}" + (", lighter stream" if LIGHTER.items() <= options.items() else "")
        tell(report, line, them)
        # As installed it may be too slow for all: what those who got in cost is still what it costs.
        refusals = name == AS_INSTALLED.name
        faults = [f"{line}, round {n + 1} does NOT count: {fault}" for n, r in enumerate(them) if (fault := r.fault(refusals=refusals))]
        print("".join(f"{fault}\n" for fault in faults), end="", flush=True)
        report.line(f"{line}: rounds that do not count", len(faults), "", None)
        costs[name] = [r.whole(refusals=refusals) for r in them]
        if servers[name] is None:
            judge(report, line, [r.told for r in them])
    return found, costs


def compare(report: Report, net: Namespace, viewers: int, rounds: int, options: Mapping[str, object]) -> dict[str, int]:
    """One size: rounds of all servers, then what each cost. Resident bytes by server."""
    servers: dict[str, Tuning | None] = {OURS: None, **{tuning.name: tuning for tuning in (*AT_BEST, AS_INSTALLED)}}
    found, costs = measure_rounds(report, net, viewers, servers, rounds, options)
    ours = found[OURS]
    # A generator that costs more than what it measures would measure itself. A small audience costs both mostly waking up.
    budget = 1 if viewers >= max(SIZES) else None
    shares = (generator_share(r.told) for r in ours)
    report.line(f"1 -> {viewers}, {OURS}: load generator / server", statistics.median(shares), "x", budget)
    report.line(f"1 -> {viewers}, {OURS}: media thread alone", statistics.median(r.cost.media for r in ours), "us", None)
    lighter = None
    if viewers >= TOLD_FROM and all(map(math.isnan, costs[AS_INSTALLED.name])):
        both: dict[str, Tuning | None] = {OURS: None, AS_INSTALLED.name: AS_INSTALLED}
        _found, lighter = measure_rounds(report, net, viewers, both, rounds, {**options, **LIGHTER})
    compare_costs(report, viewers, costs, lighter)
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
    """Compare at every size and write var/bench/peers.json (peers-part.json, if it was not all of it)."""
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
    report.save("peers", whole=as_usual(parser, options) and failed is None, options=vars(options), failed=failed)
    return 1 if failed or report.missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
