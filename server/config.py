"""What an operator may set, with defaults that start a working node on one machine.

Order of force: command line, then `JIANGTAI_…` environment, then the TOML file, then the default. Every problem is reported, not only
the first. A field's environment name is its dotted name in capitals with underscores: `media.udp_ports` is `JIANGTAI_MEDIA_UDP_PORTS`;
lists are written with commas. The text under a field is its documentation; `reference()` prints it.
"""

import ast
import dataclasses
import inspect
import ipaddress
import itertools
import os
import re
import socket
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from media.addresses import local_addresses
from server.retention.policy import BadRetention, Days, Policy, configured

_STORE: Final = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_][A-Za-z0-9._-]{0,127}){0,4}/?")
_ENDPOINT: Final = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9a-f:]+\])(:\d{1,5})?/?")


class ConfigError(Exception):
    """The configuration cannot be used; `problems` holds one sentence each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, kw_only=True)
class Media:
    """Where audio and video travel."""

    bind: str = "0.0.0.0"  # noqa: S104 - media is authenticated packet by packet, and some browsers never try loopback
    """Address the media sockets listen on; empty: the same as `host`."""
    announce: tuple[str, ...] = ()
    """Addresses told to browsers, for a node behind one-to-one NAT; empty: the bound address, or every address of this machine."""
    udp_ports: tuple[int, ...] = (0,)
    """UDP ports, one engine thread each; 0 takes any free port."""
    tcp_port: int = 0
    """Port for media over TCP where UDP is blocked; 0 takes any free port, -1 switches it off."""


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Who may sign join tokens and call the API."""

    audience: str = "jiangtai"
    """The `aud` a join token must carry."""
    keys_file: str = ""
    """JSON Web Key Set: public keys of those who may sign (each with kid, alg, iss; optional nbf, exp, uses); read again on SIGHUP."""
    keys: str = ""
    """The same key set as text, for nodes configured by environment only."""
    api_keys: tuple[str, ...] = ()
    """Callers of the class API as `name:sha256-of-the-key-in-hex`."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds that keep one guest from spoiling the house."""

    open_per_address: int = 1000
    """Connections one address may hold open before it proved a seat; older idle ones make room first."""
    failures_per_second: int = 50
    """Refused logins per second and address before its connections are closed at once."""
    head_seconds: int = 9
    """Time for a complete request head on a connection."""
    body_seconds: int = 10
    """Time for a complete request body."""
    body_bytes: int = 65536
    """Largest request body."""
    requests_per_minute: int = 240
    """API calls a seat may make."""
    file_requests_per_minute: int = 6000
    """Files of replays a seat or an operator may ask for."""
    service_requests_per_minute: int = 6000
    """API calls a service or an operator may make."""
    seat_hours: int = 18
    """How long a seat (and its cookie) lives."""


@dataclass(frozen=True, kw_only=True)
class Records:
    """What of a class is told outside as xAPI statements, and where to; nothing unless a destination or the feed is set."""

    site: str = ""
    """Root of the ids in statements, an address of yours; empty: `public_url`. Never change it while a store holds statements."""
    destinations_file: str = ""
    """TOML file with one table per destination (kind, url, authorization_file or secret_file; see ARCHITECTURE.md)."""
    destinations: str = ""
    """The same as text, for nodes configured by environment only."""
    feed: bool = False
    """Make statements for `GET /api/v1/records` even without a destination."""
    shed_after: int = 500000
    """Statements due at one destination beyond which those about devices and reactions are left out."""
    keep_days: int = 90
    """How long acknowledged statements are kept."""


@dataclass(frozen=True, kw_only=True)
class Retention:
    """How many days after its end a class's things are kept, by kind; 0 keeps for ever. Nothing under a legal hold goes."""

    journal_days: int = 7
    """Raw media, after the published replay was read whole; never without one."""
    replay_days: int = 0
    """Published replays; with one its recording is deleted."""
    log_days: int = 0
    """The class log: chat, attendance, audit; the replays go with it. The ledger keeps the hashes."""
    watched_days: int = 0
    """Who watched what of a replay."""
    torn_days: int = 30
    """Files of raw media that a crash left without a readable head."""
    tenants_file: str = ""
    """TOML file with one table per tenant (API caller or issuer of its tokens) whose days differ, fields as here but for the tenants."""
    tenants: str = ""
    """The same as text, for nodes configured by environment only."""

    def policy(self) -> Policy:
        """The rules; raises BadRetention with every problem, OSError."""
        texts = [Path(self.tenants_file).read_text("utf-8")] if self.tenants_file else []
        house = {name: getattr(self, name) for name in Days.__struct_fields__}
        return configured(house, [*texts, *([self.tenants] if self.tenants else [])])


