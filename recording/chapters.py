"""Chapters of a recording: where a poll opened, a screen was shared, somebody became large, a break began; as WebVTT.

A cue's identifier is `<kind>-<number>`, its text the class's own words (a question, a name), so that a player can put the kind into the
viewer's language. Begin several within NEAR_MS, the one that says most is kept; beyond MAX_CHAPTERS the least telling go first.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from recording.timeline import Built, PollShown, SceneShown
from signaling.classroom.polls import PollState
from signaling.classroom.settings import Phase

NEAR_MS: Final = 5_000
MAX_CHAPTERS: Final = 200

Kind: TypeAlias = Literal["start", "poll", "screen", "break", "resume", "main"]
#: what says most comes first
_RANK: Final[dict[Kind, int]] = {"start": 0, "poll": 1, "screen": 2, "break": 3, "resume": 4, "main": 5}


class Chapter(NamedTuple):
    """Where (ms) something begins."""

    at: int
    kind: Kind
    label: str


def chapters(built: Built) -> list[Chapter]:
    """The chapters of a timeline, in order; the first begins at 0."""
    found = [Chapter(0, "start", built.title)]
    names = {id: person.name for id, person in built.first.people.items()}
    scene, asked = built.first.scene, set(built.first.polls)
    for change in built.changes:
        what = change.what
        if isinstance(what, PollShown) and what.state is PollState.OPEN and what.id not in asked:
            asked.add(what.id)
            found.append(Chapter(change.at, "poll", what.question))
        elif isinstance(what, SceneShown):
            found += [Chapter(change.at, kind, label) for kind, label in _turns(scene, what, names)]
            scene = what
        elif hasattr(what, "name"):
            names[what.id] = what.name
    return _kept(found)


def vtt(found: Sequence[Chapter], duration_ms: int) -> str:
    """The chapters as a WebVTT file."""
    cues = ["WEBVTT\n"]
    for number, chapter in enumerate(found):
        end = found[number + 1].at if number + 1 < len(found) else max(duration_ms, chapter.at + 1)
        cues.append(f"{chapter.kind}-{number}\n{_clock(chapter.at)} --> {_clock(end)}\n{_escaped(chapter.label)}\n")
    return "\n".join(cues)


def _turns(before: SceneShown, now: SceneShown, names: dict[str, str]) -> list[tuple[Kind, str]]:
    found: list[tuple[Kind, str]] = []
    if now.phase is not before.phase and Phase.BREAK in (now.phase, before.phase) and now.phase is not Phase.ENDED:
        found.append(("break" if now.phase is Phase.BREAK else "resume", ""))
    if now.screen is not None and now.screen != before.screen:
        found.append(("screen", names.get(now.screen, "")))
    if now.main is not None and now.main != before.main:
        found.append(("main", names.get(now.main, "")))
    return found


def _kept(found: Sequence[Chapter]) -> list[Chapter]:
    kept: list[Chapter] = []
    for chapter in found:
        near = bool(kept) and chapter.at - kept[-1].at < NEAR_MS
        if not near:
            kept.append(chapter)
        elif _RANK[chapter.kind] < _RANK[kept[-1].kind]:
            kept[-1] = chapter
    if len(kept) > MAX_CHAPTERS:
        best = sorted(range(len(kept)), key=lambda number: (_RANK[kept[number].kind], number))[:MAX_CHAPTERS]
        kept = [kept[number] for number in sorted(best)]
    return kept


def _clock(ms: int) -> str:
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}.{ms % 1000:03}"


def _escaped(text: str) -> str:
    """Cue text holds no markup, and a line of its own would end the cue."""
    flat = " ".join(text.split())
    return flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") or "-"
