import json
import stat
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, OKPKey

from server import keyring
from server.keyring import KeyProblem


def public(kid: str, issuer: str = "lms", **more: Any) -> dict[str, Any]:
    return {**OKPKey.generate_key("Ed25519").as_dict(private=False), "kid": kid, "alg": "EdDSA", "iss": issuer, **more}


def test_the_node_makes_its_own_key_once_and_keeps_it_private(tmp_path: Path) -> None:
    own = tmp_path / "keys" / "node.json"
    first = keyring.open_ring(own)
    again = keyring.open_ring(own)
    assert first.own.kid == again.own.kid
    assert stat.S_IMODE(own.stat().st_mode) == 0o600
    assert first.own.uses == keyring.USES


def test_a_rotated_key_serves_for_the_overlap_and_then_ends(tmp_path: Path) -> None:
    own = tmp_path / "node.json"
    ring = keyring.open_ring(own)
    old = ring.own.kid
    fresh = keyring.rotate(own, 1000.0)
    ring.reload()
    assert ring.own.kid == fresh != old
    kept = ring.get(old)
    assert kept is not None
    assert kept.valid_at(1000.0 + keyring.OVERLAP_S - 1)
    assert not kept.valid_at(1000.0 + keyring.OVERLAP_S)
    keyring.rotate(own, 1001.0 + keyring.OVERLAP_S)
    ring.reload()
    assert ring.get(old) is None
    assert ring.get(fresh) is not None


def test_a_key_file_is_read_again_on_reload_and_a_bad_one_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "lms.json"
    file.write_text(json.dumps({"keys": [public("a")]}))
    ring = keyring.open_ring(tmp_path / "node.json", str(file))
    assert ring.get("a") is not None
    file.write_text(json.dumps({"keys": [public("b")]}))
    ring.reload()
    assert ring.get("a") is None
    assert ring.get("b") is not None
    file.write_text("{")
    with pytest.raises(KeyProblem):
        ring.reload()
    assert ring.get("b") is not None


def test_keys_may_come_as_text_and_as_es256(tmp_path: Path) -> None:
    entry = {**ECKey.generate_key("P-256").as_dict(private=False), "kid": "ec", "alg": "ES256", "iss": "lms", "uses": ["join", "api"]}
    ring = keyring.open_ring(tmp_path / "node.json", keys_text=json.dumps({"keys": [entry]}))
    found = ring.get("ec")
    assert found is not None
    assert found.uses == {"join", "api"}


OTHER = OKPKey.generate_key("Ed25519")


@pytest.mark.parametrize(
    "entry",
    [
        {**public("x"), "alg": "HS256"},
        {**public("x"), "alg": "none"},
        {**public("x"), "alg": "ES256"},
        {**public("x"), "iss": "node"},
        {**public("x"), "iss": ""},
        {**public(""), "kid": ""},
        {**public("x"), "uses": ["operator"]},
        {**public("x"), "exp": "tomorrow"},
        {**public("x"), "x": "AA"},
        {**OTHER.as_dict(private=True), "kid": "x", "alg": "EdDSA", "iss": "lms"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "x", "alg": "HS256", "iss": "lms"},
        "text",
    ],
)
def test_a_key_that_is_not_a_public_key_of_another_issuer_is_refused(entry: Any) -> None:
    with pytest.raises(KeyProblem) as error:
        keyring.parse(json.dumps({"keys": [entry]}))
    assert OTHER.as_dict(private=True)["d"] not in str(error.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"keys": {}}', '{"keys": null}', json.dumps({"keys": [public("a"), public("a")]})])
def test_a_malformed_set_is_refused(text: str) -> None:
    with pytest.raises(KeyProblem):
        keyring.parse(text)
