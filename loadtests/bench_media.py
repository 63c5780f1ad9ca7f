"""`make bench-media`: what the media engine costs and how it behaves at size, against its budgets.

Everything runs on loopback in bounded time: the engine behind its HTTP door in one process, `jiangtai-swarm` as publishers and viewers in
another. Cost is CPU of the server process by packets forwarded in a steady window; the floor is what sealing and sending the same paced
traffic to as many sockets costs with nothing else done. Rounds of server and floor alternate, and the median of the rounds' ratios counts:
absolute microseconds say more about the machine than about the code.

Each budget is one line: name, figure, unit, budget, `ok` or `MISS`. A miss makes the exit status 1; everything is kept in
var/bench/media.json, or media-part.json if it was not the whole bench. `--short` takes about two minutes, all of it less than fifteen.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from loadtests.bench import MODES, Bench, bounded
from loadtests.crates import allocations_per_packet, sealing_us
from loadtests.report import Report, as_usual, median_ratio
from loadtests.soundness import generator_share, traffic
from loadtests.swarm import Door, SwarmFailed, Told, cost, forwarded, metric_delta, ratio, run_lengths, usage

#: what is switched off: by the server's environment, by options of the load generator
ABLATIONS: Final[Mapping[str, tuple[Mapping[str, str], Mapping[str, Any]]]] = {
    "GSO": ({"JIANGTAI_ENGINE_NO_GSO": "1"}, {}),
    "sendmmsg": ({"JIANGTAI_ENGINE_NO_SENDMMSG": "1"}, {}),
    "GRO": ({"JIANGTAI_ENGINE_NO_GRO": "1"}, {}),
    "the gather window": ({"JIANGTAI_ENGINE_NO_GATHER": "1"}, {}),
    "equal sizes": ({"JIANGTAI_ENGINE_NO_EQUALISE": "1"}, {}),
    "bandwidth estimation": ({}, {"no_twcc": True}),
}
#: load of the media thread under which delays are judged, and between how many per cent it is that; what lies outside is measured again
AIM: Final = 0.7
LEAST_LOAD: Final = 65
MOST_LOAD: Final = 75
#: seconds between changes of layer in the churn
SWITCH_S: Final = 3
LIMIT_S: Final = 900
SHORT_LIMIT_S: Final = 200


# ---- cost per packet ----


def fanout(bench: Bench) -> None:
    """One to many: 1.5 Mbit/s of video and Opus, 10 to 1,000 viewers."""
    report = bench.report
    sizes = (10, 100) if bench.short else (10, 100, 1_000)
    per_packet: dict[int, float] = {}
    resident: dict[int, int] = {}
    with Door() as door:
        for viewers in sizes:
            rounds = 1 if viewers < 100 else 2 if bench.short else 3
            runs: list[Told] = []
            floors: list[dict[str, float]] = []
            for _ in range(rounds):
                runs.append(bench.run(door, viewers=viewers, full=min(viewers, 10), concurrency=64))
                floors.append(bench.floor(viewers))
            costs = [cost(run, forwarded(run)) for run in runs]
            name = f"1 -> {viewers}"
            bench.sound(name, *runs)
            for mode in MODES:
                report.line(f"{name}: floor, {mode}", statistics.median(floor[mode] for floor in floors), "us", None)
            per_packet[viewers] = statistics.median(c.process for c in costs)
            resident[viewers] = costs[0].resident
            report.line(f"{name}: forwarded packet, process", per_packet[viewers], "us", None)
            report.line(f"{name}: forwarded packet, media thread", statistics.median(c.media for c in costs), "us", None)
            report.line(f"{name}: load of the media thread", statistics.median(c.load for c in costs), "cores", None)
            first = [run["join"]["first_frame_ms"]["p95"] for run in runs]
            report.line(f"{name}: first picture after coming, p95", None if None in first else max(first), "ms", 300)
            told = viewers >= 1_000  # the design tells budgets for this size; smaller audiences are for information
            report.line(f"{name}: packet / floor without GSO", ratio(costs, [f["sendto"] for f in floors]), "x", 0.6 if told else None)
            report.line(f"{name}: packet / floor, sendmmsg", ratio(costs, [f["sendmmsg"] for f in floors]), "x", None)
            report.line(f"{name}: packet / floor with GSO", ratio(costs, [f["gso"] for f in floors]), "x", 1.5 if told else None)
            # A generator that costs more than what it measures would measure itself.
            shares = statistics.median(map(generator_share, runs))
            report.line(f"{name}: load generator / server, per packet", shares, "x", 1 if told else None)
            tell_runs(report, name, runs[-1])
    largest, smallest = max(sizes), min(sizes)
    report.line("memory per audio and video viewer", per_viewer(resident, smallest, largest) / 1024, "KB", 64)
    if largest > 100:
        report.line(f"cost linear in viewers: {largest} / 100", per_packet[largest] / per_packet[100], "x", 1.25)


def per_viewer(resident: Mapping[int, int], fewer: int, more: int) -> float:
    """Bytes each further viewer took."""
    return (resident[more] - resident[fewer]) / (more - fewer)


def allocations(bench: Bench) -> None:
    """Heap allocations on the way of a packet."""
    bench.report.line("heap allocations per forwarded packet, once warm", allocations_per_packet(), "", 0)


def tell_runs(report: Report, name: str, run: Told) -> None:
    """The histogram of run lengths as shares of all sends."""
    lengths = run_lengths(run)
    total = sum(lengths.values())
    for length, count in lengths.items():
        report.line(f"{name}: runs of {length}", 100 * count / total if total else float("nan"), "%", None)


def gallery(bench: Bench) -> None:
    """Thirty people with cameras, everybody sees 25 and hears the loudest three."""
    runs: list[Told] = []
    floors: list[dict[str, float]] = []
    load: dict[str, Any] = {"publishers": 30, "viewers": 30, "layer": "low", "video_slots": 25, "audio_slots": 3, "full": 3}
    with Door() as door:
        for _ in range(1 if bench.short else 3):
            runs.append(bench.run(door, **load))
            # Small pictures are one packet each: the floor sends the same.
            floors.append(bench.floor(30, traffic(runs[-1], streams=25, voices=3)))
    costs = [cost(run, forwarded(run)) for run in runs]
    bench.sound("30 x 25", *runs, streams=25, voices=3)
    sent = traffic(runs[-1], streams=25, voices=3)
    bench.report.line("30 x 25: bytes of a video packet, here and on the floor", sent["bytes"], "", None)
    bench.report.line("30 x 25: packets of a picture, here and on the floor", sent["packets"], "", None)
    bench.report.line("30 x 25: forwarded packet, process", statistics.median(c.process for c in costs), "us", None)
    bench.report.line("30 x 25: forwarded packet, media thread", statistics.median(c.media for c in costs), "us", None)
    bench.report.line("30 x 25: packet / floor, sendto", ratio(costs, [f["sendto"] for f in floors]), "x", None)
    bench.report.line("30 x 25: packet / floor, sendmmsg", ratio(costs, [f["sendmmsg"] for f in floors]), "x", 1.6)
    bench.report.line("30 x 25: load generator / server, per packet", statistics.median(map(generator_share, runs)), "x", None)
    tell_runs(bench.report, "30 x 25", runs[-1])


def audio(bench: Bench) -> None:
    """Three speakers, an audience that only listens."""
    viewers = 200 if bench.short else 1_000
    with Door() as door:
        run = bench.run(door, publishers=3, viewers=viewers, audio_slots=3, no_video=True, full=10, concurrency=64)
    found = cost(run, forwarded(run))
    bench.sound(f"audio 3 -> {viewers}", run, voices=3)
    bench.report.line(f"audio 3 -> {viewers}: forwarded packet, process", found.process, "us", None)
    bench.report.line(f"audio 3 -> {viewers}: load of the media thread", found.load, "cores", None)
    bench.report.line(f"audio 3 -> {viewers}: delay p99", run["delay_ms"]["audio"]["p99"], "ms", None)


def rooms(bench: Bench) -> None:
    """The same viewers over one class or ten: what matters is how many, not where.

    Judged at a size where it matters: a hundred viewers take 5 % of a core, and much of that is waking up for each class's packets.
    """
    for viewers, rounds, budget in ((100, 1, None), (500 if bench.short else 1_000, 1 if bench.short else 3, 1.25)):
        one: list[Told] = []
        ten: list[Told] = []
        with Door() as door:
            for _ in range(rounds):
                one.append(bench.run(door, viewers=viewers, full=10, concurrency=64))
                ten.append(bench.run(door, publishers=10, viewers=viewers, rooms=10, full=10, concurrency=64))
        bench.sound(f"{viewers} viewers in 1 class", *one)
        bench.sound(f"{viewers} viewers in 10 classes", *ten)
        tens, ones = ([cost(run, forwarded(run)).process for run in runs] for runs in (ten, one))
        bench.report.line(f"{viewers} viewers in 10 classes / in one, per packet", median_ratio(tens, ones), "x", budget)


def shards(bench: Bench) -> None:
    """One class over two threads: each packet is opened once and crosses once, and nobody is dearer for it."""
    viewers = 200 if bench.short else 1_000
    one: list[Told] = []
    two: list[Told] = []
    for _ in range(1 if bench.short else 2):
        for threads, runs in ((1, one), (2, two)):
            with Door(shards=threads) as door:
                runs.append(bench.run(door, viewers=viewers, full=10, concurrency=64))
    report = bench.report
    bench.sound(f"{viewers} viewers on 2 shards", *two)
    sent = [run["publish"]["packets"] for run in two]
    copies = [metric_delta(run, "relayed") / packets for run, packets in zip(two, sent, strict=True)]
    report.line(f"{viewers} viewers on 2 shards: copies between them per packet", max(copies), "", 1.02)
    twos, ones = ([cost(run, forwarded(run)).process for run in runs] for runs in (two, one))
    report.line(f"{viewers} viewers on 2 shards / on one, per packet", median_ratio(twos, ones), "x", 1.25)


def ablation(bench: Bench) -> None:
    """What each idea is worth: the same load with it switched off, next to one with everything on.

    With 500 viewers: of a load of 5 % much is waking up, and that hides what is looked for. The DTLS libraries agree on AEAD whatever
    one would like, so its worth is told by sealing alone.
    """
    costs: dict[str, list[float]] = {}
    for _ in range(1 if bench.short else 3):
        for name, (environ, load) in {"": ({}, {}), **ABLATIONS}.items():
            with Door(environ=environ) as door:
                run = bench.run(door, viewers=500, full=5, concurrency=64, warmup=1, seconds=3, **load)
                costs.setdefault(name, []).append(cost(run, forwarded(run)).process)
    everything = costs.pop("")
    for name, found in costs.items():
        bench.report.line(f"packet without {name} / with everything", median_ratio(found, everything), "x", None)
    for profile, us in sealing_us().items():
        bench.report.line(f"sealing 1,200 bytes with {profile}", us, "us", None)


# ---- delay ----


def delay(bench: Bench) -> None:
    """How long a packet takes from its publisher to its viewer, both kernels included: with nothing going on, at 70 % load, in a crowd.

    The load is many classes of 100. In one class of 1,000 the last viewer of a frame waits for those before it, whatever is done: that is
    told for information.
    """
    report = bench.report
    with Door() as door:
        quiet = bench.run(door, viewers=1, full=0)
        bench.sound("one viewer", quiet)
        for kind in ("video", "audio"):
            report.line(f"delay p99, one viewer, {kind}", quiet["delay_ms"][kind]["p99"], "ms", 1)
        # The first guess is far off: a packet of two classes costs another time than one of twenty.
        viewers = 200
        for _ in range(2):
            probe = bench.run(door, publishers=viewers // 100, rooms=viewers // 100, viewers=viewers, full=0, concurrency=64)
            viewers = viewers_for(AIM, cost(probe, forwarded(probe)).load, viewers)
        # A pause of 15 ms of this machine, with the queue behind it, is one per cent of five seconds.
        seconds = bench.window if bench.short else 20
        # The machine changes its pace between a probe and what is judged: far from the load that is asked for it is no measurement.
        for _ in range(3):
            classes = viewers // 100
            loaded = bench.run(
                door, publishers=classes, rooms=classes, viewers=viewers, full=0, concurrency=64, seconds=seconds, timeout_s=120
            )
            load = cost(loaded, forwarded(loaded)).load
            if LEAST_LOAD <= 100 * load <= MOST_LOAD:
                break
            fitting = viewers_for(AIM, load, viewers)
            viewers = max(viewers + 100, fitting) if load < AIM else min(viewers - 100, fitting)
        crowd = {} if bench.short else bench.run(door, viewers=1_000, full=0, concurrency=64)
    name = f"{classes} classes of 100"
    # Less would make the delays those of a machine at ease. More than was aimed at makes them longer, so that is only told.
    report.line("delay under load: load", 100 * load, "%", LEAST_LOAD, least=True)
    report.line("delay under load: load above what was aimed at", 100 * (load - AIM), "%", None)
    report.line(f"{name}: load generator", loaded["swarm"]["cpu_seconds"] / loaded["seconds"], "cores", None)
    bench.sound(name, loaded)
    for kind in ("video", "audio"):
        for part, budget in (("p99", 6), ("p95", None), ("p50", None)):
            report.line(f"delay {part}, {name}, {kind}", loaded["delay_ms"][kind][part], "ms", budget)
    for kind in ("video", "audio") if crowd else ():
        report.line(f"delay p99, one class of 1000, {kind}", crowd["delay_ms"][kind]["p99"], "ms", None)


def viewers_for(load: float, seen: float, viewers: int) -> int:
    """How many viewers, in hundreds, make this load if so many made that one; 200 to 2,000."""
    return max(200, min(2_000, round(viewers * load / seen / 100) * 100))


# ---- crowds ----


def join(bench: Bench) -> None:
    """Everybody comes at once: ICE, DTLS handshake, SRTP keys."""
    viewers = 200 if bench.short else 1_000
    with Door() as door:
        before = usage(door.pid)
        run = bench.run(door, publishers=0, viewers=viewers, idle=True, full=0, concurrency=128, warmup=0, seconds=1)
        after = usage(door.pid)
    report = bench.report
    report.line(f"{viewers} at once: joins failed", run["join"]["failed"], "", 0)
    joined = max(1, run["join"]["joined"])
    report.line("joins per second and core, media thread", joined / max(1e-9, after.media - before.media), "/s", 500, least=True)
    report.line("joins per second and core, with HTTP and SDP", joined / max(1e-9, after.process - before.process), "/s", None)
    report.line("joins per second, this machine with its load", run["join"]["per_second"], "/s", None)
    report.line("POST until connected, p99", run["join"]["connected_ms"]["p99"], "ms", None)


def newcomers(bench: Bench) -> None:
    """A class comes to a picture that is there: it must not cost the sender a key frame each."""
    viewers = 200
    with Door() as door:
        run = bench.run(door, viewers=viewers, full=10, concurrency=64, warmup=0)
    report, join = bench.report, run["join"]
    bench.sound(f"{viewers} newcomers", run)
    report.line(f"{viewers} newcomers: came per second", join["per_second"], "/s", viewers, least=True)
    report.line(f"{viewers} newcomers: key frames asked of the sender", run["figures"]["start"]["metrics"]["pli_out"], "", 2)
    report.line(f"{viewers} newcomers: first picture, p95", join["first_frame_ms"]["p95"], "ms", 300)


def idle(bench: Bench) -> None:
    """Peers that are there and send nothing but their consent.

    Judged with engine and generator on one core. On loopback the sender delivers into the receiver's socket, and if that was last touched
    on another core, most of the difference is its memory coming over, which no network card does: told, for information.
    """
    peers = 1_000 if bench.short else 10_000
    cores = os.sched_getaffinity(0)
    idle_on(bench, {min(cores)}, f"{peers} idle peers", peers)
    if not bench.short and len(cores) > 1:
        idle_on(bench, cores, f"{peers} idle peers, any core", peers)


def idle_on(bench: Bench, cores: set[int], name: str, peers: int) -> None:
    """The same with everything on these cores; judged on one of them at full size."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)  # engine and generator inherit it
    try:
        with Door() as door:
            resident = usage(door.pid).resident
            options: dict[str, object] = {"viewers": peers, "idle": True, "full": 0, "concurrency": 256, "warmup": 2}
            run = bench.run(door, publishers=0, seconds=bench.window * 2, timeout_s=240, **options)
    finally:
        os.sched_setaffinity(0, before)
    report = bench.report
    report.line(f"{name}: joins failed", run["join"]["failed"], "", 0)
    # Few peers cost mostly what an idle process costs.
    budget = 2 if len(cores) == 1 and not bench.short else None
    report.line(f"{name}: CPU", 100 * run["server"]["cpu_seconds"] / run["seconds"], "% core", budget)
    media = cost(run).load
    checks = metric_delta(run, "stun_in") / run["seconds"]
    report.line(f"{name}: CPU of the media thread", 100 * media, "% core", None)
    report.line(f"{name}: connectivity checks answered", checks, "/s", None)
    report.line(f"{name}: CPU per check", 1e6 * media / max(1.0, checks), "us", None)
    report.line(f"{name}: memory each", (run["server"]["rss_bytes"][1] - resident) / peers / 1024, "KB", None)


