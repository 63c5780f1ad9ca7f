"""A question of the node to one person, and the answer, as statements: what presence checks and the like are told with. Pure.

A handler of `encode.HANDLERS` is one call. A question not answered is no statement; the attendance roll-up counts it.
"""

from server.records import vocabulary as v
from server.records.fold import ClassFold, Draft, Entry
from server.records.statements import duration
from signaling.classroom.ids import Millis, ParticipantId


def question_asked(fold: ClassFold, entry: Entry, kind: str, id: str, *, of: ParticipantId | None = None) -> list[Draft]:
    """`asked` by whoever caused the entry; `of` keeps several of one entry apart."""
    question = fold.part(v.INTERACTION, kind, id, interactionType="other")
    name = f"{kind}/asked/{of}" if of else f"{kind}/asked"
    return [Draft(kind=name, by=entry.by, verb=v.ASKED, object=question, at=entry.at, inner=True)]


def question_answered(fold: ClassFold, entry: Entry, kind: str, id: str, *, asked_at: Millis | None = None) -> list[Draft]:
    """`answered` by the entry's author; the result is how long it took, if known."""
    question = fold.part(v.INTERACTION, kind, id, interactionType="other")
    result = {"duration": duration(entry.at - asked_at)} if asked_at is not None else {"completion": True}
    return [Draft(kind=f"{kind}/answered", by=entry.by, verb=v.ANSWERED, object=question, at=entry.at, inner=True, result=result)]
