"""The `jiangtai` command."""

import argparse
import sys
from pathlib import Path
from typing import Any

from server import config as configuration
from server.config import Config, ConfigError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command == "config":
        sys.stdout.write(configuration.reference())
        return 0
    try:
        config = _load(options)
    except ConfigError as error:
        sys.stderr.writelines(f"jiangtai: {problem}\n" for problem in error.problems)
        return 2
    from server import serve

    return serve.run(config)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="jiangtai", description="Jiangtai, a live-classroom server")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="run one node")
    serve.add_argument("--config", type=Path, help="TOML file")
    serve.add_argument("--demo", action="store_true", help="open a demo class and print one link per role")
    serve.add_argument("--tls", choices=["self-signed"], help="serve https with a certificate made here")
    serve.add_argument("--host", help="address to listen on")
    serve.add_argument("--port", type=int, help="port to listen on")
    reference = commands.add_parser("config", help="about the configuration")
    reference.add_argument("--reference", action="store_true", required=True, help="print every field with its default")
    return parser


def _load(options: argparse.Namespace) -> Config:
    overrides: dict[str, Any] = {}
    for name in ("demo", "tls", "host", "port"):
        value = getattr(options, name, None)
        if value not in (None, False):
            overrides[name] = value
    return configuration.load(options.config, overrides=overrides)


if __name__ == "__main__":
    sys.exit(main())
