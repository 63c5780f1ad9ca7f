"""The hand-written stub and the native module say the same."""

import ast
import inspect
from pathlib import Path
from types import ModuleType

import pytest

from media import _engine  # noqa: TID251 - the subject

STUB = ast.parse((Path(__file__).parents[3] / "media" / "_engine.pyi").read_text())


def names(arguments: ast.arguments) -> tuple[list[str], list[str]]:
    return [a.arg for a in arguments.args if a.arg != "self"], [a.arg for a in arguments.kwonlyargs]


def native(function: object) -> tuple[list[str], list[str]]:
    parameters = [p for p in inspect.signature(function).parameters.values() if p.name not in ("self", "cls")]  # type: ignore[arg-type]
    keyword = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    return [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY], keyword


def functions(body: list[ast.stmt]) -> list[ast.FunctionDef]:
    return [node for node in body if isinstance(node, ast.FunctionDef)]


CLASSES = [node for node in STUB.body if isinstance(node, ast.ClassDef)]
METHODS = [(node.name, function) for node in CLASSES for function in functions(node.body)]


@pytest.mark.parametrize(("name", "function"), METHODS, ids=lambda part: getattr(part, "name", part))
def test_methods_take_what_the_stub_says(name: str, function: ast.FunctionDef) -> None:
    owner = getattr(_engine, name)
    found = owner if function.name == "__init__" else getattr(owner, function.name)
    if function.decorator_list:
        assert inspect.isgetsetdescriptor(found)
    else:
        assert native(found) == names(function.args)


def test_nothing_is_exported_that_the_stub_does_not_name() -> None:
    module: ModuleType = _engine
    told = {function.name for function in functions(STUB.body)} | {node.name for node in CLASSES}
    assert {name for name in dir(module) if not name.startswith("_")} == told
    for node in CLASSES:
        methods = {function.name for function in functions(node.body)}
        assert {name for name in vars(getattr(module, node.name)) if not name.startswith("_")} <= methods
    for function in functions(STUB.body):
        assert native(getattr(module, function.name)) == names(function.args)
