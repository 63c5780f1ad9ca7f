"""`jiangtai swarm class`: a whole class on a running node, trainers on stage and trainees who watch, with real media and real signaling.

Makes a class, brings everybody in, measures a window, ends the class. One JSON object on stdout (what `jiangtai-swarm run` tells, with
what the class knows under `class`), a short table on stderr; the exit status is the load generator's. Options not listed here go to it:
`--seconds`, `--layer`, `--codec`, `--simulcast`, `--churn`, `--pid` and the others in media/engine/swarm/README.md. With `--door whip`
the node's own WHIP and WHEP are used instead, where encoders and players come in without signaling; an assistant starts the class.

Needs the node's own key (`--var`, `--config` as for the other commands), so it runs beside the node.
"""

import argparse
import asyncio
import json
import resource
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import aiohttp

from loadtests.class_door import Door, NodeAccess, Turned, call, listening
from loadtests.swarm import ROOT, words
from server import config as configuration
from server import keyring
from server.swarm import NotBuilt, find
from signaling.classroom.roles import Role
from tests.support.member import Refused

#: a small class has so many places (signaling/classroom/settings.py)
SMALL: Final = 50
MOST_TILES: Final = 25
#: how many people one hears at a time
VOICES: Final = 3
#: after joins and the window have had their time
SLACK_S: Final = 60.0


class Unusable(Exception):
    """The load generator told nothing; the text says what it ended with."""


