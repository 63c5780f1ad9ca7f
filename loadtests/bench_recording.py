"""`make bench-recording`: what recording a class costs, against its budgets.

The figures come from `media/engine/net/examples/recording.rs`: packets of twenty classes at the pace of a lesson go from a tape through the
recorder's own threads to disk with its own syncs; CPU is the kernel's account of these threads. Then one stream flat out, and the file it
made read back by verify and recovery, by the CPU they take (how fast the disk is, is the disk's). Then a lesson that is followed by the
packager's own processes (`loadtests/packager.py`): how soon after its end the replay is there, and what it costs. Each budget is one line;
a miss makes the exit status 1.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from loadtests import packager
from loadtests.report import Report, as_usual

ROOT: Final = Path(__file__).parents[1]
#: share of a core one class of 950 packets a second may take
CLASS_BUDGET: Final = 0.002
#: a sync that takes longer eats into the two seconds a power cut may cost
SYNC_MS: Final = 400.0
#: what a thousand classes of 5.2 Mbit/s would need is 650 MB/s; one writer thread serves a quarter of them
WRITE_MB_S: Final = 160.0
READ_MB_S: Final = 500.0
#: from the end of a class to its replay
READY_S: Final = 10.0
#: CPU of the packager per class hour, three voices all the time: a fortieth of a core
PACKAGER_S: Final = 90.0


def program() -> Path:
    """The built example."""
    target = os.environ.get("CARGO_TARGET_DIR") or ROOT / "media" / "engine" / "target"
    return Path(target) / "release" / "examples" / "recording"


def measure(folder: str, classes: int, seconds: int) -> dict[str, Any]:
    """One run of the example."""
    done = subprocess.run([program(), folder, str(classes), str(seconds)], capture_output=True, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def main() -> int:
    """Measure, print, keep; the exit status tells whether a budget was missed."""
    options = argparse.ArgumentParser(prog="bench-recording")
    options.add_argument("--classes", type=int, default=20)
    options.add_argument("--seconds", type=int, default=20)
    options.add_argument("--minutes", type=int, default=10, help="of the lesson that becomes a replay; figures are scaled to an hour")
    options.add_argument("--folder", help="where to write: the disk to be measured (default: a temporary folder under var)")
    chosen = options.parse_args()
    above = ROOT / "var"
    above.mkdir(exist_ok=True)
    report = Report()
    with tempfile.TemporaryDirectory(dir=chosen.folder or above) as folder:
        found = measure(folder, chosen.classes, chosen.seconds)
    with tempfile.TemporaryDirectory(dir=chosen.folder or above) as folder:
        replay = asyncio.run(packager.measure(Path(folder), chosen.minutes))
    report.line("recording: part of a core per class (950 packets/s)", found["core_per_class"] * 100, "%", CLASS_BUDGET * 100)
    report.line("recording: CPU per packet, tape to disk", found["cpu_us_per_packet"], "us", None)
    report.line("recording: packets lost", found["lost"], "", 0)
    report.line("recording: longest sync", found["sync_ms_max"], "ms", SYNC_MS)
    report.line("journal: written flat out with syncs", found["write_mb_s"], "MB/s", None)
    report.line("journal: written, per second of CPU", found["write_mb_cpu_s"], "MB/s", WRITE_MB_S, least=True)
    report.line("journal: verified, per second of CPU", found["verify_mb_cpu_s"], "MB/s", READ_MB_S, least=True)
    report.line("journal: recovered, per second of CPU", found["recover_mb_cpu_s"], "MB/s", None)
    scaled = f"(lesson of {chosen.minutes} min)"
    report.line(f"replay ready: end of recording to published {scaled}", replay.ready, "s", READY_S)
    report.line(f"packager seconds per class hour {scaled}", replay.packager, "s", PACKAGER_S)
    report.line(f"film and thumbnails, per class hour {scaled}", replay.finisher, "s", None)
    print(report.save("recording", whole=as_usual(options, chosen), options=vars(chosen), packets=found["packets"]))
    return int(report.missed)


if __name__ == "__main__":
    sys.exit(main())
