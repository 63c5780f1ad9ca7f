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


ENGINE = next(node for node in STUB.body if isinstance(node, ast.ClassDef))


@pytest.mark.parametrize("function", functions(ENGINE.body), ids=lambda node: node.name)
def test_engine_methods_take_what_the_stub_says(function: ast.FunctionDef) -> None:
    found = _engine.Engine if function.name == "__init__" else getattr(_engine.Engine, function.name)
    if function.decorator_list:
        assert inspect.isgetsetdescriptor(found)
    else:
        assert native(found) == names(function.args)


def test_nothing_is_exported_that_the_stub_does_not_name() -> None:
    module: ModuleType = _engine
    told = {function.name for function in functions(STUB.body)} | {"Engine"}
    assert {name for name in dir(module) if not name.startswith("_")} == told
    methods = {function.name for function in functions(ENGINE.body)}
    assert {name for name in vars(_engine.Engine) if not name.startswith("_")} <= methods
    for function in functions(STUB.body):
        assert native(getattr(module, function.name)) == names(function.args)
