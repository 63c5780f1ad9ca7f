"""The class as a protocol without input and output: `decide` turns a command into events, `evolve` applies an event.

`decide` never mutates and raises Rejected; `evolve` mutates and never fails on an event that `decide` made; replaying a journal gives the
same room. The tables below are the whole vocabulary: who may ask for what (default deny), and which function rules on it.

The first entry of a journal (seq 1) is SessionCreated. A resend of an operation is recognised by `recent_op` before `decide` is asked:
each person's last 64 operations that caused events are remembered, also through replay. Operations that changed nothing are decided again
(in the order the client resends them that gives the same answer), refused ones are refused again or accepted by then.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import msgspec

from signaling.classroom import (
    chat,
    erasure,
    expected,
    hands,
    overrides,
    participants,
    polls,
    presence,
    reactions,
    recording,
    replay_access,
    sanctions,
    session,
    stage,
    tracks,
)
from signaling.classroom.base import Command, Context, Event, Origin
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import Millis, OperationId, ParticipantId, SessionId
from signaling.classroom.policies import STANDARD, UNSTAMPED, AttendancePolicy
from signaling.classroom.replay_access import ReplayAccess
from signaling.classroom.roles import CAPABILITIES
from signaling.classroom.roles import Capability as Can
from signaling.classroom.seats import member
from signaling.classroom.settings import Phase, Profile, Settings, for_profile
from signaling.classroom.state import Room as Room

MAX_RECENT_OPS: Final = 64

#: node: the shell alone, on behalf of the actor; desk: so too, or of a service or operator (no actor); seat: any identity with a seat;
#: member: admitted, connected people and the node
By: TypeAlias = Literal["node", "desk", "seat", "member"]


class Rule(NamedTuple):
    """Who may ask for a command (a member needs one of `needs`) and the function that rules on it."""

    decide: Callable[[Room, Context, Any], list[Event]]
    needs: frozenset[Can]
    by: By = "member"


def _rule(decide: Callable[[Room, Context, Any], list[Event]], *needs: Can, by: By = "member") -> Rule:
    return Rule(decide, frozenset(needs), by)


RULES: Final[Mapping[type[Command], Rule]] = MappingProxyType(
    {
        session.OpenLobby: _rule(session.decide_lobby, Can.RUN_CLASS),
        session.StartClass: _rule(session.decide_start, Can.RUN_CLASS),
        session.TakeBreak: _rule(session.decide_break, Can.RUN_CLASS),
        session.ResumeClass: _rule(session.decide_resume, Can.RUN_CLASS),
        session.EndClass: _rule(session.decide_end, Can.END_CLASS),
        session.ChangeSettings: _rule(session.decide_settings, Can.RUN_CLASS),
        participants.Connect: _rule(participants.decide_connect, by="node"),
        participants.Disconnect: _rule(participants.decide_disconnect, by="node"),
        participants.Leave: _rule(participants.decide_leave, by="seat"),
        participants.Admit: _rule(participants.decide_admit, Can.ADMIT),
        participants.Decline: _rule(participants.decide_decline, Can.ADMIT),
        stage.BringOnStage: _rule(stage.decide_bring, Can.MANAGE_STAGE),
        stage.TakeOffStage: _rule(stage.decide_take_off, Can.MANAGE_STAGE),
        stage.LeaveStage: _rule(stage.decide_leave_stage, Can.PUBLISH),
        stage.SetMain: _rule(stage.decide_main, Can.MANAGE_STAGE),
        hands.RaiseHand: _rule(hands.decide_raise, Can.RAISE_HAND),
        hands.LowerHand: _rule(hands.decide_lower, Can.RAISE_HAND, Can.MANAGE_HANDS),
        hands.LowerAllHands: _rule(hands.decide_lower_all, Can.MANAGE_HANDS),
        tracks.SetMicrophone: _rule(tracks.decide_microphone, Can.PUBLISH),
        tracks.SetCamera: _rule(tracks.decide_camera, Can.PUBLISH),
        tracks.StartScreen: _rule(tracks.decide_start_screen, Can.SHARE_SCREEN),
        tracks.StopScreen: _rule(tracks.decide_stop_screen, Can.SHARE_SCREEN),
        chat.PostChat: _rule(chat.decide_post, Can.CHAT),
        chat.DeleteChat: _rule(chat.decide_delete, Can.CHAT, Can.DELETE_CHAT),
        reactions.React: _rule(reactions.decide_react, Can.REACT),
        polls.CreatePoll: _rule(polls.decide_create, Can.RUN_POLLS),
        polls.OpenPoll: _rule(polls.decide_open, Can.RUN_POLLS),
        polls.AnswerPoll: _rule(polls.decide_answer, Can.ANSWER_POLLS),
        polls.ClosePoll: _rule(polls.decide_close, Can.RUN_POLLS),
        polls.RevealPoll: _rule(polls.decide_reveal, Can.RUN_POLLS),
        sanctions.Mute: _rule(sanctions.decide_mute, Can.MODERATE_MEDIA),
        sanctions.MuteAll: _rule(sanctions.decide_mute_all, Can.MODERATE_MEDIA),
        sanctions.StopCamera: _rule(sanctions.decide_stop_camera, Can.MODERATE_MEDIA),
        sanctions.StopScreenOf: _rule(sanctions.decide_stop_screen, Can.MODERATE_MEDIA),
        sanctions.SetPermissions: _rule(sanctions.decide_permissions, Can.MODERATE_MEDIA),
        sanctions.Remove: _rule(sanctions.decide_remove, Can.REMOVE),
        sanctions.Unban: _rule(sanctions.decide_unban, Can.REMOVE),
        presence.StartCheck: _rule(presence.decide_start, Can.RUN_CHECKS),
        presence.ScheduleChecks: _rule(presence.decide_schedule, Can.RUN_CHECKS),
        presence.AnswerCheck: _rule(presence.decide_answer, Can.ANSWER_CHECKS),
        overrides.OverrideAttendance: _rule(overrides.decide_override, by="node"),
        expected.ChangeExpected: _rule(expected.decide_expected, by="desk"),
        recording.StartRecording: _rule(recording.decide_start, Can.RECORD),
        recording.StopRecording: _rule(recording.decide_stop, Can.RECORD),
        recording.LeaveOut: _rule(recording.decide_leave_out, Can.RECORD),
        replay_access.SetReplayAccess: _rule(replay_access.decide_access, by="desk"),
    }
)

EVOLVERS: Final[Mapping[type[Event], Callable[[Room, int, Origin, Any], None]]] = MappingProxyType(
    {
        session.SessionCreated: session.evolve_created,
        session.LobbyOpened: session.evolve_lobby,
        session.ClassStarted: session.evolve_started,
        session.BreakStarted: session.evolve_break,
        session.ClassResumed: session.evolve_resumed,
        session.ClassEnded: session.evolve_ended,
        session.SettingsChanged: session.evolve_settings,
        participants.ParticipantJoined: participants.evolve_joined,
        participants.ConnectionOpened: participants.evolve_opened,
        participants.ConnectionClosed: participants.evolve_closed,
        participants.ParticipantAdmitted: participants.evolve_admitted,
        participants.ParticipantDeclined: participants.evolve_declined,
        participants.ParticipantLeft: participants.evolve_left,
        participants.RoleChanged: participants.evolve_role,
        participants.NameFlagged: participants.evolve_flagged,
        stage.StageJoined: stage.evolve_joined,
        stage.StageLeft: stage.evolve_left,
        stage.MainChanged: stage.evolve_main,
        hands.HandRaised: hands.evolve_raised,
        hands.HandLowered: hands.evolve_lowered,
        hands.AllHandsLowered: hands.evolve_all_lowered,
        tracks.MicrophoneChanged: tracks.evolve_microphone,
        tracks.CameraChanged: tracks.evolve_camera,
        tracks.ScreenStarted: tracks.evolve_screen_started,
        tracks.ScreenStopped: tracks.evolve_screen_stopped,
        chat.ChatPosted: chat.evolve_posted,
        chat.ChatDeleted: chat.evolve_deleted,
        reactions.Reacted: reactions.evolve_reacted,
        polls.PollCreated: polls.evolve_created,
        polls.PollOpened: polls.evolve_opened,
        polls.PollAnswered: polls.evolve_answered,
        polls.PollClosed: polls.evolve_closed,
        polls.PollRevealed: polls.evolve_revealed,
        sanctions.PermissionsChanged: sanctions.evolve_permissions,
        sanctions.ParticipantRemoved: sanctions.evolve_removed,
        sanctions.BanLifted: sanctions.evolve_lifted,
        presence.CheckOpened: presence.evolve_opened,
        presence.CheckAsked: presence.evolve_asked,
        presence.CheckAnswered: presence.evolve_answered,
        presence.ChecksScheduled: presence.evolve_scheduled,
        overrides.AttendanceOverridden: overrides.evolve_overridden,
        expected.PersonExpected: expected.evolve_listed,
        expected.PersonNotExpected: expected.evolve_struck,
        recording.RecordingStarted: recording.evolve_started,
        recording.RecordingStopped: recording.evolve_stopped,
        recording.LeftOutChanged: recording.evolve_left_out,
        replay_access.ReplayAccessChanged: replay_access.evolve_access,
        erasure.ParticipantErased: erasure.evolve_erased,
    }
)

#: what works after the end
_AFTER_END: Final = frozenset(
    {participants.Disconnect, participants.Leave, overrides.OverrideAttendance, replay_access.SetReplayAccess, expected.ChangeExpected}
)
#: what the node itself (no actor) may ask for
_NODE: Final = frozenset(
    {
        Can.END_CLASS,
        Can.RUN_CLASS,
        Can.ADMIT,
        Can.MODERATE_MEDIA,
        Can.REMOVE,
        Can.MANAGE_STAGE,
        Can.MANAGE_HANDS,
        Can.RUN_POLLS,
        Can.RUN_CHECKS,
        Can.RECORD,
    }
)


def create(
    session_id: SessionId,
    title: str,
    profile: Profile,
    settings: Settings | None = None,
    starts_at: Millis | None = None,
    policy: AttendancePolicy = STANDARD,
    replay: ReplayAccess = ReplayAccess.PARTICIPANTS,
) -> session.SessionCreated:
    """The event a class begins with; settings default to the profile's. Raises msgspec.ValidationError for an id or title out of bounds."""
    created = session.SessionCreated(
        session=session_id,
        title=title,
        profile=profile,
        settings=settings or for_profile(profile),
        starts_at=starts_at,
        policy=policy,
        replay=replay,
    )
    return msgspec.convert(msgspec.to_builtins(created), session.SessionCreated)


