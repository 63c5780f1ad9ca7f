"""Over TLS the native write is not used: bytes go through the transport, with the same promises."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from signaling.classroom.chat import PostChat
from signaling.classroom.roles import Role
from tests.support.member import Member
from tests.support.node import Node, cookie, serve
from tests.support.raw import Raw, packet


def certificate(folder: Path) -> Path:
    """A certificate for localhost and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "node.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[tuple[Node, str]]:
    """A node behind a TLS listener of its own, and the address of that."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path))
    async with serve(tmp_path / "node.db", window_s=0.005) as node:
        await node.create("c1")
        app = web.Application()
        app.router.add_get("/rt/", node.gateway.handle)
        runner = web.AppRunner(app, shutdown_timeout=2.0)
        await runner.setup()
        assert runner.server is not None
        server = await asyncio.get_running_loop().create_server(runner.server, "127.0.0.1", 0, ssl=context)
        yield node, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        server.close()
        await runner.cleanup()


async def test_members_over_tls_hear_everything_in_order(secure: tuple[Node, str]) -> None:
    node, url = secure
    async with aiohttp.ClientSession() as http:
        members = []
        for name, role in (("tina", Role.TRAINER), *((f"p{n}", Role.TRAINEE) for n in range(5))):
            headers = {"Origin": url, **cookie("c1", name, role)}
            ws = await http.ws_connect(f"{url}/rt/?EIO=4&transport=websocket", headers=headers, ssl=False, compress=0, max_msg_size=0)
            await ws.receive_str()
            member = Member(ws)
            await member.connect({"seat": name})
            members.append(member)
        tina = members[0]
        await tina.command("start_class")
        assert not any(viewer.out.fast for viewer in node.gateway.viewers("c1"))
        last = 0
        for n in range(60):
            reply = await node.hub.dispatch("c1", f"p{n % 5}", PostChat(text=f"{n:03}" + "x" * 1_900))
            last = reply.seq
        for member in members:
            await member.until(lambda m=member: m.last >= last)  # type: ignore[misc]
            said = [e["event"]["text"][:3] for e in member.events if e["event"]["type"] == "chat_posted"]
            assert said == [f"{n:03}" for n in range(60)]
        for member in members:
            await member.leave()


async def test_reader_over_tls_that_stops_is_dropped(secure: tuple[Node, str]) -> None:
    node, url = secure
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    host, port = "127.0.0.1", int(url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection(host, port, ssl=context, limit=1_024)
    raw = Raw(reader, writer)
    status, _ = await raw.handshake({"Origin": "https://node", **cookie("c1", "deaf")})
    assert status == 101
    await raw.send(packet(type=0, data={"seat": "deaf"}))
    async with asyncio.timeout(5):
        while not node.gateway.viewers("c1", "deaf"):
            await raw.packet()
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    async with asyncio.timeout(30):
        while viewers := node.gateway.viewers("c1", "deaf"):
            viewers[0].out.send(b"\x82\x7e\x40\x00" + bytes(16_384), 1)
            await asyncio.sleep(0.005)
    writer.transport.abort()