def churn(bench: Bench) -> None:
    """Viewers come, go and change their layer all the time: what it does to memory. The proof over half an hour: `--churn-seconds 1800`."""
    with Door(switch_s=SWITCH_S) as door:
        # First let memory reach what so many comings and goings need at all, and what a new publisher's histories fill: the lowest
        # layer's takes a minute for its 1 MiB.
        load = {"viewers": 50, "full": 5, "simulcast": True}
        limit_s = bench.churn_s + 150
        first_s = max(min(15.0, bench.churn_s / 2), bench.churn_s / 20)
        bench.run(door, **load, churn=20, seconds=first_s, warmup=2, timeout_s=limit_s)
        warmup = 2 if bench.short else 75
        run = bench.run(door, **load, churn=10, seconds=bench.churn_s, warmup=warmup, timeout_s=limit_s)
    begin, end = run["server"]["rss_bytes"]
    bench.sound("churn", run, layers=3)
    # Ten seconds do not tell growth from what is taken once.
    budget = None if bench.short else 1
    bench.report.line(f"memory grown over {bench.churn_s:g} s of joins, leaves and layers", 100 * (end - begin) / begin, "%", budget)
    bench.report.line("joins and leaves meanwhile", run["join"]["asked"], "", None)
    # Some are asked for in vain: of viewers that leave before the next key frame, or got that layer already.
    asked = run["viewers"] * run["seconds"] / SWITCH_S
    bench.report.line("changes of layer meanwhile", run["layer_changes"], "", asked / 2, least=True)


