"""Which streams of an m-line are layers, and which is the lowest."""

import pytest

from media.sdp import Malformed, Section
from media.simulcast import read_simulcast


def section(*attributes: tuple[str, str]) -> Section:
    return Section(kind="video", port=9, protocol="UDP/TLS/RTP/SAVPF", formats=("96",), attributes=attributes)


def layered(line: str, *rids: str) -> Section:
    return section(*(("rid", rid) for rid in rids), ("simulcast", line))


def test_an_m_line_without_simulcast_has_none_even_if_it_names_a_stream() -> None:
    assert read_simulcast(section()).rids == ()
    assert read_simulcast(section(("rid", "a send"))).rids == ()
    assert read_simulcast(section()).answer() == []


@pytest.mark.parametrize("listed", [("q", "h", "f"), ("f", "h", "q"), ("h", "q", "f")])
def test_well_known_names_tell_the_order(listed: tuple[str, ...]) -> None:
    found = read_simulcast(layered(f"send {';'.join(listed)}", *(f"{rid} send" for rid in listed)))
    assert found.rids == ("q", "h", "f")
    assert found.listed == listed


def test_unknown_names_are_in_the_order_the_client_is_known_to_use() -> None:
    offered = layered("send r0;r1;r2", "r0 send", "r1 send", "r2 send")
    assert read_simulcast(offered).rids == ("r0", "r1", "r2")
    assert read_simulcast(offered, lowest_first=False).rids == ("r2", "r1", "r0")


def test_size_restrictions_tell_the_order_best_and_are_answered() -> None:
    found = read_simulcast(layered("send q;h", "q send pt=96;max-width=1280;max-height=720", "h send max-width=320;max-fps=15"))
    assert found.rids == ("h", "q")
    assert found.answer() == [
        ("rid", "q recv max-width=1280;max-height=720"),
        ("rid", "h recv max-width=320;max-fps=15"),
        ("simulcast", "recv q;h"),
    ]


def test_the_first_alternative_counts_and_paused_streams_do() -> None:
    found = read_simulcast(layered("send ~q,x;h,y recv z", "q send", "h send", "x send", "z recv"))
    assert found.listed == ("q", "h")
    assert found.answer()[-1] == ("simulcast", "recv q;h")


def test_what_a_client_only_wants_to_receive_is_not_read() -> None:
    assert read_simulcast(layered("recv q;h", "q recv", "h recv")).rids == ()
    assert read_simulcast(layered("recv x send q;h", "q send", "h send")).rids == ("q", "h")


@pytest.mark.parametrize(
    ("line", "rids"),
    [
        ("send a;b;c;d", ("a send", "b send", "c send", "d send")),
        ("send a;a", ("a send",)),
        ("send a;b", ("a send",)),
        ("send a;b", ("a send", "b recv")),
        ("send a", ("a send", "a send")),
        ("send a-b", ("a-b send",)),
        ("send " + "a" * 17, ("a" * 17 + " send",)),
        ("send ", ("a send",)),
        ("send a;", ("a send",)),
        ("send a recv", ("a send",)),
        ("send a send b", ("a send", "b send")),
        ("sendrecv a", ("a send",)),
        ("a", ("a send",)),
        ("", ("a send",)),
        ("send a", ("a send max-width=<b>",)),
        ("send a", ("a send " + ";".join(["max-fps=1"] * 9),)),
    ],
)
def test_lines_that_break_a_rule_are_malformed(line: str, rids: tuple[str, ...]) -> None:
    with pytest.raises(Malformed):
        read_simulcast(layered(line, *rids))


def test_two_simulcast_lines_are_malformed() -> None:
    with pytest.raises(Malformed):
        read_simulcast(section(("rid", "a send"), ("simulcast", "send a"), ("simulcast", "send a")))
