"""Figures that the engine's own crates tell of themselves."""

import re
import subprocess
import sys
from collections.abc import Mapping

from loadtests.swarm import ROOT

TIMEOUT_S = 120


def allocations_per_packet() -> float:
    """Heap allocations by packets forwarded, by the test that counts them; not a number if it tells none.

    What is measured elsewhere has the system's allocator.
    """
    told = cargo(
        "test", "jiangtai-net", "--test", "allocations", "--", "--nocapture", "--exact", "a_forwarded_packet_allocates_nothing_once_warm"
    )
    found = re.search(r"(\d+) allocations for (\d+) forwarded packets", told)
    return int(found[1]) / int(found[2]) if found else float("nan")


def sealing_us() -> Mapping[str, float]:
    """Microseconds to seal 1,200 bytes, by SRTP profile."""
    told = cargo("run", "jiangtai-core", "--release", "--example", "cost")
    return {profile: float(ns) / 1_000 for profile, ns in re.findall(r"seal RTP (\S+) +\d+ +(\d+)", told)}


def cargo(command: str, package: str, *arguments: str) -> str:
    """What one of the engine's crates prints; SubprocessError if it fails or takes longer than two minutes."""
    line = ["cargo", command, "--quiet", "--manifest-path", "media/engine/Cargo.toml", "-p", package, *arguments]
    done = subprocess.run(line, capture_output=True, text=True, cwd=ROOT, timeout=TIMEOUT_S, check=False)
    if done.returncode:
        print(done.stderr[-500:], file=sys.stderr)
    done.check_returncode()
    return done.stdout
