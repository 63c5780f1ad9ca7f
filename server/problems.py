"""Refusals over HTTP: one body shape, `{error: {code, retry, message}}`, one status per code."""

from collections.abc import Sequence
from typing import Final

import msgspec
from aiohttp import web

from signaling.classroom.errors import CODES, Retry

#: code -> (status, retry, message); codes the classroom knows keep its retry
_OWN: Final[dict[str, tuple[int, Retry, str]]] = {
    "bad_token": (401, "never", "The link or token is not valid."),
    "token_expired": (401, "never", "The link or token has expired."),
    "token_used": (401, "never", "The link was used before."),
    "unauthenticated": (401, "now", "Please come in by a link first."),
    "not_allowed": (403, "never", "This is not allowed."),
    "bad_origin": (403, "never", "This page may not talk to this server."),
    "banned": (403, "never", "This person is barred from the class."),
    "not_found": (404, "never", "There is nothing here."),
    "method_not_allowed": (405, "never", "This method is not served here."),
    "bad_signature": (403, "now", "The address of this file is not valid, or not any more."),
    "recording_deleted": (410, "never", "This recording was deleted."),
    "no_longer_kept": (410, "never", "The class is over, and what it left behind is no longer kept."),
    "legal_hold": (409, "later", "The class is under a legal hold: nothing of it may be deleted."),
    "replay_closed": (403, "later", "The recordings of this class are not open to this person."),
    "no_such_policy": (400, "now", "No policy of attendance has this name and version."),
    "bad_policy": (400, "now", "Study hours must rise with minutes, and minutes be named once."),
    "bad_roster": (400, "now", "Some lines of the roster are wrong; nothing was changed."),
    "unknown_issuer": (400, "now", "No key of this issuer is known here."),
    "policy_differs": (409, "never", "This name and version stand for other rules of attendance."),
    "class_ended": (409, "never", "The class is over."),
    "no_such_person": (404, "never", "Nobody of that issuer and subject was ever in a class here."),
    "not_confirmed": (400, "now", "The subject has to be repeated to confirm."),
    "exists": (409, "never", "A different class has this id."),
    "precondition_failed": (412, "now", "The session has changed since."),
    "precondition_required": (428, "now", "If-Match must tell which state of the session is meant."),
    "too_large": (413, "never", "The request is too large."),
    "bad_message": (400, "never", "The request is malformed."),
    "bad_sdp": (400, "now", "The session description is malformed."),
    "too_slow": (408, "later", "The request took too long."),
    "misdirected": (421, "never", "This server has another name."),
    "rate_limited": (429, "later", "Too many requests."),
    "internal": (500, "later", "Something went wrong on the server."),
    "draining": (503, "later", "The server is about to stop."),
    "overloaded": (503, "later", "The server is busy."),
    "journal_unavailable": (503, "later", "The server cannot store anything now."),
    "recordings_unavailable": (503, "later", "The store of the recordings cannot be reached now."),
    "media_unavailable": (503, "later", "Audio and video are not available now."),
}


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """Why a call was refused; `retry` tells when the same call may succeed."""

    code: str
    retry: Retry
    message: str


class Flaw(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with one line of a list that was sent, lines counting from 1."""

    line: int
    code: str


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of every refusal; `lines` where a list was refused for some of its lines."""

    error: Detail
    lines: list[Flaw] = []


class Problem(Exception):
    """A call is refused with this code, for these lines of what was sent."""

    def __init__(self, code: str, lines: Sequence[Flaw] = ()) -> None:
        super().__init__(code)
        self.code = code
        self.lines = tuple(lines)


def status_of(code: str) -> int:
    """The HTTP status of a code; a refusal of the classroom that has none of its own is a conflict."""
    return _OWN[code][0] if code in _OWN else 409


def body_of(code: str, lines: Sequence[Flaw] = ()) -> ErrorBody:
    """The body of a refusal with this code."""
    _, retry, message = _OWN.get(code) or (409, CODES.get(code, "never"), "The class refused this.")
    return ErrorBody(error=Detail(code=code, retry=retry, message=message), lines=list(lines))


def answer(code: str, lines: Sequence[Flaw] = ()) -> web.Response:
    """The whole response of a refusal."""
    return web.Response(body=msgspec.json.encode(body_of(code, lines)), status=status_of(code), content_type="application/json")


#: what aiohttp itself refuses with, in our words
BY_STATUS: Final = {400: "bad_message", 404: "not_found", 405: "method_not_allowed", 408: "too_slow", 413: "too_large"}