@dataclass(frozen=True, kw_only=True)
class Recordings:
    """Where published recordings are kept, and how they reach those who watch."""

    store: str = ""
    """`s3://bucket/prefix` of a store that speaks S3 (needs `jiangtai[s3]`); empty: under `var`. What is published stays where it is."""
    endpoint: str = ""
    """Address of the store, e.g. https://s3.example.org; empty: as the environment says (AWS_ENDPOINT_URL), else that of the region."""
    region: str = ""
    """Region of the bucket; empty: as the environment says (AWS_REGION), else us-east-1."""
    virtual_hosted: bool = False
    """The bucket is part of the host name, and of `endpoint` if that is set (needed by Aliyun OSS and Tencent COS)."""
    credentials_file: str = ""
    """AWS credentials file (section default), read again every 5 minutes; empty: the environment (AWS_ACCESS_KEY_ID, …), the instance."""
    authorities_file: str = ""
    """PEM file with further certificate authorities for `endpoint`."""
    serve: str = "node"
    """`node`: files come through this node; `presigned`: media come from the store, by addresses good for `presigned_seconds`."""
    presigned_seconds: int = 3600
    """Life of such an address: whoever has one may read that one file so long, even after being sent out of the class."""

    @property
    def media_origin(self) -> str:
        """The web origin that pages load media from besides this node; empty if there is none."""
        if not self.store or self.serve != "presigned":
            return ""
        if endpoint := self.endpoint or os.environ.get("AWS_ENDPOINT_URL", ""):
            return "/".join(endpoint.split("/")[:3])
        host = f"s3.{self.region or os.environ.get('AWS_REGION', 'us-east-1')}.amazonaws.com"
        return f"https://{self.store.split('/')[2]}.{host}" if self.virtual_hosted else f"https://{host}"


@dataclass(frozen=True, kw_only=True)
class Config:
    """One node."""

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for a class across the network (browsers then demand TLS for cameras)."""
    port: int = 8080
    """HTTP port; 0 takes any free port."""
    public_url: str = ""
    """How browsers reach this node, if not by the address it listens on."""
    origins: tuple[str, ...] = ()
    """Further web origins whose pages may talk to this node."""
    private_host: str = "127.0.0.1"
    """Address of the private listener with /metrics and the detailed /healthz."""
    private_port: int = 9090
    """Its port; 0 takes any free port, -1 switches it off."""
    var: str = "var"
    """Directory for everything that must survive a restart."""
    tls: str = ""
    """`self-signed` makes a certificate and keeps it under `var`; empty: no TLS unless tls_cert is set."""
    tls_cert: str = ""
    """PEM file with the certificate chain."""
    tls_key: str = ""
    """PEM file with its private key."""
    demo: bool = False
    """Open a demo class at start and print one link per role."""
    log_level: str = "info"
    """debug, info, warning or error."""
    media: Media = field(default_factory=Media)
    """Where audio and video travel."""
    tokens: Tokens = field(default_factory=Tokens)
    """Who may sign join tokens and call the API."""
    limits: Limits = field(default_factory=Limits)
    """Bounds that keep one guest from spoiling the house."""
    records: Records = field(default_factory=Records)
    """What of a class is told outside."""
    retention: Retention = field(default_factory=Retention)
    """How long what a class leaves behind is kept."""
    recordings: Recordings = field(default_factory=Recordings)
    """Where published recordings are kept."""

    @property
    def secure(self) -> bool:
        """Whether this node speaks TLS itself."""
        return bool(self.tls or self.tls_cert)

    @property
    def var_dir(self) -> Path:
        """The state directory as a path."""
        return Path(self.var)

    def origin(self, port: int | None = None) -> str:
        """Scheme, host and port for links, e.g. http://127.0.0.1:8080; `port` replaces a configured 0."""
        if self.public_url:
            return self.public_url.rstrip("/")
        host = local_addresses()[0] if self.host in ("0.0.0.0", "::", "") else self.host  # noqa: S104 - compared, not bound
        return f"{'https' if self.secure else 'http'}://{f'[{host}]' if ':' in host else host}:{port or self.port}"

    def media_bind(self) -> str:
        """IP address the media sockets listen on."""
        return socket.gethostbyname(self.media.bind or self.host)

    def media_addresses(self) -> tuple[str, ...]:
        """IP addresses to announce as media candidates, never empty."""
        if self.media.announce:
            return self.media.announce
        bind = self.media_bind()
        if bind not in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not bound
            return (bind,)
        return tuple(local_addresses())


