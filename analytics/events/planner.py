"""What PostgreSQL knows of the tables of events when it plans a statement.

Until it has looked at a table that grew from nothing, it takes it for empty, and joins
each event of a day with all contexts of the site: 26 s on a busy machine for a month
of 17,000 events. Autovacuum looks within a minute or two; who has just stored many
events at once does not wait for it.
"""

from django.db import connection

from analytics.models import Adjustment, Context, Event, EventName

_TABLES = ", ".join(
    model._meta.db_table for model in (Event, Adjustment, Context, EventName)
)


def look_at_tables() -> None:
    """Have PostgreSQL estimate the tables anew, by a sample. Elsewhere nothing.

    To a role that does not own them it says so in a warning, and does nothing.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {_TABLES}")
