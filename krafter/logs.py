"""Log formats, and sending errors to Sentry.

A line has the time, level, logger, request id and message. Addresses, names of users,
bodies and query strings are never logged.
"""

import logging
import threading
from collections import deque
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import msgspec
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

# The maximum number of lines a minute about one failing service, of all workers.
LINES_A_MINUTE = 10


def _when(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(
        timespec="milliseconds"
    )


class TextFormatter(logging.Formatter):
    """One line of text; a traceback follows on lines of its own."""

    def __init__(self) -> None:
        super().__init__(
            "{asctime} {levelname} {name} {request_id} {message}", style="{"
        )

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return _when(record)


class JsonFormatter(logging.Formatter):
    """One JSON object a line, with the traceback inside."""

    def format(self, record: logging.LogRecord) -> str:
        shown: dict[str, Any] = {
            "time": _when(record),
            "level": record.levelname,
            "logger": record.name,
            "request_id": getattr(record, "request_id", "-"),
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            shown["error"] = type(error).__name__
            shown["cause"] = str(error).partition("\n")[0]
            shown["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(shown).decode()


def send_to_sentry(dsn: str) -> None:
    """Send errors to Sentry, without data of requests."""
    try:
        import sentry_sdk
    except ImportError:
        raise ImproperlyConfigured(
            "SENTRY_DSN names a Sentry: install krafter[sentry]"
        ) from None
    sentry_sdk.init(
        dsn=dsn,
        # The integrations would send requests, statements and their parameters.
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[_logging_integration()],
        send_default_pii=False,
        include_local_variables=False,
        max_breadcrumbs=0,
        server_name="",
    )


def _logging_integration() -> Any:
    from sentry_sdk.integrations.logging import LoggingIntegration

    return LoggingIntegration(level=None, event_level=logging.ERROR)


class LineLimit:
    """How many lines a minute this worker logs about one service that fails."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: deque[float] = deque(maxlen=LINES_A_MINUTE)

    def take(self, lines: int = 1) -> bool:
        """Count so many lines as logged; False if the minute has no room for them."""
        now = monotonic()
        with self._lock:
            while self._times and now - self._times[0] >= 60:
                self._times.popleft()
            own = max(lines, LINES_A_MINUTE // settings.WORKERS)
            if len(self._times) + lines > own:
                return False
            self._times.extend([now] * lines)
            return True

    def forget(self) -> None:
        self._times.clear()
