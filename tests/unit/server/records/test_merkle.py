"""The tree against the definition of RFC 6962 written down naively, and its published vectors; proofs hold, and nothing else does."""

import hashlib
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.records import merkle

#: certificate-transparency reference vectors: leaves, and the roots of their first n
LEAVES = [
    bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def naive(leaves: tuple[bytes, ...]) -> bytes:
    """MTH(D[n]) as the RFC says it."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + naive(leaves[:split]) + naive(leaves[split:])).digest()


def tree(leaves: tuple[bytes, ...]) -> merkle.Subtree:
    @cache
    def subtree(level: int, index: int) -> bytes:
        return naive(leaves[index << level : (index + 1) << level])

    return subtree


def test_the_published_vectors() -> None:
    frontier = merkle.Frontier()
    assert frontier.root() == merkle.EMPTY
    for leaf, root in zip(LEAVES, ROOTS, strict=True):
        frontier.append(merkle.leaf_hash(leaf))
        assert frontier.root().hex() == root
    subtree = tree(tuple(LEAVES))
    assert [merkle.root_of(subtree, 0, size).hex() for size in range(1, 9)] == ROOTS
    assert merkle.inclusion_proof(subtree, 0, 1) == []
    assert [hash.hex()[:8] for hash in merkle.inclusion_proof(subtree, 0, 8)] == ["96a296d2", "5f083f0a", "6b47aaf2"]
    assert [hash.hex()[:8] for hash in merkle.consistency_proof(subtree, 6, 8)] == ["0ebc5d34", "ca854ea1", "d37ee418"]


@given(st.lists(st.binary(max_size=3), min_size=1, max_size=70), st.data())
def test_inclusion_proofs_hold_and_only_for_what_they_prove(leaves: list[bytes], data: st.DataObject) -> None:
    kept = tuple(leaves)
    index = data.draw(st.integers(0, len(kept) - 1))
    root, proof = naive(kept), merkle.inclusion_proof(tree(kept), index, len(kept))
    leaf = merkle.leaf_hash(kept[index])
    assert merkle.verify_inclusion(leaf, index, len(kept), proof, root)
    assert not merkle.verify_inclusion(merkle.leaf_hash(kept[index] + b"x"), index, len(kept), proof, root)
    assert not merkle.verify_inclusion(leaf, index, len(kept), [*proof, bytes(32)], root)
    assert not merkle.verify_inclusion(leaf, index, len(kept), proof, bytes(32))
    assert not merkle.verify_inclusion(leaf, len(kept), len(kept), proof, root)
    if proof:
        assert not merkle.verify_inclusion(leaf, index, len(kept), proof[:-1], root)
        spoilt = data.draw(st.integers(0, len(proof) - 1))
        assert not merkle.verify_inclusion(leaf, index, len(kept), [*proof[:spoilt], bytes(32), *proof[spoilt + 1 :]], root)


@given(st.lists(st.binary(max_size=3), min_size=1, max_size=70), st.data())
def test_consistency_proofs_hold_and_only_for_what_they_prove(leaves: list[bytes], data: st.DataObject) -> None:
    kept = tuple(leaves)
    first = data.draw(st.integers(1, len(kept)))
    proof = merkle.consistency_proof(tree(kept), first, len(kept))
    old, new = naive(kept[:first]), naive(kept)
    assert merkle.verify_consistency(first, len(kept), old, new, proof)
    assert not merkle.verify_consistency(first, len(kept), bytes(32), new, proof)
    assert not merkle.verify_consistency(first, len(kept), old, bytes(32), proof)
    assert not merkle.verify_consistency(first, len(kept), old, new, [*proof, bytes(32)])
    if proof:
        assert not merkle.verify_consistency(first, len(kept), old, new, proof[:-1])


def test_proofs_outside_of_the_tree_are_refused() -> None:
    subtree = tree(tuple(LEAVES))
    for index, size in ((8, 8), (-1, 8), (0, 0)):
        with pytest.raises(ValueError, match="no such leaf"):
            merkle.inclusion_proof(subtree, index, size)
    for first, second in ((0, 8), (5, 4)):
        with pytest.raises(ValueError, match="no such trees"):
            merkle.consistency_proof(subtree, first, second)
