"""A process that writes class after class to a journal with statements beside it, until it is killed. Arguments: database, seed."""

import asyncio
import random
import sys
from pathlib import Path

from tests.support.filled import Filled
from tests.support.recorded import everything


async def main(path: str, seed: int) -> None:
    records = everything().records()
    async with Filled(Path(path), ("lrs", "hook")) as filled:
        sys.stdout.write("READY\n")
        sys.stdout.flush()
        chance = random.Random(seed)

        async def write(number: int) -> None:
            session, at = f"class-{seed}-{number}", 0
            while at < len(records):
                batch = records[at : at + chance.randint(1, 4)]
                await filled.journal.append(session, at, batch)
                at += len(batch)

        number = 0
        while True:
            await asyncio.gather(*(write(number + n) for n in range(4)))
            number += 4


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
