"""What one viewer may know of a class at one moment: the snapshot a client starts from. `audience.view_for` builds it.

`participants` holds admitted people, present or not: all of them in a small class; in a large class (for every viewer) only those who are
not trainees, on stage, in `hands`, or the viewer - a client drops the others after each event. In a large class `hands` holds everybody's
hands for staff and inspectors, and only the own hand for trainees. `present` counts admitted connected people: a client of a small class
counts its list, one of a large class follows the signal `present`. `waiting` and `banned` (banned or declined: see seat) are empty but for
staff. Somebody waiting or shut out sees title, phase and the own seat, in `participants`; settings are the profile's defaults.
"""

import msgspec

from signaling.classroom.chat import MessageView as MessageView
from signaling.classroom.ids import CheckId, Millis, ParticipantId, PollId, SessionId
from signaling.classroom.polls import PollState
from signaling.classroom.roles import Role
from signaling.classroom.seats import Permissions, Seat
from signaling.classroom.settings import Phase, Profile, Settings


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """The class itself."""

    id: SessionId
    title: str
    profile: Profile
    phase: Phase
    settings: Settings
    starts_at: Millis | None
    started_at: Millis | None
    break_until: Millis | None
    ended_at: Millis | None
    #: the class is being recorded since then; null: not now
    recorded_since: Millis | None = None


class ParticipantView(msgspec.Struct, frozen=True, kw_only=True):
    """One person as others see them."""

    id: ParticipantId
    name: str
    role: Role
    seat: Seat
    present: bool
    on_stage: bool
    microphone: bool
    camera: bool
    screen: bool
    permissions: Permissions
    hand_at: Millis | None
    #: the name looks like a staff member's (confusable characters); shown with a warning
    imitates: bool = False


class PollView(msgspec.Struct, frozen=True, kw_only=True):
    """One poll as this viewer may see it; tally is None until they may."""

    id: PollId
    question: str
    options: list[str]
    multiple: bool
    anonymous: bool
    state: PollState
    revealed: bool
    mine: list[int] | None
    tally: list[int] | None
    voters: int | None


class CheckView(msgspec.Struct, frozen=True, kw_only=True):
    """A presence check: the newest this person was asked (with the own nonce), or for staff and inspectors the newest of the class."""

    id: CheckId
    opened_at: Millis
    until: Millis
    nonce: str | None
    mine: bool
    asked: int | None
    answered: list[ParticipantId] | None


class RoomView(msgspec.Struct, frozen=True, kw_only=True):
    """The whole snapshot; `seq` is the journal number it stands at."""

    seq: int
    session: SessionView
    me: ParticipantId
    capabilities: list[str]
    participants: list[ParticipantView]
    present: int
    hands: list[ParticipantId]
    stage: list[ParticipantId]
    main: ParticipantId | None
    screen: ParticipantId | None
    chat: list[MessageView]
    polls: list[PollView]
    #: staff only; banned also holds the declined
    waiting: list[ParticipantView]
    banned: list[ParticipantView]
    #: over when its `until` has passed
    check: CheckView | None = None
    #: staff only: when the next automatic check is due
    checks_at: Millis | None = None
    #: people left out of recordings: all of them for staff and inspectors, else at most oneself
    left_out: list[ParticipantId] = []
