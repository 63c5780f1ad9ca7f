"""Checkpoints: signed statements that a log of some size has some root (C2SP tlog-checkpoint in a signed note, Ed25519). Pure.

    class.example/ledger
    4096
    <base64 of the root>

    — class.example/ledger <base64 of key id and signature>

Whoever keeps one can later prove that the log was cut, changed or told differently to somebody else. The text is what is signed, its last
line end included. A verifier key is `name+key id in hex+base64 of 0x01 and the public key`.
"""

import base64
import binascii
import hashlib
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519: Final = b"\x01"
_DASH: Final = "\u2014 "
_MAX_BYTES: Final = 4_096


class BadCheckpoint(ValueError):
    """The note is malformed or not signed by the key; the message says which."""


class Checkpoint(NamedTuple):
    """What a note says."""

    origin: str
    size: int
    root: bytes


class Signer(NamedTuple):
    """Who signs: a name without spaces or plus signs, and the key."""

    name: str
    key: Ed25519PrivateKey

    @property
    def verifier(self) -> str:
        """The verifier key to publish."""
        public = self.key.public_key().public_bytes_raw()
        return f"{self.name}+{_key_id(self.name, public).hex()}+{_base64(_ED25519 + public)}"


def signed(checkpoint: Checkpoint, signer: Signer) -> str:
    """The signed note of a checkpoint."""
    return note_of(f"{checkpoint.origin}\n{checkpoint.size}\n{_base64(checkpoint.root)}\n", signer)


def note_of(text: str, signer: Signer) -> str:
    """A text, without an empty line and with a line end, as a signed note."""
    public = signer.key.public_key().public_bytes_raw()
    return f"{text}\n{_DASH}{signer.name} {_base64(_key_id(signer.name, public) + signer.key.sign(text.encode()))}\n"


def opened(note: str, verifier: str) -> Checkpoint:
    """What a note says, if the verifier key's signature is on it; raises BadCheckpoint."""
    return _parsed(text_of(note, verifier, _MAX_BYTES))


def text_of(note: str, verifier: str, limit: int) -> str:
    """The text of a note of at most `limit` characters, if the verifier key's signature is on it; raises BadCheckpoint."""
    name, id, public = _verifier(verifier)
    text, found, signatures = note.partition("\n\n")
    text += "\n"
    if not found or len(note) > limit or not signatures.endswith("\n"):
        raise BadCheckpoint("not a signed note")
    for line in signatures.splitlines():
        who, _, value = line.removeprefix(_DASH).partition(" ")
        blob = _unbase64(value)
        if line.startswith(_DASH) and who == name and blob[:4] == id:
            try:
                public.verify(blob[4:], text.encode())
            except InvalidSignature:
                raise BadCheckpoint("the signature is false") from None
            return text
    raise BadCheckpoint("not signed by this key")


def _parsed(text: str) -> Checkpoint:
    lines = text.split("\n")
    if len(lines) < 4 or not lines[0] or not lines[1].isascii() or not lines[1].isdigit() or (lines[1][0] == "0" and lines[1] != "0"):
        raise BadCheckpoint("not a checkpoint")
    root = _unbase64(lines[2])
    if len(root) != 32:
        raise BadCheckpoint("the root is not a hash")
    return Checkpoint(lines[0], int(lines[1]), root)


def _verifier(text: str) -> tuple[str, bytes, Ed25519PublicKey]:
    name, _, rest = text.strip().partition("+")
    id, _, key = rest.partition("+")
    blob = _unbase64(key)
    if not name or blob[:1] != _ED25519 or len(blob) != 33 or _key_id(name, blob[1:]).hex() != id:
        raise BadCheckpoint("not a verifier key for Ed25519")
    return name, bytes.fromhex(id), Ed25519PublicKey.from_public_bytes(blob[1:])


def _key_id(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadCheckpoint("base64") from None
