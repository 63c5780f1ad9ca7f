"""What Janus is told, and that the real one understands it."""

import sys
import urllib.request
from pathlib import Path

import pytest

from loadtests.janus import AS_INSTALLED, AT_BEST, NotRunning, configuration, janus, jcfg
from loadtests.netns import namespace


def test_settings_are_written_in_libconfigs_notation() -> None:
    assert jcfg({"general": {"port": 8088, "http": True, "path": 'a"b'}, "off": False}) == (
        'general: {\n  port = 8088\n  http = true\n  path = "a\\"b"\n}\noff = false\n'
    )


def test_as_installed_says_nothing_about_threads() -> None:
    assert "event_loops" not in configuration("198.18.0.2", AS_INSTALLED)["janus.jcfg"]
    assert "ice_lite" not in configuration("198.18.0.2", AS_INSTALLED)["janus.jcfg"]


def test_at_its_best_peers_share_threads() -> None:
    texts = [configuration("198.18.0.2", tuning)["janus.jcfg"] for tuning in AT_BEST]
    assert ["event_loops = 1\n" in texts[0], "event_loops = 2\n" in texts[1]] == [True, True]
    assert all("ice_lite = true" in text for text in texts)


@pytest.mark.parametrize("tuning", [AS_INSTALLED, *AT_BEST])
def test_no_door_but_the_api_is_open(tuning: object) -> None:
    texts = configuration("198.18.0.2", tuning)  # type: ignore[arg-type]
    assert "admin_http = false" in texts["janus.transport.http.jcfg"]
    assert 'ip = "198.18.0.2"' in texts["janus.transport.http.jcfg"]
    assert "libjanus_websockets.so" in texts["janus.jcfg"]
    assert "room-" not in texts["janus.plugin.videoroom.jcfg"]


def test_a_janus_that_ends_at_once_is_told_with_its_last_words(tmp_path: Path) -> None:
    wrap = lambda *_: [sys.executable, "-c", "print('no such luck'); raise SystemExit(3)"]  # noqa: E731
    with pytest.raises(NotRunning, match="ended with 3: no such luck"), janus(tmp_path, "127.0.0.1", AS_INSTALLED, wrap):
        pass


def test_a_missing_janus_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(NotRunning, match="package janus"),
        janus(tmp_path, "127.0.0.1", AS_INSTALLED, lambda *_: ["jiangtai-no-such-command"]),
    ):
        pass


@pytest.mark.prove
def test_the_real_one_starts_with_what_is_written_and_ends(tmp_path: Path) -> None:
    with namespace() as made, janus(tmp_path, made.inside, AT_BEST[0], made.command) as running:
        assert running.version[0].isdigit()
        with urllib.request.urlopen(f"{running.url}/info", timeout=5) as answer:
            told = answer.read().decode()
        assert "janus.plugin.videoroom" in told
        assert "janus.plugin.sip" not in told
        assert Path(f"/proc/{running.pid}/comm").read_text() == "janus\n"
    assert not Path(f"/proc/{running.pid}").exists()
