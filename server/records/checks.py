"""A question of the node to one person, and the answer, as statements: what presence checks and the like are told with. Pure.

A handler of `encode.HANDLERS` is one call. A question not answered is no statement; the attendance roll-up counts it.
"""

from server.records import vocabulary as v
from server.records.fold import ClassFold, Draft, Entry
from server.records.statements import duration


def question_asked(fold: ClassFold, entry: Entry, kind: str, id: str) -> list[Draft]:
    """`asked` by whoever caused the entry."""
    fold.questions[f"{kind}/{id}"] = entry.at
    question = fold.part(v.INTERACTION, kind, id, interactionType="other")
    return [Draft(kind=f"{kind}/asked", by=entry.by, verb=v.ASKED, object=question, at=entry.at, inner=True)]


def question_answered(fold: ClassFold, entry: Entry, kind: str, id: str) -> list[Draft]:
    """`answered` by the entry's author; the result is how long it took."""
    question = fold.part(v.INTERACTION, kind, id, interactionType="other")
    result = {"duration": duration(entry.at - fold.questions.get(f"{kind}/{id}", entry.at))}
    return [Draft(kind=f"{kind}/answered", by=entry.by, verb=v.ANSWERED, object=question, at=entry.at, inner=True, result=result)]
