"""`jiangtai swarm`: finds the load generator, which is a program of its own (media/engine/swarm), and becomes it.

It is not part of the wheel: it is looked for where JIANGTAI_SWARM says, among what the checkout has built, and on PATH. `class` puts a
whole class on a running node; what speaks our signaling for it stands with the other load tests, so this needs the checkout.
"""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn

NAME: Final = "jiangtai-swarm"
ROOT: Final = Path(__file__).parents[1]
CRATE: Final = ROOT / "media" / "engine" / "swarm"
#: says where the program is
VARIABLE: Final = "JIANGTAI_SWARM"


class NotBuilt(Exception):
    """The load generator, or what it needs, is not here; the message says how to get it."""


def find(environ: Mapping[str, str] | None = None, crate: Path = CRATE) -> Path:
    """The program; raises NotBuilt. What JIANGTAI_SWARM names must be there, or nothing is found."""
    variables = os.environ if environ is None else environ
    said = variables.get(VARIABLE)
    if said:
        if not os.access(said, os.X_OK):
            raise NotBuilt(f"{VARIABLE}={said} is not a program")
        return Path(said)
    built = crate / "target" / "release" / NAME
    if built.exists():
        return built
    found = shutil.which(NAME, path=variables.get("PATH"))
    if found is None:
        raise NotBuilt(f"{NAME} is not built: cargo build --release --manifest-path media/engine/swarm/Cargo.toml, or {VARIABLE}=<program>")
    return Path(found)


def command(words: Sequence[str], environ: Mapping[str, str] | None = None, root: Path = ROOT) -> tuple[list[str], dict[str, str]]:
    """The command line and environment to go on with for `jiangtai swarm WORDS`; raises NotBuilt."""
    variables = dict(os.environ if environ is None else environ)
    program = find(variables, root / "media" / "engine" / "swarm")
    if list(words[:1]) != ["class"]:
        return [str(program), *words], variables
    if not (root / "loadtests" / "class_swarm.py").exists():
        raise NotBuilt("`swarm class` needs a checkout: what speaks signaling for the load generator is not part of the package")
    paths = [str(root), *filter(None, [variables.get("PYTHONPATH")])]
    return [sys.executable, "-m", "loadtests.class_swarm", *words[1:]], {**variables, "PYTHONPATH": os.pathsep.join(paths)}


def become(words: Sequence[str]) -> NoReturn:
    """Go on as that process; raises NotBuilt, OSError."""
    line, variables = command(words)
    sys.stdout.flush()
    os.execve(line[0], line, variables)  # noqa: S606 - no shell is wanted
