"""Refusals. A refused command changes nothing; its code says why, its `retry` what the client should do."""

from typing import Final, Literal, TypeAlias

Retry: TypeAlias = Literal["never", "later", "now"]

#: code -> when the same command may succeed. "now" = after the client refreshed its state or its input.
CODES: Final[dict[str, Retry]] = {
    "not_allowed": "never",
    "not_admitted": "later",
    "banned": "never",
    "declined": "never",
    "class_locked": "later",
    "class_frozen": "later",
    "class_full": "later",
    "class_ended": "never",
    "wrong_phase": "later",
    "not_on_stage": "later",
    "stage_full": "later",
    "screen_taken": "later",
    "chat_off": "later",
    "slow_mode": "later",
    "text_refused": "now",
    "microphone_blocked": "later",
    "camera_blocked": "later",
    "screen_blocked": "later",
    "reactions_off": "later",
    "hands_off": "later",
    "no_such_participant": "never",
    "no_such_message": "never",
    "no_such_poll": "never",
    "poll_not_open": "never",
    "poll_already_open": "later",
    "bad_choice": "now",
    "no_such_check": "never",
    "wrong_nonce": "never",
    "check_over": "never",
    "check_running": "later",
    "already_answered": "never",
    "too_many": "later",
    # The shell's own refusals, told in the same shape.
    "bad_message": "never",
    "unknown_type": "never",
    "too_large": "never",
    "rate_limited": "later",
    "unauthenticated": "now",
    "replaced": "never",
    "no_longer_kept": "never",
    "draining": "later",
    "overloaded": "later",
    "journal_unavailable": "later",
    "media_unavailable": "later",
    "disk_full": "later",
    "bad_sdp": "now",
    "internal": "later",
}


#: code -> what it means, for PROTOCOL.md and for logs; clients have their own wording
MEANINGS: Final[dict[str, str]] = {
    "not_allowed": "the role, or who the other person is, does not allow it",
    "not_admitted": "not in the class: waiting, sent out, or not connected",
    "banned": "barred from this class",
    "declined": "the request to come in was declined",
    "class_locked": "the class takes no newcomers now",
    "class_frozen": "everybody but staff is paused",
    "class_full": "all places are taken",
    "class_ended": "the class is over",
    "wrong_phase": "not before the class starts, on a break, or now",
    "not_on_stage": "only for people on stage",
    "stage_full": "no place left on stage",
    "screen_taken": "somebody else shares a screen",
    "chat_off": "chat is off, for all or for this person",
    "slow_mode": "too soon after the last message",
    "text_refused": "the text is blank or was refused by screening",
    "microphone_blocked": "microphones are off, for all or for this person",
    "camera_blocked": "cameras are off, for all or for this person",
    "screen_blocked": "screen sharing is off, for all or for this person",
    "reactions_off": "reactions are off",
    "hands_off": "hand raising is off",
    "no_such_participant": "nobody of that id is there",
    "no_such_message": "no such message is kept, or not for this viewer",
    "no_such_poll": "no such poll, or not for this viewer",
    "poll_not_open": "the poll is not open, or not any more",
    "poll_already_open": "another poll is open",
    "bad_choice": "options blank or repeated, or choices that do not fit the poll",
    "no_such_check": "no such presence check, or this person was not asked",
    "wrong_nonce": "not the nonce this person was told with the check",
    "check_over": "the time to answer is over",
    "check_running": "a presence check is running",
    "already_answered": "one answer per person",
    "too_many": "a bound is reached (hands, polls, connections)",
    "bad_message": "not a message of this protocol",
    "unknown_type": "no message has that type",
    "too_large": "the message is longer than 64 KiB",
    "rate_limited": "too many messages in a short time",
    "unauthenticated": "no right to this seat: get a new join link",
    "replaced": "a newer connection took this one's place",
    "no_longer_kept": "the class is over and its log was removed when its days were over",
    "draining": "the node is about to stop; connect again",
    "overloaded": "the node is at its limit",
    "journal_unavailable": "nothing can be stored now; nothing happened",
    "media_unavailable": "the media plane cannot serve now",
    "disk_full": "too little of the disk is free to record",
    "bad_sdp": "the session description does not fit",
    "internal": "a defect in the server; nothing happened",
}


class Rejected(Exception):
    """A command was refused; `code` is a key of CODES."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code

    @property
    def retry(self) -> Retry:
        return CODES[self.code]
