"""Attacks on the HTTP side: slow, huge, many, misnamed. The node runs in a process of its own; twenty members carry on meanwhile."""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from server import guard, keys, site
from tests.support.bystanders import bystanders
from tests.support.house import SERVICE, House, house, spawned
from tests.support.legs import until

HEAD_S = 9


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def home(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """One node for all attacks, one after the other."""
    async with spawned(tmp_path_factory.mktemp("var"), LIMITS_REQUESTS_PER_MINUTE="100000") as home:
        yield home


def address(home: House) -> tuple[str, int]:
    parts = urlsplit(home.url)
    return parts.hostname or "", parts.port or 0


def resident(home: House) -> int:
    """Bytes of memory the node's process holds."""
    return int(Path(f"/proc/{home.pid}/statm").read_text().split()[1]) * 4096


async def ask(home: House, raw: bytes, limit: float = 10.0) -> bytes:
    """Everything the node sends to raw bytes until it closes or is silent for a while."""
    reader, writer = await asyncio.open_connection(*address(home))
    answer = b""
    try:
        with contextlib.suppress(ConnectionError):
            writer.write(raw)
            await writer.drain()
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(limit):
                while chunk := await reader.read(65_536):
                    answer += chunk
                    if len(chunk) < 65_536 and limit <= 1:
                        continue
    finally:
        writer.close()
    return answer


def request(home: House, line: str, *headers: str, last: bool = True) -> bytes:
    """A request head; `last` asks the node to close the connection afterwards."""
    more = ("Connection: close",) if last else ()
    return "\r\n".join([line, f"Host: {urlsplit(home.url).netloc}", *headers, *more, "", ""]).encode()


async def test_a01_a_head_that_never_ends_is_cut_in_time(home: House) -> None:
    count, lives = 2_000, list[float]()

    async def drip() -> None:
        reader, writer = await asyncio.open_connection(*address(home))
        started = time.monotonic()
        closed = asyncio.ensure_future(reader.read())
        with contextlib.suppress(ConnectionError):
            for byte in b"GET / HTTP/1.1\r\nX: ":
                writer.write(bytes([byte]))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(closed), 3)
                    break
        with contextlib.suppress(ConnectionError):
            await closed
        lives.append(time.monotonic() - started)
        writer.close()

    async with bystanders(home):
        drops = [asyncio.create_task(drip()) for _ in range(count)]
        await asyncio.sleep(1)
        started = time.monotonic()
        await home.come_in(await home.create(), "newcomer")
        assert time.monotonic() - started < 1
        await asyncio.gather(*drops)
    assert len(lives) == count
    assert max(lives) <= 10


async def test_a01_a_second_slow_head_on_a_used_connection_is_cut_as_well(home: House) -> None:
    reader, writer = await asyncio.open_connection(*address(home))
    writer.write(request(home, "GET /healthz HTTP/1.1", last=False))
    assert b"200" in await reader.readuntil(b"}")
    started = time.monotonic()
    writer.write(b"GET / HTT")
    assert await asyncio.wait_for(reader.read(), HEAD_S + 3) == b""
    assert time.monotonic() - started <= HEAD_S + 2
    writer.close()


async def test_a02_a_body_that_never_ends_is_cut(tmp_path: Path) -> None:
    async with spawned(tmp_path, LIMITS_BODY_SECONDS="1") as home:
        raw = request(home, "POST /api/v1/seats HTTP/1.1", "Content-Type: application/json", "Content-Length: 1000") + b'{"token": "'
        started = time.monotonic()
        answer = await ask(home, raw)
        assert b" 408 " in answer.partition(b"\r\n")[0]
        assert b"too_slow" in answer
        assert time.monotonic() - started < 5


A03 = {
    "two lengths": ("Content-Length: 5", "Content-Length: 6"),
    "length and chunked": ("Content-Length: 5", "Transfer-Encoding: chunked"),
    "unknown coding": ("Transfer-Encoding: xchunked",),
    "obfuscated": ("Transfer-Encoding : chunked",),
    "signed length": ("Content-Length: +5",),
    "NUL in a header": ("X: a\0b",),
    "two hosts": ("Host: evil.example",),
}


