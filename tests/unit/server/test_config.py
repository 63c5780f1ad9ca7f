import tomllib
from pathlib import Path
from typing import Any

import pytest

from server import config, recordings
from server.config import Config, ConfigError


def test_defaults_make_a_valid_node() -> None:
    assert config.load(environ={}) == Config()
    assert config.check(Config()) == []


def test_environment_wins_over_file_and_command_line_over_both(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text('port = 1\nhost = "10.0.0.1"\nlog_level = "debug"\n[media]\nudp_ports = [5000, 5001]\n')
    environ = {"JIANGTAI_PORT": "2", "JIANGTAI_HOST": "10.0.0.2", "JIANGTAI_MEDIA_TCP_PORT": "7000"}
    loaded = config.load(file, environ, {"port": 3})
    assert (loaded.port, loaded.host, loaded.log_level) == (3, "10.0.0.2", "debug")
    assert loaded.media.udp_ports == (5000, 5001)
    assert loaded.media.tcp_port == 7000


def test_lists_and_switches_are_read_from_text() -> None:
    environ = {"JIANGTAI_MEDIA_UDP_PORTS": "1, 2,3", "JIANGTAI_DEMO": "yes", "JIANGTAI_ORIGINS": "https://a.example,http://b.example:81"}
    loaded = config.load(environ=environ)
    assert loaded.media.udp_ports == (1, 2, 3)
    assert loaded.demo is True
    assert loaded.origins == ("https://a.example", "http://b.example:81")


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text('port = "x"\nunknown = 1\ntls = "maybe"\n[media]\nudp_ports = []\nannounce = ["nowhere"]\n[limits]\nbody_bytes = 0\n')
    with pytest.raises(ConfigError) as error:
        config.load(file, {"JIANGTAI_DEMO": "perhaps", "JIANGTAI_LOG_LEVEL": "loud", "JIANGTAI_TOKENS_API_KEYS": "name:short"})
    told = "\n".join(error.value.problems)
    for name in ("port", "unknown", "tls", "udp_ports", "announce", "body_bytes", "JIANGTAI_DEMO", "log_level", "api_keys"):
        assert name in told


@pytest.mark.parametrize("text", ["port = [", "port = 70000", "media = 5", "demo = 1", 'origins = ["a.example"]', 'tls_cert = "x"'])
def test_a_bad_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "node.toml"
    file.write_text(text)
    with pytest.raises(ConfigError):
        config.load(file, {})


def test_the_reference_documents_every_field_and_reads_back_as_the_defaults(tmp_path: Path) -> None:
    text = config.reference()
    file = tmp_path / "node.toml"
    file.write_text(text)
    assert config.load(file, {}) == Config()
    documented = {line for line in text.splitlines() if line.startswith("# JIANGTAI_")}
    leaves = tomllib.loads(text)
    count = sum(len(value) if isinstance(value, dict) else 1 for value in leaves.values())
    assert len(documented) == count


def test_links_name_the_public_address_or_the_loopback() -> None:
    assert Config(port=0).origin(8123) == "http://127.0.0.1:8123"
    everywhere = Config(host="0.0.0.0", tls="self-signed").origin()
    assert everywhere == f"https://{config.local_addresses()[0]}:8080"
    assert Config(public_url="https://class.example/").origin(1) == "https://class.example"
    assert Config(host="::1").origin() == "http://[::1]:8080"


def test_media_is_announced_where_it_can_be_reached() -> None:
    # Also for a class on one machine: some browsers never try loopback.
    assert Config().media_addresses()[-1] == "127.0.0.1"
    assert Config(media=config.Media(bind="127.0.0.1")).media_addresses() == ("127.0.0.1",)
    assert Config(media=config.Media(announce=("203.0.113.7",))).media_addresses() == ("203.0.113.7",)
    everywhere = Config(host="0.0.0.0").media_addresses()
    assert everywhere
    assert "0.0.0.0" not in everywhere


def bucket(**more: Any) -> config.Recordings:
    return config.Recordings(store="s3://recordings/classes", **more)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"store": "s3://b"}, "store"),
        ({"store": "https://recordings.example"}, "store"),
        ({"store": "s3://recordings/../keys"}, "store"),
        ({"store": "s3://recordings//x"}, "store"),
        ({"store": "s3://key:secret@recordings"}, "store"),
        ({"endpoint": "s3.example"}, "endpoint"),
        ({"endpoint": "https://key:secret@s3.example"}, "endpoint"),
        ({"endpoint": "https://s3.example/path; img-src *"}, "endpoint"),
        ({"serve": "cache"}, "serve"),
        ({"presigned_seconds": 30}, "presigned_seconds"),
        ({"presigned_seconds": 604_800}, "presigned_seconds"),
        ({"credentials_file": "/none"}, "credentials_file"),
        ({"authorities_file": "/none"}, "authorities_file"),
    ],
)
def test_a_store_for_recordings_that_cannot_be_is_told(settings: dict[str, Any], problem: str) -> None:
    [told] = config.check(Config(recordings=config.Recordings(**settings)))
    assert told.startswith(f"recordings.{problem}")
    assert "secret" not in told


def test_media_come_from_another_origin_only_if_addresses_are_presigned(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    assert config.Recordings(serve="presigned").media_origin == ""
    assert bucket(endpoint="https://s3.example:9000/").media_origin == ""
    assert bucket(serve="presigned", endpoint="https://s3.example:9000/").media_origin == "https://s3.example:9000"
    assert bucket(serve="presigned").media_origin == "https://s3.us-east-1.amazonaws.com"
    assert bucket(serve="presigned", region="eu-west-1").media_origin == "https://s3.eu-west-1.amazonaws.com"
    assert bucket(serve="presigned", virtual_hosted=True).media_origin == "https://recordings.s3.us-east-1.amazonaws.com"
    assert config.check(Config(recordings=bucket(serve="presigned"))) == []


def test_credentials_that_cannot_be_used_are_told_without_what_they_hold(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    for text in ("aws_secret_access_key = hush", "[default]\naws_secret_access_key = hush", "[other]\naws_access_key_id = hush", "\0"):
        file.write_text(text)
        with pytest.raises(ConfigError) as error:
            recordings.open_store(bucket(credentials_file=str(file)))
        assert "recordings.credentials_file" in str(error.value)
        assert "hush" not in str(error.value)
