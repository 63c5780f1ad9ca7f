"""One verifier: what it lets through, and the hostile cases D01-D04 it must not."""

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OKPKey

from server import auth, keyring
from server.auth import BadToken, Kind
from server.keyring import KeyRing
from signaling.classroom.roles import Role

NOW = 1_800_000_000.0
LMS = OKPKey.generate_key("Ed25519")
EC = ECKey.generate_key("P-256")


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    keys = [
        {**LMS.as_dict(private=False), "kid": "lms", "alg": "EdDSA", "iss": "https://lms.example", "uses": ["join", "api"]},
        {**EC.as_dict(private=False), "kid": "ec", "alg": "ES256", "iss": "ec"},
        {**LMS.as_dict(private=False), "kid": "old", "alg": "EdDSA", "iss": "https://lms.example", "exp": int(NOW)},
        {**LMS.as_dict(private=False), "kid": "soon", "alg": "EdDSA", "iss": "https://lms.example", "nbf": int(NOW) + 60},
        {**LMS.as_dict(private=False), "kid": "ending", "alg": "EdDSA", "iss": "https://lms.example", "exp": int(NOW) + 1},
    ]
    return keyring.open_ring(tmp_path / "node.json", keys_text=json.dumps({"keys": keys}))


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims(**changes: Any) -> dict[str, Any]:
    good = {
        "iss": "https://lms.example",
        "aud": "jiangtai",
        "iat": int(NOW),
        "exp": int(NOW) + 300,
        "jti": "0123456789abcdef",
        "sub": "u1",
        "room": "r1",
        "role": "trainee",
        "name": "Li Hua",
    }
    return {key: value for key, value in (good | changes).items() if value is not ...}


def sign(payload: Any, header: Any = None, key: Any = LMS, alg: str = "EdDSA") -> str:
    head = {"alg": alg, "kid": "lms", "typ": "JWT"} if header is None else header
    text = payload if isinstance(payload, str) else json.dumps(payload)
    signed = f"{b64(json.dumps(head).encode())}.{b64(text.encode())}"
    return f"{signed}.{b64(auth.JWSRegistry.algorithms[alg].sign(signed.encode(), key))}"


def verify(token: str, ring: KeyRing, kind: Kind = Kind.JOIN, now: float = NOW) -> auth.Claims:
    return auth.verify(token, kind, ring, audience="jiangtai", now=now)


def test_a_good_token_says_who_comes_as_what(ring: KeyRing) -> None:
    found = verify(sign(claims(extra=[1, {"x": None}])), ring)
    assert (found.sub, found.room, found.role, found.name) == ("u1", "r1", Role.TRAINEE, "Li Hua")


def test_es256_is_served_as_well(ring: KeyRing) -> None:
    token = sign(claims(iss="ec"), {"alg": "ES256", "kid": "ec"}, EC, "ES256")
    assert verify(token, ring).iss == "ec"


def test_the_node_signs_what_it_verifies(ring: KeyRing) -> None:
    for kind in Kind:
        token = auth.issue(kind, ring, audience="jiangtai", now=NOW, sub="s", room="r", role=Role.TRAINER, name="N")
        assert verify(token, ring, kind).iss == keyring.NODE_ISSUER
        for other in Kind:
            if other is not kind:
                with pytest.raises(BadToken):
                    verify(token, ring, other)


def d01() -> dict[str, str]:
    public = json.dumps(LMS.as_dict(private=False)).encode()
    signed = f"{b64(json.dumps({'alg': 'HS256', 'kid': 'lms'}).encode())}.{b64(json.dumps(claims()).encode())}"
    raw = base64.urlsafe_b64decode(LMS.as_dict(private=False)["x"] + "=")  # type: ignore[operator]
    head, body, _ = sign(claims()).split(".")
    return {
        "none": f"{b64(json.dumps({'alg': 'none', 'kid': 'lms'}).encode())}.{body}.",
        "NONE": f"{b64(json.dumps({'alg': 'NONE', 'kid': 'lms'}).encode())}.{body}.",
        "no alg": f"{b64(json.dumps({'kid': 'lms'}).encode())}.{body}.",
        "hs256 with jwk": f"{signed}.{b64(hmac.new(public, signed.encode(), hashlib.sha256).digest())}",
        "hs256 with x": f"{signed}.{b64(hmac.new(raw, signed.encode(), hashlib.sha256).digest())}",
        "es256 signature for the eddsa kid": sign(claims(), {"alg": "ES256", "kid": "lms"}, EC, "ES256"),
        "eddsa signature for the es256 kid": sign(claims(iss="ec"), {"alg": "EdDSA", "kid": "ec"}),
        "stripped": f"{head}.{body}.",
        "another key": sign(claims(), key=OKPKey.generate_key("Ed25519")),
    }


@pytest.mark.parametrize(("name", "token"), d01().items())
def test_d01_no_other_algorithm_is_taken(ring: KeyRing, name: str, token: str) -> None:
    with pytest.raises(BadToken):
        verify(token, ring)


