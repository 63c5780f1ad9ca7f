"""Captions of a recording, from a WebVTT file that somebody made: read strictly, written anew. Pure.

Only times and words are kept: identifiers, settings, styles, regions and notes change nothing in the player and would be one more thing to
trust. What is not WebVTT is refused with the line it fails at.
"""

import re
from typing import Final, NamedTuple

MAX_BYTES: Final = 4_000_000
MAX_CUES: Final = 20_000
MAX_TEXT: Final = 1_000
MAX_LANGUAGES: Final = 20
MAX_LABEL: Final = 40
#: a cue may end this long after the recording, milliseconds
_SLACK_MS: Final = 10_000
_TIME: Final = r"(?:(\d{2,4}):)?([0-5]\d):([0-5]\d)\.(\d{3})"
_TIMES: Final = re.compile(rf"{_TIME}[ \t]+-->[ \t]+{_TIME}(?:[ \t].*)?", re.ASCII)
_LANGUAGE: Final = re.compile(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8}){0,3}", re.ASCII)
_BLOCKS: Final = ("NOTE", "STYLE", "REGION")
_NAMES: Final = {"zh": "中文", "en": "English"}
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class BadCaptions(Exception):
    """They cannot be used; the message is for a person."""


class Cue(NamedTuple):
    """Words and when they are shown, milliseconds on the recording's clock; lines as in the file, tags and all."""

    from_ms: int
    to_ms: int
    text: str


def language(tag: str) -> str:
    """A language tag in the usual spelling (BCP 47, syntax only). Raises BadCaptions."""
    if not _LANGUAGE.fullmatch(tag):
        raise BadCaptions(f"{tag[:40]!r} is no language, like zh or en-GB")
    first, *rest = tag.split("-")
    return "-".join([first.lower(), *(part.upper() if len(part) == 2 else part for part in rest)])


def label(tag: str, wanted: str | None) -> str:
    """What a menu shows for a language. Raises BadCaptions."""
    text = _NAMES.get(tag.partition("-")[0], tag) if wanted is None else wanted.strip()
    if not text or len(text) > MAX_LABEL or not text.isprintable():
        raise BadCaptions(f"a label has 1 to {MAX_LABEL} printable characters")
    return text


def read(data: bytes, duration_ms: int) -> list[Cue]:
    """The cues of a WebVTT file (W3C WebVTT section 4) in order. Raises BadCaptions."""
    if len(data) > MAX_BYTES:
        raise BadCaptions(f"more than {MAX_BYTES // 1_000_000} MB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadCaptions(f"not UTF-8 at byte {error.start}") from None
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not re.fullmatch(r"WEBVTT(?:[ \t].*)?", lines[0]):
        raise BadCaptions("line 1: a WebVTT file begins with WEBVTT")
    if (control := _CONTROL.search(text)) is not None:
        raise BadCaptions(f"line {text.count(chr(10), 0, control.start()) + 1}: a control character")
    cues: list[Cue] = []
    for number, block in _blocks(lines):
        if block[0].split(" ")[0].split("\t")[0] in _BLOCKS and "-->" not in block[0]:
            continue
        cues.append(_cue(number, block, cues[-1].from_ms if cues else 0, duration_ms + _SLACK_MS))
        if len(cues) > MAX_CUES:
            raise BadCaptions(f"line {number}: more than {MAX_CUES} cues")
    if not cues:
        raise BadCaptions("no cue in it")
    return cues


def write(cues: list[Cue]) -> bytes:
    """A WebVTT file of cues and nothing else."""
    return "\n".join(["WEBVTT\n", *(f"{_clock(cue.from_ms)} --> {_clock(cue.to_ms)}\n{cue.text}\n" for cue in cues)]).encode()


def _blocks(lines: list[str]) -> list[tuple[int, list[str]]]:
    """(number of the first line, lines) of what lies between empty lines, after the head."""
    blocks: list[tuple[int, list[str]]] = []
    head = True
    fresh = True
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            head, fresh = False, True
        elif not head:
            if fresh:
                blocks.append((number, []))
            blocks[-1][1].append(line)
            fresh = False
    return blocks


def _cue(number: int, block: list[str], not_before: int, not_after: int) -> Cue:
    at = 0 if "-->" in block[0] else 1
    found = _TIMES.fullmatch(block[at].strip()) if len(block) > at else None
    if found is None:
        raise BadCaptions(f"line {number + at}: times look like 00:01.000 --> 00:04.000")
    begin, end = _ms(found.groups()[:4]), _ms(found.groups()[4:])
    if end <= begin:
        raise BadCaptions(f"line {number + at}: ends before it begins")
    if begin < not_before:
        raise BadCaptions(f"line {number + at}: begins before the one above it")
    if end > not_after:
        raise BadCaptions(f"line {number + at}: lies after the end of the recording")
    words = "\n".join(line.rstrip() for line in block[at + 1 :])
    if "-->" in words:
        raise BadCaptions(f"line {number + at + 1}: an empty line is missing between two cues")
    if len(words) > MAX_TEXT:
        raise BadCaptions(f"line {number + at + 1}: more than {MAX_TEXT} characters at once")
    if not words.strip():
        raise BadCaptions(f"line {number + at}: no words under the times")
    return Cue(begin, end, words)


def _ms(parts: tuple[str | None, ...]) -> int:
    hours, minutes, seconds, thousandths = (int(part or 0) for part in parts)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + thousandths


def _clock(ms: int) -> str:
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}.{ms % 1000:03}"