def parse(arguments: Sequence[str] | None) -> tuple[argparse.Namespace, list[str]]:
    """Our options, and the load generator's."""
    parser = argparse.ArgumentParser(
        prog="jiangtai swarm class", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--url", help="where the node is, if not where the configuration says")
    parser.add_argument("--config", type=Path, help="TOML file of the node")
    parser.add_argument("--var", help="state directory of the node")
    parser.add_argument("--trainers", type=int, default=1, help="who publish (1)")
    parser.add_argument("--viewers", type=int, default=100, help="trainees who watch (100)")
    parser.add_argument("--tiles", type=int, help="gallery places of a viewer beside the main one (all other trainers, at most 25)")
    parser.add_argument("--profile", choices=["small", "large"], help="of the class (small up to 50 people)")
    parser.add_argument("--door", choices=["signaling", "whip"], default="signaling", help="how people come in (signaling)")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds after which the load generator is ended (300)")
    options, rest = parser.parse_known_args(arguments)
    if options.trainers < 1 or options.viewers < 0:
        parser.error("a class needs a trainer")
    if options.door == "whip" and "--churn" in rest:
        parser.error("tokens are used once: no --churn with --door whip")
    return options, rest


async def generate(program: Path, given: Mapping[str, object], rest: Sequence[str], timeout_s: float) -> tuple[int, dict[str, Any]]:
    """Exit status of `jiangtai-swarm run` and what it tells; raises Unusable."""
    line = [str(program), "run", *words(given), *rest]
    process = await asyncio.create_subprocess_exec(*line, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
    try:
        async with asyncio.timeout(timeout_s):
            out, _ = await process.communicate()
    except TimeoutError:
        raise Unusable(f"the load generator was not done after {timeout_s:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if not out.startswith(b"{"):
        raise Unusable(f"the load generator ended with {process.returncode}")
    return process.returncode or 0, json.loads(out)


async def run(options: argparse.Namespace, rest: Sequence[str]) -> tuple[int, dict[str, Any]]:
    """Exit status and report; raises Unusable, Turned, NotBuilt, OSError."""
    program = find()
    config = configuration.load(options.config, overrides={"var": options.var} if options.var else {})
    ring = keyring.open_ring(config.var_dir / "keys" / "node.json")
    node = NodeAccess(str(options.url or config.origin()).rstrip("/"), ring, config.tokens.audience)
    people = options.trainers + options.viewers
    profile = options.profile or ("small" if people <= SMALL else "large")
    connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=None, connect=20)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=timeout) as http:
        made = await call(http, node, "POST", "/classes", {"title": "Load", "profile": profile})
        door = Door(node, made["session"], min(MOST_TILES, options.trainers - 1) if options.tiles is None else options.tiles, http)
        given: dict[str, object] = {"publishers": options.trainers, "viewers": options.viewers}
        try:
            async with listening(door) as url:
                with tempfile.TemporaryDirectory() as folder:
                    given |= {"figures": f"{url}/figures"}
                    if options.door == "whip":
                        given |= whip(node, door, options, Path(folder))
                        await door.open_class()
                    else:
                        given |= {"whip": f"{url}/publish", "whep": f"{url}/view", "server_offers": True}
                    status, told = await generate(program, given, rest, options.timeout)
        finally:
            await call(http, node, "POST", f"/classes/{door.session}/end", {})
    told["class"] = klass = {"door": options.door, "profile": profile, "tiles": door.tiles, **told.pop("figures")}
    klass["silent"] = silent(told, door.tiles, rest) if "--churn" not in rest else None
    unsound = klass["silent"] or klass["end"]["heard"].get("gaps", 0)
    return status or int(bool(unsound)), told


def silent(told: Mapping[str, Any], tiles: int, rest: Sequence[str]) -> int:
    """Streams that should have played and did not: everybody who joined is to hear three and to see as many as there are places."""
    if told["class"]["door"] == "whip":
        voices, pictures = 1, 1
    else:
        voices, pictures = min(VOICES, told["publishers"]), min(1 + tiles, told["publishers"])
    each = (0 if "--no-audio" in rest else voices) + (0 if "--no-video" in rest else pictures)
    return max(0, int(told["join"]["joined"] * each - told["checks"]["playing"]))


def whip(node: NodeAccess, door: Door, options: argparse.Namespace, folder: Path) -> dict[str, object]:
    """The node's own WHIP and WHEP, with a token for everybody: each is used once, so nobody can come again."""
    given: dict[str, object] = {}
    for name, role, count in (("whip", Role.TRAINER, options.trainers), ("whep", Role.TRAINEE, options.viewers)):
        tokens = folder / name
        tokens.write_text("\n".join(node.join_token(door.session, f"{role.value} {n + 1}", role) for n in range(count)))
        given |= {name: f"{node.url}/api/v1/{name}", f"{name}_token": f"@{tokens}"}
    return given


def table(told: Mapping[str, Any]) -> str:
    """What matters of a report, for a person."""
    join, checks, klass = told["join"], told["checks"], told["class"]
    begin, end = klass["start"], klass["end"]
    lines = [
        ("people", f"{told['publishers']} trainers, {told['viewers']} viewers; the node counts {begin['present']} present"),
        (
            "joins",
            f"{join['joined']} of {join['asked']}, {join['per_second']:.1f}/s; first picture p99 {join['first_frame_ms']['p99'] or '-'} ms",
        ),
        (
            "streams",
            f"{checks['playing']} of {checks['streams']} played, {checks['broken']} broken, {checks['frozen']} frozen, "
            f"{klass['silent']} silent that should not be",
        ),
    ]
    for kind, delays in told["delay_ms"].items():
        if delays["n"]:
            lines.append((f"{kind} delay", f"p50 {delays['p50']}, p95 {delays['p95']}, p99 {delays['p99']}, max {delays['max']} ms"))
    received = told["receive"]
    lines.append(("received", f"{received['packets']} packets, {received['kbps'] / 1000:.1f} Mbit/s, {received['lost']} lost"))
    if klass["door"] == "signaling":
        heard = end["heard"]
        lines.append(
            ("signaling", f"{heard.get('events', 0)} events, {heard.get('signals', 0)} signals heard, {heard.get('gaps', 0)} gaps")
        )
        lines.append(("steps, p99", ", ".join(f"{step} {took['p99']} ms" for step, took in end["steps_ms"].items())))
    if told["server"]:
        lines.append(
            ("node", f"{told['server']['cpu_seconds'] / told['seconds']:.2f} cores, {told['server']['cpu_us_per_packet']:.2f} us/packet")
        )
    lines += [("broken", example) for example in checks["examples"]] + [("failed", example) for example in join["examples"]]
    return "".join(f"{name:<14} {text}\n" for name, text in lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; returns the exit status."""
    options, rest = parse(arguments)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, hard), hard))
    try:
        status, told = asyncio.run(run(options, rest))
    except (Unusable, Turned, Refused, NotBuilt, OSError, aiohttp.ClientError, configuration.ConfigError, keyring.KeyProblem) as error:
        sys.stderr.write(f"jiangtai swarm class: {error}\n")
        return 2
    print(json.dumps(told))
    sys.stderr.write(table(told))
    return status


if __name__ == "__main__":
    raise SystemExit(main())