SCENARIOS: Final[Mapping[str, Callable[[Bench], None]]] = {
    "allocations": allocations,
    "fanout": fanout,
    "gallery": gallery,
    "audio": audio,
    "rooms": rooms,
    "shards": shards,
    "delay": delay,
    "join": join,
    "newcomers": newcomers,
    "idle": idle,
    "churn": churn,
    "ablation": ablation,
}


def main() -> int:
    """Run the scenarios asked for and write var/bench/media.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--short", action="store_true", help="the same at smaller size and length, for a quick look; no ablation unless named"
    )
    parser.add_argument("--churn-seconds", type=float, help="length of the churn")
    parser.add_argument("--no-twcc", action="store_true", help="viewers give no feedback to estimate their bandwidth from")
    parser.add_argument("scenario", nargs="*", choices=[*SCENARIOS, []], help="which to run; all by default")
    options = parser.parse_args()
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    churn_s = options.churn_seconds or (10.0 if options.short else 60.0)
    bench = Bench(Report(), options.short, 3.0 if options.short else 5.0, churn_s, {"no_twcc": options.no_twcc})
    wanted = options.scenario or [name for name in SCENARIOS if not (options.short and name == "ablation")]
    limit_s = (SHORT_LIMIT_S if options.short else LIMIT_S) + max(0.0, churn_s - 60)
    failed: str | None = None
    took: dict[str, float] = {}
    try:
        with bounded(limit_s):
            for name in wanted:
                begun = time.monotonic()
                SCENARIOS[name](bench)
                took[name] = round(time.monotonic() - begun, 1)
    except (SwarmFailed, TimeoutError, subprocess.SubprocessError, json.JSONDecodeError) as why:
        failed = f"{name}: {why}"
        print(failed, file=sys.stderr)
    print("seconds: " + ", ".join(f"{name} {seconds:g}" for name, seconds in took.items()))
    whole = as_usual(parser, options) and failed is None
    bench.report.save("media", whole=whole, options=vars(options), failed=failed, seconds=took)
    return 1 if failed or bench.report.missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