@pytest.mark.parametrize("headers", A03.values(), ids=A03.keys())
async def test_a03_an_ambiguous_request_is_one_refusal_and_the_end(home: House, headers: tuple[str, ...]) -> None:
    smuggled = b"0\r\n\r\n" + request(home, "GET /healthz HTTP/1.1")
    answer = await ask(home, request(home, "POST /api/v1/seats HTTP/1.1", "Content-Type: application/json", *headers) + smuggled)
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))
    assert answer.count(b"HTTP/1.") == 1
    assert b'{"ok"' not in answer


A04 = {
    "1 MB header": lambda home: request(home, "GET / HTTP/1.1", "X: " + "a" * 1_000_000),
    "10,000 headers": lambda home: request(home, "GET / HTTP/1.1", *(f"X-{n}: 1" for n in range(10_000))),
    "1 MB URL": lambda home: request(home, f"GET /{'a' * 1_000_000} HTTP/1.1"),
    "long header name": lambda home: request(home, "GET / HTTP/1.1", "X" * 100_000 + ": 1"),
}


@pytest.mark.parametrize("name", A04)
async def test_a04_oversized_heads_are_refused_at_little_cost(home: House, name: str) -> None:
    raw = A04[name](home)
    await ask(home, raw)
    async with bystanders(home, 5):
        before = resident(home)
        for _ in range(10):
            answer = await ask(home, raw)
            assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))
        assert resident(home) - before < 5_000_000


async def test_a04_a_body_beyond_the_limit_is_refused(home: House) -> None:
    for body in (b"x" * 70_000, b'{"token": "' + b"a" * 70_000 + b'"}'):
        answer = await home.call("POST", "/seats", data=body, headers={"Content-Type": "application/json"})
        assert (answer.status, answer.code) == (413, "too_large")
    chunk = b"10000\r\n" + b"a" * 65_536 + b"\r\n"
    raw = request(home, "POST /api/v1/seats HTTP/1.1", "Content-Type: application/json", "Transfer-Encoding: chunked") + chunk * 3
    assert b" 413 " in (await ask(home, raw)).partition(b"\r\n")[0]


async def test_a05_a_compressed_body_is_not_inflated(home: House) -> None:
    import gzip

    bomb = gzip.compress(b" " * 50_000_000)
    before = resident(home)
    answer = await home.call("POST", "/seats", data=bomb, headers={"Content-Type": "application/json", "Content-Encoding": "gzip"})
    assert answer.status in (400, 413)
    assert resident(home) - before < 5_000_000


async def test_a06_pipelined_requests_are_bounded(home: House) -> None:
    await ask(home, request(home, "GET /healthz HTTP/1.1", last=False) * 10, limit=1)
    async with bystanders(home):
        before = resident(home)
        reader, writer = await asyncio.open_connection(*address(home))
        writer.write(request(home, "GET /healthz HTTP/1.1", last=False) * 10_000)
        answers = 0
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(20):
                while answers < 10_000 and (chunk := await reader.read(65_536)):
                    answers += chunk.count(b"HTTP/1.1 200")
        writer.close()
        assert answers > 9_000
        assert resident(home) - before < 10_000_000


async def test_a_client_that_takes_nothing_of_an_answer_loses_its_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_STALLED_S", 0.5)
    monkeypatch.setattr(site, "STATIC", tmp_path / "static")
    (tmp_path / "static").mkdir()
    with (tmp_path / "static" / "large.bin").open("wb") as file:
        file.truncate(64 << 20)
    async with house(tmp_path / "var") as home:
        assert home.node is not None
        watch = home.node.app[keys.GUARD]
        with socket.create_connection(address(home)) as asking:
            asking.sendall(request(home, "GET /large.bin HTTP/1.1"))
            await until(lambda: watch.unproved == 1)
            await until(lambda: watch.unproved == 0, limit=20)
        assert watch.malformed == 0


