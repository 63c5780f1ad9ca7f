"""A person is taken out of a recorded class: two voices with tones of their own, one of which is nowhere afterwards."""

import asyncio
import contextlib
import json
import math
import shutil
import sqlite3
import sys
import time
from array import array
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import pytest
from aiortc.mediastreams import AudioStreamTrack  # noqa: TID251 - tests may

from media import journals
from media.peer import Peer
from recording import manifest
from recording.manifest import Manifest
from recording.publication import Published
from recording.redaction import Redacted
from server.adapters.sqlite import Database
from server.adapters.sqlite_journal import SqliteJournal
from server.adapters.sqlite_packaging import SqliteJobs
from server.adapters.sqlite_publications import SqlitePublications
from server.packaging import redaction
from signaling.classroom.roles import Role
from signaling.ports import Record
from tests.integration.test_packaging import ready
from tests.integration.test_recording import jiangtai, until, written
from tests.integration.test_replay_api import fetch
from tests.support.house import Guest, House, house
from tests.support.member import Member

#: what each of them sends, Hz
TOM, ANN = 440, 1_000
_HALF_WINDOW_S = 0.1


class Tone(AudioStreamTrack):
    """A voice of one note."""

    def __init__(self, hertz: int) -> None:
        super().__init__()
        self._hertz = hertz

    async def recv(self) -> Any:
        frame = await super().recv()
        turn = 2 * math.pi * self._hertz / frame.sample_rate
        samples = array("h", (round(8_000 * math.sin(turn * (frame.pts + n))) for n in range(frame.samples)))
        frame.planes[0].update(samples.tobytes())
        return frame


@contextlib.asynccontextmanager
async def speaking(home: House, guest: Guest, hertz: int) -> AsyncIterator[Member]:
    """Somebody in class who sends a tone."""
    async with home.join(guest) as member:

        async def call(type: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
            answer = await member.command(type, **fields)
            assert "error" not in answer, answer
            return answer

        peer = Peer(call)
        try:
            await call("set_microphone", {"on": True})
            await peer.publish({"microphone": Tone(hertz)})
            yield member
        finally:
            await peer.close()


@dataclass(frozen=True, kw_only=True)
class Tape:
    """A node's folder in which a class was recorded: tom and ann spoke, bob only wrote."""

    var: Path
    session: str
    recording: str
    tom: str
    ann: str
    bob: str
    refused: int
    guest: Guest

    def files(self) -> list[journals.JournalFile]:
        return journals.files(self.var / "journal", self.session)

    def versions(self) -> list[Path]:
        return sorted((self.var / "published").glob("*/v*"))

    def manifest(self) -> Manifest:
        return manifest.read((self.versions()[-1] / "manifest.json").read_bytes())

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(self.var / "jiangtai.sqlite")) as store:
            return store.execute(sql).fetchall()

    def holds(self, what: bytes) -> set[str]:
        """Which of `journal` and `published` have a file that holds this."""
        roots = ("journal", "published")
        return {root for root in roots for path in (self.var / root).rglob("*") if path.is_file() and what in path.read_bytes()}

    def dump(self, number: int) -> bytes:
        out = self.var / "dump"
        journals.export([file.path for file in self.files()], out, "rtpdump", number)
        return out.read_bytes()

    def numbers(self) -> dict[str, int]:
        """The tracks' numbers by participant, as the labels in the journal say."""
        content = b"".join(file.path.read_bytes() for file in self.files())
        found = {}
        for who in (self.tom, self.ann):
            at = content.find(f'{{"participant":"{who}"'.encode())
            if at >= 0:
                found[who] = int.from_bytes(content[at - 20 : at - 18], "little")
        return found


