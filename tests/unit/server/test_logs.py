import asyncio
import gc
import json
import logging

import pytest

from server import logs


def line(record: logging.LogRecord) -> dict[str, object]:
    return dict(json.loads(logs.JsonLines().format(record)))


def record(logger: str, message: str, *arguments: object, **extra: object) -> logging.LogRecord:
    return logging.getLogger(logger).makeRecord(logger, logging.INFO, "f", 1, message, arguments, None, extra=extra)


def test_a_line_is_one_json_object_with_allowed_fields_only() -> None:
    told = line(record("jiangtai.http", "token refused", why="signature", person="Li Hua", token="abc"))
    assert told["message"] == "token refused"
    assert told["why"] == "signature"
    assert "Li Hua" not in str(told)
    assert "abc" not in str(told)


def test_other_libraries_are_reduced_to_their_template() -> None:
    assert line(record("aiohttp.server", "Error handling %s", "secret"))["message"] == "Error handling %s"


def test_an_exception_is_told_by_type_and_place_without_its_text() -> None:
    try:
        raise ValueError("Li Hua wrote: hello")
    except ValueError:
        import sys

        made = logging.getLogger("jiangtai").makeRecord("jiangtai", logging.ERROR, "f", 1, "failed", (), sys.exc_info())
    told = logs.JsonLines().format(made)
    assert "ValueError" in told
    assert "test_logs.py" in told
    assert "Li Hua" not in told


def test_levels_of_our_loggers_follow_the_configuration() -> None:
    root = logging.getLogger()
    kept = root.handlers[:], root.level
    try:
        logs.start("warning")
        assert not logging.getLogger("jiangtai.node").isEnabledFor(logging.INFO)
        logs.start("debug")
        assert logging.getLogger("jiangtai.node").isEnabledFor(logging.DEBUG)
        assert not logging.getLogger("aiohttp").isEnabledFor(logging.INFO)
    finally:
        root.handlers[:], level = kept
        root.setLevel(level)
        logging.getLogger("jiangtai").setLevel(logging.NOTSET)


@pytest.mark.parametrize("name", ["name", "token", "text", "cookie", "seat", "sub"])
def test_nothing_personal_is_an_allowed_field(name: str) -> None:
    assert name not in logs.FIELDS


async def test_errors_nobody_waited_for_are_told_without_their_values(caplog: pytest.LogCaptureFixture) -> None:
    """asyncio writes errors, tasks and arguments into its own messages."""
    loop = asyncio.get_running_loop()

    async def task(name: str) -> None:
        raise ValueError(f"{name} wrote: hello")

    def callback(name: str) -> None:
        raise ValueError(f"{name} wrote: hello")

    failed = asyncio.create_task(task("Li Hua"))
    await asyncio.wait([failed])
    del failed
    gc.collect()
    loop.call_soon(callback, "Li Hua")
    await asyncio.sleep(0)
    written = [logs.JsonLines().format(found) for found in caplog.records if found.name == "asyncio"]
    assert [json.loads(told)["message"].split()[0] for told in written] == ["Task", "Exception"]
    assert all("ValueError" in told and "test_logs.py" in told for told in written)
    assert "Li Hua" not in "".join(written)
