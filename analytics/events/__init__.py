"""The facts: the only package that reads or writes events and their dimensions.

Its functions are the seam for another engine. It knows sites by number and
events by value; what makes an event acceptable, and what counts as a
conversion, is decided elsewhere.
"""

from analytics.events import dictionaries, open_days
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
    refunds_by_name,
    top_names,
)
from analytics.events.day_versions import last_closed, versions
from analytics.events.dictionaries import named, names
from analytics.events.event_lists import Entry, entries, listing, visitor_text
from analytics.events.funnels import funnel_visitors
from analytics.events.open_days import OpenDay, opened
from analytics.events.selection import Selection
from analytics.events.series import hourly, hourly_amounts
from analytics.events.site_breakdown import (
    SiteBreakdownRow,
    site_breakdown_by_label,
    site_breakdown_by_path,
)
from analytics.events.visitor_counts import visitors, visitors_of_both
from analytics.events.visits import Presence, Traffic, presence, traffic_by_day
from analytics.events.writing import NewEvent, append, known_ids, take_locks
from analytics.questions.labels import Labels, Where

__all__ = [
    "DIMENSIONS",
    "MAX_AMOUNT",
    "PROPS",
    "Amounts",
    "BreakdownRow",
    "Counts",
    "Entry",
    "Labels",
    "NewEvent",
    "NewRefund",
    "OpenDay",
    "Presence",
    "Selection",
    "SiteBreakdownRow",
    "Traffic",
    "Where",
    "amounts",
    "amounts_each",
    "append",
    "breakdown_rows",
    "daily",
    "daily_each",
    "entries",
    "forget",
    "from_amount",
    "funnel_visitors",
    "hourly",
    "hourly_amounts",
    "known_ids",
    "last_closed",
    "listing",
    "named",
    "names",
    "opened",
    "presence",
    "received",
    "refund",
    "refunded",
    "refunds_by_name",
    "site_breakdown_by_label",
    "site_breakdown_by_path",
    "take_locks",
    "to_amount",
    "top_names",
    "traffic_by_day",
    "versions",
    "visitor_text",
    "visitors",
    "visitors_of_both",
]


def forget() -> None:
    """Drop what this process remembers: after a database was emptied or restored."""
    dictionaries.forget()
    open_days.forget()
