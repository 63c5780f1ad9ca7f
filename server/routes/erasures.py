"""Erasing a person: what would be done, asking for it, how it stands. For operators alone."""

from typing import Annotated

import msgspec

from server import keys
from server.api import Call, Route
from server.erasure import receipt
from server.erasure.erasing import Foreseen, NoSuchPerson, TooMany
from server.erasure.receipt import Receipt
from server.erasure.work import Person
from server.problems import Problem
from server.rights import Right

#: as long as a token can make them
_Outside = Annotated[str, msgspec.Meta(min_length=1, max_length=4_096)]


class ErasureWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to erase. Without `dry_run`, `confirm` must repeat the subject."""

    issuer: _Outside
    subject: _Outside
    dry_run: bool = False
    confirm: str = ""


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """An erasure: "foreseen" with what would be done, "working", or "done" with its receipt, also as the signed note. `already`: the person
    had been erased before, and there was nothing left to do."""

    state: str
    id: str | None = None
    foreseen: list[Foreseen] | None = None
    receipt: Receipt | None = None
    note: str | None = None
    already: bool = False


async def erase(call: Call) -> Erasure:
    """Tell what would be done, or begin."""
    wanted, erasing = call.body, call.app[keys.ERASING]
    person = Person(wanted.issuer, wanted.subject)
    try:
        if wanted.dry_run:
            return Erasure(state="foreseen", foreseen=await erasing.foresee(person))
        if wanted.confirm != wanted.subject:
            raise Problem("not_confirmed")
        standing = await erasing.begin(person, call.principal.caller.value)
    except NoSuchPerson:
        raise Problem("no_such_person") from None
    except TooMany:
        raise Problem("overloaded") from None
    call.app[keys.ERASER].wake()
    return _told(standing.id, standing.state, standing.note, already=standing.note is not None)


async def show(call: Call) -> Erasure:
    """How an erasure stands."""
    standing = await call.app[keys.ERASING].store.standing(id=call.request.match_info["erasure"])
    if standing is None:
        raise Problem("not_found")
    return _told(standing.id, standing.state, standing.note)


def _told(id: str, state: str, note: str | None, *, already: bool = False) -> Erasure:
    return Erasure(id=id, state=state, note=note, receipt=receipt.read(note) if note is not None else None, already=already)


ROUTES = (
    Route(
        method="POST",
        path="/erasures",
        handler=erase,
        right=Right.ERASE_PEOPLE,
        summary="Erase a person from everything that is over",
        body=ErasureWanted,
        answer=Erasure,
        codes=("no_such_person", "not_confirmed", "overloaded"),
    ),
    Route(
        method="GET",
        path="/erasures/{erasure}",
        handler=show,
        right=Right.ERASE_PEOPLE,
        summary="How an erasure stands, and its receipt",
        answer=Erasure,
        codes=("not_found",),
    ),
)
