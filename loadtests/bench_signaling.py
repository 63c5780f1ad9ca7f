"""`make bench-signaling`: what the signaling core costs and how it behaves at size, against its budgets.

Everything runs on loopback in bounded time: a node process with its SQLite journal, this process as the crowd, a bare sender as the floor.
Each budget is one line: name, figure, unit, budget, `ok` or `MISS`. A miss makes the exit status 1. `--short` takes about a minute.
"""

import argparse
import json
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from loadtests.crowd import Crowd, Member, stamp
from loadtests.report import Report, as_usual, quantile
from signaling.fanout import WINDOW_S
from signaling.metrics import BUCKETS

ROOT: Final = Path(__file__).parents[1]
TEXT_BYTES: Final = 200


class Node:
    """A node process."""

    def __init__(self, folder: str, window_s: float) -> None:
        arguments = [sys.executable, "-m", "tests.support.node", f"{folder}/node.db", "0", str(window_s)]
        self._process = subprocess.Popen(arguments, stdout=subprocess.PIPE, cwd=ROOT, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline().split()[1])

    def create(self, session: str) -> None:
        """Make a large class."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/classes/{session}/large", method="POST")
        urllib.request.urlopen(request, timeout=30).close()

    def figures(self, *, reset: bool = False) -> dict[str, Any]:
        """The node's counters, CPU seconds, resident bytes; reset empties the loop lateness after reading."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/figures{'?reset' if reset else ''}", timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def stop(self) -> None:
        """End it."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def node(window_s: float = WINDOW_S) -> Iterator[Node]:
    """A node on an empty database."""
    with tempfile.TemporaryDirectory() as folder:
        running = Node(folder, window_s)
        try:
            yield running
        finally:
            running.stop()


def late_quantile(lateness: dict[str, Any], q: float) -> float:
    """Upper bound of the q-quantile of a histogram as told by a node, seconds."""
    wanted, seen = q * lateness["count"], 0
    for bound, count in zip((*BUCKETS, lateness["max"]), lateness["counts"], strict=True):
        seen += count
        if seen >= wanted:
            return float(min(bound, lateness["max"]))
    return float(lateness["max"])


def open_class(running: Node, session: str = "bench", *, receive_buffer: int | None = None) -> tuple[Crowd, Member]:
    """A running large class with its trainer."""
    running.create(session)
    crowd = Crowd(running.port, session, receive_buffer=receive_buffer)
    (trainer,) = crowd.join(["trainer"], "trainer")
    crowd.command(trainer, type="start_class")
    crowd.command(trainer, type="change_settings", chat="open")
    crowd.until(lambda: crowd.acked == 2, 10)
    return crowd, trainer


# ---- the cost of one delivered frame ----


class Floor:
    """The bare sender and its readers."""

    def __init__(self, clients: int) -> None:
        arguments = [sys.executable, "-m", "loadtests.floor", str(clients)]
        self._process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True)
        self.clients = clients
        port = int(self._line())
        self.crowd = Crowd(port, "")
        for member in self.crowd.connect(str(n) for n in range(clients)):
            member.upgraded = True
        self._tell("cpu")  # answers once all are accepted

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _tell(self, line: str) -> float:
        self._say(line)
        return float(self._line())

    def round(self, sends: int, size: int) -> float:
        """CPU microseconds per delivered frame over so many broadcasts, each begun when everybody has the last one."""
        before, frames = self._tell("cpu"), self.crowd.frames
        for _ in range(sends):
            wanted = self.crowd.frames + self.clients
            self._say(str(size))
            self.crowd.until(lambda wanted=wanted: self.crowd.frames >= wanted, 5)  # type: ignore[misc]
            self._line()
        return (self._tell("cpu") - before) / (self.crowd.frames - frames) * 1e6

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self.crowd.leave()


def frame_cost(report: Report, clients: int, rounds: int, sends: int) -> None:
    """Server CPU per delivered frame, as a ratio to the floor at the same number of sockets and size; rounds alternate.

    Closed loop on both sides: the next message is said when everybody has the last one, so that no two share a frame (the class's window
    for joining messages is off). "Fan-out" is what writing the frames takes; "signaling" adds everything else that happens on the event
    loop (the command, the decision, the acknowledgement, heartbeats); "all in" adds the journal's synced commit. The last two come once
    per message, whatever the audience.
    """
    with node(window_s=0.0) as running:
        crowd, _trainer = open_class(running)
        speakers = crowd.join(f"m{n}" for n in range(clients - 1))
        crowd.run(1.5)
        floor = Floor(clients)
        said, all_in, signaling, fanout, raw = 0, [], [], [], []
        before = running.figures()
        crowd.run(5.0)
        idle = (running.figures()["cpu"] - before["cpu"]) / 5.0
        for _ in range(rounds):
            before, received, size, took = running.figures(), crowd.frames, crowd.bytes, len(crowd.latencies)
            for _ in range(sends):
                wanted = len(crowd.latencies) + clients
                crowd.command(speakers[said % len(speakers)], type="post_chat", text=(stamp() + "x" * TEXT_BYTES)[:TEXT_BYTES])
                said += 1
                crowd.until(lambda wanted=wanted: len(crowd.latencies) >= wanted, 5)  # type: ignore[misc]
            frames = crowd.frames - received
            after = running.figures()
            all_in.append((after["cpu"] - before["cpu"]) / frames * 1e6)
            signaling.append(all_in[-1] - (after["journal_cpu"] - before["journal_cpu"]) / frames * 1e6)
            fanout.append((after["fanout_cpu_seconds"] - before["fanout_cpu_seconds"]) / frames * 1e6)
            raw.append(floor.round(sends, (crowd.bytes - size) // frames - 4))
            broadcast = quantile(crowd.latencies[took:], 0.99)
        floor.stop()
        report.line(f"commands refused, {clients}", sum(crowd.errors.values()), "", 0)
        crowd.leave()
    report.line(f"raw send, {clients} sockets", statistics.median(raw), "us", None)
    for name, costs, budget in (("fan-out", fanout, 1.25), ("signaling", signaling, None), ("all in", all_in, 1.5)):
        report.line(f"delivered frame, {clients}, {name}", statistics.median(costs), "us", None)
        ratio = statistics.median(a / b for a, b in zip(costs, raw, strict=True))
        report.line(f"delivered frame / raw send, {clients}, {name}", ratio, "x", budget)
    report.line(f"one broadcast to {clients}, p99", broadcast * 1e3, "ms", None)
    report.line(f"idle, {clients} members", idle / clients * 1e6, "us/s each", None)


# ---- a class at work ----


def steady(report: Report, clients: int, per_second: int, seconds: float) -> None:
    """A large class with chat, reactions and poll answers at a rate; how long messages take, how late the loop is, what a member weighs."""
    with node() as running:
        crowd, trainer = open_class(running)
        crowd.run(1.0)
        empty = running.figures()["resident"]
        members = crowd.join(f"m{n}" for n in range(clients - 1))
        crowd.run(3.0)
        report.line(f"memory per idle member, {clients}", (running.figures()["resident"] - empty) / (clients - 1) / 1024, "KB", 60)
        running.figures(reset=True)
        crowd.latencies.clear()
        state = {"said": 0, "polls": 0}

        def each(elapsed: float) -> None:
            while state["said"] < elapsed * per_second:
                n = state["said"]
                state["said"] += 1
                member = members[n % len(members)]
                if n % 10 < 6:
                    crowd.command(member, type="post_chat", text=(stamp() + "x" * TEXT_BYTES)[:TEXT_BYTES])
                elif n % 10 < 9 or crowd.poll is None:
                    crowd.command(member, type="react", reaction="clap")
                else:
                    crowd.command(member, type="answer_poll", poll=crowd.poll, choices=[n % 3])
            if state["polls"] < 1 + elapsed // 60:
                state["polls"] += 1
                if crowd.poll is not None:
                    crowd.command(trainer, type="close_poll", poll=crowd.poll)
                crowd.command(trainer, type="create_poll", question="?", options=["a", "b", "c"], multiple=False, anonymous=True, open=True)

        before = running.figures()
        crowd.run(seconds, each)
        crowd.until(lambda: crowd.acked + sum(crowd.errors.values()) >= state["said"], 5)
        after = running.figures()
        lateness = after["loop_late_seconds"]
        report.line(f"delivery p50, {clients} members, {per_second}/s", quantile(crowd.latencies, 0.5) * 1e3, "ms", None)
        report.line(f"delivery p99, {clients} members, {per_second}/s", quantile(crowd.latencies, 0.99) * 1e3, "ms", 250)
        report.line("journal append p99 meanwhile", late_quantile(after["journal_seconds"], 0.99) * 1e3, "ms", None)
        report.line("loop lateness p99.9 meanwhile", late_quantile(lateness, 0.999) * 1e3, "ms", 50)
        report.line("loop lateness, worst", lateness["max"] * 1e3, "ms", None)
        report.line("node CPU meanwhile", (after["cpu"] - before["cpu"]) / seconds, "cores", None)
        late_answers = sum(count for code, count in crowd.errors.items() if code not in ("already_answered", "poll_not_open"))
        report.line("commands refused or lost", late_answers + max(0, state["said"] - crowd.acked - sum(crowd.errors.values())), "", 0)
        report.line("members lost", crowd.closed, "", 0)
        crowd.leave()


# ---- crowds that come and go ----


def join_storm(report: Report, clients: int) -> None:
    """Everybody comes at once."""
    with node() as running:
        crowd, _trainer = open_class(running)
        running.figures(reset=True)
        before, begun = running.figures()["cpu"], time.monotonic()
        try:
            crowd.join((f"m{n}" for n in range(clients)), within=60, at_once=clients)
        except TimeoutError as error:
            print(error)
        seconds = time.monotonic() - begun
        after = running.figures()
        report.line(f"{clients} joins at once", seconds, "s", 10)
        report.line("errors meanwhile", sum(crowd.errors.values()) + clients + 1 - crowd.inside, "", 0)
        report.line("CPU per join", (after["cpu"] - before) / clients * 1e6, "us", None)
        report.line("loop lateness, worst, joining", after["loop_late_seconds"]["max"] * 1e3, "ms", None)
        crowd.leave()


CROWD_PROCESS: Final = """
import sys
from loadtests.crowd import Crowd
crowd = Crowd(int(sys.argv[1]), sys.argv[2])
crowd.join((f"d{n}" for n in range(int(sys.argv[3]))), within=120, at_once=500)
print("in", flush=True)
while True:
    crowd.step(1.0)
