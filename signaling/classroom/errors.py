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
    "already_answered": "never",
    "too_many": "later",
    # The shell's own refusals, told in the same shape.
    "bad_message": "never",
    "unknown_type": "never",
    "too_large": "never",
    "rate_limited": "later",
    "unauthenticated": "now",
    "replaced": "never",
    "draining": "later",
    "overloaded": "later",
    "journal_unavailable": "later",
    "media_unavailable": "later",
    "bad_sdp": "now",
    "internal": "later",
}


class Rejected(Exception):
    """A command was refused; `code` is a key of CODES."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code

    @property
    def retry(self) -> Retry:
        return CODES[self.code]