def begin(event: session.SessionCreated) -> Room:
    """The empty room (seq 0) of a class about to evolve by its first event."""
    return Room(
        id=event.session,
        title=event.title,
        profile=event.profile,
        settings=event.settings,
        starts_at=event.starts_at,
        policy=event.policy or UNSTAMPED,
        replay=event.replay,
    )


def replay(entries: Iterable[tuple[int, Origin, Event]]) -> Room:
    """The room after a journal, whose first entry must be SessionCreated; raises ValueError if it is not."""
    room: Room | None = None
    for seq, origin, event in entries:
        if room is None:
            if not isinstance(event, session.SessionCreated):
                raise ValueError("a journal begins with session_created")
            room = begin(event)
        evolve(room, seq, origin, event)
    if room is None:
        raise ValueError("an empty journal is no class")
    return room


def decide(room: Room, context: Context, command: Command) -> list[Event]:
    """Events the command causes, in order; none if the class is already as wanted. Raises Rejected and changes nothing."""
    rule = RULES.get(type(command))
    if rule is None:
        raise Rejected("unknown_type")
    if room.phase is Phase.ENDED and type(command) not in _AFTER_END:
        raise Rejected("class_ended")
    if rule.by == "member":
        granted = _NODE if context.actor is None else CAPABILITIES[member(room, context).role]
        if rule.needs.isdisjoint(granted):
            raise Rejected("not_allowed")
    elif context.actor is None and rule.by != "desk":
        raise Rejected("not_allowed")
    return rule.decide(room, context, command)


def evolve(room: Room, seq: int, origin: Origin, event: Event) -> None:
    """Apply the journal's event number `seq`."""
    EVOLVERS[type(event)](room, seq, origin, event)
    room.seq = seq
    if origin.op is not None and origin.by is not None:
        _remember(room, origin.by, origin.op, seq)


def recent_op(room: Room, participant: ParticipantId, op: OperationId) -> int | None:
    """Number of the last event this operation caused, if it is among the person's last 64 that caused any."""
    person = room.participants.get(participant)
    return person.recent.get(op) if person is not None else None


def _remember(room: Room, by: ParticipantId, op: OperationId, seq: int) -> None:
    person = room.participants.get(by)
    if person is None:
        return
    person.recent[op] = seq
    if len(person.recent) > MAX_RECENT_OPS:
        del person.recent[next(iter(person.recent))]
