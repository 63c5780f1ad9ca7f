"""The client's half: how a viewer's copy of the snapshot follows events. The rules of the event docstrings ("View: ..."), in Python.

The browser's `apply` follows the same rules. A client never sees what was not sent to it, so what this fold cannot know, a viewer cannot.
"""

from typing import Any

from msgspec.structs import replace

from signaling.classroom import chat, hands, participants, polls, presence, reactions, recording, sanctions, session, stage, tracks
from signaling.classroom.base import Event
from signaling.classroom.polls import PollState
from signaling.classroom.roles import STAFF, Role
from signaling.classroom.seats import Person, Seat
from signaling.classroom.settings import Phase, Profile
from signaling.classroom.view import CheckView, MessageView, ParticipantView, PollView, RoomView

MAX_MESSAGES = 500


def fold(view: RoomView, seq: int, at: int, by: str | None, event: Event) -> RoomView:
    """The view after one event sent to this viewer."""
    return replace(_settled(_apply(view, at, by, event)), seq=seq)


def _apply(view: RoomView, at: int, by: str | None, event: Any) -> RoomView:
    match event:
        case session.LobbyOpened():
            return _session(view, phase=Phase.LOBBY)
        case session.ClassStarted():
            return _session(view, phase=Phase.LIVE, started_at=at)
        case session.BreakStarted():
            return _session(view, phase=Phase.BREAK, break_until=event.until)
        case session.ClassResumed():
            return _session(view, phase=Phase.LIVE, break_until=None)
        case session.ClassEnded():
            return _session(view, phase=Phase.ENDED, break_until=None, ended_at=at)
        case session.SettingsChanged():
            return _session(view, settings=event.settings)
        case participants.ParticipantJoined():
            who = Person(name=event.name, role=event.role, present=False, imitates=event.imitates, permissions=event.permissions)
            return _listed(view, event.participant, who, event.seat, event.on_stage)
        case participants.ParticipantAdmitted():
            view = replace(view, waiting=[p for p in view.waiting if p.id != event.participant])
            return _listed(view, event.participant, event.who, Seat.ADMITTED, event.on_stage)
        case participants.ConnectionOpened():
            return _person(view, event.participant, present=True)
        case participants.ConnectionClosed():
            return _person(view, event.participant, present=False) if event.last else view
        case participants.ParticipantDeclined():
            return _barred(view, event.participant, Seat.DECLINED, None)
        case participants.RoleChanged():
            return _role(view, event)
        case participants.NameFlagged():
            return _person(view, event.participant, imitates=True)
        case sanctions.ParticipantRemoved():
            return _barred(view, event.participant, Seat.BANNED if event.banned else Seat.REMOVED, event.who)
        case sanctions.BanLifted():
            return replace(view, banned=[p for p in view.banned if p.id != event.participant])
        case sanctions.PermissionsChanged():
            return _person(view, event.participant, permissions=event.permissions)
        case stage.StageJoined():
            view = _introduced(view, event.participant, event.who)
            return replace(_person(view, event.participant, on_stage=True), stage=[*view.stage, event.participant])
        case stage.StageLeft():
            view = _person(view, event.participant, on_stage=False)
            return replace(view, stage=[id for id in view.stage if id != event.participant])
        case stage.MainChanged():
            return replace(view, main=event.participant)
        case hands.HandRaised():
            view = _introduced(view, event.participant, event.who)
            return replace(_person(view, event.participant, hand_at=at), hands=[*view.hands, event.participant])
        case hands.HandLowered():
            view = _person(view, event.participant, hand_at=None)
            return replace(view, hands=[id for id in view.hands if id != event.participant])
        case hands.AllHandsLowered():
            return replace(view, hands=[], participants=[replace(p, hand_at=None) for p in view.participants])
        case tracks.MicrophoneChanged():
            return _person(view, event.participant, microphone=event.on)
        case tracks.CameraChanged():
            return _person(view, event.participant, camera=event.on)
        case tracks.ScreenStarted():
            return replace(_person(view, event.participant, screen=True), screen=event.participant)
        case tracks.ScreenStopped():
            return replace(_person(view, event.participant, screen=False), screen=None)
        case chat.ChatPosted():
            assert by is not None
            said = MessageView(
                id=event.message,
                at=at,
                by=by,
                name=event.name,
                role=event.role,
                channel=event.channel,
                to=event.to,
                text=event.text,
                deleted=False,
            )
            return replace(view, chat=[*view.chat, said][-MAX_MESSAGES:])
        case chat.ChatDeleted():
            return replace(view, chat=[replace(m, text="", deleted=True) if m.id == event.message else m for m in view.chat])
        case polls.PollCreated():
            return replace(view, polls=[*view.polls, _poll(event, PollState.DRAFT, tallies=True)])
        case polls.PollOpened():
            opened = _poll(event, PollState.OPEN, tallies="see_tallies" in view.capabilities)
            return replace(view, polls=[*(poll for poll in view.polls if poll.id != event.poll), opened])
        case polls.PollAnswered():
            return _polled(view, event.poll, mine=event.choices)
        case polls.PollClosed():
            told = {} if event.tally is None else {"tally": event.tally, "voters": event.voters}
            return _polled(view, event.poll, state=PollState.CLOSED, **told)
        case polls.PollRevealed():
            return _polled(view, event.poll, revealed=True, tally=event.tally, voters=event.voters)
        case presence.CheckOpened():
            return replace(view, check=_check(event, at, asked=event.asked, answered=[]))
        case presence.CheckAsked():
            return replace(view, check=_check(event, at, nonce=event.nonce))
        case presence.CheckAnswered():
            return _answered(view, by, event.check)
        case presence.ChecksScheduled():
            return replace(view, checks_at=event.at)
        case recording.RecordingStarted():
            return _session(view, recorded_since=at)
        case recording.RecordingStopped():
            return _session(view, recorded_since=None)
        case recording.LeftOutChanged():
            others = [id for id in view.left_out if id != event.participant]
            return replace(view, left_out=[*others, event.participant] if event.left_out else others)
        case participants.ParticipantLeft() | session.SessionCreated() | reactions.Reacted():
            return view
    raise AssertionError(f"the client has no rule for {event!r}")


