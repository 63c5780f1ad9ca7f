"""Who may see what of a class: the only place of redaction.

Every participant stands in one *lane* (`lane_of`); an event goes to whole lanes, encoded once per lane after `redact`, and in rare cases
to explicit participants beside them. Rules:

- In a small class everybody sees people come and go. In a large one staff and inspectors do, others only for who is not a trainee or is on
  stage; hands likewise, beside one's own. Counts come by signal.
- Who waits sees phases and the own seat; who is shut out only the own seat. Who waits is known to staff alone.
- Staff chat is seen by staff and the author, a private message by its two ends; inspectors see neither.
- Drafts of polls are seen by staff, an answer by its author, results by staff and inspectors before the reveal. Reactions go to nobody.
- Who is asked for presence learns the own nonce alone, staff and inspectors how many were asked and who answered, staff when the next
  check is due; what was decided about attendance, or about who may watch the recordings, is told to nobody in class;
  nor is who is expected in it.
- That the class is recorded is told to everybody, also to who waits; who is left out of it to staff, inspectors and that person.
- Permissions of a person are told to staff, inspectors and that person; operation ids and name likenesses to nobody.

When a person's lane or role changes (`relocated`) the client gets a new snapshot, and no resume reaches back before it (`can_resume`).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from msgspec.structs import replace

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
from signaling.classroom.base import Event, Origin
from signaling.classroom.chat import MAX_MESSAGES, Channel, may_see
from signaling.classroom.ids import ParticipantId
from signaling.classroom.polls import Poll, PollState, chosen
from signaling.classroom.roles import CAPABILITIES, Capability, Role, can
from signaling.classroom.seats import Participant, Permissions, Seat
from signaling.classroom.settings import Profile, for_profile
from signaling.classroom.state import Room
from signaling.classroom.view import CheckView, ParticipantView, PollView, RoomView, SessionView

Lane: TypeAlias = Literal["trainee", "staff", "inspector", "waiting", "out"]
LANES: Final[tuple[Lane, ...]] = ("trainee", "staff", "inspector", "waiting", "out")

#: thousands joining at once must not each be sent a long history
SNAPSHOT_MESSAGES: Final[Mapping[Profile, int]] = MappingProxyType({Profile.SMALL: MAX_MESSAGES, Profile.LARGE: 100})

_LANE_OF_ROLE: Final[Mapping[Role, Lane]] = MappingProxyType(
    {Role.TRAINER: "staff", Role.ASSISTANT: "staff", Role.TRAINEE: "trainee", Role.INSPECTOR: "inspector"}
)


class Audience(NamedTuple):
    """Everybody in these lanes, and these participants whatever their lane."""

    lanes: frozenset[Lane]
    participants: tuple[ParticipantId, ...] = ()


_INSIDE: Final = frozenset[Lane]({"trainee", "staff", "inspector"})
_OVERSEERS: Final = frozenset[Lane]({"staff", "inspector"})
_STAFF: Final = frozenset[Lane]({"staff"})
_NOBODY: Final = Audience(frozenset())
_EVERYBODY: Final = Audience(_INSIDE)


def lane_of(room: Room, participant: ParticipantId) -> Lane:
    """The lane a participant stands in now; "out" for the unknown."""
    person = room.participants.get(participant)
    if person is None or person.seat not in (Seat.ADMITTED, Seat.WAITING):
        return "out"
    return "waiting" if person.seat is Seat.WAITING else _LANE_OF_ROLE[person.role]


def audience(room: Room, origin: Origin, event: Event) -> Audience:
    """Who is told of an event; `room` is the state after it (or any later one, when events are sent again)."""
    return _AUDIENCES[type(event)](room, origin, event)


def visible(room: Room, viewer: ParticipantId, origin: Origin, event: Event) -> bool:
    """Whether this viewer is told of an event."""
    lanes, named = audience(room, origin, event)
    return viewer in named or lane_of(room, viewer) in lanes


def redact(room: Room, lane: Lane, event: Event) -> Event:
    """The event as told to viewers of a lane (explicit participants: their own lane)."""
    redactor = _REDACTORS.get(type(event))
    return event if redactor is None else redactor(room, lane, event)


def relocated(event: Event) -> ParticipantId | None:
    """The person whose lane or role this event changed: still connected ones need a new snapshot (`view_for`), or go."""
    return event.participant if isinstance(event, _RELOCATING) else None


def can_resume(room: Room, participant: ParticipantId, after: int) -> bool:
    """Whether a viewer who stood at `after` may be brought up to date by events instead of a snapshot."""
    person = room.participants.get(participant)
    return person is not None and person.seat in (Seat.ADMITTED, Seat.WAITING) and person.lane_since <= after <= room.seq


# ---- who sees which event ----


def _everybody(room: Room, origin: Origin, event: Event) -> Audience:
    return _EVERYBODY


def _nobody(room: Room, origin: Origin, event: Event) -> Audience:
    return _NOBODY


def _phase(room: Room, origin: Origin, event: Event) -> Audience:
    return Audience(_INSIDE | {"waiting"})


def _staff(room: Room, origin: Origin, event: Event) -> Audience:
    return Audience(_STAFF)


def _inside_or_overseers(room: Room, id: ParticipantId, *, featured: bool) -> Audience:
    """Everybody where everybody lists that person, else staff and inspectors; and the person."""
    return Audience(_INSIDE if featured or room.profile is Profile.SMALL else _OVERSEERS, (id,))


def _about(room: Room, origin: Origin, event: Any) -> Audience:
    """News about a person as such, by the seat held now: of the waiting to staff, of those shut out to nobody else."""
    person = room.participants.get(event.participant)
    if person is None or person.seat in (Seat.DECLINED, Seat.REMOVED, Seat.BANNED):
        return Audience(frozenset(), (event.participant,))
    if person.seat is Seat.WAITING:
        return Audience(_STAFF, (person.id,))
    return _inside_or_overseers(room, person.id, featured=person.role is not Role.TRAINEE or person.on_stage)


def _connection(room: Room, origin: Origin, event: Any) -> Audience:
    """A further device of somebody present concerns staff, inspectors and that person."""
    lanes, named = _about(room, origin, event)
    edge = event.first if isinstance(event, participants.ConnectionOpened) else event.last
    return Audience(lanes if edge else lanes & _OVERSEERS, named)


def _joined(room: Room, origin: Origin, event: participants.ParticipantJoined) -> Audience:
    if event.seat is Seat.WAITING:
        return Audience(_STAFF, (event.participant,))
    return _inside_or_overseers(room, event.participant, featured=event.role is not Role.TRAINEE or event.on_stage)


def _admitted(room: Room, origin: Origin, event: participants.ParticipantAdmitted) -> Audience:
    return _inside_or_overseers(room, event.participant, featured=event.who.role is not Role.TRAINEE or event.on_stage)


def _role(room: Room, origin: Origin, event: participants.RoleChanged) -> Audience:
    return Audience(_STAFF if event.waits else _INSIDE, (event.participant,))


def _declined(room: Room, origin: Origin, event: participants.ParticipantDeclined) -> Audience:
    return Audience(_STAFF, (event.participant,))


def _removed(room: Room, origin: Origin, event: sanctions.ParticipantRemoved) -> Audience:
    if event.waited:
        return Audience(_STAFF, (event.participant,))
    return _inside_or_overseers(room, event.participant, featured=event.who.role is not Role.TRAINEE)


def _permissions(room: Room, origin: Origin, event: sanctions.PermissionsChanged | recording.LeftOutChanged) -> Audience:
    return Audience(_OVERSEERS, (event.participant,))


def _hand(room: Room, origin: Origin, event: hands.HandRaised | hands.HandLowered) -> Audience:
    return _EVERYBODY if room.profile is Profile.SMALL else Audience(_OVERSEERS, (event.participant,))


def _chat(channel: Channel, by: ParticipantId | None, to: ParticipantId | None) -> Audience:
    if channel is Channel.EVERYONE:
        return _EVERYBODY
    named = tuple(id for id in (by, to) if id is not None)
    return Audience(_STAFF if channel is Channel.STAFF else frozenset(), named)


def _posted(room: Room, origin: Origin, event: chat.ChatPosted) -> Audience:
    return _chat(event.channel, origin.by, event.to)


def _deleted(room: Room, origin: Origin, event: chat.ChatDeleted) -> Audience:
    return _chat(event.channel, event.author, event.to)


def _answered(room: Room, origin: Origin, event: polls.PollAnswered) -> Audience:
    return Audience(frozenset(), (origin.by,) if origin.by is not None else ())


def _asked(room: Room, origin: Origin, event: presence.CheckAsked) -> Audience:
    return Audience(frozenset(), (event.participant,))


def _present(room: Room, origin: Origin, event: presence.CheckAnswered) -> Audience:
    return Audience(_OVERSEERS, (origin.by,) if origin.by is not None else ())


def _overseers(room: Room, origin: Origin, event: Event) -> Audience:
    return Audience(_OVERSEERS)


_AUDIENCES: Final[Mapping[type[Event], Callable[[Room, Origin, Any], Audience]]] = MappingProxyType(
    {
        session.SessionCreated: _nobody,
        session.LobbyOpened: _phase,
        session.ClassStarted: _phase,
        session.BreakStarted: _phase,
        session.ClassResumed: _phase,
        session.ClassEnded: _phase,
        session.SettingsChanged: _everybody,
        participants.ParticipantJoined: _joined,
        participants.ConnectionOpened: _connection,
        participants.ConnectionClosed: _connection,
        participants.ParticipantAdmitted: _admitted,
        participants.ParticipantDeclined: _declined,
        participants.ParticipantLeft: _about,
        participants.RoleChanged: _role,
        participants.NameFlagged: _about,
        stage.StageJoined: _everybody,
        stage.StageLeft: _everybody,
        stage.MainChanged: _everybody,
        hands.HandRaised: _hand,
        hands.HandLowered: _hand,
        hands.AllHandsLowered: _everybody,
        tracks.MicrophoneChanged: _everybody,
        tracks.CameraChanged: _everybody,
        tracks.ScreenStarted: _everybody,
        tracks.ScreenStopped: _everybody,
        chat.ChatPosted: _posted,
        chat.ChatDeleted: _deleted,
        reactions.Reacted: _nobody,
        polls.PollCreated: _staff,
        polls.PollOpened: _everybody,
        polls.PollAnswered: _answered,
        polls.PollClosed: _everybody,
        polls.PollRevealed: _everybody,
        sanctions.PermissionsChanged: _permissions,
        sanctions.ParticipantRemoved: _removed,
        sanctions.BanLifted: _staff,
        presence.CheckOpened: _overseers,
        presence.CheckAsked: _asked,
        presence.CheckAnswered: _present,
        presence.ChecksScheduled: _staff,
        overrides.AttendanceOverridden: _nobody,
        recording.RecordingStarted: _phase,
        recording.RecordingStopped: _phase,
        recording.LeftOutChanged: _permissions,
        replay_access.ReplayAccessChanged: _nobody,
        expected.PersonExpected: _nobody,
        expected.PersonNotExpected: _nobody,
        erasure.ParticipantErased: _nobody,
    }
)


# ---- what is left out of an event ----


def _without_likeness(room: Room, lane: Lane, event: participants.ParticipantJoined) -> Event:
    return replace(event, likeness="", permissions=event.permissions if lane in _OVERSEERS else Permissions())


_Introducing: TypeAlias = (
    participants.ParticipantAdmitted | participants.RoleChanged | hands.HandRaised | stage.StageJoined | sanctions.ParticipantRemoved
)


def _without_permissions(room: Room, lane: Lane, event: _Introducing) -> Event:
    return event if lane in _OVERSEERS else replace(event, who=replace(event.who, permissions=Permissions()))


def _without_result(room: Room, lane: Lane, event: polls.PollClosed) -> Event:
    return event if lane in _OVERSEERS or room.polls[event.poll].revealed else replace(event, tally=None, voters=None)


_REDACTORS: Final[Mapping[type[Event], Callable[[Room, Lane, Any], Event]]] = MappingProxyType(
    {
        participants.ParticipantJoined: _without_likeness,
        participants.ParticipantAdmitted: _without_permissions,
        participants.RoleChanged: _without_permissions,
        hands.HandRaised: _without_permissions,
        stage.StageJoined: _without_permissions,
        polls.PollClosed: _without_result,
        sanctions.ParticipantRemoved: _without_permissions,
    }
)

_RELOCATING: Final = (
    participants.ParticipantAdmitted,
    participants.ParticipantDeclined,
    participants.RoleChanged,
    sanctions.ParticipantRemoved,
)


# ---- the snapshot ----


def view_for(room: Room, participant: ParticipantId) -> RoomView:
    """What this participant may know of the class now; raises KeyError for an identity without a seat."""
    me = room.participants[participant]
    return _inside(room, me) if me.seat is Seat.ADMITTED else _outside(room, me)


def _inside(room: Room, me: Participant) -> RoomView:
    oversees = can(me.role, Capability.SEE_EVERYBODY)
    shown_hands = list(room.hands) if room.profile is Profile.SMALL or oversees else [id for id in (me.id,) if me.hand_at is not None]
    sees_waiting = can(me.role, Capability.SEE_WAITING)
    return RoomView(
        seq=room.seq,
        session=_session(room, inside=True),
        me=me.id,
        capabilities=_CAPABILITY_NAMES[me.role],
        participants=[person_for(room, me, room.participants[id]) for id in _listed(room, me, shown_hands)],
        present=room.present,
        hands=shown_hands,
        stage=list(room.stage),
        main=room.main,
        screen=room.screen,
        chat=[message for message in room.chat if may_see(me, message.channel, message.by, message.to)][-SNAPSHOT_MESSAGES[room.profile] :],
        polls=[_poll(me, poll) for poll in room.polls.values() if poll.state is not PollState.DRAFT or can(me.role, Capability.RUN_POLLS)],
        waiting=[_person(room, room.participants[id]) for id in room.waiting] if sees_waiting else [],
        banned=[_person(room, room.participants[id]) for id in room.barred] if sees_waiting else [],
        check=_check(room, me),
        checks_at=room.checks_at if can(me.role, Capability.RUN_CHECKS) else None,
        left_out=[id for id in room.left_out if oversees or id == me.id],
    )


def _outside(room: Room, me: Participant) -> RoomView:
    return RoomView(
        seq=room.seq,
        session=_session(room, inside=False),
        me=me.id,
        capabilities=[],
        participants=[_person(room, me)],
        present=0,
        hands=[],
        stage=[],
        main=None,
        screen=None,
        chat=[],
        polls=[],
        waiting=[],
        banned=[],
    )


def person_for(room: Room, viewer: Participant, person: Participant) -> ParticipantView:
    """One person as this viewer may see them."""
    in_full = can(viewer.role, Capability.SEE_EVERYBODY) or viewer.id == person.id
    return _person(room, person, permissions=in_full, hand=in_full or room.profile is Profile.SMALL)


_CAPABILITY_NAMES: Final = {role: sorted(capability.value for capability in CAPABILITIES[role]) for role in Role}


def _listed(room: Room, me: Participant, shown_hands: list[ParticipantId]) -> list[ParticipantId]:
    if room.profile is Profile.SMALL:
        return [id for id, person in room.participants.items() if person.seat is Seat.ADMITTED]
    return list(dict.fromkeys([*room.crew, *room.stage, *shown_hands, me.id]))


def _session(room: Room, *, inside: bool) -> SessionView:
    return SessionView(
        id=room.id,
        title=room.title,
        profile=room.profile,
        phase=room.phase,
        settings=room.settings if inside else for_profile(room.profile),
        starts_at=room.starts_at,
        started_at=room.started_at,
        break_until=room.break_until,
        ended_at=room.ended_at,
        recorded_since=room.recording.since if room.recording is not None else None,
    )


def _person(room: Room, person: Participant, *, permissions: bool = True, hand: bool = True) -> ParticipantView:
    return ParticipantView(
        id=person.id,
        name=person.name,
        role=person.role,
        seat=person.seat,
        present=person.present,
        on_stage=person.on_stage,
        microphone=person.microphone,
        camera=person.camera,
        screen=room.screen == person.id,
        permissions=person.permissions if permissions else Permissions(),
        hand_at=person.hand_at if hand else None,
        imitates=person.imitates,
    )


def _check(room: Room, me: Participant) -> CheckView | None:
    if can(me.role, Capability.SEE_ATTENDANCE):
        check = room.check
        if check is None:
            return None
        return CheckView(
            id=check.id,
            opened_at=check.opened_at,
            until=check.until,
            nonce=None,
            mine=False,
            asked=check.asked,
            answered=list(check.answered),
        )
    if me.asked is None:
        return None
    asked = me.asked
    return CheckView(
        id=asked.check, opened_at=asked.at, until=asked.until, nonce=asked.nonce, mine=asked.answered, asked=None, answered=None
    )


def _poll(me: Participant, poll: Poll) -> PollView:
    knows = poll.revealed or can(me.role, Capability.SEE_TALLIES)
    mine = poll.answers.get(me.id)
    return PollView(
        id=poll.id,
        question=poll.question,
        options=poll.options,
        multiple=poll.multiple,
        anonymous=poll.anonymous,
        state=poll.state,
        revealed=poll.revealed,
        mine=chosen(mine) if mine is not None else None,
        tally=list(poll.tally) if knows else None,
        voters=poll.voters if knows else None,
    )
