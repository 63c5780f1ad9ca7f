"""Attacks on what a replay gets afterwards: the film's rights and name, pictures that break the finisher, captions that are bombs."""

import struct
from collections.abc import AsyncIterator
from email.message import Message
from pathlib import Path

import msgspec
import pytest

from recording import manifest
from recording.amendment import Words, amend, captioned
from recording.finisher import DOWNLOAD, add
from recording.manifest import Caption, Manifest, Span, Track
from recording.orders import FinishOrder
from recording.publication import MANIFEST
from server import keys, replays
from server.recordings import journal_root
from signaling.classroom.roles import Role
from tests.hostile.test_replay import raw
from tests.integration.test_recording import jiangtai
from tests.integration.test_replay_api import about, app, fetch, recorded
from tests.support import film
from tests.support.house import House, house
from tests.support.taped import Taped

FILM = b"a film" * 100


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, **{"limits.requests_per_minute": 100_000, "limits.failures_per_second": 100_000}) as home:
        yield home


async def filmed(home: House, tmp_path: Path) -> Taped:
    """A recording with something to download and captions."""
    held = await recorded(home)
    path = tmp_path / "film"
    path.write_bytes(FILM)

    def change(served: Manifest) -> Manifest:
        return msgspec.structs.replace(
            served, download=Span(from_ms=0, to_ms=served.duration_ms, file=DOWNLOAD, type="video/mp4", bytes=len(FILM))
        )

    published, clock = app(home)[keys.PUBLISHED], app(home)[keys.CLOCK]
    await amend(published, held.session, held.recording, change, {DOWNLOAD: path}, clock)
    await captioned(published, held.session, held.recording, Words(b"WEBVTT\n\n00:01.000 --> 00:02.000\nhi\n", "en", None), clock)
    return held


async def test_who_may_take_the_film_home(home: House, tmp_path: Path) -> None:
    held, other = await filmed(home, tmp_path), await home.create("other")
    ann = await home.come_in(held.session, "ann")
    told = (await about(home, held, ann)).body
    words = told["content"]["captions"][0]["file"]
    expected = {"tom": (Role.TRAINER, 200), "eve": (Role.ASSISTANT, 200), "ivy": (Role.INSPECTOR, 200), "ann": (Role.TRAINEE, 200)}
    expected |= {"never-came": (Role.TRAINEE, 403)}
    stranger = await home.come_in(other, "ann", Role.TRAINER)
    for name in (DOWNLOAD, words):
        for sub, (role, status) in expected.items():
            guest = await home.come_in(held.session, sub, role)
            assert (await fetch(home, told["base"], name, guest)).status == status, sub
        for proof in ({}, {"cookie": stranger.cookie}):
            assert (await home.call("GET", told["base"].removeprefix("/api/v1") + name, **proof)).status == 401  # type: ignore[arg-type]
    assert (await fetch(home, told["base"], DOWNLOAD, ann)).body == FILM
    await app(home)[keys.RECORDINGS].mark(held.session, held.recording, "deleted", 7, "test", "{}")
    assert (await fetch(home, told["base"], DOWNLOAD, ann)).status == 410


async def test_a_signature_of_the_version_before_does_not_open_the_film(home: House, tmp_path: Path) -> None:
    held = await recorded(home)
    ann = await home.come_in(held.session, "ann")
    base = (await about(home, held, ann)).body["base"]
    published, clock = app(home)[keys.PUBLISHED], app(home)[keys.CLOCK]
    await captioned(published, held.session, held.recording, Words(b"WEBVTT\n\n00:01.000 --> 00:02.000\nhi\n", "en", None), clock)
    told = (await about(home, held, ann)).body
    words, grant = told["content"]["captions"][0]["file"], base.split("/")[-3]
    assert (await fetch(home, told["base"], words, ann)).status == 200
    assert (await fetch(home, base, words, ann)).status == 404
    assert (await fetch(home, told["base"].replace(told["base"].split("/")[-3], grant), words, ann)).status == 403


@pytest.mark.parametrize(
    "name", ["../../../jiangtai.sqlite", "..", ".hidden", "/etc/passwd", "a/b.vtt", "captions-..%2f..%2fx.vtt/../../keys"]
)
async def test_f02_no_manifest_leads_out_of_its_version(home: House, tmp_path: Path, name: str) -> None:
    held = await filmed(home, tmp_path)
    ann = await home.come_in(held.session, "ann")
    published = app(home)[keys.PUBLISHED]
    version = await published.store.served(held.session, held.recording)
    path = version.path(published.root) / MANIFEST
    made = manifest.read(path.read_bytes())
    for spoiled in (
        msgspec.structs.replace(made, captions=[Caption(language="en", label="x", file=name)]),
        msgspec.structs.replace(made, sheets=[name]),
        msgspec.structs.replace(made, thumbnails=name),
    ):
        with pytest.raises(ValueError, match="lead elsewhere"):
            manifest.read(msgspec.json.encode(spoiled))
    base = (await about(home, held, ann)).body["base"]
    status, body = await raw(home, base + name, ann.cookie)
    assert status in (400, 404)
    assert b"root:" not in body