def load(path: Path | None = None, environ: Mapping[str, str] | None = None, overrides: Mapping[str, Any] | None = None) -> Config:
    """The configuration from a TOML file, the environment and overrides by dotted name; raises ConfigError with every problem."""
    problems: list[str] = []
    tree = _read_toml(path, problems)
    for name, kind in _leaves(Config):
        text = (os.environ if environ is None else environ).get(env_name(name))
        if text is not None:
            try:
                _plant(tree, name, _from_text(kind, text))
            except ValueError as error:
                problems.append(f"{env_name(name)}: {error}")
    for name, value in (overrides or {}).items():
        _plant(tree, name, value)
    config: Config | None = _build(Config, tree, "", problems)
    if config is not None:
        problems += check(config)
    if problems or config is None:
        raise ConfigError(problems)
    return config


def check(config: Config) -> list[str]:
    """What is wrong with values that have the right types."""
    problems = []
    for name, low in (("port", 0), ("private_port", -1), ("media.tcp_port", -1)):
        value = config.media.tcp_port if name == "media.tcp_port" else getattr(config, name)
        if not low <= value <= 65535:
            problems.append(f"{name}: {value} is no port")
    if not config.media.udp_ports or any(not 0 <= port <= 65535 for port in config.media.udp_ports):
        problems.append("media.udp_ports: at least one port from 0 to 65535")
    if config.tls not in ("", "self-signed"):
        problems.append("tls: empty or self-signed")
    if bool(config.tls_cert) != bool(config.tls_key):
        problems.append("tls_cert, tls_key: both or none")
    files = {"tls_cert": config.tls_cert, "tls_key": config.tls_key, "tokens.keys_file": config.tokens.keys_file}
    files["records.destinations_file"] = config.records.destinations_file
    files["retention.tenants_file"] = config.retention.tenants_file
    files |= {f"recordings.{name}": getattr(config.recordings, name) for name in ("credentials_file", "authorities_file")}
    problems += [f"{name}: no such file {path}" for name, path in files.items() if path and not Path(path).is_file()]
    if config.public_url and not config.public_url.startswith(("http://", "https://")):
        problems.append("public_url: must start with http:// or https://")
    problems += [f"origins: {origin!r} is not scheme://host[:port]" for origin in config.origins if not _is_origin(origin)]
    for address in config.media.announce:
        try:
            ipaddress.ip_address(address)
        except ValueError:
            problems.append(f"media.announce: {address!r} is no IP address")
    for entry in config.tokens.api_keys:
        name, _, digest = entry.partition(":")
        if not name or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            problems.append("tokens.api_keys: each entry is name:64 hex digits")
    problems += [f"limits.{f.name}: must be at least 1" for f in dataclasses.fields(Limits) if getattr(config.limits, f.name) < 1]
    problems += [*_check_records(config), *_check_retention(config), *_check_recordings(config.recordings)]
    if config.log_level not in ("debug", "info", "warning", "error"):
        problems.append("log_level: debug, info, warning or error")
    return problems


def _check_records(config: Config) -> list[str]:
    records = config.records
    problems = [f"records.{name}: must be at least 1" for name in ("shed_after", "keep_days") if getattr(records, name) < 1]
    if (records.feed or records.destinations or records.destinations_file) and not (records.site or config.public_url):
        problems.append("records.site: needed, or public_url, for the ids in statements")
    if records.site and not records.site.startswith(("http://", "https://")):
        problems.append("records.site: must start with http:// or https://")
    return problems


def _check_retention(config: Config) -> list[str]:
    try:
        config.retention.policy()
    except BadRetention as error:
        return list(error.problems)
    except (OSError, ValueError) as error:  # that there is no such file is told already
        return [] if isinstance(error, FileNotFoundError) else [f"retention.tenants_file: {error}"]
    return []