@pytest.mark.parametrize(
    "header",
    [
        {"jwk": LMS.as_dict(private=False)},
        {"jku": "http://127.0.0.1:1/keys"},
        {"x5u": "http://127.0.0.1:1/chain"},
        {"x5c": ["AA"]},
        {"crit": ["exp"]},
        {"crit": []},
        {"b64": False},
        {"kid": "../../etc/passwd"},
        {"kid": "' OR 1=1 --"},
        {"kid": "\u0000"},
        {"kid": ""},
        {"kid": None},
        {"kid": ["lms"]},
        {"typ": "at+jwt"},
    ],
)
def test_d02_a_header_that_brings_more_than_alg_and_kid_is_refused(ring: KeyRing, header: dict[str, Any]) -> None:
    with pytest.raises(BadToken):
        verify(sign(claims(), {"alg": "EdDSA", "kid": "lms", **header}), ring)


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": int(NOW)},
        {"exp": int(NOW) - 1, "iat": int(NOW) - 200},
        {"exp": ...},
        {"exp": str(int(NOW) + 300)},
        {"exp": NOW + 0.5},
        {"exp": 1e20},
        {"exp": True},
        {"exp": None},
        {"exp": -1},
        {"exp": int(NOW) + 301},
        {"iat": ...},
        {"iat": int(NOW) + 60},
        {"iat": int(NOW) - 10_000},
        {"nbf": int(NOW) + 60},
        {"aud": "another"},
        {"aud": ["jiangtai"]},
        {"aud": "jiangtai/invite"},
        {"aud": ...},
        {"iss": "ec"},
        {"iss": ...},
        {"jti": ...},
        {"jti": "short"},
        {"sub": ...},
        {"sub": ""},
        {"sub": 5},
        {"room": ...},
        {"room": "x" * 65},
        {"role": ...},
        {"role": "owner"},
        {"role": "operator"},
        {"role": ["trainer"]},
        {"name": ...},
        {"name": ""},
    ],
)
def test_d03_claims_must_be_there_be_of_their_type_and_be_now(ring: KeyRing, changes: dict[str, Any]) -> None:
    with pytest.raises(BadToken):
        verify(sign(claims(**changes)), ring)


def test_d03_numbers_that_are_none_are_refused(ring: KeyRing) -> None:
    text = json.dumps(claims())
    for value in ("NaN", "Infinity", "1e999"):
        with pytest.raises(BadToken):
            verify(sign(text.replace(f'"exp": {int(NOW) + 300}', f'"exp": {value}')), ring)


def test_d03_an_expired_token_says_so_and_only_then(ring: KeyRing) -> None:
    with pytest.raises(BadToken) as error:
        verify(sign(claims()), ring, now=NOW + 301)
    assert error.value.code == "token_expired"
    with pytest.raises(BadToken) as error:
        verify(sign(claims(), key=OKPKey.generate_key("Ed25519")), ring, now=NOW + 301)
    assert error.value.code == "bad_token"


def test_d04_size_is_checked_before_anything_is_parsed(ring: KeyRing) -> None:
    started = time.perf_counter()
    for token in ("a" * 20_000_000, "a." * 10_000_000, sign(claims(extra=list(range(100_000)))), "." * 9000):
        with pytest.raises(BadToken):
            verify(token, ring)
    deep = sign("[" * 3000 + "]" * 3000)
    with pytest.raises(BadToken):
        verify(deep, ring)
    assert time.perf_counter() - started < 1.0


def test_d06_a_key_counts_only_inside_its_window(ring: KeyRing) -> None:
    for kid, good in (("old", False), ("soon", False), ("ending", True), ("unknown", False)):
        token = sign(claims(), {"alg": "EdDSA", "kid": kid})
        if good:
            assert verify(token, ring).sub == "u1"
        else:
            with pytest.raises(BadToken):
                verify(token, ring)
    with pytest.raises(BadToken):
        verify(sign(claims(), {"alg": "EdDSA", "kid": "ending"}), ring, now=NOW + 1)


def test_d07_an_edited_role_breaks_the_signature(ring: KeyRing) -> None:
    head, _, signature = sign(claims()).split(".")
    with pytest.raises(BadToken):
        verify(f"{head}.{b64(json.dumps(claims(role='trainer')).encode())}.{signature}", ring)


def test_a_key_signs_only_what_it_may(ring: KeyRing) -> None:
    assert verify(sign(claims(aud="jiangtai/api")), ring, Kind.API)
    for kind in (Kind.INVITE, Kind.OPERATOR):
        with pytest.raises(BadToken):
            verify(sign(claims(aud=f"jiangtai/{kind}")), ring, kind)
    with pytest.raises(BadToken):
        verify(sign(claims(iss="ec", aud="jiangtai/api"), {"alg": "ES256", "kid": "ec"}, EC, "ES256"), ring, Kind.API)


@given(st.data())
def test_no_changed_byte_passes(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    keys = {"keys": [{**LMS.as_dict(private=False), "kid": "lms", "alg": "EdDSA", "iss": "https://lms.example"}]}
    ring = keyring.open_ring(tmp_path_factory.getbasetemp() / "changed.json", keys_text=json.dumps(keys))
    token = TOKEN
    at = data.draw(st.integers(0, len(token) - 1))
    char = data.draw(st.sampled_from("ABCDEFabcdef0189-_.=\u00e9 "))
    changed = token[:at] + char + token[at + 1 :]
    if changed == token:
        assert verify(changed, ring)
    else:
        with pytest.raises(BadToken):
            verify(changed, ring)


TOKEN = sign(claims())


@given(st.text(max_size=200))
def test_text_that_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(BadToken):
        auth.verify(text, Kind.JOIN, _Empty(), audience="a", now=NOW)  # type: ignore[arg-type]


class _Empty:
    def get(self, kid: str) -> None:
        return None


def test_one_identity_is_one_participant_in_one_class() -> None:
    first = auth.participant_id("room", "lms", "user")
    assert first == auth.participant_id("room", "lms", "user")
    assert len({first, auth.participant_id("room2", "lms", "user"), auth.participant_id("room", "lms2", "user")}) == 3
    assert len(first) == 16
    assert first.isalnum()
