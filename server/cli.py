"""The `jiangtai` command: serve a node, and look after it from its own machine.

Commands about classes talk to the running node over its API, signed in by the node's own key; those about keys and the audit read `var`.
"""

import argparse
import asyncio
import hashlib
import json
import secrets
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from server import auth, keyring, recordings, swarm
from server import config as configuration
from server.config import Config, ConfigError
from server.erasure import commands as erasure_commands
from server.records import commands as records_commands
from server.records import ledger_commands
from server.records.destinations import BadDestinations
from server.retention import commands as retention_commands
from signaling.classroom.replay_access import ReplayAccess
from signaling.classroom.roles import Role
from signaling.classroom.settings import Profile

_TIMEOUT_S: Final = 10.0


class Failed(Exception):
    """The command cannot be done; the message is for a person."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        if words[:1] == ["swarm"]:
            swarm.become(words[1:])  # options and all, those of argparse included
        options = _parser().parse_args(words)
        config = configuration.load(options.config, overrides=_overrides(options))
        return int(options.run(config, options) or 0)
    except ConfigError as error:
        sys.stderr.writelines(f"jiangtai: {problem}\n" for problem in error.problems)
        return 2
    except (Failed, recordings.Failed, OSError, keyring.KeyProblem, swarm.NotBuilt, BadDestinations) as error:
        sys.stderr.write(f"jiangtai: {error}\n")
        return 1


def _serve(config: Config, options: argparse.Namespace) -> int:
    from server import serve

    return serve.run(config)


def _reference(config: Config, options: argparse.Namespace) -> None:
    _print(configuration.reference().rstrip())


def _token(config: Config, options: argparse.Namespace) -> None:
    token = auth.issue(
        auth.Kind.JOIN,
        _ring(config),
        audience=config.tokens.audience,
        now=time.time(),
        sub=options.sub,
        room=options.session,
        role=Role(options.role),
        name=options.name,
    )
    _print(f"{_url(config, options)}/join#token={token}")


def _operator(config: Config, options: argparse.Namespace) -> None:
    token = auth.issue(auth.Kind.OPERATOR, _ring(config), audience=config.tokens.audience, now=time.time(), sub="operator")
    _print(f"{_url(config, options)}/operator#login={token}")


def _class_create(config: Config, options: argparse.Namespace) -> None:
    wanted = {name: getattr(options, name) for name in ("title", "profile", "session", "policy", "replay")}
    body = {name: value for name, value in wanted.items() if value is not None}
    _print(_call(config, options, "POST", "/classes", body)["session"])


def _class_list(config: Config, options: argparse.Namespace) -> None:
    after = ""
    while True:
        page = _call(config, options, "GET", f"/classes?ended={str(options.ended).lower()}&limit=100{after}")
        for found in page["classes"]:
            _print(f"{found['session']}  {found['phase'] or 'asleep':<9}  {found['present']:>5}  {found['title']}")
        if page["next"] is None:
            return
        after = f"&after={page['next']}"


def _class_end(config: Config, options: argparse.Namespace) -> None:
    _call(config, options, "POST", f"/classes/{options.session}/end", {})


def _audit_show(config: Config, options: argparse.Namespace) -> None:
    after, page = 0, {}
    while after is not None:
        page = _call(config, options, "GET", f"/classes/{options.session}/audit?limit=500&after={after}")
        for entry in page["entries"]:
            _print(json.dumps(entry, ensure_ascii=False))
        after = page["next"]
    if page["checkpoint"] is not None:
        _print(json.dumps({"act": "checkpoint", "details": {"note": page["checkpoint"]}}, ensure_ascii=False))


def _audit_verify(config: Config, options: argparse.Namespace) -> int:
    verdict = asyncio.run(_verify(config, options.session))
    if verdict.broken_at is not None:
        _print(f"BROKEN at record {verdict.broken_at}; {verdict.records} records before it are whole")
        return 1
    erased = f" ({verdict.erased} erased, their hashes kept)" if verdict.erased else ""
    _print(f"whole: {verdict.records} records{erased}, head {verdict.chain.hex()}")
    return 0


async def _verify(config: Config, session: str) -> Any:
    from server.adapters.sqlite import Database
    from server.adapters.sqlite_journal import SqliteDirectory, SqliteJournal

    file = config.var_dir / "jiangtai.sqlite"
    if not file.exists():
        raise Failed(f"no journal at {file}")
    database = Database(file)
    await database.start()
    try:
        found = await SqliteDirectory(database).get(session)
        if found is not None and found.get("expired_at") is not None:
            raise Failed("the log of this class is no longer kept; `ledger verify` proves the rest and counts what is gone")
        return await SqliteJournal(database).verify(session)
    finally:
        await database.close()


def _key_rotate(config: Config, options: argparse.Namespace) -> None:
    kid = keyring.rotate(_own_keys(config), time.time())
    _print(f"{kid} signs from the next SIGHUP on; the former key is good for {keyring.OVERLAP_S // 3600} h more")


def _key_api(config: Config, options: argparse.Namespace) -> None:
    key = secrets.token_urlsafe(32)
    _print(f'key (shown once): {key}\n[tokens]\napi_keys = ["{options.name}:{hashlib.sha256(key.encode()).hexdigest()}"]')


def _call(config: Config, options: argparse.Namespace, method: str, path: str, body: Any = None) -> Any:
    token = auth.issue(auth.Kind.API, _ring(config), audience=config.tokens.audience, now=time.time(), sub="cli")
    url = f"{_url(config, options)}/api/v1{path}"
    if not url.startswith(("http://", "https://")):
        raise Failed("--url must start with http:// or https://")
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - the scheme was checked
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S, context=_trust(config)) as response:  # noqa: S310
            return json.load(response)
    except urllib.error.HTTPError as error:
        raise Failed(f"{error.code}: {error.read(1000).decode('utf-8', 'replace')}") from None
    except urllib.error.URLError as error:
        raise Failed(f"no node at {_url(config, options)}: {error.reason}") from None


def _trust(config: Config) -> ssl.SSLContext | None:
    made = config.var_dir / "tls" / "self-signed.pem"
    return ssl.create_default_context(cafile=made) if config.tls == "self-signed" and made.exists() else None


def _ring(config: Config) -> keyring.KeyRing:
    return keyring.open_ring(_own_keys(config))


def _own_keys(config: Config) -> Path:
    return config.var_dir / "keys" / "node.json"


def _url(config: Config, options: argparse.Namespace) -> str:
    return str(options.url or config.origin()).rstrip("/")


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")


def _overrides(options: argparse.Namespace) -> dict[str, Any]:
    wanted = {name: getattr(options, name, None) for name in ("demo", "tls", "host", "port", "var")}
    return {name: value for name, value in wanted.items() if value not in (None, False)}


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--config", type=Path, help="TOML file")
    common.add_argument("--var", help="state directory")
    remote = argparse.ArgumentParser(add_help=False, parents=[common])
    remote.add_argument("--url", help="where the node is, if not where the configuration says")
    parser = argparse.ArgumentParser(prog="jiangtai", description="Jiangtai, a live-classroom server")
    commands = parser.add_subparsers(dest="command", required=True)

    def add(group: Any, name: str, run: Callable[..., Any], text: str, parent: argparse.ArgumentParser = remote) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = group.add_parser(name, help=text, parents=[parent])
        made.set_defaults(run=run)
        return made

    serve = add(commands, "serve", _serve, "run one node", common)
    serve.add_argument("--demo", action="store_true", help="open a demo class and print one link per role")
    serve.add_argument("--tls", choices=["self-signed"], help="serve https with a certificate made here")
    serve.add_argument("--host", help="address to listen on")
    serve.add_argument("--port", type=int, help="port to listen on")
    reference = add(commands, "config", _reference, "about the configuration", common)
    reference.add_argument("--reference", action="store_true", required=True, help="print every field with its default")
    token = add(commands, "token", _token, "print a join link for one person (five minutes, used once)")
    token.add_argument("--class", dest="session", required=True, help="class id")
    token.add_argument("--role", required=True, choices=[role.value for role in Role])
    token.add_argument("--sub", required=True, help="who it is, in your own terms")
    token.add_argument("--name", required=True, help="name shown in class")
    add(commands, "operator", _operator, "print a login link for the operator page (five minutes, used once)")
    classes = commands.add_parser("class", help="make, list, end classes").add_subparsers(required=True)
    create = add(classes, "create", _class_create, "make a class, print its id")
    create.add_argument("--title", required=True)
    create.add_argument("--profile", default=Profile.SMALL.value, choices=[profile.value for profile in Profile])
    create.add_argument("--session", help="an id of your own")
    create.add_argument("--policy", help="rules of attendance, as <id>.<version>")
    create.add_argument("--replay", choices=[access.value for access in ReplayAccess], help="who may watch the recordings")
    add(classes, "list", _class_list, "list classes").add_argument("--ended", action="store_true", help="those over, too")
    add(classes, "end", _class_end, "end a class for everybody").add_argument("session")
    audit = commands.add_parser("audit", help="the audit trail").add_subparsers(required=True)
    add(audit, "show", _audit_show, "print the trail of a class, one JSON object per line").add_argument("session")
    add(audit, "verify", _audit_verify, "recompute the hash chain of a class", common).add_argument("session")
    records_commands.add_commands(commands, add, common, _print)
    ledger_commands.add_commands(commands, add, common, _print)
    recordings.add_commands(commands, add, common)
    retention_commands.add_commands(commands, add, common, _print)
    erasure_commands.add_commands(commands, add, common, _print)
    key = commands.add_parser("key", help="signing and API keys").add_subparsers(required=True)
    add(key, "rotate", _key_rotate, "give the node a fresh signing key", common)
    add(key, "api", _key_api, "make an API key", common).add_argument("name")
    commands.add_parser("swarm", help="put load on a server: class, run or floor, each with its options")  # see main
    return parser


if __name__ == "__main__":
    sys.exit(main())
