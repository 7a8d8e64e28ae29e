"""The facts: the only package that reads or writes events and their dimensions.

Its functions are the seam for another engine. It knows sites by number and
events by value; what makes an event acceptable, and what counts as a
conversion, is decided elsewhere.
"""

from analytics.events import dictionaries
from analytics.events.adjustments import NewRefund, refund
from analytics.events.amount_units import MAX_AMOUNT, from_amount, to_amount
from analytics.events.breakdown import DIMENSIONS, PROPS, BreakdownRow, breakdown_rows
from analytics.events.by_question import amounts_each, daily, daily_each
from analytics.events.counts import (
    Amounts,
    Counts,
    amounts,
    received,
    refunded,
    top_names,
)
from analytics.events.day_versions import last_closed
from analytics.events.dictionaries import last_name_id, named, names
from analytics.events.event_lists import Entry, entries, listing, visitor_text
from analytics.events.funnels import funnel_visitors
from analytics.events.open_days import Came, Converted, came, converted
from analytics.events.selection import Selection
from analytics.events.series import hourly, hourly_amounts
from analytics.events.site_breakdown import (
    SiteBreakdownRow,
    site_breakdown_by_label,
    site_breakdown_by_path,
)
from analytics.events.standing import Refund, Standing, kept_rows, standing
from analytics.events.visitor_counts import visitors_by_day, visitors_of_both
from analytics.events.visits import Presence, Traffic, presence, traffic_by_day
from analytics.events.writing import NewEvent, append, known_ids, take_locks
from analytics.questions.labels import Labels, Where

__all__ = [
    "DIMENSIONS",
    "MAX_AMOUNT",
    "PROPS",
    "Amounts",
    "BreakdownRow",
    "Came",
    "Converted",
    "Counts",
    "Entry",
    "Labels",
    "NewEvent",
    "NewRefund",
    "Presence",
    "Refund",
    "Selection",
    "SiteBreakdownRow",
    "Standing",
    "Traffic",
    "Where",
    "amounts",
    "amounts_each",
    "append",
    "breakdown_rows",
    "came",
    "converted",
    "daily",
    "daily_each",
    "entries",
    "forget",
    "from_amount",
    "funnel_visitors",
    "hourly",
    "hourly_amounts",
    "kept_rows",
    "known_ids",
    "last_closed",
    "last_name_id",
    "listing",
    "named",
    "names",
    "presence",
    "received",
    "refund",
    "refunded",
    "site_breakdown_by_label",
    "site_breakdown_by_path",
    "standing",
    "take_locks",
    "to_amount",
    "top_names",
    "traffic_by_day",
    "visitor_text",
    "visitors_by_day",
    "visitors_of_both",
]


def forget() -> None:
    """Drop what this process remembers: after a database was emptied or restored."""
    dictionaries.forget()
