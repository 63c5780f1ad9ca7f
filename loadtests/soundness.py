"""Whether viewers got what was sent to them: a server that sends nothing, or the wrong things, is not cheap."""

import sys
from collections.abc import Iterable, Mapping, Sequence

from loadtests.report import Report
from loadtests.swarm import Told, forwarded, metric_delta

#: of what was sent, while the machine is allowed a hiccup
ENOUGH: float = 0.95


def came(run: Told, streams: int, layers: int = 1) -> float:
    """Pictures that those who got in received by pictures sent, if each watches so many publishers, in one of so many layers.

    What a server keeps for newcomers is left out: it would hide as many pictures that never came.
    """
    received = run["receive"]
    return _share(run, received["frames"] - received["replayed"], run["publish"]["frames"] / layers, streams)


def heard(run: Told, voices: int) -> float:
    """The same of audio packets, if each hears so many publishers."""
    return _share(run, run["receive"]["words"], run["publish"]["words"], voices)


def _share(run: Told, got: float, sent: float, streams: int) -> float:
    present = min(run["viewers"], run["join"]["joined"])
    due = sent / run["publishers"] * streams * present if run["publishers"] else 0.0
    return got / due if due else 0.0


def unsent(run: Told) -> int:
    """Datagrams that the engine counted as forwarded and the kernel did not take."""
    return metric_delta(run, "dropped_send_full") + metric_delta(run, "send_errors")


def arrived(run: Told) -> float:
    """Media packets received by those the engine counted as forwarded."""
    sent = forwarded(run)
    return float(run["receive"]["media_packets"] / sent) if sent else 0.0


def generator_share(run: Told) -> float:
    """CPU of the load generator by that of the server; both had the same packets, so by packet it is the same."""
    used = run["server"]["cpu_seconds"]
    return float(run["swarm"]["cpu_seconds"] / used) if used else float("nan")


def traffic(run: Told, streams: int, voices: int) -> Mapping[str, int]:
    """Options of `jiangtai-swarm floor` for what each viewer of this run was sent."""
    got = run["receive"]
    return {
        "sources": streams,
        "packets": max(1, round(got["video_packets"] / max(1, got["frames"]))),
        "bytes": round(got["video_bytes"] / max(1, got["video_packets"])),
        "voices": voices,
        "voice_bytes": round(got["audio_bytes"] / max(1, got["audio_packets"])),
    }


def judge(report: Report, name: str, runs: Sequence[Told], *, streams: int = 1, voices: int = 1, layers: int = 1) -> None:
    """Every round: everybody came, and what each viewer sees and hears came whole, without stops, and can be decoded.

    Strict whatever the size: costs of a round that was not sound are costs of something else.
    """
    checks = [run["checks"] for run in runs]
    report.line(f"{name}: joins failed", sum(run["join"]["failed"] for run in runs), "", 0)
    report.line(f"{name}: streams broken or silent", sum(map(_unsound, checks)), "", 0)
    report.line(f"{name}: streams frozen", sum(check["frozen"] for check in checks), "", 0)
    for kind in [kind for kind, unit in (("video", "frames"), ("audio", "words")) if any(run["publish"][unit] for run in runs)]:
        longest = [check["gap_ms"][kind]["max"] for check in checks]
        report.line(f"{name}: longest time without {kind}", None if None in longest else max(longest), "ms", None)
    if any(run["publish"]["frames"] for run in runs):
        report.line(f"{name}: frames that came", 100 * min(came(run, streams, layers) for run in runs), "%", 100 * ENOUGH, least=True)
        report.line(f"{name}: video not recognised", sum(run["receive"]["unrecognised"]["video"] for run in runs), "", 0)
    if any(run["publish"]["words"] for run in runs):
        report.line(f"{name}: audio that came", 100 * min(heard(run, voices) for run in runs), "%", 100 * ENOUGH, least=True)
    report.line(f"{name}: packets lost", max(run["receive"]["loss_permille"] for run in runs), "permille", None)
    report.line(f"{name}: not taken from the kernel in time", _dropped(runs), "", None)
    if all(run["figures"] for run in runs):
        # Costs are by what the engine counted as forwarded, and it counts before it sends. A frame or so is on its way when the window
        # opens and when it closes: one per cent of five seconds.
        report.line(f"{name}: forwarded and not sent", sum(map(unsent, runs)), "", 0)
        least = 100 - max(1, 5 / min(run["seconds"] for run in runs))
        report.line(f"{name}: received by forwarded", 100 * min(map(arrived, runs)), "%", least, least=True)
    tell_examples(runs)


def tell_examples(runs: Iterable[Told]) -> None:
    """What was wrong with a few streams and joins."""
    for run in runs:
        for example in [*run["checks"].get("examples", ())[:3], *run["join"].get("examples", ())[:1]]:
            print(f"  {example}", file=sys.stderr)


def _unsound(checks: Told) -> int:
    return int(checks["broken"] + checks["streams"] - checks["playing"])


def _dropped(runs: Iterable[Told]) -> int:
    return sum(run["swarm"]["receive_buffer_errors"] for run in runs)
