#!/usr/bin/env python3
"""The committed first inputs: seeds/<target>.txt, one input a line in hex, shortest first.

seeds.py unpack TARGET FOLDER   writes one file per input
seeds.py pack TARGET FOLDER     writes the inputs in FOLDER that are short enough to keep (a longer one seldom tells more)
"""

import sys
from pathlib import Path

SEEDS = Path(__file__).parent / "seeds"
#: longest input kept, bytes
LONGEST = {"shard": 500, "bwe": 2_000, "package": 400, "containers": 400}
LONGEST_ELSE = 200


def unpack(target: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, line in enumerate((SEEDS / f"{target}.txt").read_text().splitlines()):
        (folder / str(number)).write_bytes(bytes.fromhex(line))


def pack(target: str, folder: Path) -> None:
    inputs = {path.read_bytes() for path in folder.iterdir()}
    kept = sorted((data for data in inputs if len(data) <= LONGEST.get(target, LONGEST_ELSE)), key=lambda data: (len(data), data))
    (SEEDS / f"{target}.txt").write_text("".join(f"{data.hex()}\n" for data in kept))
    print(f"{target}: {len(kept)} of {len(inputs)} inputs")


if __name__ == "__main__":
    {"unpack": unpack, "pack": pack}[sys.argv[1]](sys.argv[2], Path(sys.argv[3]))
