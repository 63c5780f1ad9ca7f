"""Browsers are started once per test module: a new profile per person comes from contexts, not from processes."""

import contextlib
import re
import shutil
from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support import clip, seat
from tests.support.browser import Chromium, Firefox, chromium, firefox
from tests.support.demo import DemoNode, demo_node

RESULTS = Path(__file__).parents[2] / "test-results"
FAILED = pytest.StashKey[bool]()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def trainer_browser() -> AsyncIterator[Chromium]:
    """A Chromium whose camera and microphone play the clip and speech."""
    async with chromium(video=clip.camera(), audio=clip.microphone()) as browser:
        yield browser


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crome() -> AsyncIterator[Chromium]:
    """A Chromium with its own test pattern and beeps."""
    async with chromium() as browser:
        yield browser


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fox() -> AsyncIterator[Firefox]:
    async with firefox() as browser:
        yield browser


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest_asyncio.fixture(loop_scope="module")
async def node(request: pytest.FixtureRequest) -> AsyncIterator[DemoNode]:
    """A fresh node with its demo class. After a failure, everybody's screen and the node's log are kept in test-results."""
    seat.ENTERED.clear()
    async with demo_node() as started:
        yield started
        if request.node.stash.get(FAILED, False):
            await _keep(re.sub(r"\W+", "-", request.node.name), started)
        for person in seat.ENTERED:
            with contextlib.suppress(Exception):
                await person.page.close()


async def _keep(name: str, node: DemoNode) -> None:
    RESULTS.mkdir(exist_ok=True)
    shutil.copy(node.var / "node.log", RESULTS / f"{name}.log")
    for person in seat.ENTERED:
        with contextlib.suppress(Exception):
            await person.page.screenshot(RESULTS / f"{name}-{person.name}.png")
