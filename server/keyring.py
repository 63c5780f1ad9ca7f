"""The keys tokens are signed with: a table kid -> key, from a file, the environment and the node itself.

Each key has one algorithm, one issuer, a set of uses and an optional window of validity, so two keys of one issuer can overlap while it
rotates. The node's own key is made at first start and kept under `var/keys`, readable by its owner only; `rotate` adds a fresh one
and lets the old serve for the overlap. `reload` replaces the table whole, or keeps the old one if the new cannot be read.
"""

import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, import_key

#: issuer of tokens this node signs itself
NODE_ISSUER: Final = "node"
#: what a key may sign
USES: Final = frozenset({"join", "api", "invite", "operator"})
#: seconds an old node key stays good after a rotation: the longest token life (a demo invitation's day) and an hour
OVERLAP_S: Final = 25 * 3600
_ALGORITHMS: Final = {"EdDSA": ("OKP", "Ed25519"), "Ed25519": ("OKP", "Ed25519"), "ES256": ("EC", "P-256")}
_MAX_KEYS: Final = 1000


class KeyProblem(Exception):
    """A key set cannot be used; the message names the key and never its secret part."""


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """One entry of the table; `nbf` and `exp` are seconds since the epoch."""

    kid: str
    alg: str
    issuer: str
    uses: frozenset[str]
    key: OKPKey | ECKey
    nbf: int | None = None
    exp: int | None = None

    def valid_at(self, now: float) -> bool:
        """Whether the key's own window is open."""
        return (self.nbf is None or self.nbf <= now) and (self.exp is None or now < self.exp)


class KeyRing:
    """All keys of this node."""

    def __init__(self, sources: Callable[[], Mapping[str, SigningKey]], own: str) -> None:
        self._sources = sources
        self._own_kid = own
        self._keys: Mapping[str, SigningKey] = sources()

    def get(self, kid: str) -> SigningKey | None:
        """The key of that name, valid or not; None if unknown."""
        return self._keys.get(kid)

    def issuers(self) -> frozenset[str]:
        """Everybody who can sign for this node's classes."""
        return frozenset(key.issuer for key in self._keys.values())

    @property
    def own(self) -> SigningKey:
        """The key this node signs with."""
        return self._keys[self._own_kid]

    def reload(self) -> None:
        """Read all sources again; raises KeyProblem and changes nothing if one is bad."""
        keys = self._sources()
        self._own_kid = newest(keys)
        self._keys = keys


def newest(keys: Mapping[str, SigningKey]) -> str:
    """The node's own key that has no end set; the last one written if several."""
    own = [key.kid for key in keys.values() if key.issuer == NODE_ISSUER and key.exp is None]
    if not own:
        raise KeyProblem("no valid key of the node itself")
    return own[-1]


def open_ring(own_file: Path, keys_file: str = "", keys_text: str = "") -> KeyRing:
    """The ring of a node; makes the node's own key file if it is not there."""
    if not own_file.exists():
        _write(own_file, [_fresh()])

    def sources() -> dict[str, SigningKey]:
        keys = parse(own_file.read_text("utf-8"), own=True)
        for text in (Path(keys_file).read_text("utf-8") if keys_file else "", keys_text):
            if text:
                more = parse(text)
                if clash := keys.keys() & more.keys():
                    raise KeyProblem(f"kid used twice: {sorted(clash)[0]}")
                keys |= more
        return keys

    return KeyRing(sources, newest(sources()))


def rotate(own_file: Path, now: float) -> str:
    """Add a fresh own key, let the old ones end after the overlap, drop those that ended; returns the new kid."""
    entries = json.loads(own_file.read_text("utf-8"))["keys"] if own_file.exists() else []
    kept = [{"exp": int(now) + OVERLAP_S, **entry} for entry in entries if entry.get("exp", now + 1) > now]
    fresh = _fresh()
    _write(own_file, [*kept, fresh])
    return str(fresh["kid"])


def parse(text: str, *, own: bool = False) -> dict[str, SigningKey]:
    """Read a JSON Web Key Set (RFC 7517) with the members iss, nbf, exp, uses added; raises KeyProblem."""
    try:
        entries = json.loads(text)["keys"]
        if not isinstance(entries, list) or len(entries) > _MAX_KEYS:
            raise KeyProblem(f"a key set is a list of at most {_MAX_KEYS} keys")
        keys = [_parse_one(entry, own) for entry in entries]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise KeyProblem(f"not a key set: {type(error).__name__}") from None
    if len({key.kid for key in keys}) != len(keys):
        raise KeyProblem("kid used twice")
    return {key.kid: key for key in keys}


def _parse_one(entry: Mapping[str, Any], own: bool) -> SigningKey:
    kid, alg, issuer = entry.get("kid"), entry.get("alg"), entry.get("iss")
    if not (isinstance(kid, str) and 0 < len(kid) <= 64 and isinstance(issuer, str) and 0 < len(issuer) <= 200 and issuer.isprintable()):
        raise KeyProblem("each key needs kid and iss, a printable text")
    if alg not in _ALGORITHMS or (entry.get("kty"), entry.get("crv")) != _ALGORITHMS[alg]:
        raise KeyProblem(f"key {kid}: alg must be EdDSA or Ed25519 on Ed25519, or ES256 on P-256")
    if not own and (issuer == NODE_ISSUER or "d" in entry):
        raise KeyProblem(f"key {kid}: a public key of another issuer is wanted")
    uses = frozenset(entry.get("uses", sorted(USES) if own else ["join"]))
    if not uses <= (USES if own else {"join", "api"}):
        raise KeyProblem(f"key {kid}: uses are join and api")
    bounds = {name: entry.get(name) for name in ("nbf", "exp")}
    if any(value is not None and type(value) is not int for value in bounds.values()):
        raise KeyProblem(f"key {kid}: nbf and exp are whole seconds")
    try:
        key = import_key({k: v for k, v in entry.items() if k in ("kty", "crv", "x", "y", "d")})
    except (JoseError, ValueError) as error:
        raise KeyProblem(f"key {kid}: {type(error).__name__}") from None
    if not isinstance(key, OKPKey | ECKey):
        raise KeyProblem(f"key {kid}: wrong type")
    return SigningKey(kid=kid, alg=alg, issuer=issuer, uses=uses, key=key, nbf=bounds["nbf"], exp=bounds["exp"])


def _fresh() -> dict[str, Any]:
    key = OKPKey.generate_key("Ed25519").as_dict(private=True)
    return {**key, "kid": f"node-{secrets.token_hex(4)}", "alg": "EdDSA", "iss": NODE_ISSUER}


def _write(path: Path, entries: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_suffix(f".{secrets.token_hex(4)}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"keys": entries}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
