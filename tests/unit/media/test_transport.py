"""Both sides of a transport as data."""

from media.transport import RemoteTransport, ServerTransport

SERVER = ServerTransport(
    ufrag="u", pwd="p", fingerprint="F", addresses=("192.0.2.1", "127.0.0.1"), udp_port=4000, tcp_port=None, session="77", version=2
)
REMOTE = RemoteTransport(ufrag="u", pwd="p", fingerprint="F", origin="77")


def test_without_tcp_only_udp_is_announced() -> None:
    lines = [value for name, value in SERVER.candidates() if name == "candidate"]
    assert [line.split(" ")[2] for line in lines] == ["udp", "udp"]
    assert SERVER.candidates()[-1] == ("end-of-candidates", "")


def test_the_next_description_keeps_the_session_and_counts_on() -> None:
    fresh = ServerTransport(ufrag="new", pwd="n", fingerprint="F", addresses=(), udp_port=1, tcp_port=2, session="9")
    renewed = fresh.after(SERVER)
    assert (renewed.session, renewed.version, renewed.ufrag) == ("77", 3, "new")


def test_a_connection_is_told_by_session_and_certificate() -> None:
    assert REMOTE.same_connection(RemoteTransport(ufrag="x", pwd="y", fingerprint="F", origin="77"))
    assert not REMOTE.same_connection(RemoteTransport(ufrag="u", pwd="p", fingerprint="G", origin="77"))
    assert not REMOTE.same_connection(RemoteTransport(ufrag="u", pwd="p", fingerprint="F", origin="78"))
