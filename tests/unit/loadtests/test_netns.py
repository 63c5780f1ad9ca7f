"""The bench's own network: whose it is, and that nothing of it stays."""

import ipaddress
import os
import socket
import subprocess

import pytest

from loadtests.netns import Unavailable, left_behind, namespace, plan


def test_addresses_stay_within_those_set_aside_for_benches() -> None:
    seen = set()
    for pid in (1, 2, 63, 64, 4_000, 16_383, 32_768, 4_194_303):
        planned = plan(pid)
        inside, outside = ipaddress.IPv4Interface(f"{planned.inside}/30"), ipaddress.IPv4Interface(f"{planned.outside}/30")
        assert inside.network == outside.network
        assert inside.network.subnet_of(ipaddress.IPv4Network("198.18.0.0/15"))
        assert {inside.ip, outside.ip} == set(inside.network.hosts())
        seen.add(planned.name)
    assert len(seen) == 8


def test_only_namespaces_of_benches_that_are_gone_are_swept() -> None:
    listed = "jiangtai-12 (id: 0)\njiangtai-13\nsomebody-elses\njiangtai-x\n"
    assert left_behind(listed, {13}) == ["jiangtai-12"]
    assert left_behind("", {1}) == []


def test_a_command_is_run_inside() -> None:
    assert plan(7).command(["janus", "-v"]) == ["ip", "netns", "exec", "jiangtai-7", "janus", "-v"]


def test_without_root_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Unavailable, match="root"), namespace():
        pass


def _links() -> str:
    return subprocess.run(["ip", "-brief", "link"], capture_output=True, text=True, check=True).stdout


ECHO = "import socket; s=socket.socket(2,2); s.bind(('', 9000)); print(flush=True); d, a = s.recvfrom(99); s.sendto(d[::-1], a)"


@pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace needs root")
def test_both_ends_hear_each_other_and_all_is_gone_after_a_failure() -> None:
    with pytest.raises(RuntimeError, match="the bench failed"):
        _measure()
    assert plan(os.getpid()).name not in _told("netns", "list")
    assert f"jt{os.getpid()}a" not in _told("-brief", "link")


def _measure() -> None:
    with (
        namespace() as made,
        subprocess.Popen(made.command(["python3", "-c", ECHO]), stdout=subprocess.PIPE) as echo,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker,
    ):
        assert echo.stdout is not None
        echo.stdout.readline()
        asker.settimeout(5)
        asker.sendto(b"abc", (made.inside, 9000))
        assert asker.recv(9) == b"cba"
        assert made.name in _told("netns", "list")
        raise RuntimeError("the bench failed")


def _told(*words: str) -> str:
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=True).stdout
