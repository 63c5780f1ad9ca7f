"""The OpenAPI document: valid, complete, and true for what the node answers."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from server import api, openapi, problems
from server.app import ROUTES
from signaling.classroom.roles import Role
from tests.support.house import SERVICE, House, house


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as home:
        yield home


def document() -> dict[str, Any]:
    return json.loads(json.dumps(openapi.document(ROUTES, "1")))  # type: ignore[no-any-return]


def test_the_document_is_valid_openapi_3_1() -> None:
    OpenAPIV31SpecValidator(document()).validate()


def test_every_route_is_described_and_nothing_else() -> None:
    described = {(method.upper(), path) for path, operations in document()["paths"].items() for method in operations}
    assert described == {(route.method, api.PREFIX + route.path) for route in ROUTES}


def test_every_refusal_of_a_route_has_a_status_and_a_message() -> None:
    for route in ROUTES:
        for code in openapi.codes_of(route):
            assert 400 <= problems.status_of(code) < 600
            assert problems.body_of(code).error.message


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for path in document()["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))


async def test_the_document_is_made_once_for_all_who_ask(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Making it takes long, and nobody need be known to ask for it."""
    made, document_of = list[str](), openapi.document

    def counted(routes: tuple[api.Route, ...], version: str) -> dict[str, Any]:
        made.append(version)
        return document_of(routes, version)

    monkeypatch.setattr(openapi, "document", counted)
    answers = [await home.call("GET", "/openapi.json") for _ in range(3)]
    assert [answer.status for answer in answers] == [200] * 3
    assert answers[0].body == answers[1].body == answers[2].body
    assert len(made) == 1


async def test_the_node_serves_the_document_and_answers_as_it_says(home: House) -> None:
    served = (await home.call("GET", "/openapi.json")).body
    session = await home.create("Physics")
    guest = await home.come_in(session, "u", Role.TRAINER)
    async with home.join(guest) as member:
        await member.command("start_class")
        calls: list[tuple[str, str, str, Any, dict[str, Any]]] = [
            ("POST", "/classes", "/classes", {"title": "B"}, {"headers": SERVICE}),
            ("GET", "/classes", "/classes?ended=true&limit=1", None, {"headers": SERVICE}),
            ("GET", "/classes/{session}", f"/classes/{session}", None, {"headers": SERVICE}),
            ("GET", "/classes/{session}/people", f"/classes/{session}/people", None, {"headers": SERVICE}),
            ("GET", "/classes/{session}/audit", f"/classes/{session}/audit", None, {"headers": SERVICE}),
            ("GET", "/classes/{session}/audit/verification", f"/classes/{session}/audit/verification", None, {"headers": SERVICE}),
            (
                "POST",
                "/classes/{session}/tokens",
                f"/classes/{session}/tokens",
                {"sub": "u", "role": "trainee", "name": "N"},
                {"headers": SERVICE},
            ),
            ("GET", "/seats/{seat}", f"/seats/{guest.seat}", None, {"cookie": guest.cookie}),
            ("POST", "/seats", "/seats", {"token": home.token(session, "v")}, {}),
            ("POST", "/seats", "/seats", {"token": "x"}, {}),
            ("POST", "/classes", "/classes", {"nonsense": 1}, {"headers": SERVICE}),
            ("GET", "/classes", "/classes?limit=0", None, {"headers": SERVICE}),
            ("GET", "/classes", "/classes?unknown=1", None, {"headers": SERVICE}),
            ("GET", "/classes/{session}", "/classes/none", None, {"headers": SERVICE}),
            ("GET", "/classes", "/classes", None, {}),
            ("GET", "/operator/overview", "/operator/overview", None, {}),
            ("POST", "/invitations", "/invitations", {"invite": "x", "name": "N"}, {}),
            ("POST", "/classes/{session}/end", f"/classes/{session}/end", None, {"headers": SERVICE}),
        ]
        for method, template, path, body, proof in calls:
            answer = await home.call(method, path, body, **proof)
            operation = served["paths"][api.PREFIX + template][method.lower()]
            assert str(answer.status) in operation["responses"], (method, path, answer.status)
            content = operation["responses"][str(answer.status)].get("content")
            if content:
                schema = content["application/json"]["schema"]
                Draft202012Validator({**schema, "components": served["components"]}).validate(answer.body)
