"""Browsers are started once per test module: a new profile per person comes from contexts, not from processes."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support import clip
from tests.support.browser import Chromium, Firefox, chromium, firefox
from tests.support.demo import DemoNode, demo_node


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


@pytest_asyncio.fixture(loop_scope="module")
async def node() -> AsyncIterator[DemoNode]:
    """A fresh node with its demo class."""
    async with demo_node() as started:
        yield started
