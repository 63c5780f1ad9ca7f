"""The state of one class: what `evolve` keeps and `decide` reads. Plain data, so that a snapshot is an encode.

Indexes (crew, waiting, barred, stage, hands, microphones, cameras) repeat what the participants say, so that no command walks thousands
of people. `participants` is the truth; the feature that changes a person changes the index.
"""

import msgspec

from signaling.classroom.chat import MessageView
from signaling.classroom.ids import Millis, ParticipantId, PollId, SessionId
from signaling.classroom.policies import UNSTAMPED, AttendancePolicy
from signaling.classroom.polls import Poll
from signaling.classroom.presence import Check
from signaling.classroom.recording import Recording
from signaling.classroom.replay_access import ReplayAccess
from signaling.classroom.seats import Participant
from signaling.classroom.settings import Phase, Profile, Settings


class Room(msgspec.Struct, kw_only=True):
    """One class at journal number `seq`. Mutated by `room.evolve` alone."""

    id: SessionId
    title: str
    profile: Profile
    phase: Phase = Phase.SCHEDULED
    settings: Settings
    starts_at: Millis | None = None
    started_at: Millis | None = None
    break_until: Millis | None = None
    ended_at: Millis | None = None
    seq: int = 0

    participants: dict[ParticipantId, Participant] = msgspec.field(default_factory=dict)
    #: admitted people who are not trainees
    crew: list[ParticipantId] = msgspec.field(default_factory=list)
    #: who waits, and who is banned or declined: since which seq, oldest first
    waiting: dict[ParticipantId, int] = msgspec.field(default_factory=dict)
    barred: dict[ParticipantId, int] = msgspec.field(default_factory=dict)
    #: admitted and connected people; connected trainees whether admitted or waiting (for the capacity)
    present: int = 0
    trainees_present: int = 0

    #: trainees on stage, in order of arrival; staff is on stage without being listed
    stage: list[ParticipantId] = msgspec.field(default_factory=list)
    main: ParticipantId | None = None
    hands: list[ParticipantId] = msgspec.field(default_factory=list)
    microphones: list[ParticipantId] = msgspec.field(default_factory=list)
    cameras: list[ParticipantId] = msgspec.field(default_factory=list)
    screen: ParticipantId | None = None

    chat: list[MessageView] = msgspec.field(default_factory=list)
    chat_characters: int = 0
    polls: dict[PollId, Poll] = msgspec.field(default_factory=dict)
    open_poll: PollId | None = None

    #: rules of attendance, as stamped at creation
    policy: AttendancePolicy = UNSTAMPED
    #: the roster: names of who is expected, whether they came or not
    expected: dict[ParticipantId, str] = msgspec.field(default_factory=dict)
    #: the newest presence check, and when the next automatic one is due
    check: Check | None = None
    checks_at: Millis | None = None
    recording: Recording | None = None
    replay: ReplayAccess = ReplayAccess.PARTICIPANTS
    #: people left out of recordings
    left_out: list[ParticipantId] = msgspec.field(default_factory=list)
