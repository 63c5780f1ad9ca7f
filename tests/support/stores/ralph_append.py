"""Ralph over one file: its file backend answers every second write with an error unless it appends."""

from ralph.backends.data.base import BaseOperationType
from ralph.backends.lrs.fs import FSLRSBackend

FSLRSBackend.default_operation_type = BaseOperationType.APPEND

from ralph.api import app as app  # noqa: E402