def _settled(view: RoomView) -> RoomView:
    """A large class lists only who is not a trainee, on stage, in hands, or oneself; a small one counts its own list."""
    if view.session.profile is Profile.SMALL:
        return replace(view, present=sum(p.present for p in view.participants)) if view.capabilities else view
    kept = [p for p in view.participants if p.role is not Role.TRAINEE or p.on_stage or p.id in view.hands or p.id == view.me]
    return replace(view, participants=kept)


def _session(view: RoomView, **changes: Any) -> RoomView:
    return replace(view, session=replace(view.session, **changes))


def _new(id: str, who: Person, seat: Seat, on_stage: bool) -> ParticipantView:
    return ParticipantView(
        id=id,
        name=who.name,
        role=who.role,
        seat=seat,
        present=who.present,
        on_stage=on_stage,
        microphone=False,
        camera=False,
        screen=False,
        permissions=who.permissions,
        hand_at=None,
        imitates=who.imitates,
    )


def _listed(view: RoomView, id: str, who: Person, seat: Seat, on_stage: bool) -> RoomView:
    person = _new(id, who, seat, on_stage)
    if seat is Seat.WAITING:
        return replace(view, waiting=[*view.waiting, person])
    if on_stage and who.role is Role.TRAINEE:
        view = replace(view, stage=[*view.stage, id])
    return replace(view, participants=[*view.participants, person])


def _introduced(view: RoomView, id: str, who: Person) -> RoomView:
    if any(p.id == id for p in view.participants):
        return view
    return replace(view, participants=[*view.participants, _new(id, who, Seat.ADMITTED, False)])


def _person(view: RoomView, id: str, **changes: Any) -> RoomView:
    def changed(people: list[ParticipantView]) -> list[ParticipantView]:
        return [replace(p, **changes) if p.id == id else p for p in people]

    return replace(view, participants=changed(view.participants), waiting=changed(view.waiting), banned=changed(view.banned))


def _role(view: RoomView, event: participants.RoleChanged) -> RoomView:
    who, id = event.who, event.participant
    if any(p.id == id for p in view.waiting):
        return _person(view, id, role=who.role, imitates=who.imitates)
    view = _introduced(view, id, who)
    return _person(view, id, role=who.role, imitates=who.imitates, permissions=who.permissions, on_stage=who.role in STAFF)


def _barred(view: RoomView, id: str, seat: Seat, who: Person | None) -> RoomView:
    """Out of the class; kept on the staff's list if for good."""
    waiting = next((p for p in view.waiting if p.id == id), None)
    view = replace(
        view,
        participants=[p for p in view.participants if p.id != id],
        waiting=[p for p in view.waiting if p.id != id],
        banned=[p for p in view.banned if p.id != id],
    )
    if seat is Seat.REMOVED or "see_waiting" not in view.capabilities:
        return view
    if who is not None:
        return replace(view, banned=[*view.banned, _new(id, who, seat, False)])
    assert waiting is not None
    return replace(view, banned=[*view.banned, replace(waiting, seat=seat, present=False)])


def _poll(event: polls.PollCreated | polls.PollOpened, state: PollState, *, tallies: bool) -> PollView:
    return PollView(
        id=event.poll,
        question=event.question,
        options=event.options,
        multiple=event.multiple,
        anonymous=event.anonymous,
        state=state,
        revealed=False,
        mine=None,
        tally=[0] * len(event.options) if tallies else None,
        voters=0 if tallies else None,
    )


def _check(event: presence.CheckOpened | presence.CheckAsked, at: int, **known: Any) -> CheckView:
    fields = {"nonce": None, "mine": False, "asked": None, "answered": None, **known}
    return CheckView(id=event.check, opened_at=at, until=event.until, **fields)


def _answered(view: RoomView, by: str | None, id: str) -> RoomView:
    check = view.check
    if check is None or check.id != id or by is None:
        return view
    answered = [*check.answered, by] if check.answered is not None else None
    return replace(view, check=replace(check, answered=answered, mine=check.mine or by == view.me))


def _polled(view: RoomView, id: str, **changes: Any) -> RoomView:
    return replace(view, polls=[replace(poll, **changes) if poll.id == id else poll for poll in view.polls])
