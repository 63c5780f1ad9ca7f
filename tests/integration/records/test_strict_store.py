"""Against a strict store: every kind of statement is accepted as it is, and the validator says of spoilt ones what the store says."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from server.records.attended import RollUp, Segment, Told, attended
from server.records.compare import same_statement
from server.records.encode import finish
from server.records.fold import ClassFold
from server.records.validate import validate_xapi
from tests.support.mutants import mutants
from tests.support.record_stores import HEADERS, strict
from tests.support.recorded import SITE, START, everything, identity, recorded_class, statements_of, watched_statements

#: what even this store accepts against the standard (xAPI-Data.md 2.4.2.3, 2.4.4.1, 2.4.6)
LAXER = {"short hash of a mail", "choices that repeat", "team an agent"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("strict")


@pytest.fixture
async def store(folder: Path) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    async with strict(folder) as url, aiohttp.ClientSession(headers=HEADERS) as http:
        yield url, http


async def post(http: aiohttp.ClientSession, url: str, body: Any) -> int:
    async with http.post(f"{url}/statements", data=json.dumps(body)) as answer:
        await answer.read()
        return answer.status


async def test_every_kind_of_statement_is_accepted_and_the_validator_agrees(store: tuple[str, aiohttp.ClientSession]) -> None:
    url, http = store
    made = [
        *statements_of(everything().entries),
        *statements_of(recorded_class("class-2").entries, ClassFold(site=SITE, session="class-2")),
    ]
    made += watched_statements()
    async with http.post(f"{url}/statements", data=b"[" + b",".join(s.body for s in made) + b"]") as answer:
        assert answer.status == 200, await answer.text()
    for statement in made:
        async with http.get(f"{url}/statements", params={"statementId": statement.id}) as answer:
            assert same_statement(statement.json, await answer.json()), statement.kind
    rollup = RollUp(
        participant="ann",
        minutes=41.5,
        ratio=0.92,
        met=True,
        segments=(Segment(start=START, end=START + 60_000),),
        policy="default",
        policy_version="1",
    )
    (draft,) = attended(SITE, "class-1", rollup, START)
    first = finish(SITE, "class-1", 70, draft, identity)
    assert await post(http, url, first.json) == 200
    second = msgspec.structs.replace(rollup, minutes=45)
    for draft in attended(SITE, "class-1", second, START, Told(first.id, first.json["result"])):
        assert await post(http, url, finish(SITE, "class-1", 71, draft, identity).json) == 200
    async with http.get(f"{url}/statements", params={"voidedStatementId": first.id}) as answer:
        assert answer.status == 200

    disagreements = []
    good = json.loads(made[1].body)
    for number, (name, statement) in enumerate(mutants(good)):
        if statement.get("id") == good["id"]:
            statement["id"] = SITE.uuid("mutant", number)
        accepted = await post(http, url, statement) == 200
        if accepted != (validate_xapi(statement) == []):
            disagreements.append((name, accepted, validate_xapi(statement)))
    assert {name for name, accepted, _ in disagreements if accepted} == LAXER, disagreements
    assert [name for name, accepted, _ in disagreements if not accepted] == []
