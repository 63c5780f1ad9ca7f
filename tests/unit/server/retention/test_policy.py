"""The rules: defaults, tenants that differ, every problem told, and what the configuration prints of them."""

from pathlib import Path

import pytest

from server import config
from server.config import ConfigError
from server.retention.due import Kind
from server.retention.policy import MAX_TENANTS, BadRetention, Days, parse

TENANTS = """
[academy]
journal_days = 2
replay_days = 365
["培训中心 2"]
log_days = 1825
"""


def load(**settings: object) -> config.Config:
    return config.load(environ={}, overrides={f"retention.{name}": value for name, value in settings.items()})


def test_raw_media_goes_after_a_week_and_the_rest_stays() -> None:
    policy = load().retention.policy()
    assert {kind: policy.days(kind, "anybody") for kind in Kind} == {
        Kind.JOURNAL: 7,
        Kind.REPLAY: 0,
        Kind.LOG: 0,
        Kind.WATCHED: 0,
        Kind.TORN: 30,
    }


def test_a_tenant_differs_where_its_table_says_so(tmp_path: Path) -> None:
    (tmp_path / "tenants.toml").write_text(TENANTS, "utf-8")
    policy = load(tenants_file=str(tmp_path / "tenants.toml"), torn_days=3, tenants="[other]\nwatched_days = 9").retention.policy()
    assert (policy.days(Kind.JOURNAL, "academy"), policy.days(Kind.REPLAY, "academy"), policy.days(Kind.TORN, "academy")) == (2, 365, 3)
    assert policy.days(Kind.LOG, "培训中心 2") == 1825
    assert (policy.days(Kind.WATCHED, "other"), policy.days(Kind.WATCHED, "")) == (9, 0)
    assert policy.told(Kind.JOURNAL, "academy", None) == "journal_days=2 tenant=academy"
    assert policy.told(Kind.JOURNAL, "", 1) == "journal_days=1 asked by the class tenant=house"
    assert policy.told(Kind.JOURNAL, "", 30) == "journal_days=7 tenant=house"


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    bad = '[a]\njournal_days = -1\nlog_days = 99999\nextra = 1\n["b"]\nreplay_days = true\nx = 1\n'
    (tmp_path / "same.toml").write_text("[c]\n[d]", "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(tenants=bad + "[c]", tenants_file=str(tmp_path / "same.toml"), replay_days=-5, torn_days=36_501)
    text = "\n".join(caught.value.problems)
    for told in (
        "'a': journal_days",
        "'a': log_days",
        "'a': extra",
        "'b': replay_days",
        "'b': x",
        "retention.replay_days",
        "retention.torn_days",
    ):
        assert told in text, told
    with pytest.raises(ConfigError, match="no such file"):
        load(tenants_file="/nowhere/tenants.toml")
    with pytest.raises(ConfigError, match="told twice"):
        load(tenants="[c]", tenants_file=str(tmp_path / "same.toml"))
    (tmp_path / "latin.toml").write_bytes(b"[\xe9]")
    with pytest.raises(ConfigError, match="tenants_file"):
        load(tenants_file=str(tmp_path / "latin.toml"))


@pytest.mark.parametrize(
    "text",
    ["[", "a = 1", "[[a]]\n", f'["{"x" * 201}"]', '["a\\u0007"]', "\n".join(f"[t{n}]" for n in range(MAX_TENANTS + 1)), "#" * 1_000_001],
)
def test_what_is_no_list_of_tenants_is_refused(text: str) -> None:
    with pytest.raises(BadRetention):
        parse(text, Days())


def test_the_reference_tells_every_field() -> None:
    text = config.reference()
    assert "[retention]" in text
    for name in ("journal_days = 7", "replay_days = 0", "JIANGTAI_RETENTION_TENANTS_FILE"):
        assert name in text
