"""Structured logs: one JSON object per line on stderr, and nothing in it that names a person or opens a door.

A line holds its level, logger, constant message and the fields allowed here. Exceptions appear by type and place, without their text,
since that may quote what somebody sent. Requests are not logged one by one; counters tell how many there were.
"""

import json
import logging
import sys
import traceback
from typing import Any, Final

#: fields a log call may add with `extra`; anything else is dropped
FIELDS: Final = ("code", "count", "destination", "from", "port", "route", "seq", "session", "statement", "status", "type", "why")
_OWN: Final = "jiangtai"
_MAX_FRAMES: Final = 12


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; messages of other libraries are reduced to their template."""
        line: dict[str, Any] = {
            "at": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage() if record.name.startswith(_OWN) else _template(str(record.msg)),
        }
        line |= {name: record.__dict__[name] for name in FIELDS if name in record.__dict__}
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
            frames = traceback.extract_tb(record.exc_info[2])[-_MAX_FRAMES:]
            line["where"] = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
        return json.dumps(line, ensure_ascii=False, default=str)


def _template(message: str) -> str:
    """What a library says whatever the values: asyncio writes them into its messages, those of a callback into the first line as well."""
    first = message.partition("\n")[0]
    return first.partition("(")[0] if first.startswith("Exception in callback ") else first


def start(level: str) -> None:
    """Send all logs of this process to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(_OWN).setLevel(level.upper())
    for name in ("server", "signaling", "media", "moderation"):
        logging.getLogger(name).setLevel(level.upper())