def _check_recordings(recordings: Recordings) -> list[str]:
    problems = []
    if recordings.store and not _STORE.fullmatch(recordings.store):
        problems.append("recordings.store: empty or s3://bucket or s3://bucket/prefix")
    if recordings.endpoint and not _ENDPOINT.fullmatch(recordings.endpoint):
        problems.append("recordings.endpoint: https://host[:port], or http:// within your own network; no name or password in it")
    if recordings.serve not in ("node", "presigned"):
        problems.append("recordings.serve: node or presigned")
    if not 600 <= recordings.presigned_seconds <= 43_200:
        problems.append("recordings.presigned_seconds: 600 to 43200")
    return problems


def reference() -> str:
    """Every field with its default, environment name and documentation, as a TOML file with comments."""
    lines: list[str] = ["# Jiangtai configuration. Every line shows the default."]

    def section(cls: Any, prefix: str) -> None:
        docs, nested = field_docs(cls), []
        for item in dataclasses.fields(cls):
            kind = typing.get_type_hints(cls)[item.name]
            if dataclasses.is_dataclass(kind):
                nested.append((item.name, kind))
                continue
            lines.extend(("", f"# {docs[item.name]}", f"# {env_name(prefix + item.name)}", f"{item.name} = {_toml(item.default)}"))
        for name, kind in nested:
            lines.extend(("", f"# {docs[name]}", f"[{prefix}{name}]"))
            section(kind, f"{prefix}{name}.")

    section(Config, "")
    return "\n".join(lines) + "\n"


def field_docs(cls: type) -> dict[str, str]:
    """The string literal under each annotated field of a class."""
    body = typing.cast(ast.ClassDef, ast.parse(inspect.getsource(cls)).body[0]).body
    docs = {}
    for item, after in itertools.pairwise(body):
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and isinstance(after, ast.Expr):
            docs[item.target.id] = " ".join(str(ast.literal_eval(after.value)).split())
    return docs


def env_name(dotted: str) -> str:
    """The environment variable of a field."""
    return "JIANGTAI_" + dotted.replace(".", "_").upper()


def _leaves(cls: type, prefix: str = "") -> typing.Iterator[tuple[str, Any]]:
    for name, kind in typing.get_type_hints(cls).items():
        if dataclasses.is_dataclass(kind):
            yield from _leaves(typing.cast(type, kind), f"{prefix}{name}.")
        else:
            yield prefix + name, kind


def _read_toml(path: Path | None, problems: list[str]) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        problems.append(f"{path}: {error}")
        return {}


def _plant(tree: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, leaf = dotted.split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
    tree[leaf] = value


def _build(cls: type, tree: Any, prefix: str, problems: list[str]) -> Any:
    if not isinstance(tree, dict):
        problems.append(f"{prefix.rstrip('.')}: must be a table")
        return None
    hints = typing.get_type_hints(cls)
    problems += [f"{prefix}{name}: unknown field" for name in tree if name not in hints]
    values = {}
    for name, raw in tree.items():
        kind = hints.get(name)
        if kind is None:
            continue
        if dataclasses.is_dataclass(kind):
            values[name] = _build(typing.cast(type, kind), raw, f"{prefix}{name}.", problems)
            continue
        value = tuple(raw) if isinstance(raw, list) else raw
        if _fits(kind, value):
            values[name] = value
        else:
            problems.append(f"{prefix}{name}: must be {_describe(kind)}, not {raw!r}")
    return cls(**{name: value for name, value in values.items() if value is not None})


def _fits(kind: Any, value: Any) -> bool:
    if isinstance(kind, types.GenericAlias):
        return isinstance(value, tuple) and all(_fits(kind.__args__[0], item) for item in value)
    return type(value) is kind


def _describe(kind: Any) -> str:
    if isinstance(kind, types.GenericAlias):
        return f"a list of {_describe(kind.__args__[0])}"
    return {str: "text", int: "a whole number", bool: "true or false"}[kind]


def _from_text(kind: Any, text: str) -> Any:
    if isinstance(kind, types.GenericAlias):
        return tuple(_from_text(kind.__args__[0], part.strip()) for part in text.split(",") if part.strip())
    if kind is bool:
        if text.lower() not in ("1", "0", "true", "false", "yes", "no", "on", "off"):
            raise ValueError(f"{text!r} is neither true nor false")
        return text.lower() in ("1", "true", "yes", "on")
    return int(text) if kind is int else text


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _is_origin(text: str) -> bool:
    scheme, _, rest = text.partition("://")
    return scheme in ("http", "https") and bool(rest) and "/" not in rest
