"""Destinations: all problems at once, secrets from files and never in a message."""

from pathlib import Path

import pytest

from server import config
from server.config import ConfigError
from server.records.destinations import BadDestinations, parse


def test_a_store_and_a_webhook(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef\n")
    found = parse(
        f'[lrs]\nurl = "https://lrs.example/xAPI/"\nauthorization = "Basic x"\nversion = "2.0.0"\n'
        f'[hook]\nkind = "webhook"\nurl = "https://hook.example/in"\nsecret_file = "{secret}"\n'
    )
    assert [(one.name, one.kind, one.url) for one in found] == [
        ("lrs", "xapi", "https://lrs.example/xAPI"),
        ("hook", "webhook", "https://hook.example/in"),
    ]
    assert found[0].version == "2.0.0"
    assert found[1].secret == "0123456789abcdef"


def test_every_problem_is_told_and_no_secret() -> None:
    text = (
        '[a]\nurl = "ftp://x"\n[b]\nurl = "https://x"\nbatch = 0\nauthorization = "hush"\n'
        '[c]\nkind = "webhook"\nurl = "https://x"\nsecret = "hush"\n["D D"]\nurl = "https://x"\n[e]\nnonsense = 1\nurl = "https://x"\n'
    )
    with pytest.raises(BadDestinations) as caught:
        parse(text)
    assert len(caught.value.problems) == 5
    assert "hush" not in str(caught.value)
    with pytest.raises(BadDestinations):
        parse("not toml")
    with pytest.raises(BadDestinations):
        parse("\n".join(f'[d{n}]\nurl = "https://x"' for n in range(17)))


def test_records_need_a_site_to_name_things_by() -> None:
    with pytest.raises(ConfigError, match=r"records\.site"):
        config.load(environ={}, overrides={"records.feed": True})
    assert config.load(environ={}, overrides={"records.feed": True, "public_url": "https://a.example"}).records.feed