async def test_a07_connections_of_one_address_are_bounded_until_they_proved_a_seat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_IDLE_S", 0.0)
    async with house(tmp_path, **{"limits.open_per_address": 50}) as home:
        assert home.node is not None
        watch = home.node.app[keys.GUARD]
        session = await home.create(profile="large")
        async with contextlib.AsyncExitStack() as stack:
            members = [await stack.enter_async_context(home.member(session, f"m{n}")) for n in range(80)]
            assert watch.unproved < 50
            idle = [await asyncio.open_connection(*address(home)) for _ in range(300)]
            assert await home.come_in(session, "newcomer")
            assert watch.unproved <= 50
            assert watch.evicted >= 250
            assert not any(member.closed.is_set() for member in members)
            for _, writer in idle:
                writer.close()


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("TRACE / HTTP/1.1", b"405"),
        ("CONNECT evil.example:443 HTTP/1.1", b"4"),
        ("PUT /api/v1/seats HTTP/1.1", b"405"),
        ("OPTIONS /api/v1/seats HTTP/1.1", b"405"),
    ],
)
async def test_a08_other_methods_are_refused_and_nothing_is_reflected(home: House, line: str, status: bytes) -> None:
    answer = await ask(home, request(home, line, "X-HTTP-Method-Override: DELETE", "X-Secret: reflected"), limit=2)
    assert answer.split(b" ")[1].startswith(status)
    assert b"reflected" not in answer
    assert b"Access-Control" not in answer


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "[::1", "a@127.0.0.1"])
async def test_a08_a_host_that_is_not_ours_is_misdirected(home: House, host: str) -> None:
    raw = f"GET /api/v1/openapi.json HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    answer = await ask(home, raw, limit=2)
    assert answer.split(b" ")[1] in (b"421", b"400")
    assert b"openapi" not in answer.partition(b"\r\n\r\n")[2]


async def test_a09_forwarded_headers_of_strangers_change_nothing(tmp_path: Path) -> None:
    async with spawned(tmp_path, "--demo") as home:
        forged = {
            "X-Forwarded-For": "127.0.0.1",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "evil.example",
            "Forwarded": "for=1.2.3.4",
        }
        answer = await home.call("GET", "/demo", headers=forged)
        assert answer.status == 200
        assert "evil.example" not in json.dumps(answer.body)
        assert "Strict-Transport-Security" not in answer.headers


async def test_a10_private_pages_are_not_on_the_public_listener(home: House) -> None:
    for path in (
        "/metrics",
        "/debug/pprof",
        "/admin",
        "/.git/config",
        "/var/keys/node.json",
        "/server/cli.py",
        "/static/../keys/node.json",
    ):
        answer = await ask(home, request(home, f"GET {path} HTTP/1.1"), limit=1)
        assert answer.split(b" ")[1] == b"404", path


OUTSIDE = (
    "/../pyproject.toml",
    "/assets/../../pyproject.toml",
    "/assets/%2e%2e/%2e%2e/pyproject.toml",
    "/assets/..%2f..%2fcli.py",
    "/assets/%00",
    "//etc/passwd",
    "/assets//etc/passwd",
)


@pytest.mark.parametrize("path", OUTSIDE)
async def test_files_outside_the_client_cannot_be_named(home: House, path: str) -> None:
    answer = await ask(home, request(home, f"GET {path} HTTP/1.1"), limit=1)
    assert answer.split(b" ")[1] in (b"404", b"400")


async def test_every_answer_carries_the_security_headers(home: House) -> None:
    for path in ("/", "/join", "/api/v1/openapi.json", "/api/v1/nowhere", "/healthz", "/nowhere"):
        async with home.http.get(f"{home.url}{path}") as response:
            policy = response.headers["Content-Security-Policy"]
            for part in (
                "default-src 'none'",
                "script-src 'self'",
                "base-uri 'none'",
                "frame-ancestors 'none'",
                "require-trusted-types-for 'script'",
            ):
                assert part in policy, path
            assert "unsafe-eval" not in policy
            assert "script-src 'self';" in policy
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Referrer-Policy"] == "no-referrer"
            assert "camera=(self)" in response.headers["Permissions-Policy"]
            assert response.headers["Server"] == "jiangtai"
            assert "Access-Control-Allow-Origin" not in response.headers