async def _record(var: Path) -> Tape:
    async with house(var) as home:
        session = await home.create()
        tom = await home.come_in(session, "tom", Role.TRAINER)
        ann, bob = await home.come_in(session, "ann"), await home.come_in(session, "bob")
        async with speaking(home, tom, TOM) as trainer, home.join(bob) as writer:
            await trainer.command("start_class")
            async with home.join(ann):
                await trainer.command("bring_on_stage", participant=ann.participant)
            async with speaking(home, ann, ANN) as trainee:
                answer = await trainer.command("start_recording")
                assert "error" not in answer, answer
                await trainee.command("post_chat", text="said by ann", channel="everyone")
                await writer.command("post_chat", text="said by bob", channel="everyone")
                await until(lambda: written(var, session) > 10_000)
                await asyncio.sleep(3)
                refused = await jiangtai(var, "redact", session, "all", ann.participant, "--yes")
                await trainer.command("end_class")
        [found] = [
            row["recording"] for row in (await home.call("GET", f"/classes/{session}/recordings", cookie=tom.cookie)).body["recordings"]
        ]
        await ready(home, tom, session, found)
    return Tape(
        var=var, session=session, recording=found, tom=tom.participant, ann=ann.participant, bob=bob.participant, refused=refused, guest=tom
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Tape:
    """Recorded once; each test works on a copy."""
    return asyncio.run(_record(tmp_path_factory.mktemp("recorded")))


@pytest.fixture
def tape(recorded: Tape, tmp_path: Path) -> Tape:
    var = tmp_path / "var"
    shutil.copytree(recorded.var, var)
    return Tape(**{**vars(recorded), "var": var})


def loudness(path: Path, hertz: int) -> float:
    """The level of a tone in the loudest tenth of a second of a file, dB below full scale (Goertzel)."""
    with av.open(str(path)) as container:
        rate = container.streams[0].rate  # type: ignore[attr-defined]
        samples = array("f")
        for frame in container.decode(container.streams[0]):
            samples.frombytes(bytes(frame.planes[0])[: frame.samples * 4])  # type: ignore[union-attr]
    window, best = round(_HALF_WINDOW_S * rate), 1e-9
    factor = 2 * math.cos(2 * math.pi * hertz / rate)
    for start in range(0, len(samples) - window, window):
        one = two = 0.0
        for sample in samples[start : start + window]:
            one, two = sample + factor * one - two, one
        best = max(best, math.sqrt(max(one * one + two * two - factor * one * two, 0)) * 2 / window)
    return 20 * math.log10(best)


def packets(dump: bytes) -> list[bytes]:
    """The RTP packets of an rtpdump."""
    at, found = dump.index(b"\n") + 1 + 16, []
    while at < len(dump):
        length = int.from_bytes(dump[at : at + 2], "big")
        found.append(dump[at + 8 : at + length])
        at += length
    return found


class Pseudonymised(SqliteJournal):
    """The class's log as it is once a person was erased from it."""

    def __init__(self, database: Database, person: str) -> None:
        super().__init__(database)
        self._person = person

    async def read(self, session: str, after: int, limit: int) -> AsyncIterator[Record]:
        async for record in super().read(session, after, limit):
            by = record.by and record.by.replace(self._person, "nobody")
            event = record.event.replace(self._person.encode(), b"nobody".ljust(len(self._person), b"x"))
            yield Record(seq=record.seq, at=record.at, by=by and by.ljust(len(self._person), "x"), op=None, event=event)


async def redact(tape: Tape, person: str, *, erased: bool = False) -> Redacted:
    database = Database(tape.var / "jiangtai.sqlite")
    await database.start()
    try:
        published = Published(SqlitePublications(database), tape.var / "published")
        journal = Pseudonymised(database, person) if erased else SqliteJournal(database)
        taking = redaction(tape.var / "journal", database, journal, published, lambda: int(time.time() * 1000), by="test")
        return await taking.redact(tape.session, person)
    finally:
        await database.close()


async def test_a_voice_is_nowhere_once_it_was_taken_out(tape: Tape, capsys: Any) -> None:
    assert tape.refused == 1, "not while it is recorded"
    [first] = tape.versions()
    before = loudness(first / "mix.mp4", ANN)
    assert before > -30
    assert loudness(first / "mix.mp4", TOM) > -30
    numbers = tape.numbers()
    hers, his = packets(tape.dump(numbers[tape.ann])), tape.dump(numbers[tape.tom])
    assert len(hers) > 50
    assert all(tape.holds(packet) == {"journal"} for packet in hers)
    # What follows the header and its extensions, as it is in the replay's own files.
    sounds = {packet[-24:] for packet in hers if len(packet) > 60}
    assert sounds
    assert all("published" in tape.holds(sound) for sound in sounds)
    capsys.readouterr()

    assert await jiangtai(tape.var, "redact", tape.session, "all", tape.ann, "--yes") == 0
    said = capsys.readouterr().out.strip()

    [second] = tape.versions()
    assert (first.name, second.name) == ("v1", "v2")
    assert tape.rows("SELECT version, withdrawn_at IS NOT NULL FROM publication ORDER BY version") == [(1, 1), (2, 0)]
    ann, tom = loudness(second / "mix.mp4", ANN), loudness(second / "mix.mp4", TOM)
    with capsys.disabled():
        print(f"{said}; in the mix: {ANN} Hz {before:.0f} dB, then {ann:.0f} dB; {TOM} Hz {tom:.0f} dB; {len(hers)} packets are nowhere")
    assert tom > -30
    assert ann < tom - 40
    assert {track.participant for track in tape.manifest().tracks} == {tape.tom}
    assert tape.dump(numbers[tape.tom]) == his, "nobody else lost a byte"
    assert not any(tape.holds(packet) for packet in hers)
    assert not any(tape.holds(sound) for sound in sounds)
    assert tape.holds(tape.ann.encode()) == {"published"}, "who was there and what they wrote stays in the timeline"
    assert await jiangtai(tape.var, "verify", tape.session) == 0
    told = capsys.readouterr().out
    assert "were taken out" in told
    capture = tape.var / "class.pcapng"
    assert await jiangtai(tape.var, "export", tape.session, tape.recording, "--out", str(capture)) == 0
    assert capture.stat().st_size > len(his)
    [(act, by, details)] = tape.rows("SELECT act, by, details FROM recording_act")
    assert (act, by) == ("redacted", "cli")
    assert tape.ann not in details
    assert json.loads(details)["taken"] == sum(file.taken[1] for file in tape.files()) > 0
    [size] = tape.rows("SELECT bytes FROM recording")
    assert size == (sum(file.bytes for file in tape.files()),)

    assert await jiangtai(tape.var, "redact", tape.session, "all", tape.ann, "--yes") == 0
    assert "0 bytes taken out of 0 files; 0 replays" in capsys.readouterr().out
    assert tape.versions() == [second]
    assert await jiangtai(tape.var, "redact", tape.session, "r999", tape.ann, "--yes") == 1


async def test_who_is_watching_the_old_replay_loses_it_at_once(tape: Tape) -> None:
    async with house(tape.var) as home:
        old = await ready(home, tape.guest, tape.session, tape.recording)
        name = old["content"]["mix"]["file"]
        assert (await fetch(home, old["base"], name, tape.guest)).status == 200
        assert await jiangtai(tape.var, "redact", tape.session, tape.recording, tape.ann, "--yes") == 0
        assert (await fetch(home, old["base"], name, tape.guest)).status == 404
        new = await ready(home, tape.guest, tape.session, tape.recording)
        assert new["base"] != old["base"]
        assert (await fetch(home, new["base"], name, tape.guest)).status == 200


async def test_nothing_is_changed_without_a_yes(tape: Tape, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    before = [file.digest for file in tape.files()]
    monkeypatch.setattr("builtins.input", lambda _: "no")
    assert await jiangtai(tape.var, "redact", tape.session, tape.recording, tape.ann) == 0
    assert "nothing was changed" in capsys.readouterr().out
    assert [file.digest for file in tape.files()] == before


async def test_an_erased_person_is_in_no_file(tape: Tape) -> None:
    done = await redact(tape, tape.ann, erased=True)
    assert (done.recordings, done.files, done.deleted) == (1, 1, [])
    assert not tape.holds(tape.ann.encode())
    assert tape.holds(tape.tom.encode()) == {"journal", "published"}
    again = await redact(tape, tape.ann, erased=True)
    assert (again.recordings, again.files, again.bytes, again.deleted) == (1, 0, 0, [])
    assert len(tape.versions()) == 1


async def test_without_the_journal_a_recording_with_the_person_is_deleted_and_any_other_gets_a_new_timeline(tape: Tape) -> None:
    for file in tape.files():
        file.path.unlink()
    [first] = tape.versions()
    mix = (first / "mix.mp4").read_bytes()
    assert tape.holds(tape.bob.encode()) == {"published"}
    done = await redact(tape, tape.bob, erased=True)
    assert (done.recordings, done.files, done.bytes, done.deleted) == (1, 0, 0, [])
    [second] = tape.versions()
    assert (second.name, (second / "mix.mp4").read_bytes()) == ("v2", mix)
    assert not tape.holds(tape.bob.encode())
    assert {track.participant for track in tape.manifest().tracks} == {tape.tom, tape.ann}
    done = await redact(tape, tape.ann, erased=True)
    assert (done.recordings, done.deleted) == (0, [tape.recording])
    assert tape.versions() == []
    assert tape.rows("SELECT act FROM recording_act ORDER BY number") == [("redacted",), ("deleted",), ("purged",)]


async def test_a_packager_at_work_is_waited_for_and_what_it_made_does_not_stay(tape: Tape) -> None:
    database = Database(tape.var / "jiangtai.sqlite")
    await database.start()
    try:
        jobs, store = SqliteJobs(database), SqlitePublications(database)
        key, now = (tape.session, tape.recording), int(time.time() * 1000)
        assert await jobs.take(key, now, now + 3_600_000) is not None
        old = await store.begin(*key, now)
        folder = old.path(tape.var / "published")
        shutil.copytree(tape.versions()[0], folder)
        taking = asyncio.create_task(redact(tape, tape.ann))
        await until(lambda: all(file.taken[0] for file in tape.files()))
        await store.publish(old, now + 1, 1)
        await jobs.settle(key, "published", now, 0, None)
        assert (await taking).recordings == 1
    finally:
        await database.close()
    assert [path.name for path in tape.versions()] == ["v3"]
    assert {track.participant for track in tape.manifest().tracks} == {tape.tom}


#: how far the command has come: (what is to be seen then, whether it is)
MOMENTS: tuple[tuple[str, Callable[[Tape], bool]], ...] = (
    ("the journal is clean", lambda tape: all(file.taken[0] for file in tape.files())),
    ("a version is begun", lambda tape: len(tape.versions()) > 1),
    ("its sound is there", lambda tape: any(path.name != "v1" and (path / "mix.mp4").exists() for path in tape.versions())),
    ("its manifest is there", lambda tape: any(path.name != "v1" and (path / "manifest.json").exists() for path in tape.versions())),
    ("it is served", lambda tape: tape.rows("SELECT version FROM publication_pointer") == [(2,)]),
)


@pytest.mark.parametrize("moment", range(len(MOMENTS)), ids=lambda moment: MOMENTS[moment][0].replace(" ", "-"))
async def test_killed_at_any_moment_the_files_are_good_and_the_same_command_ends_it(
    tape: Tape, moment: int, capsys: pytest.CaptureFixture[str]
) -> None:
    name, has_come = MOMENTS[moment]
    words = ("redact", tape.session, "all", tape.ann, "--yes")
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "server.cli", "recording", *words, "--var", str(tape.var))
    while child.returncode is None and not has_come(tape):  # noqa: ASYNC110 - another process tells no event
        await asyncio.sleep(0.002)
    with contextlib.suppress(ProcessLookupError):
        child.kill()
    await child.wait()
    left = ([file.taken[0] for file in tape.files()], [path.name for path in tape.versions()])
    assert await jiangtai(tape.var, "verify", tape.session) == 0
    [(served,)] = tape.rows("SELECT version FROM publication_pointer")
    assert any(path.name == f"v{served}" for path in tape.versions()), "what is served is there"
    # Who died before has the lease a little longer.
    assert await jiangtai(tape.var, *words) == 0
    with capsys.disabled():
        print(f"killed when {name}: records gone {left[0]}, versions {left[1]}")
    assert len(tape.versions()) == 1
    assert {track.participant for track in tape.manifest().tracks} == {tape.tom}
    assert tape.holds(tape.ann.encode()) == {"published"}
    assert await jiangtai(tape.var, "verify", tape.session) == 0
