"""Talking to destinations over HTTP: an xAPI store, or a webhook receiver. One method sends a batch, one looks a statement up.

No redirect is followed, nothing is compressed, an answer is read to 64 KiB at most. A failure below HTTP is an answer, too: status 0 when
nothing came back, -1 when the other side could not prove who it is or is at an address where nobody is asked (server.records.reach).
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import aiohttp
import msgspec

from server.records.answers import Answer, retry_after_s
from server.records.destinations import Destination
from server.records.outbox import Row
from server.records.reach import NotPublic

_READ: Final = 65_536
_TOLD: Final = 2_000
Seconds = Callable[[], float]


class Store(Protocol):
    """One destination."""

    async def post(self, rows: Sequence[Row]) -> Answer:
        """Send a batch."""

    async def find(self, row: Row) -> tuple[Answer, Any]:
        """Ask for one statement by its id: 200 and what the store holds (None if unreadable), or 404."""

    async def ask(self) -> Answer:
        """Whether the store serves at all."""


class XapiStore:
    """A store that speaks xAPI; statements are sent as a list to `<url>/statements`."""

    def __init__(self, destination: Destination, http: aiohttp.ClientSession, seconds: Seconds) -> None:
        self._destination = destination
        self._http = http
        self._seconds = seconds
        self._headers = {"X-Experience-API-Version": destination.version}
        if destination.authorization:
            self._headers["Authorization"] = destination.authorization

    async def post(self, rows: Sequence[Row]) -> Answer:
        """See Store.post."""
        body = b"[" + b",".join(row.body for row in rows) + b"]"
        headers = {**self._headers, "Content-Type": "application/json"}
        return (await self._send("POST", "/statements", headers, body))[0]

    async def find(self, row: Row) -> tuple[Answer, Any]:
        """See Store.find."""
        answer, body = await self._send("GET", f"/statements?statementId={row.id}", self._headers)
        return (answer, None) if answer.status != 200 else _only(answer, body)

    async def ask(self) -> Answer:
        """See Store.ask; by its `about`."""
        return (await self._send("GET", "/about", self._headers))[0]

    async def _send(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> tuple[Answer, bytes]:
        return await send(self._http, method, self._destination.url + path, headers, body, self._destination, self._seconds)


class WebhookReceiver:
    """A receiver of signed batches (headers as in the Standard Webhooks convention).

    `webhook-signature: v1,<base64 of HMAC-SHA256(secret, id.timestamp.body)>`; the id is the same for the same batch, so that a receiver
    can tell a repetition; the timestamp (seconds) is that of the try. Statements carry their own ids.
    """

    def __init__(self, destination: Destination, http: aiohttp.ClientSession, seconds: Seconds) -> None:
        self._destination = destination
        self._http = http
        self._seconds = seconds

    async def post(self, rows: Sequence[Row]) -> Answer:
        """See Store.post."""
        body = b'{"statements":[' + b",".join(row.body for row in rows) + b"]}"
        return await self._deliver(body)

    async def find(self, row: Row) -> tuple[Answer, Any]:
        """See Store.find; a receiver cannot be asked."""
        return Answer(405), None

    async def ask(self) -> Answer:
        """See Store.ask: an empty batch."""
        return await self._deliver(b'{"statements":[]}')

    async def _deliver(self, body: bytes) -> Answer:
        headers = signed(self._destination.secret, body, int(self._seconds()))
        headers["Content-Type"] = "application/json"
        return (await send(self._http, "POST", self._destination.url, headers, body, self._destination, self._seconds))[0]


def signed(secret: str, body: bytes, timestamp_s: int) -> dict[str, str]:
    """The headers that prove a webhook's body."""
    id = f"msg_{hashlib.sha256(body).hexdigest()[:32]}"
    mac = hmac.digest(secret.encode(), f"{id}.{timestamp_s}.".encode() + body, "sha256")
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }


async def send(
    http: aiohttp.ClientSession,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None,
    destination: Destination,
    seconds: Seconds,
) -> tuple[Answer, bytes]:
    """One request; never raises for what the network or the other side does."""
    total = destination.connect_s + destination.read_s
    limit = aiohttp.ClientTimeout(total=total, connect=destination.connect_s, sock_read=destination.read_s)
    try:
        async with http.request(method, url, data=body, headers=headers, timeout=limit, allow_redirects=False) as response:
            text = await _read(response)
            wait = retry_after_s(response.headers.get("Retry-After"), seconds())
            return Answer(response.status, wait, text[:_TOLD].decode("utf-8", "replace")), text
    except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
        return Answer(-1, None, f"TLS: {type(error).__name__}"), b""
    except aiohttp.InvalidURL:
        return Answer(-1, None, "the address is malformed"), b""
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, NotPublic):
            return Answer(-1, None, str(error.os_error)), b""
        return Answer(0, None, type(error).__name__), b""
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return Answer(0, None, type(error).__name__), b""


def _only(answer: Answer, body: bytes) -> tuple[Answer, Any]:
    """The one statement of an answer; some stores send a list of one, and an empty one for none."""
    try:
        held = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return answer, None
    listed = held.get("statements") if isinstance(held, dict) and "actor" not in held else None
    if not isinstance(listed, list):
        return answer, held
    return (answer, listed[0]) if len(listed) == 1 else (Answer(404 if not listed else 200), None)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    chunks: list[bytes] = []
    left = _READ
    async for chunk in response.content.iter_chunked(16_384):
        chunks.append(chunk[:left])
        left -= len(chunks[-1])
        if left == 0:
            response.close()
            break
    return b"".join(chunks)


def store_for(destination: Destination, http: aiohttp.ClientSession, seconds: Seconds) -> Store:
    """The store of a destination's kind."""
    if destination.kind == "webhook":
        return WebhookReceiver(destination, http, seconds)
    return XapiStore(destination, http, seconds)
