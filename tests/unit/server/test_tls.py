import datetime
import ssl
import stat
from pathlib import Path

from server import tls
from server.config import Config

NOW = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)


def test_a_self_signed_certificate_is_made_once_and_kept(tmp_path: Path) -> None:
    first = tls.self_signed(tmp_path, ("127.0.0.1", "10.1.2.3"), NOW)
    made = first[0].read_bytes()
    assert tls.self_signed(tmp_path, ("10.1.2.3",), NOW + datetime.timedelta(days=100)) == first
    assert first[0].read_bytes() == made
    assert stat.S_IMODE(first[1].stat().st_mode) == 0o600


def test_it_is_made_anew_near_its_end_or_for_a_new_address_or_when_unreadable(tmp_path: Path) -> None:
    cert, _ = tls.self_signed(tmp_path, ("127.0.0.1",), NOW)
    for names, when in ((("10.0.0.9",), NOW), (("10.0.0.9",), NOW + datetime.timedelta(days=350))):
        before = cert.read_bytes()
        tls.self_signed(tmp_path, names, when)
        assert cert.read_bytes() != before
    cert.write_text("rubbish")
    tls.self_signed(tmp_path, ("127.0.0.1",), NOW)
    assert cert.read_text().startswith("-----BEGIN")


def test_the_context_speaks_tls_1_2_and_newer_only(tmp_path: Path) -> None:
    context = tls.context_for(Config(tls="self-signed", var=str(tmp_path)))
    assert context is not None
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert tls.context_for(Config(var=str(tmp_path))) is None
