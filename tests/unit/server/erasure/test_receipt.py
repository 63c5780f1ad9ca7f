"""A receipt says whom it is about to those who know, and nothing to others; a job in the store says nothing without the node's key."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from server.erasure import receipt
from server.erasure.receipt import BadReceipt, Receipt
from server.erasure.work import BrokenSeal, Part, Person, Vault, Work, pseudonym
from server.records import checkpoint
from server.records.checkpoint import BadCheckpoint, Checkpoint, Signer

SIGNER = Signer("class.example/ledger", Ed25519PrivateKey.generate())
PERSON = Person("https://lms.example", "员工-4711")
TRACES = receipt.Traces(
    rows=0, files=0, log_lines=0, mentions=1, namesakes=0, kept=0, places=[], tables_read=30, files_read=4, bytes_read=1, log_lines_read=0,
    rewritten=False,
)  # fmt: skip


def made(**more: object) -> Receipt:
    salt, whom = receipt.salted(PERSON)
    fields: dict[str, object] = {
        "id": "e1", "asked_at": 1, "done_at": 2, "by": "cli", "salt": salt, "whom": whom, "classes": [], "counts": {},
        "media": receipt.ErasedMedia(), "statements": receipt.ToldStatements(held={}, perhaps={}), "ledger": None, "search": TRACES,
    }  # fmt: skip
    return Receipt(**(fields | more))  # type: ignore[arg-type]


def test_who_knows_the_person_can_tell_whom_it_is_about() -> None:
    told = receipt.opened(receipt.signed(made(), SIGNER), SIGNER.verifier)
    assert told.is_about(PERSON)
    for other in (Person(PERSON.issuer, "员工-4712"), Person("node", PERSON.subject), Person(PERSON.subject, PERSON.issuer)):
        assert not told.is_about(other)
    assert PERSON.subject not in receipt.signed(made(), SIGNER)
    assert made().whom != made().whom


def test_a_changed_receipt_is_false() -> None:
    note = receipt.signed(made(), SIGNER)
    with pytest.raises(BadReceipt, match="signature"):
        receipt.opened(note.replace('"mentions":1', '"mentions":0'), SIGNER.verifier)
    with pytest.raises(BadReceipt, match="not signed"):
        receipt.opened(note, Signer("class.example/ledger", Ed25519PrivateKey.generate()).verifier)
    for junk in ("", "jiangtai erasure 1", "jiangtai erasure 1\n{}\n\n", note.replace("erasure 1", "erasure 2"), "x" * 100):
        with pytest.raises(BadReceipt):
            receipt.read(junk)


def test_a_receipt_is_no_checkpoint_and_a_checkpoint_no_receipt() -> None:
    with pytest.raises(BadCheckpoint):
        checkpoint.opened(receipt.signed(made(), SIGNER), SIGNER.verifier)
    with pytest.raises(BadReceipt):
        receipt.opened(checkpoint.signed(Checkpoint("class.example/ledger", 1, bytes(32)), SIGNER), SIGNER.verifier)


def test_complete_means_nothing_refused_and_nothing_found() -> None:
    refused = receipt.ErasedClass(session="c", outcome="refused", code="held")
    assert made().complete
    assert not made(classes=[refused]).complete
    for field in ("rows", "files", "log_lines"):
        assert not made(search=replace(TRACES, **{field: 1})).complete


def test_sealed_work_is_read_with_the_key_alone() -> None:
    vault = Vault(SIGNER.key)
    work = Work(issuer=PERSON.issuer, subject=PERSON.subject, parts=[Part(session="c", participant="p", pseudonym="q")])
    sealed = vault.seal(work)
    assert vault.open(sealed) == work
    assert PERSON.subject.encode() not in sealed
    for broken in (b"", sealed[:20], sealed[:-1], bytes([sealed[0] ^ 1]) + sealed[1:]):
        with pytest.raises(BrokenSeal):
            vault.open(broken)
    with pytest.raises(BrokenSeal):
        Vault(Ed25519PrivateKey.generate()).open(sealed)


def test_a_person_is_found_again_by_issuer_and_subject_together() -> None:
    vault = Vault(SIGNER.key)
    whom = vault.whom(PERSON)
    assert whom == vault.whom(Person(*PERSON))
    assert len({whom, vault.whom(Person("a", "bc")), vault.whom(Person("ab", "c")), Vault(Ed25519PrivateKey.generate()).whom(PERSON)}) == 4


def test_made_up_ids_look_like_any_other_and_are_never_the_same() -> None:
    ids = {pseudonym() for _ in range(1_000)}
    assert len(ids) == 1_000
    assert all(len(id) == 16 and id.isalnum() and id.islower() for id in ids)
