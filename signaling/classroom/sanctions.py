"""What staff may do to a person: mute, stop camera or screen, block, remove, ban.

Staff can silence but never open another's microphone or camera. A trainer cannot be sanctioned by anybody, an assistant only by a
trainer. Removal and ban end tracks, hand and stage place at once and every connection with them.
"""

from signaling.classroom.base import Command, Event
from signaling.classroom.ids import ParticipantId
from signaling.classroom.participants import Permissions


class Mute(Command, frozen=True, kw_only=True, tag="mute"):
    """Switch one person's microphone off."""

    participant: ParticipantId


class MuteAll(Command, frozen=True, kw_only=True, tag="mute_all"):
    """Switch off every trainee's microphone."""


class StopCamera(Command, frozen=True, kw_only=True, tag="stop_camera"):
    """Switch one person's camera off."""

    participant: ParticipantId


class StopScreenOf(Command, frozen=True, kw_only=True, tag="stop_screen_of"):
    """End one person's screen share."""

    participant: ParticipantId


class SetPermissions(Command, frozen=True, kw_only=True, tag="set_permissions"):
    """Block or allow one person's microphone, camera, screen, chat; blocking a running track stops it."""

    participant: ParticipantId
    microphone: bool | None = None
    camera: bool | None = None
    screen: bool | None = None
    chat: bool | None = None


class Remove(Command, frozen=True, kw_only=True, tag="remove"):
    """Send one person out; ban=True bars the identity for the rest of the class."""

    participant: ParticipantId
    ban: bool = False


class Unban(Command, frozen=True, kw_only=True, tag="unban"):
    """Lift a ban; the person may knock again."""

    participant: ParticipantId


class PermissionsChanged(Event, frozen=True, kw_only=True, tag="permissions_changed"):
    """All permissions of one person as they now are."""

    participant: ParticipantId
    permissions: Permissions


class ParticipantRemoved(Event, frozen=True, kw_only=True, tag="participant_removed"):
    """A person was sent out."""

    participant: ParticipantId
    banned: bool = False


class BanLifted(Event, frozen=True, kw_only=True, tag="ban_lifted"):
    """A banned person may knock again."""

    participant: ParticipantId
