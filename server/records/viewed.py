"""What a person watched of a recording as statements of the video profile, one sum per viewing rather than one line per click. Pure.

A viewing is what one person reported of one recording without a pause of `IDLE_MS`. It tells `initialized` at its first report and
`terminated` when it is over, with what was played; the viewing in which somebody has seen `THRESHOLD` of the recording, over all viewings,
tells `completed` in between, once. So a watcher costs at most three statements in ten minutes. None of this is attendance: the object is a
video, the class stands in `grouping`, and registration and session are the recording's own.
"""

import uuid
from collections.abc import Sequence
from typing import Final, NamedTuple

from recording.watched import Stretch, union
from server.records import vocabulary as v
from server.records.encode import Statement
from server.records.statements import Json, Site, activity, duration, encode, number, statement_id, text, timestamp, verb
from signaling.classroom.ids import Millis, ParticipantId, SessionId

#: a pause after which watching again is another viewing
IDLE_MS: Final = 600_000
#: share of a recording that counts as all of it
THRESHOLD: Final = 0.9
#: segments named in one statement
MAX_SEGMENTS: Final = 500


class Viewing(NamedTuple):
    """One viewing of a person, from its first report to its last so far; later ones have greater numbers, and none is used twice."""

    session: SessionId
    recording: str
    participant: ParticipantId
    number: int
    began_at: Millis
    last_at: Millis


class Video(NamedTuple):
    """What is watched."""

    length_ms: int
    title: str


def begun(site: Site, viewing: Viewing, video: Video, actor: Json) -> Statement:
    """`initialized`: the title is told by it alone."""
    name = {"name": text(video.title)} if video.title else {}
    return _finish(site, viewing, video, actor, v.INITIALIZED, viewing.began_at, None, **name)


def ended(site: Site, viewing: Viewing, video: Video, actor: Json, played: Sequence[Stretch]) -> Statement:
    """`terminated`: what was played in this viewing, in that order."""
    return _finish(site, viewing, video, actor, v.TERMINATED, viewing.last_at, _result(video, played))


def completed(site: Site, viewing: Viewing, video: Video, actor: Json, played: Sequence[Stretch]) -> Statement:
    """`completed`: what was played in all viewings up to this one."""
    return _finish(site, viewing, video, actor, v.COMPLETED, viewing.last_at, _result(video, played) | {"completion": True})


def seen(played: Sequence[Stretch], video: Video) -> float:
    """The share of the recording that was played, 0 to 1; what was played twice counts once."""
    covered = sum(end - start for start, end in union(played, video.length_ms))
    return min(1.0, covered / video.length_ms) if video.length_ms > 0 else 0.0


def segments(played: Sequence[Stretch], length_ms: int) -> str:
    """Played segments in their order, stretches that go on from one another as one.

    Beyond `MAX_SEGMENTS` the moments covered are named instead, the longest first to stay.
    """
    runs: list[tuple[int, int]] = []
    for each in played:
        start, end = each.from_ms, min(each.to_ms, length_ms)
        if start >= end:
            continue
        if runs and runs[-1][1] == start:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    if len(runs) > MAX_SEGMENTS:
        runs = sorted(sorted(union(played, length_ms), key=lambda run: run[0] - run[1])[:MAX_SEGMENTS])
    return "[,]".join(f"{number(start / 1000)}[.]{number(end / 1000)}" for start, end in runs) or "0[.]0"


def _result(video: Video, played: Sequence[Stretch]) -> Json:
    spent = sum((each.to_ms - each.from_ms) / each.rate for each in played)
    return {
        "duration": duration(round(spent)),
        "extensions": {
            v.VIDEO_TIME: number(min(played[-1].to_ms, video.length_ms) / 1000),
            # Rounded down, so that nobody has seen all of it who has not.
            v.VIDEO_PROGRESS: number(int(seen(played, video) * 1000) / 1000),
            v.VIDEO_SEGMENTS: segments(played, video.length_ms),
        },
    }


def _finish(
    site: Site, viewing: Viewing, video: Video, actor: Json, told: str, at: Millis, result: Json | None, **definition: object
) -> Statement:
    session, recording = viewing.session, viewing.recording
    kind = f"viewing/{recording}/{viewing.participant}/{viewing.number}/{v.DISPLAY[told]}"
    id = statement_id(site, session, 0, kind)
    statement: Json = {
        "id": id,
        "actor": actor,
        "verb": verb(told),
        "object": activity(site.activity(session, "recording", recording), v.VIDEO, **definition),
        "context": {
            "registration": site.uuid("registration", session, recording),
            "contextActivities": {
                "category": [{"id": v.VIDEO_PROFILE, "definition": {"type": v.PROFILE_TYPE}}],
                "grouping": [activity(site.activity(session), v.CLASSROOM)],
            },
            "extensions": {
                v.VIDEO_LENGTH: number(video.length_ms / 1000),
                v.VIDEO_SESSION: _random_looking(site.uuid("viewing", session, recording, viewing.participant, viewing.number)),
                v.VIDEO_THRESHOLD: THRESHOLD,
            },
        },
        "timestamp": timestamp(at),
    }
    if result is not None:
        statement["result"] = result
    return Statement(id, session, 0, kind, "", statement, encode(statement))


def _random_looking(id: str) -> str:
    """The same UUID marked as version 4, the only one the profile's schema takes."""
    return str(uuid.UUID(bytes=uuid.UUID(id).bytes, version=4))
