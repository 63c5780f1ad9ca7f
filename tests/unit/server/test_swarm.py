"""Where `jiangtai swarm` looks for the load generator, and what it says when there is none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from server import cli
from server.swarm import NAME, NotBuilt, command, find


def program(path: Path, text: str = "exit 0") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_what_is_named_goes_before_what_is_built_and_that_before_path(tmp_path: Path) -> None:
    named, on_path = program(tmp_path / "mine"), program(tmp_path / "bin" / NAME)
    built = program(tmp_path / "crate" / "target" / "release" / NAME)
    environ = {"PATH": str(on_path.parent)}
    assert find({**environ, "JIANGTAI_SWARM": str(named)}, tmp_path / "crate") == named
    assert find(environ, tmp_path / "crate") == built
    assert find(environ, tmp_path / "elsewhere") == on_path


def test_a_load_generator_that_is_not_there_is_told_with_how_to_build_it(tmp_path: Path) -> None:
    with pytest.raises(NotBuilt, match="cargo build --release"):
        find({"PATH": str(tmp_path)}, tmp_path)
    with pytest.raises(NotBuilt, match="is not a program"):
        find({"PATH": str(tmp_path), "JIANGTAI_SWARM": str(tmp_path / "nothing")}, tmp_path)


def test_words_are_passed_on_as_they_are(tmp_path: Path) -> None:
    named = program(tmp_path / "mine")
    line, _ = command(["run", "--viewers", "3", "--help"], {"JIANGTAI_SWARM": str(named)})
    assert line == [str(named), "run", "--viewers", "3", "--help"]


def test_a_class_is_put_on_by_the_load_tests_of_the_checkout(tmp_path: Path) -> None:
    environ = {"JIANGTAI_SWARM": str(program(tmp_path / "mine")), "PYTHONPATH": "/mine"}
    with pytest.raises(NotBuilt, match="needs a checkout"):
        command(["class"], environ, tmp_path)
    program(tmp_path / "loadtests" / "class_swarm.py")
    line, variables = command(["class", "--viewers", "3"], environ, tmp_path)
    assert line == [sys.executable, "-m", "loadtests.class_swarm", "--viewers", "3"]
    assert variables["PYTHONPATH"] == f"{tmp_path}{os.pathsep}/mine"


def test_the_command_becomes_the_load_generator(tmp_path: Path) -> None:
    named = program(tmp_path / "mine", 'echo "got $*"; exit 7')
    environ = {**os.environ, "JIANGTAI_SWARM": str(named)}
    line = [sys.executable, "-m", "server.cli", "swarm", "--help", "--viewers", "3"]
    done = subprocess.run(line, capture_output=True, text=True, env=environ, cwd=Path(__file__).parents[3], check=False)
    assert (done.returncode, done.stdout) == (7, "got --help --viewers 3\n")


def test_the_command_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("JIANGTAI_SWARM", "/nothing")
    assert cli.main(["swarm", "run"]) == 1
    assert capsys.readouterr().err == "jiangtai: JIANGTAI_SWARM=/nothing is not a program\n"
