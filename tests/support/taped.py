"""A published recording as the packager would leave it: a class's log, rows, files, manifest; the media are given or a few bytes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from recording import manifest, publication, timeline
from recording.catalog import Recordings, Row
from recording.manifest import Span, Track
from recording.publication import Published
from server.auth import participant_id
from signaling.classroom import chat, hands, polls, recording, session, stage, tracks
from signaling.classroom.base import Command
from signaling.classroom.roles import Role
from signaling.messages import encode_event
from signaling.ports import Directory, Journal, Record
from tests.support.classroom import Lesson

ISSUER = "node"
#: sub -> (role, name)
CAST = {
    "tom": (Role.TRAINER, "王敏"),
    "eve": (Role.ASSISTANT, "Eve Baker"),
    "ivy": (Role.INSPECTOR, "Ivy Walker"),
    "ann": (Role.TRAINEE, "陈晓兰"),
    "bob": (Role.TRAINEE, "Bartholomew Montgomery-Featherstonehaugh of the North"),
}
MIX = bytes(range(256)) * 400


class Media(NamedTuple):
    """What was made of the sound and the pictures."""

    tracks: list[Track]
    mix: Span
    download: Span | None = None


@dataclass(kw_only=True)
class Taped:
    """A class that was recorded, and its recording."""

    session: str
    recording: str
    lesson: Lesson
    duration_ms: int

    def id(self, sub: str) -> str:
        """The participant of a subject."""
        return participant_id(self.session, ISSUER, sub)


#: (ms after the recording's start, who, command)
Script = Sequence[tuple[int, str, Callable[[Taped], Command]]]
SCRIPT: Script = (
    (1_000, "ann", lambda _: chat.PostChat(text="大家好")),
    (2_000, "tom", lambda _: chat.PostChat(text="SECRET for staff", channel=chat.Channel.STAFF)),
    (3_000, "tom", lambda _: tracks.StartScreen()),
    (6_000, "bob", lambda _: chat.PostChat(text="Good morning, is the sound all right?")),
    (9_000, "ann", lambda _: hands.RaiseHand()),
    (12_000, "tom", lambda taped: stage.SetMain(participant=taped.id("ann"))),
    (14_000, "tom", lambda taped: hands.LowerHand(participant=taped.id("ann"))),
    (16_000, "tom", lambda _: polls.CreatePoll(question="哪一个是主问题？", options=["为什么要通分？", "对不对？"])),
    (18_000, "ann", lambda taped: polls.AnswerPoll(poll=_poll(taped), choices=[0])),
    (22_000, "tom", lambda taped: polls.ClosePoll(poll=_poll(taped))),
    (23_000, "tom", lambda taped: polls.RevealPoll(poll=_poll(taped))),
    (24_000, "tom", lambda _: stage.SetMain(participant=None)),
    (26_000, "ann", lambda _: chat.PostChat(text="谢谢老师")),
)


def _poll(taped: Taped) -> str:
    return list(taped.lesson.room.polls)[-1]


def few_bytes(folder: Path, taped: Taped) -> Media:
    """Files that are no media, for tests that only fetch them."""
    for name in ("mix.weba", "screen.webm"):
        (folder / name).write_bytes(MIX)
    whole = Span(from_ms=0, to_ms=taped.duration_ms, file="screen.webm", type='video/webm; codecs="vp8"', bytes=len(MIX))
    mix = Span(from_ms=0, to_ms=taped.duration_ms, file="mix.weba", type='audio/webm; codecs="opus"', bytes=len(MIX))
    return Media([Track(id="1", participant=taped.id("tom"), source="screen", spans=[whole])], mix)


def hold(session_id: str, *, seconds: int, script: Script = SCRIPT) -> Taped:
    """The class, in memory."""
    lesson = Lesson(session=session_id)
    taped = Taped(session=session_id, recording="", lesson=lesson, duration_ms=seconds * 1000)
    for sub, (role, name) in CAST.items():
        lesson.join(taped.id(sub), role, name=name)
    lesson.do(taped.id("tom"), session.StartClass())
    lesson.do(taped.id("ann"), chat.PostChat(text="SECRET before the recording"))
    lesson.pass_seconds(5)
    lesson.do(taped.id("tom"), recording.StartRecording())
    assert lesson.room.recording is not None
    taped.recording, began = lesson.room.recording.id, lesson.now
    for at, who, command in script:
        lesson.now = began + at
        lesson.do(taped.id(who), command(taped))
    lesson.now = began + seconds * 1000
    lesson.do(taped.id("tom"), recording.StopRecording())
    for sub in CAST:
        lesson.drop(taped.id(sub))
    return taped


async def store(taped: Taped, journal: Journal, directory: Directory, recordings: Recordings, *, title: str) -> None:
    """The class into a node's store; nobody is in it."""
    await directory.create(taped.session, title, "small", None)
    records = [
        Record(seq=seq, at=origin.at, by=origin.by, op=origin.op, event=encode_event(event)) for seq, origin, event in taped.lesson.journal
    ]
    await journal.append(taped.session, 0, records)
    began = started_at(taped)
    await recordings.begin(Row(session=taped.session, id=taped.recording, started_at=began, started_by=taped.id("tom")))
    await recordings.end(taped.session, taped.recording, began + taped.duration_ms, "asked")


def started_at(taped: Taped) -> int:
    """When the recording began."""
    return next(origin.at for _, origin, event in taped.lesson.journal if isinstance(event, recording.RecordingStarted))


async def publish(
    taped: Taped, published: Published, *, title: str, media: Callable[[Path, Taped], Media] = few_bytes
) -> publication.Version:
    """The next version of the recording, published."""
    version = await published.store.begin(taped.session, taped.recording, 1)
    folder = version.path(published.root)
    folder.mkdir(parents=True)
    made, built = media(folder, taped), timeline.build(taped.lesson.journal, taped.recording, taped.duration_ms)
    named, chapters = publication.write_timeline(folder, built, taped.duration_ms)
    whole = manifest.Manifest(
        session=taped.session,
        recording=taped.recording,
        title=title,
        started_at=built.started_at,
        duration_ms=taped.duration_ms,
        tracks=made.tracks,
        timeline=named,
        mix=made.mix,
        download=made.download,
        chapters=chapters,
    )
    await publication.publish(published, version, whole, 2)
    return version
