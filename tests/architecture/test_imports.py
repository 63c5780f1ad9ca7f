"""Who may import whom: the rooms by import-linter (.importlinter), pure files and third-party fences by reading the sources."""

import ast
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Final

import pytest

ROOT: Final = pathlib.Path(__file__).parents[2]
ROOMS: Final = ("server", "signaling", "media", "moderation", "recording")

#: pure files -> all they may import
PURE: Final[dict[str, set[str]]] = {
    "signaling/classroom/*.py": {"collections.abc", "enum", "hashlib", "types", "typing", "msgspec", "signaling.classroom"},
    "signaling/messages.py": {"collections.abc", "sys", "typing", "msgspec", "signaling.classroom", "signaling.describe"},
    "recording/captions.py": {"re", "typing"},
    "recording/main_picture.py": {"collections.abc", "typing", "recording.manifest", "signaling.classroom"},
    "recording/orders.py": {"collections.abc", "msgspec", "recording", "signaling.classroom"},
    "moderation/attendance.py": {"collections.abc", "dataclasses", "typing", "moderation", "signaling.classroom"},
    "moderation/intervals.py": {"collections.abc", "typing"},
    "moderation/presence_log.py": {"dataclasses", "typing", "signaling.classroom"},
    "moderation/pseudonyms.py": {"collections.abc", "enum", "types", "typing", "msgspec", "signaling.classroom"},
    "moderation/names.py": {"collections.abc", "functools", "typing", "unicodedata", "confusable_homoglyphs"},
    "moderation/screening.py": {"collections.abc", "typing", "unicodedata"},
}
PURE["server/retention/due.py"] = {"enum", "typing", "msgspec", "signaling.classroom"}
PURE["server/retention/policy.py"] = {"collections.abc", "tomllib", "typing", "msgspec", "server.retention"}
_DATA: Final = {"base64", "binascii", "collections.abc", "dataclasses", "datetime", "functools", "hashlib", "re", "types", "typing"}
for _name in ("attended", "checks", "compare", "encode", "fold", "grammar", "merkle", "statements", "validate", "vocabulary"):
    PURE[f"server/records/{_name}.py"] = _DATA | {"msgspec", "server.records", "signaling.classroom", "urllib.parse", "uuid"}
#: third-party module -> the only files or folders that may import it
FENCES: Final[dict[str, tuple[str, ...]]] = {
    "aiohttp": ("server/", "signaling/gateway.py", "signaling/transport.py"),
    "aiortc": ("media/peer.py", "media/negotiation.py"),
    "av": ("media/peer.py", "recording/"),
    "confusable_homoglyphs": ("moderation/names.py",),
    "cryptography": ("server/",),
    "joserfc": ("server/",),
    "media._engine": ("media/plane.py", "media/switchboard.py", "media/listening.py", "media/journals.py"),
    "prometheus_client": ("server/telemetry.py",),
    "redis": ("server/adapters/",),
    "socketio": (),
    "xlsxwriter": ("server/sheets.py",),
    "pickle": (),
    "sqlite3": ("server/adapters/",),
}


def sources() -> list[pathlib.Path]:
    return [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")) if "engine" not in path.parts]


def imports(path: pathlib.Path) -> Iterator[str]:
    """Full names of everything a file imports, `from a import b` as a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def test_the_rooms_import_in_one_direction() -> None:
    # In a process of its own: it switches off the loggers that are there.
    command = [str(pathlib.Path(sys.executable).parent / "lint-imports"), "--config", str(ROOT / ".importlinter"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize("pattern", PURE)
def test_pure_files_import_only_data_modules(pattern: str) -> None:
    paths = sorted(ROOT.glob(pattern))
    assert paths
    for path in paths:
        for name in imports(path):
            allowed = any(within(name, module) for module in PURE[pattern]) or name == "signaling.describe"
            assert allowed, f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("module", FENCES)
def test_third_party_modules_stay_behind_their_fence(module: str) -> None:
    for path in sources():
        place = path.relative_to(ROOT).as_posix()
        if not place.startswith(FENCES[module]) or not FENCES[module]:
            assert not any(within(name, module) for name in imports(path)), f"{place} imports {module}"


def test_pure_files_ask_neither_clock_nor_chance_nor_disk() -> None:
    for pattern in PURE:
        for path in ROOT.glob(pattern):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    assert node.func.id not in ("open", "print", "input", "eval", "exec", "__import__", "id"), path


def test_a_node_loads_no_codec() -> None:
    """Decoders and encoders belong to the packager's own processes (recording/process.py)."""
    told = "import sys, server.app; print(sorted({name.partition('.')[0] for name in sys.modules} & {'av', 'PIL', 'numpy'}))"
    done = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
