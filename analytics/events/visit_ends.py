"""The end of a visit: a long time without an event of the visitor."""

from django.db import connection

# A visit ends after more than this time without an event. Whole seconds are
# compared, since the API shows no finer times.
SILENCE_SECONDS = 30 * 60


def second(column: str) -> str:
    """SQL for a moment as Unix seconds, without its fraction; `%` is doubled."""
    if connection.vendor == "postgresql":
        # A float is exact to a quarter of a microsecond here. EXTRACT gives a
        # decimal, which made the whole question 40 % slower.
        return f"CAST(FLOOR(DATE_PART('epoch', {column})) AS bigint)"
    # Cut from the text, since SQLite rounds .9996 up to the next second.
    return f"CAST(STRFTIME('%%s', SUBSTR({column}, 1, 19)) AS integer)"
