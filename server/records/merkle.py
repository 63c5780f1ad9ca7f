"""The Merkle tree of RFC 6962 section 2.1: roots, inclusion and consistency proofs, and their verification (RFC 9162 section 2.1). Pure.

A leaf hashes to SHA-256(0x00 || data), a node to SHA-256(0x01 || left || right). Whole subtrees are named (level, index): 2^level leaves
from index * 2^level on. Proofs ask a function for the hashes of whole subtrees, so that a store need not hold the tree in memory.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

EMPTY: Final = hashlib.sha256(b"").digest()
#: hash of the whole subtree (level, index)
Subtree = Callable[[int, int], bytes]


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: the hashes of its largest whole subtrees. Appends in O(1), a root in O(log n)."""

    def __init__(self) -> None:
        self.size = 0
        #: by level; None where the size has no such bit
        self._edge: list[bytes | None] = []

    def append(self, leaf: bytes) -> None:
        """Add the hash of the next leaf."""
        level, index = 0, self.size
        while index & 1:
            left = self._edge[level]
            if left is None:
                raise AssertionError("the edge does not fit the size")
            leaf, self._edge[level] = node_hash(left, leaf), None
            level, index = level + 1, index >> 1
        if level == len(self._edge):
            self._edge.append(None)
        self._edge[level] = leaf
        self.size += 1

    def root(self) -> bytes:
        """The hash of the tree as it is."""
        found: bytes | None = None
        for hash in self._edge:
            if hash is not None:
                found = hash if found is None else node_hash(hash, found)
        return EMPTY if found is None else found


def _split(size: int) -> int:
    """The largest power of two smaller than size."""
    return 1 << (size - 1).bit_length() - 1


def root_of(subtree: Subtree, start: int, end: int) -> bytes:
    """The hash of the leaves from start to end (exclusive); start is a multiple of the power of two not below the length."""
    size = end - start
    if size == 0:
        return EMPTY
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return subtree(level, start >> level)
    middle = start + _split(size)
    return node_hash(root_of(subtree, start, middle), root_of(subtree, middle, end))


def inclusion_proof(subtree: Subtree, index: int, size: int) -> list[bytes]:
    """PATH(index, D[size]), the leaf's sibling first; raises ValueError outside of the tree."""
    if not 0 <= index < size:
        raise ValueError("no such leaf")
    proof: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(root_of(subtree, middle, end))
            end = middle
        else:
            proof.append(root_of(subtree, start, middle))
            start = middle
    return proof[::-1]


def consistency_proof(subtree: Subtree, first: int, second: int) -> list[bytes]:
    """PROOF(first, D[second]); raises ValueError unless 0 < first <= second."""
    if not 0 < first <= second:
        raise ValueError("no such trees")
    proof: list[bytes] = []
    start, end, whole = 0, second, True
    while end > first:
        middle = start + _split(end - start)
        if first <= middle:
            proof.append(root_of(subtree, middle, end))
            end = middle
        else:
            proof.append(root_of(subtree, start, middle))
            start, whole = middle, False
    if not whole:
        proof.append(root_of(subtree, start, end))
    return proof[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the leaf hash is number `index` of the tree (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf
    for hash in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(hash, found)
            while place & 1 == 0 and place != 0:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, hash)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def verify_consistency(first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the tree of size `second` continues that of size `first` (RFC 9162 section 2.1.4.2)."""
    if not 0 < first <= second:
        return False
    if first == second:
        return not proof and first_root == second_root
    path = list(proof)
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    if not path:
        return False
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = path[0]
    for hash in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old, new = node_hash(hash, old), node_hash(hash, new)
            while place & 1 == 0 and place != 0:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, hash)
        place, last = place >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root