"""


def mass_drop(report: Report, clients: int) -> None:
    """All connections end in the same moment, as when a switch fails: the processes holding them are killed."""
    with node() as running:
        halves = []
        for session in ("one", "two"):
            crowd, _trainer = open_class(running, session)
            crowd.leave()
            arguments = [sys.executable, "-c", CROWD_PROCESS, str(running.port), session, str(clients // 2)]
            halves.append(subprocess.Popen(arguments, stdout=subprocess.PIPE, cwd=ROOT))
        for half in halves:
            assert half.stdout is not None
            assert half.stdout.readline() == b"in\n"
        time.sleep(2.0)
        before = running.figures(reset=True)
        for half in halves:
            half.kill()
        begun = time.monotonic()
        while running.figures()["connections"] > 0 and time.monotonic() - begun < 60:
            time.sleep(0.05)
        gone = time.monotonic() - begun
        time.sleep(3.0)
        after = running.figures()
        report.line(f"{before['connections']} members dropped at once: loop late", after["loop_late_seconds"]["max"] * 1e3, "ms", 50)
        report.line("until the node has let them go", gone, "s", None)
        report.line("CPU per leave", (after["cpu"] - before["cpu"]) / clients * 1e6, "us", None)
        for half in halves:
            half.wait()


def stalled_readers(report: Report, readers: int) -> None:
    """Half of the readers stop reading while messages keep coming; how soon they stop mattering, and whether the others notice."""
    with node() as running:
        crowd, _trainer = open_class(running, receive_buffer=16 * 1024)
        members = crowd.join(f"m{n}" for n in range(readers))
        talkers = crowd.join(f"t{n}" for n in range(150))
        deaf, hearing = members[: readers // 2], members[readers // 2 :]
        said = 0

        def talk(elapsed: float) -> None:
            nonlocal said
            while said < (time.monotonic() - begun) * 60:
                crowd.command(talkers[said % len(talkers)], type="post_chat", text=(stamp() + "x" * 2_000)[:1_990])
                said += 1

        begun = time.monotonic()
        crowd.run(4.0, talk)
        calm = quantile([late for member in hearing for late in member.latencies], 0.99)
        for member in hearing:
            member.latencies.clear()
        for member in deaf:
            crowd.deafen(member)
        lagging_at = done_at = None
        end = time.monotonic() + 30
        while done_at is None and time.monotonic() < end:
            crowd.run(0.1, talk)
            figures = running.figures()
            out = figures["dropped_stalled"] + figures["dropped_behind"] + figures["behind"]
            if lagging_at is None and figures["lagging"] + out > 0:
                lagging_at = time.monotonic()
            if out >= len(deaf):
                done_at = time.monotonic()
        crowd.run(3.0, talk)
        stormy = quantile([late for member in hearing for late in member.latencies], 0.99)
        waited = done_at - lagging_at if done_at is not None and lagging_at is not None else float("inf")
        report.line(f"{len(deaf)} of {readers} readers stall: gone or behind", waited, "s", 5)
        report.line("others' delivery p99 before", calm * 1e3, "ms", None)
        report.line("others' delivery p99 meanwhile", stormy * 1e3, "ms", max(2 * calm * 1e3, 100))
        report.line("others lost", crowd.closed, "", 0)
        crowd.leave()


SCENARIOS: Final = ("frame", "steady", "join", "drop", "stall")


def main() -> int:
    """Run the scenarios asked for and write var/bench/signaling.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="the same at smaller length, for a quick look")
    parser.add_argument("scenario", nargs="*", choices=[*SCENARIOS, []], help="which to run; all by default")
    options = parser.parse_args()
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    wanted = options.scenario or SCENARIOS
    report = Report()
    if "frame" in wanted:
        frame_cost(report, 1_000, 5 if options.short else 11, 100)
        if not options.short:
            frame_cost(report, 5_000, 3, 50)
    if "steady" in wanted:
        steady(report, 1_000, 50, 15 if options.short else 120)
    if "join" in wanted:
        join_storm(report, 2_000)
    if "drop" in wanted:
        mass_drop(report, 2_000 if options.short else 8_000)
    if "stall" in wanted:
        stalled_readers(report, 60)
    report.save("signaling", whole=as_usual(parser, options), options=vars(options))
    return 1 if report.missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
