"""The receipt of an erasure: what was done, what was not, and what a search afterwards found, signed with the ledger's key. Pure.

    jiangtai erasure 1
    {"id": …}

    — class.example/ledger <base64 of key id and signature>

It names the person only by a salted hash that is slow to make (scrypt): who knows issuer and subject can tell that it is about them, who
does not cannot try all of them in reasonable time. Neither names nor participant ids nor the made-up ones are in it.
"""

import hashlib
import hmac
import secrets
from typing import Final, Literal

import msgspec

from server.erasure.work import Person, Refusal
from server.records.checkpoint import BadCheckpoint, Signer, note_of, text_of
from signaling.classroom.ids import Millis, SessionId

_HEAD: Final = "jiangtai erasure 1"
#: as a note, with the ids of a million statements
MAX_CHARACTERS: Final = 64 * 1024 * 1024
_SALT_BYTES: Final = 16


class BadReceipt(ValueError):
    """Not a receipt of an erasure; the message says why."""


class ErasedClass(msgspec.Struct, frozen=True, kw_only=True):
    """One class. `digest`: RFC 6962 root (hex) over the leaf hashes of its changed records in their order; the ledger keeps the hashes."""

    session: SessionId
    outcome: Literal["erased", "refused"]
    code: Refusal | None = None
    records: int = 0
    digest: str = ""


class ErasedMedia(msgspec.Struct, frozen=True, kw_only=True):
    """Recordings made anew without the person; `deleted` are files that are gone."""

    recordings: int = 0
    files: int = 0
    bytes: int = 0
    deleted: list[str] = []


class ToldStatements(msgspec.Struct, frozen=True, kw_only=True):
    """Ids of deleted statements, by destination: those it acknowledged and those it may have got. Only its owner can erase them there."""

    held: dict[str, list[str]]
    perhaps: dict[str, list[str]]


class Traces(msgspec.Struct, frozen=True, kw_only=True):
    """What the search found: rows and files that should not have been there, log lines; beside them what others wrote about a person of
    that name, others of the same name, and what a refused class still holds."""

    rows: int
    files: int
    log_lines: int
    mentions: int
    namesakes: int
    kept: int
    places: list[str]
    tables_read: int
    files_read: int
    bytes_read: int
    log_lines_read: int
    #: the store's file was written anew
    rewritten: bool


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """The log at that time: so many records, this root (hex)."""

    size: int
    root: str


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What the note says. `whom` is the scrypt hash (hex) of issuer and subject with `salt` (hex)."""

    id: str
    asked_at: Millis
    done_at: Millis
    by: str
    salt: str
    whom: str
    classes: list[ErasedClass]
    counts: dict[str, int]
    media: ErasedMedia
    statements: ToldStatements
    ledger: Ledger | None
    search: Traces

    @property
    def complete(self) -> bool:
        """Whether nothing was refused and nothing found."""
        found = self.search.rows or self.search.files or self.search.log_lines
        return not found and all(one.outcome == "erased" for one in self.classes)

    def is_about(self, person: Person) -> bool:
        """Whether this is the person's; takes a twentieth of a second on purpose."""
        return hmac.compare_digest(self.whom, _hash(person, bytes.fromhex(self.salt)))


def salted(person: Person) -> tuple[str, str]:
    """(salt, hash) of a person; takes a twentieth of a second on purpose."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return salt.hex(), _hash(person, salt)


def signed(receipt: Receipt, signer: Signer) -> str:
    """The note of a receipt."""
    return note_of(f"{_HEAD}\n{msgspec.json.encode(receipt, order='sorted').decode()}\n", signer)


def opened(note: str, verifier: str) -> Receipt:
    """What a note says, if the key's signature is on it; raises BadReceipt."""
    try:
        return read(text_of(note, verifier, MAX_CHARACTERS))
    except BadCheckpoint as error:
        raise BadReceipt(str(error)) from None


def read(note: str) -> Receipt:
    """What a note says, whoever signed it; raises BadReceipt."""
    lines = note.split("\n", 2)
    if len(lines) < 3 or lines[0] != _HEAD:
        raise BadReceipt("no receipt of an erasure")
    try:
        return msgspec.json.decode(lines[1], type=Receipt)
    except msgspec.MsgspecError as error:
        raise BadReceipt(str(error)) from None


def _hash(person: Person, salt: bytes) -> str:
    secret = msgspec.msgpack.encode(tuple(person))
    return hashlib.scrypt(secret, salt=salt, n=2**14, r=8, p=1, dklen=32).hex()
