"""The client's files: one page for every page address, names with a hash kept for ever, nothing else reachable."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server import site
from tests.support.house import House, house

PAGE = "<!doctype html><title>Jiangtai</title>"
SCRIPT = "export const x = 1;" * 100


@pytest.fixture
async def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(PAGE)
    (folder / "assets" / "app-1a2b.js").write_text(SCRIPT)
    (folder / "assets" / "app-1a2b.js.gz").write_bytes(gzip.compress(SCRIPT.encode()))
    (folder / "icon.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    monkeypatch.setattr(site, "STATIC", folder)
    async with house(tmp_path / "var") as home:
        yield home


@pytest.mark.parametrize("path", ["/", "/join", "/class/0123", "/ended/0123", "/operator"])
async def test_page_addresses_answer_with_the_one_page_which_is_asked_for_again(home: House, path: str) -> None:
    async with home.http.get(f"{home.url}{path}") as response:
        assert (response.status, await response.text()) == (200, PAGE)
        assert response.headers["Cache-Control"] == "no-cache"
        assert response.content_type == "text/html"


async def test_hashed_files_are_kept_for_ever_and_sent_compressed(home: House) -> None:
    url = f"{home.url}/assets/app-1a2b.js"
    async with home.http.get(url, headers={"Accept-Encoding": "gzip"}) as response:
        assert await response.text() == SCRIPT
        assert response.headers["Content-Encoding"] == "gzip"
        assert "immutable" in response.headers["Cache-Control"]
        assert response.content_type in ("text/javascript", "application/javascript")
    async with home.http.get(url, headers={"Accept-Encoding": "identity"}) as response:
        assert await response.text() == SCRIPT
        assert "Content-Encoding" not in response.headers


async def test_an_unchanged_file_is_not_sent_again(home: House) -> None:
    async with home.http.get(f"{home.url}/icon.svg") as response:
        tag = response.headers["ETag"]
    async with home.http.get(f"{home.url}/icon.svg", headers={"If-None-Match": tag}) as response:
        assert response.status == 304


@pytest.mark.parametrize("path", ["/link.txt", "/secret.txt", "/assets/none.js", "/joining", "/assets/", "/classes"])
async def test_nothing_else_is_served(home: House, path: str) -> None:
    async with home.http.get(f"{home.url}{path}") as response:
        assert response.status == 404


async def test_without_a_built_client_the_page_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "STATIC", tmp_path / "none")
    async with house(tmp_path / "var") as home, home.http.get(f"{home.url}/join") as response:
        assert response.status == 503
        assert "make web" in await response.text()


def test_the_policy_names_the_websocket_and_nothing_foreign() -> None:
    policy = site.content_policy("class.example", secure=True)
    assert "connect-src 'self' wss://class.example" in policy
    assert "http:" not in policy
    assert "*" not in policy
    assert "media-src 'self' blob:;" in policy
    from_store = site.content_policy("class.example", secure=True, media_origin="https://s3.example:9000")
    assert "media-src 'self' blob: https://s3.example:9000;" in from_store
    assert from_store.count("s3.example") == 1
    assert "unsafe-eval" not in policy
