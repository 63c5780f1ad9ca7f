"""Simulcast in SDP: which streams of one m-line are the same picture in several sizes (RFC 8853, RFC 8851). Pure.

Rules: at most three streams, each named by 1-16 letters and digits (RFC 8852 section 3.1) and declared by `a=rid:… send`; of alternatives
the first counts, paused streams count like others. Which one is lowest is told by their size restrictions, else by names in common use,
else by their order: our own client lists the lowest first, RFC 8853 section 5.2 has the preferred one first.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from media.sdp import Attribute, Malformed, Section, number

MAX_LAYERS: Final = 3
_RID: Final = re.compile(r"[A-Za-z0-9]{1,16}", re.ASCII)
_RESTRICTION: Final = re.compile(r"[a-z-]{1,20}(=[A-Za-z0-9,.-]{1,40})?", re.ASCII)
MAX_RESTRICTIONS: Final = 8
#: names by which encoders commonly tell sizes, lowest first
_NAMES: Final = (("q", "h", "f"), ("l", "m", "h"), ("low", "mid", "high"), ("low", "medium", "high"), ("lo", "mi", "hi"))


@dataclass(frozen=True, kw_only=True)
class Simulcast:
    """The streams of one m-line: `rids` lowest first, `listed` in the offer's order, `restrictions` as offered, by rid."""

    rids: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    restrictions: Mapping[str, str] = field(default_factory=dict)

    def answer(self) -> list[Attribute]:
        """The mirror for our answer (RFC 8853 section 5.3.2, RFC 8851 section 6.3)."""
        if not self.listed:
            return []
        lines = [("rid", " ".join(filter(None, (rid, "recv", self.restrictions.get(rid, ""))))) for rid in self.listed]
        return [*lines, ("simulcast", f"recv {';'.join(self.listed)}")]


def read_simulcast(section: Section, *, lowest_first: bool = True) -> Simulcast:
    """What an offered m-line sends; empty when it is no simulcast. `lowest_first` tells what the order means where nothing else does.

    Raises Malformed.
    """
    lines = list(section.values("simulcast"))
    if not lines:
        return Simulcast()
    if len(lines) > 1:
        raise Malformed("two simulcast lines")
    listed = _listed(lines[0])
    if not listed:
        return Simulcast()
    declared = _declared(section)
    if len(listed) > MAX_LAYERS or len(set(listed)) != len(listed) or not all(rid in declared for rid in listed):
        raise Malformed("simulcast streams")
    return Simulcast(
        rids=_ordered(listed, declared, lowest_first),
        listed=listed,
        restrictions={rid: ";".join(_echoed(declared[rid])) for rid in listed},
    )


def _listed(value: str) -> tuple[str, ...]:
    """The streams of the `send` half: `send a;~b,c` as (a, b)."""
    words = value.split(" ", 4)
    if len(words) not in (2, 4) or words[::2] not in (["send"], ["recv"], ["send", "recv"], ["recv", "send"]):
        raise Malformed("simulcast line")
    halves = dict(zip(words[::2], words[1::2], strict=True))
    if "send" not in halves:
        return ()
    first = tuple(alternatives.partition(",")[0].removeprefix("~") for alternatives in halves["send"].split(";", MAX_LAYERS))
    if not all(_RID.fullmatch(rid) for rid in first):
        raise Malformed("stream name")
    return first


def _declared(section: Section) -> dict[str, list[str]]:
    """Restrictions of every stream the m-line sends."""
    found: dict[str, list[str]] = {}
    for value in section.values("rid"):
        rid, _, rest = value.partition(" ")
        direction, _, restrictions = rest.partition(" ")
        if direction != "send":
            continue
        parts = [part for part in restrictions.split(";", MAX_RESTRICTIONS) if part]
        if rid in found or len(parts) > MAX_RESTRICTIONS or not all(_RESTRICTION.fullmatch(part) for part in parts):
            raise Malformed("rid line")
        found[rid] = parts
    return found


def _echoed(restrictions: Sequence[str]) -> list[str]:
    """All but the payload types: those of the whole m-line hold."""
    return [part for part in restrictions if not part.startswith("pt=")]


def _ordered(listed: tuple[str, ...], declared: Mapping[str, Sequence[str]], lowest_first: bool) -> tuple[str, ...]:
    sizes = {rid: _size(declared[rid]) for rid in listed}
    if all(sizes.values()) and len(set(sizes.values())) == len(listed):
        return tuple(sorted(listed, key=lambda rid: sizes[rid]))
    for names in _NAMES:
        if set(listed) <= set(names):
            return tuple(sorted(listed, key=names.index))
    return listed if lowest_first else listed[::-1]


def _size(restrictions: Sequence[str]) -> int:
    """The larger side a stream may have (RFC 8851 section 5), 0 when it does not say."""
    pairs = (part.partition("=")[::2] for part in restrictions)
    return max((int(value) for name, value in pairs if name in ("max-width", "max-height") and number(value, 65_536)), default=0)