TITLES = (
    'a"; filename="evil.exe', "a\r\nSet-Cookie: x=y", "../../../etc/passwd", "\u202egpj.exe", "CON", "", "...", " ", "\0\0", "a" * 5_000,
    "%00%0d%0a", "\ud800", "<script>", "课" * 500, "_" * 300, "é\u0301", "//\\\\", "~/.ssh/id", "a;b,c", "=cmd|' /C calc'!A0",
)  # fmt: skip


@pytest.mark.parametrize("title", TITLES, ids=ascii)
def test_no_title_makes_a_dangerous_name(title: str) -> None:
    told = replays.disposition(title)
    assert told.isascii()
    assert told.isprintable()
    assert len(told) < 1_100
    message = Message()
    message["Content-Disposition"] = told
    assert message.get_content_disposition() == "attachment"
    assert told.count('"') == 2
    name = message.get_filename()
    assert name is not None
    assert name.endswith(".mp4")
    assert not set(name) & set('/\\:*?"<>|;%\r\n\0\u202e')
    assert not name.startswith((".", " ", "-", "="))


def vp8_of_size(folder: Path, name: str, width: int, height: int) -> Span:
    """Pictures whose head claims a size."""
    span = film.vp8(folder, name, 0, 1)
    data = bytearray((folder / name).read_bytes())
    at = data.find(b"\x9d\x01\x2a")
    while at >= 0:
        data[at + 3 : at + 7] = struct.pack("<HH", width, height)
        at = data.find(b"\x9d\x01\x2a", at + 7)
    (folder / name).write_bytes(data)
    return span


def finish(folder: Path, spans: list[Span]) -> tuple[set[str], bool]:
    """(files made, whether there is a film)."""
    (folder / "work").mkdir()
    tracks = [Track(id="t1", participant="tom", source="screen", spans=spans)]
    told = add(
        FinishOrder(
            folder=str(folder), work=str(folder / "work"), tracks=tracks, mix=film.mix(folder, 4), trainers=["tom"], duration_ms=4_000,
            main=True,
        )
    )  # fmt: skip
    return set(told.pictures), told.download is not None


def test_pictures_of_a_size_nobody_has_are_left_out(tmp_path: Path) -> None:
    good = msgspec.structs.replace(film.vp8(tmp_path, "good.webm", 0, 1), from_ms=2_000, to_ms=3_000)
    huge = vp8_of_size(tmp_path, "huge.webm", 0x3FFF, 0x3FFF)
    assert finish(tmp_path, [huge, good]) == ({"good.webm"}, True)


@pytest.mark.parametrize("size", [(0, 0), (1, 1), (2, 16_000)])
def test_pictures_of_an_odd_size_end_nothing(tmp_path: Path, size: tuple[int, int]) -> None:
    good = msgspec.structs.replace(film.vp8(tmp_path, "good.webm", 0, 1), from_ms=2_000, to_ms=3_000)
    made, whole = finish(tmp_path, [vp8_of_size(tmp_path, "odd.webm", *size), good])
    assert "good.webm" in made
    assert whole


@pytest.mark.parametrize("spoil", ["cut", "zeros", "noise", "text"])
def test_spoiled_files_end_nothing(tmp_path: Path, spoil: str) -> None:
    good = msgspec.structs.replace(film.h264(tmp_path, "good.mp4", 0, 1), from_ms=2_000, to_ms=3_000)
    for name, span in (("a.webm", film.vp8(tmp_path, "a.webm", 0, 1)), ("b.mp4", film.h264(tmp_path, "b.mp4", 0, 1))):
        data = (tmp_path / name).read_bytes()
        half = len(data) // 2
        spoiled = {"cut": data[:half], "zeros": data[:half] + bytes(half), "noise": data[:half] + data[:half][::-1], "text": b"<html>" * 99}
        (tmp_path / name).write_bytes(spoiled[spoil])
        assert span.bytes
    bad = [film.span(tmp_path, "a.webm", 0, 1, 'video/webm; codecs="vp8"'), film.span(tmp_path, "b.mp4", 1_000, 1, good.type)]
    made, whole = finish(tmp_path, [*bad, good])
    assert whole
    # Spoiled pictures may look like anything; those of the whole file are where they were.
    times = [at for at, _ in film.pictures(tmp_path / "work" / DOWNLOAD) if at > 1_990]
    assert len(times) == 25
    assert times[0] == pytest.approx(2_000, abs=1)
    assert made <= {"a.webm"}


async def test_captions_that_are_a_bomb_are_refused_by_the_command(home: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = await recorded(home)
    deep = tmp_path / "deep.vtt"
    deep.write_bytes(b"WEBVTT\n\n00:01.000 --> 00:02.000\n" + b"<b>" * 1_000_000 + b"\n")
    for file, why in ((Path("/dev/zero"), "more than 4 MB"), (deep, "characters at once"), (tmp_path, "directory")):
        assert await jiangtai(tmp_path, "captions", held.session, held.recording, str(file), "--lang", "en") != 0
        assert why in capsys.readouterr().err
    for words in (("../../x", "r1"), (held.session, "../.."), (held.session, "r1' OR 1=1")):
        good = tmp_path / "good.vtt"
        good.write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nx\n")
        assert await jiangtai(tmp_path, "captions", *words, str(good), "--lang", "en") != 0
    assert journal_root(app(home)[keys.CONFIG])
    assert len(await app(home)[keys.PUBLISHED].store.versions(held.session, held.recording)) <= 2
