"""What every store of published files keeps to (recording.objects.ObjectStore): files of this machine, a bucket of a real S3 server."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from recording.local_files import LocalFiles
from recording.objects import ObjectStore
from tests.support.s3_server import S3Server

MIB = 1 << 20


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    if request.param == "local":
        yield LocalFiles(tmp_path / "published")
    else:
        server: S3Server = request.getfixturevalue("s3_server")
        yield server.objects(server.place())


def a_file(tmp_path: Path, size: int = 10, name: str = "made") -> Path:
    path = tmp_path / name
    path.write_bytes(os.urandom(size))
    return path


async def listed(store: ObjectStore, prefix: str) -> dict[str, int]:
    return {found.key: found.size for found in await store.list(prefix)}


async def test_what_was_put_is_listed_and_read(store: ObjectStore, tmp_path: Path) -> None:
    await store.check()
    file = a_file(tmp_path, 1000)
    await store.put("aa/v1/mix.weba", file)
    [found] = await store.list("aa")
    assert (found.key, found.size) == ("aa/v1/mix.weba", 1000)
    assert found.etag
    assert '"' not in found.etag
    whole = file.read_bytes()
    assert await store.read("aa/v1/mix.weba", 0, 1000) == whole
    assert await store.read("aa/v1/mix.weba", 10, 20) == whole[10:20]
    assert await store.read("aa/v1/mix.weba", 990, 5000) == whole[990:], "as much as there is"
    for start, stop in ((5, 5), (9, 3), (-5, 3)):
        with pytest.raises(ValueError, match="range"):
            await store.read("aa/v1/mix.weba", start, stop)


async def test_a_large_file_arrives_whole(store: ObjectStore, tmp_path: Path) -> None:
    file = a_file(tmp_path, 21 * MIB + 7)
    await store.put("aa/v1/screen.mp4", file)
    assert await listed(store, "aa/v1") == {"aa/v1/screen.mp4": 21 * MIB + 7}
    content = file.read_bytes()
    for at in (0, 8 * MIB - 5, 16 * MIB - 1, 21 * MIB):
        assert await store.read("aa/v1/screen.mp4", at, at + 100) == content[at : at + 100]


async def test_an_empty_file_is_an_object(store: ObjectStore, tmp_path: Path) -> None:
    await store.put("aa/v1/empty.vtt", a_file(tmp_path, 0))
    assert await listed(store, "aa/v1") == {"aa/v1/empty.vtt": 0}


async def test_putting_again_replaces(store: ObjectStore, tmp_path: Path) -> None:
    for size in (30, 20):
        await store.put("aa/v1/x.json", a_file(tmp_path, size))
    assert await listed(store, "aa/v1") == {"aa/v1/x.json": 20}


async def test_prefixes_are_whole_segments(store: ObjectStore, tmp_path: Path) -> None:
    file = a_file(tmp_path)
    for key in ("aa/v1/x.json", "aa/v10/x.json", "aab/v1/x.json"):
        await store.put(key, file)
    assert set(await listed(store, "aa/v1")) == {"aa/v1/x.json"}
    assert set(await listed(store, "aa")) == {"aa/v1/x.json", "aa/v10/x.json"}
    assert await store.remove("aa/v1") == 1
    assert await store.remove("aa") == 1
    assert await store.remove("aa") == 0
    assert set(await listed(store, "aab")) == {"aab/v1/x.json"}
    assert await listed(store, "aa") == {}


async def test_more_than_one_page_is_listed_and_removed(store: ObjectStore, tmp_path: Path) -> None:
    file, count = a_file(tmp_path, 1), 1_050 if store.place else 50
    await asyncio.gather(*(store.put(f"many/v1/t{number:05}.json", file) for number in range(count)))
    assert len(await listed(store, "many")) == count
    assert await store.remove("many") == count
    assert await listed(store, "many") == {}


async def test_what_is_not_there(store: ObjectStore, tmp_path: Path) -> None:
    assert await listed(store, "none") == {}
    with pytest.raises(FileNotFoundError):
        await store.read("none/v1/x.json", 0, 10)
    with pytest.raises(FileNotFoundError):
        await store.put("aa/v1/x.json", tmp_path / "missing")
    assert await listed(store, "aa") == {}


@pytest.mark.parametrize(
    "key",
    [
        "", "/", "..", "aa/../bb", "aa//x", "/aa/x", "aa/x/", "aa/.x", "aa/x\0", "aa/x\n", "aa\\x", "aa/%2e%2e", "aa/x?y", "aa/x#y",
        "aa/ x", "aa/é", "a/b/c/d/e", "aa/" + "x" * 200, "~/x", "aa/x:y",
    ],
)  # fmt: skip
async def test_no_key_leads_elsewhere(store: ObjectStore, key: str, tmp_path: Path) -> None:
    file = a_file(tmp_path)
    with pytest.raises(ValueError, match="not a key"):
        await store.put(key, file)
    with pytest.raises(ValueError, match="not a key"):
        await store.read(key, 0, 1)
    with pytest.raises(ValueError, match="not a key"):
        await store.list(key)
    with pytest.raises(ValueError, match="not a key"):
        await store.remove(key)
    with pytest.raises(ValueError, match="not a key"):
        store.path(key)


async def test_a_link_is_no_object(tmp_path: Path) -> None:
    store = LocalFiles(tmp_path / "published")
    await store.put("aa/v1/x.json", a_file(tmp_path))
    os.symlink("/etc/passwd", tmp_path / "published/aa/v1/y.json")
    assert set(await listed(store, "aa")) == {"aa/v1/x.json"}
    with pytest.raises(OSError, match="symbolic"):
        await store.read("aa/v1/y.json", 0, 10)


async def test_an_address_gives_one_object_for_a_while(s3_server: S3Server, tmp_path: Path) -> None:
    store = s3_server.objects(s3_server.place())
    file = a_file(tmp_path, 1000)
    await store.put("aa/v1/mix.webm", file)
    await store.put("aa/v1/other.webm", file)
    address = await store.url("aa/v1/mix.webm", 2)
    assert address is not None
    async with aiohttp.ClientSession() as http:

        async def status(address: str, **headers: str) -> tuple[int, bytes, str]:
            async with http.get(aiohttp.client.URL(address, encoded=True), headers=headers) as answer:
                return answer.status, await answer.read(), answer.content_type

        assert await status(address) == (200, file.read_bytes(), "video/webm")
        assert (await status(address, Range="bytes=5-9"))[:2] == (206, file.read_bytes()[5:10])
        assert (await status(address.replace("mix.webm", "other.webm")))[0] == 403
        assert (await status(address.partition("?")[0]))[0] == 403
        expired = address.replace("X-Amz-Expires=2", "X-Amz-Expires=9999")
        assert (await status(expired))[0] == 403
