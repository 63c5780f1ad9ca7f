"""Shape of the sources: short files with a header, error codes used and known."""

import ast
import pathlib
import re
from typing import Final

import pytest

from signaling.classroom.errors import CODES

ROOT: Final = pathlib.Path(__file__).parents[2]
HARD_LIMIT: Final = 600
FOLDERS: Final = ("server", "signaling", "media", "moderation", "recording", "loadtests", "tests", "web/src")
SUFFIXES: Final = (".py", ".rs", ".ts", ".tsx")


def sources(*suffixes: str) -> list[pathlib.Path]:
    skipped = ("target", "node_modules", "static", "__pycache__")
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in suffixes]
    return [path for path in found if ".gen." not in path.name and not any(part in skipped for part in path.parts)]


def product() -> list[pathlib.Path]:
    return [path for path in sources(".py") if "tests" not in path.parts and "loadtests" not in path.parts]


def test_no_file_is_longer_than_600_lines() -> None:
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in sources(*SUFFIXES)}
    assert {name: length for name, length in lengths.items() if length > HARD_LIMIT} == {}


@pytest.mark.parametrize("path", product(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_module_says_what_it_owns(path: pathlib.Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not text.strip() or ast.get_docstring(ast.parse(text))


def test_names_of_files_and_classes_say_what_they_are() -> None:
    vague = re.compile(r"^(utils?|helpers?|managers?|misc|common)$|(Manager|Helper|Utils?)$")
    for path in product():
        assert not vague.search(path.stem), path
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.ClassDef) and vague.search(node.name)), f"{path}: {node.name}"


def test_every_refusal_names_a_known_code_and_every_code_is_used() -> None:
    used: set[str] = set()
    for path in product():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Rejected" and node.args:
                literal = node.args[0]
                if isinstance(literal, ast.Constant):
                    assert literal.value in CODES, f"{path} refuses with {literal.value!r}"
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and path.name != "errors.py":
                used.add(node.value)
    computed = {"banned", "declined"}  # refused by the name of the seat
    assert set(CODES) - used - computed == set()
