"""What an erasure is about and how far it has come, as it is kept sealed in the store until it is done; and who a person is in it. Pure.

A person is what tokens name: issuer and subject. In each class that is another participant, and becomes another made-up one there.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.auth import participant_id
from signaling.classroom.ids import ParticipantId, SessionId

#: class_not_over: it has to be ended first; held: it may not be changed now; ledger_broken: its records are not what the ledger says;
#: recordings_stay: nothing here can take a person out of its recordings
Refusal: TypeAlias = Literal["class_not_over", "held", "ledger_broken", "recordings_stay"]
#: waiting -> nameless (its log and rows are done) -> done (its media, too); or refused
PartState: TypeAlias = Literal["waiting", "nameless", "done", "refused"]
_NONCE_BYTES: Final = 12


class BrokenSeal(Exception):
    """What was sealed cannot be opened: it was changed, or the node has another key."""


class Person(NamedTuple):
    """Who is to be erased."""

    issuer: str
    subject: str


class Part(msgspec.Struct, kw_only=True):
    """One class of the person."""

    session: SessionId
    participant: ParticipantId
    pseudonym: ParticipantId
    state: PartState = "waiting"
    code: Refusal | None = None
    records: int = 0
    #: RFC 6962 root over the hashes of the leaves that were changed, in their order
    digest: bytes = b""


class Media(msgspec.Struct, kw_only=True):
    """What was done to recordings, added up."""

    recordings: int = 0
    files: int = 0
    bytes: int = 0
    deleted: list[str] = []


class Work(msgspec.Struct, kw_only=True):
    """A whole erasure. `held`: by destination the ids of statements it acknowledged; `perhaps`: of those it may have got."""

    issuer: str
    subject: str
    parts: list[Part]
    names: list[str] = []
    counts: dict[str, int] = {}
    media: Media = msgspec.field(default_factory=Media)
    held: dict[str, list[str]] = {}
    perhaps: dict[str, list[str]] = {}

    def count(self, kind: str, number: int) -> None:
        """Add to what was done of a kind; nothing is not mentioned."""
        if number:
            self.counts[kind] = self.counts.get(kind, 0) + number


def pseudonym() -> ParticipantId:
    """An id like any other that derives from nothing."""
    return participant_id("", "", secrets.token_hex(16))


class Vault:
    """The node's secrets for this, all from the ledger's key: what is kept of people meanwhile, and how one is found again."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        root = hmac.digest(key.private_bytes_raw(), b"jiangtai erasure 1", hashlib.sha256)
        self._cipher = AESGCM(hmac.digest(root, b"seal", hashlib.sha256))
        self._index = hmac.digest(root, b"whom", hashlib.sha256)

    def whom(self, person: Person) -> bytes:
        """What tells the node that two requests are about the same person; worth nothing without its key."""
        return hmac.digest(self._index, msgspec.msgpack.encode(tuple(person)), hashlib.sha256)

    def seal(self, work: Work) -> bytes:
        """The work, encrypted."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, msgspec.msgpack.encode(work), None)

    def open(self, sealed: bytes) -> Work:
        """What was sealed; raises BrokenSeal."""
        try:
            return msgspec.msgpack.decode(self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None), type=Work)
        except (InvalidTag, ValueError, msgspec.MsgspecError) as error:
            raise BrokenSeal(type(error).__name__) from None


#: seals what has become of the work, inside the transaction that did it
Seal: TypeAlias = Callable[[Work], bytes]
