"""The class itself: its phases and its settings.

scheduled -> lobby -> live <-> break; any of them -> ended (final). The lobby may be skipped. People may connect in every phase but ended.
What works when is each feature's rule: staff may do everything from the start; trainees chat and answer polls from the lobby on, react
while live or on a break, raise hands and publish only while live. A break and freezing switch the trainees' tracks off (nobody is overheard
by accident); freezing also stops their chat, hands, reactions and answers until lifted. Locking keeps new identities out; those who have a
seat may come back. A setting that takes something away ends what is running of it. Switching the waiting room off does not admit those
who wait. The class does not end when the last trainer leaves: assistants carry on, and a trainer (or the node) ends it.
"""

from typing import TYPE_CHECKING, Annotated

import msgspec

from signaling.classroom import hands, polls, recording, tracks
from signaling.classroom.base import Command, Context, Event, Origin
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import Millis, SessionId
from signaling.classroom.policies import AttendancePolicy
from signaling.classroom.replay_access import ReplayAccess
from signaling.classroom.settings import ChatMode as ChatMode
from signaling.classroom.settings import Phase as Phase
from signaling.classroom.settings import Profile as Profile
from signaling.classroom.settings import Settings as Settings
from signaling.classroom.settings import SlowSeconds, StageSize
from signaling.classroom.settings import for_profile as for_profile

if TYPE_CHECKING:
    from signaling.classroom.state import Room

Title = Annotated[str, msgspec.Meta(min_length=1, max_length=120)]


class OpenLobby(Command, frozen=True, kw_only=True, tag="open_lobby"):
    """Let people gather before the class starts."""


class StartClass(Command, frozen=True, kw_only=True, tag="start_class"):
    """Begin the class (from scheduled or lobby)."""


class TakeBreak(Command, frozen=True, kw_only=True, tag="take_break"):
    """Pause the class for some minutes, or set a running break anew."""

    minutes: Annotated[int, msgspec.Meta(ge=1, le=60)]


class ResumeClass(Command, frozen=True, kw_only=True, tag="resume_class"):
    """End the break early or late."""


class EndClass(Command, frozen=True, kw_only=True, tag="end_class"):
    """End the class for all; final."""


class ChangeSettings(Command, frozen=True, kw_only=True, tag="change_settings"):
    """Change some switches; absent ones stay."""

    waiting_room: bool | None = None
    locked: bool | None = None
    frozen: bool | None = None
    chat: ChatMode | None = None
    slow_mode_s: SlowSeconds | None = None
    microphones: bool | None = None
    cameras: bool | None = None
    screens: bool | None = None
    hands: bool | None = None
    reactions: bool | None = None
    auto_stage: bool | None = None
    stage_size: StageSize | None = None
    mute_on_join: bool | None = None


class SessionCreated(Event, frozen=True, kw_only=True, tag="session_created"):
    """First event of every journal; told to nobody."""

    session: SessionId
    title: Title
    profile: Profile
    settings: Settings
    starts_at: Millis | None = None
    #: rules of attendance; None in journals from before there were any
    policy: AttendancePolicy | None = None
    replay: ReplayAccess = ReplayAccess.PARTICIPANTS


class LobbyOpened(Event, frozen=True, kw_only=True, tag="lobby_opened"):
    """People may gather. View: phase = lobby."""


class ClassStarted(Event, frozen=True, kw_only=True, tag="class_started"):
    """The class is live. View: phase = live; started_at = at."""


class BreakStarted(Event, frozen=True, kw_only=True, tag="break_started"):
    """The class pauses until about then. View: phase = break; break_until = until."""

    until: Millis


class ClassResumed(Event, frozen=True, kw_only=True, tag="class_resumed"):
    """The break is over. View: phase = live; break_until = null."""


class ClassEnded(Event, frozen=True, kw_only=True, tag="class_ended"):
    """The class is over; nothing follows but closed connections. View: phase = ended; break_until = null; ended_at = at."""


class SettingsChanged(Event, frozen=True, kw_only=True, tag="settings_changed"):
    """All settings as they now are. View: settings = settings."""

    settings: Settings


def decide_lobby(room: "Room", context: Context, command: OpenLobby) -> list[Event]:
    return _go(room, Phase.LOBBY, (Phase.SCHEDULED,), LobbyOpened())


def decide_start(room: "Room", context: Context, command: StartClass) -> list[Event]:
    return _go(room, Phase.LIVE, (Phase.SCHEDULED, Phase.LOBBY), ClassStarted())


def decide_resume(room: "Room", context: Context, command: ResumeClass) -> list[Event]:
    return _go(room, Phase.LIVE, (Phase.BREAK,), ClassResumed())


def decide_break(room: "Room", context: Context, command: TakeBreak) -> list[Event]:
    if room.phase not in (Phase.LIVE, Phase.BREAK):
        raise Rejected("wrong_phase")
    return [*tracks.everything_off(room, tracks.is_trainee), BreakStarted(until=context.now + command.minutes * 60_000)]


def decide_end(room: "Room", context: Context, command: EndClass) -> list[Event]:
    over = [*tracks.everything_off(room, tracks.anybody), *hands.all_lowered(room), *polls.closed(room)]
    return [*over, *recording.stopped(room, "ended"), ClassEnded()]


def decide_settings(room: "Room", context: Context, command: ChangeSettings) -> list[Event]:
    wanted = {name: value for name, value in msgspec.structs.asdict(command).items() if value is not None}
    new = msgspec.structs.replace(room.settings, **wanted)
    if new == room.settings:
        return []
    return [SettingsChanged(settings=new), *_taken_away(room, new)]


def _go(room: "Room", to: Phase, allowed: tuple[Phase, ...], event: Event) -> list[Event]:
    if room.phase is to:
        return []
    if room.phase not in allowed:
        raise Rejected("wrong_phase")
    return [event]


def _taken_away(room: "Room", new: Settings) -> list[Event]:
    """What the new settings end."""
    events: list[Event] = []
    if new.frozen or not new.microphones:
        events += tracks.microphones_off(room, tracks.is_trainee)
    if new.frozen or not new.cameras:
        events += tracks.cameras_off(room, tracks.is_trainee)
    if new.frozen or not new.screens:
        events += tracks.screens_off(room, tracks.is_trainee)
    if not new.hands:
        events += hands.all_lowered(room)
    return events


def evolve_created(room: "Room", seq: int, origin: Origin, event: SessionCreated) -> None:
    """The room was made from this event."""


def evolve_lobby(room: "Room", seq: int, origin: Origin, event: LobbyOpened) -> None:
    room.phase = Phase.LOBBY


def evolve_started(room: "Room", seq: int, origin: Origin, event: ClassStarted) -> None:
    room.phase = Phase.LIVE
    room.started_at = origin.at


def evolve_break(room: "Room", seq: int, origin: Origin, event: BreakStarted) -> None:
    room.phase = Phase.BREAK
    room.break_until = event.until


def evolve_resumed(room: "Room", seq: int, origin: Origin, event: ClassResumed) -> None:
    room.phase = Phase.LIVE
    room.break_until = None


def evolve_ended(room: "Room", seq: int, origin: Origin, event: ClassEnded) -> None:
    room.phase = Phase.ENDED
    room.break_until = None
    room.ended_at = origin.at


def evolve_settings(room: "Room", seq: int, origin: Origin, event: SettingsChanged) -> None:
    room.settings = event.settings
