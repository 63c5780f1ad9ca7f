"""A receipt: one record of a class, its place in the node's log, and the checkpoint that vouches for it. Kept as a JSON file. Pure.

It is checked offline with the verifier key the school publishes: the record hashes to a leaf, the leaf and the proof to the checkpoint's
root, and the checkpoint is signed.
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import msgspec

from server.records import merkle
from server.records.checkpoint import BadCheckpoint, opened


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """`record` (base64 of the leaf), its number from 0 on, the hashes beside its way to the root (base64), the signed note, who signed."""

    record: str
    index: int
    proof: list[str]
    checkpoint: str
    verifier: str


class BadReceipt(ValueError):
    """The receipt proves nothing; the message says why."""


class Vouched(msgspec.Struct, frozen=True, kw_only=True):
    """What a good receipt says."""

    session: str
    seq: int
    at: int
    by: str | None
    event: dict[str, Any]
    origin: str
    size: int


def receipt(leaf: bytes, index: int, proof: Sequence[bytes], note: str, verifier: str) -> Receipt:
    """Put a receipt together."""
    hashes = [base64.b64encode(hash).decode() for hash in proof]
    return Receipt(record=base64.b64encode(leaf).decode(), index=index, proof=hashes, checkpoint=note, verifier=verifier)


def check(text: bytes, verifier: str | None = None) -> Vouched:
    """What a receipt vouches for; raises BadReceipt. Without a verifier key the one inside is believed."""
    try:
        found = msgspec.json.decode(text, type=Receipt, strict=True)
        leaf = base64.b64decode(found.record, validate=True)
        proof = [base64.b64decode(hash, validate=True) for hash in found.proof]
        checkpoint = opened(found.checkpoint, verifier or found.verifier)
    except (msgspec.MsgspecError, binascii.Error, UnicodeDecodeError) as error:
        raise BadReceipt(f"not a receipt: {type(error).__name__}") from None
    except BadCheckpoint as error:
        raise BadReceipt(str(error)) from None
    if not merkle.verify_inclusion(merkle.leaf_hash(leaf), found.index, checkpoint.size, proof, checkpoint.root):
        raise BadReceipt("the record is not in the log the checkpoint vouches for")
    try:
        session, seq, at, by, _, event = msgspec.msgpack.decode(leaf)
        told = msgspec.msgpack.decode(event)
    except (msgspec.MsgspecError, ValueError, TypeError):
        raise BadReceipt("the record cannot be read") from None
    return Vouched(session=session, seq=seq, at=at, by=by, event=told, origin=checkpoint.origin, size=checkpoint.size)
