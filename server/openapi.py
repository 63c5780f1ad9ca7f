"""The OpenAPI 3.1 document, generated from the same routes and structs that serve the calls."""

import re
from typing import Any, Final

import msgspec

from server import api, problems
from server.api import Route
from server.rights import Caller, Right, may

_REF: Final = "#/components/schemas/{name}"
_COMMON: Final = ("bad_message", "misdirected", "too_large", "internal")
_SEATED: Final = ("trainer", "assistant", "trainee", "inspector")


def document(routes: tuple[Route, ...], version: str) -> dict[str, Any]:
    """The whole document as plain data."""
    types: list[Any] = [problems.ErrorBody]
    for route in routes:
        types += [kind for kind in (route.body, route.answer) if kind is not None]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    schema_of = dict(zip((id(kind) for kind in types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(api.PREFIX + route.path, {})[route.method.lower()] = _operation(route, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Jiangtai", "version": version, "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"}},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _SCHEMES},
    }


_SCHEMES: Final = {
    "seat": {
        "type": "apiKey",
        "in": "cookie",
        "name": "jiangtai",
        "description": "Under TLS named __Host-jiangtai. It names the browser; the path or ?seat= names the seat.",
    },
    "operator": {
        "type": "apiKey",
        "in": "cookie",
        "name": "jiangtai-operator",
        "description": "Under TLS named __Host-jiangtai-operator.",
    },
    "token": {"type": "http", "scheme": "bearer", "description": "A join token; on a session, the one it was opened with."},
    "service": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, or a service token: a JWT of five minutes with aud <audience>/api.",
    },
}


def codes_of(route: Route) -> tuple[str, ...]:
    """Every refusal a route may answer with."""
    codes = {*_COMMON, *route.codes}
    if not may(Caller.ANYBODY, route.right):
        codes |= {"unauthenticated", "not_allowed", "rate_limited"}
    if route.body is not None or route.takes:
        codes |= {"too_slow"}
    return tuple(sorted(codes | {"bad_origin", "journal_unavailable"}))


def _operation(route: Route, schema_of: dict[int, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()}{re.sub('[^a-z]+', '_', route.path)}".rstrip("_"),
        "summary": route.summary,
        "responses": _responses(route, schema_of),
    }
    if parameters := _parameters(route):
        operation["parameters"] = parameters
    content = _json(schema_of[id(route.body)]) if route.body is not None else {}
    if route.takes:
        content |= {route.takes: {"schema": {"type": "string"}}}
    if content:
        operation["requestBody"] = {"required": True, "content": content}
    if security := _security(route.right):
        operation["security"] = security
    return operation


def _parameters(route: Route) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in re.findall(r"{(\w+)}", route.path)
    ]
    for field in msgspec.structs.fields(route.query):
        schema = msgspec.json.schema(field.type)
        found.append({"name": field.encode_name, "in": "query", "required": field.required, "schema": schema})
    return found


def _responses(route: Route, schema_of: dict[int, Any]) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "Done."}
    if route.answer is not None:
        good["content"] = _json(schema_of[id(route.answer)])
    responses = {str(status): _raw(media_type) for status, media_type in route.raw.items()} or {str(route.status): good}
    by_status: dict[int, list[str]] = {}
    for code in codes_of(route):
        by_status.setdefault(problems.status_of(code), []).append(code)
    for status, codes in sorted(by_status.items()):
        responses[str(status)] = {"description": ", ".join(codes), "content": _json({"$ref": _REF.format(name="ErrorBody")})}
    return responses


def _raw(media_type: str) -> dict[str, Any]:
    content = {"content": {media_type: {"schema": {"type": "string"}}}} if media_type else {}
    return {"description": "Done.", **content}


def _security(right: Right) -> list[dict[str, list[str]]]:
    if right is Right.STREAM:
        return [{"token": []}]
    if may(Caller.ANYBODY, right):
        return []
    kinds = {"seat": any(may(Caller(role), right) for role in _SEATED)}
    kinds |= {"operator": may(Caller.OPERATOR, right), "service": may(Caller.SERVICE, right)}
    return [{name: []} for name, wanted in kinds.items() if wanted]


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
