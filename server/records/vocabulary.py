"""The IRIs of the virtual-classroom profile, 2023-09 form, of the video profile, and of the vocabularies they borrow from. Data only.

The profile is the Markdown of gaia-x-dases/xapi-virtual-classroom. Where its table and its example disagree (a lowered hand), the example
and BigBlueButton are followed.
"""

from typing import Final

PROFILE: Final = "https://w3id.org/xapi/virtual-classroom"
PROFILE_TYPE: Final = "http://adlnet.gov/expapi/activities/profile"

# verbs
INITIALIZED: Final = "http://adlnet.gov/expapi/verbs/initialized"
TERMINATED: Final = "http://adlnet.gov/expapi/verbs/terminated"
JOINED: Final = "http://activitystrea.ms/join"
LEFT: Final = "http://activitystrea.ms/leave"
ASKED: Final = "http://adlnet.gov/expapi/verbs/asked"
ANSWERED: Final = "http://adlnet.gov/expapi/verbs/answered"
POSTED: Final = "https://w3id.org/xapi/acrossx/verbs/posted"
REACTED: Final = f"{PROFILE}/verbs/reacted"
UNREACTED: Final = f"{PROFILE}/verbs/unreacted"
STARTED: Final = "http://activitystrea.ms/start"
STOPPED: Final = f"{PROFILE}/verbs/stopped"
SHARED: Final = "http://activitystrea.ms/share"
UNSHARED: Final = "http://activitystrea.ms/unshare"
CHECKED_IN: Final = "http://activitystrea.ms/checkin"
ATTENDED: Final = "http://adlnet.gov/expapi/verbs/attended"
COMPLETED: Final = "http://adlnet.gov/expapi/verbs/completed"
VOIDED: Final = "http://adlnet.gov/expapi/verbs/voided"

#: verb -> what people read; fixed for ever, since strict stores compare it
DISPLAY: Final = {
    INITIALIZED: "initialized",
    TERMINATED: "terminated",
    JOINED: "joined",
    LEFT: "left",
    ASKED: "asked",
    ANSWERED: "answered",
    POSTED: "posted",
    REACTED: "reacted",
    UNREACTED: "unreacted",
    STARTED: "started",
    STOPPED: "stopped",
    SHARED: "shared",
    UNSHARED: "unshared",
    CHECKED_IN: "checked in",
    ATTENDED: "attended",
    COMPLETED: "completed",
    VOIDED: "voided",
}

# activity types
CLASSROOM: Final = f"{PROFILE}/activity-types/virtual-classroom"
MICRO: Final = f"{PROFILE}/activity-types/micro"
CAMERA: Final = f"{PROFILE}/activity-types/camera"
SCREEN: Final = f"{PROFILE}/activity-types/screen"
INTERACTION: Final = "http://adlnet.gov/expapi/activities/cmi.interaction"
MESSAGE: Final = "https://w3id.org/xapi/acrossx/activities/message"

# extensions
SESSION_ID: Final = "https://w3id.org/xapi/cmi5/context/extensions/sessionid"
CAMERA_ACTIVATED: Final = f"{PROFILE}/extensions/camera-activated"
MICRO_ACTIVATED: Final = f"{PROFILE}/extensions/micro-activated"
EMOJI: Final = f"{PROFILE}/extensions/emoji"

# watching a recording: the video profile (adlnet/xapi-authored-profiles, video v1.0.3), whose verbs apart from these we have no use for
VIDEO_PROFILE: Final = "https://w3id.org/xapi/video"
VIDEO: Final = f"{VIDEO_PROFILE}/activity-type/video"
VIDEO_LENGTH: Final = f"{VIDEO_PROFILE}/extensions/length"
VIDEO_SESSION: Final = f"{VIDEO_PROFILE}/extensions/session-id"
VIDEO_THRESHOLD: Final = f"{VIDEO_PROFILE}/extensions/completion-threshold"
VIDEO_TIME: Final = f"{VIDEO_PROFILE}/extensions/time"
VIDEO_PROGRESS: Final = f"{VIDEO_PROFILE}/extensions/progress"
VIDEO_SEGMENTS: Final = f"{VIDEO_PROFILE}/extensions/played-segments"

#: raised hand and reactions as code points
HAND: Final = "U+1F590"
EMOJIS: Final = {
    "thumbs_up": "U+1F44D",
    "clap": "U+1F44F",
    "heart": "U+2764",
    "laugh": "U+1F602",
    "surprise": "U+1F62E",
    "yes": "U+2705",
    "no": "U+274C",
    "slower": "U+1F422",
    "faster": "U+1F407",
}
