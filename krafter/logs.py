"""Log formats, and sending errors to Sentry.

A line has the time, level, logger, request id and message. Addresses, names of users,
bodies and query strings are never logged.
"""

import logging
from datetime import UTC, datetime
from typing import Any

import msgspec
from django.core.exceptions import ImproperlyConfigured


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