async def test_login_failures_close_the_connection_and_good_tokens_still_pass(tmp_path: Path) -> None:
    async with spawned(tmp_path, LIMITS_FAILURES_PER_SECOND="5") as home:
        session = await home.create()
        codes = [(await home.call("POST", "/seats", {"token": "x"})).code for _ in range(60)]
        assert codes[0] == "bad_token"
        assert "rate_limited" in codes
        assert await home.come_in(session, "honest")


async def test_calls_are_limited_by_who_asks(tmp_path: Path) -> None:
    async with spawned(tmp_path, LIMITS_REQUESTS_PER_MINUTE="40") as home:
        session = await home.create()
        busy, calm = await home.come_in(session, "busy"), await home.come_in(session, "calm")
        codes = [(await home.call("GET", f"/seats/{busy.seat}", cookie=busy.cookie)).status for _ in range(30)]
        assert codes.count(429) >= 10
        assert (await home.call("GET", f"/seats/{calm.seat}", cookie=calm.cookie)).status == 200


MALFORMED = (
    b"",
    b"{",
    b"[" * 60_000,
    b"null",
    b'{"token": 1}',
    b'{"token": "x", "role": "trainer"}',
    b'{"token": "\xff"}',
    b'{"token": ' + b"9" * 60_000 + b"}",
    b'{"token":"a","a":"\\ud800"}',
)


@pytest.mark.parametrize("body", MALFORMED)
async def test_c01_malformed_bodies_are_refused_and_change_nothing(home: House, body: bytes) -> None:
    answer = await home.call("POST", "/seats", data=body, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.code) in ((400, "bad_message"), (401, "bad_token"))
    assert not answer.cookies


async def test_a_form_post_from_another_site_is_refused(home: House) -> None:
    token = home.token(await home.create(), "victim")
    plain = await home.call("POST", "/seats", data=f'{{"token": "{token}"}}'.encode(), headers={"Content-Type": "text/plain"})
    assert (plain.status, plain.code) == (400, "bad_message")
    foreign = await home.call("POST", "/seats", {"token": token}, headers={"Origin": "https://evil.example"})
    assert (foreign.status, foreign.code) == (403, "bad_origin")
    assert not foreign.cookies
    assert (await home.call("POST", "/seats", {"token": token})).status == 201


async def test_logs_hold_no_names_tokens_cookies_or_words(tmp_path: Path) -> None:
    async with spawned(tmp_path, "--demo", LOG_LEVEL="debug") as home:
        session = await home.create("A secret title")
        token = home.token(session, "subject-of-a-person", name="Visible Name")
        guest = await home.call("POST", "/seats", {"token": token})
        cookie = guest.cookies["jiangtai"]
        for body in ({"token": token}, {"token": token[:-4] + "AAAA"}, {"invite": token, "name": "Visible Name"}):
            await home.call("POST", "/seats" if "token" in body else "/invitations", body)
        await home.call("GET", f"/seats/{guest.body['seat']}?secret=words", cookie=cookie)
        async with home.member(session, "subject-of-a-person", now=time.time() + 1) as member:
            await member.command("post_chat", text="words nobody else should read")
            await member.ws.send_bytes(b"\xc1 words nobody else should read")
        await home.call("GET", "/classes", headers=SERVICE)
        written = home.log
    text = "\n".join(written)
    assert "token refused" in text
    for secret in (
        token,
        token.split(".")[2],
        cookie,
        guest.body["seat"],
        "Visible Name",
        "subject-of-a-person",
        "words",
        "A secret title",
        "test-key",
    ):
        assert secret not in text
    assert all(json.loads(line) for line in written)
