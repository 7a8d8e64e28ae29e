"""The facts: the only package that reads or writes events and their dimensions.

Its functions are the seam for another engine. It knows sites by number and
events by value; what makes an event acceptable, and what counts as a
conversion, is decided elsewhere.
"""

from analytics.events import dimensions, live
from analytics.events.adjustments import NewRefund, refund
from analytics.events.amounts import MAX_AMOUNT, from_amount, to_amount
from analytics.events.breakdown import DIMENSIONS, PROPS, Slice, slices
from analytics.events.counts import (
    Amounts,
    Counts,
    amounts,
    received,
    refunded,
    refunds_by_name,
    top_names,
)
from analytics.events.dimensions import Labels, named, names
from analytics.events.late import last_closed, versions
from analytics.events.ledger import Entry, entries, listing
from analytics.events.live import LiveDay, live_day
from analytics.events.paths import reached
from analytics.events.reach import visitors, visitors_of_both
from analytics.events.scope import Scope, Where
from analytics.events.series import daily, hourly, hourly_amounts
from analytics.events.several import amounts_each, daily_each
from analytics.events.shares import Share, shares_by_label, shares_by_path
from analytics.events.visits import Presence, Traffic, presence, traffic_by_day
from analytics.events.writing import NewEvent, append

__all__ = [
    "DIMENSIONS",
    "MAX_AMOUNT",
    "PROPS",
    "Amounts",
    "Counts",
    "Entry",
    "Labels",
    "LiveDay",
    "NewEvent",
    "NewRefund",
    "Presence",
    "Scope",
    "Share",
    "Slice",
    "Traffic",
    "Where",
    "amounts",
    "amounts_each",
    "append",
    "daily",
    "daily_each",
    "entries",
    "forget",
    "from_amount",
    "hourly",
    "hourly_amounts",
    "last_closed",
    "listing",
    "live_day",
    "named",
    "names",
    "presence",
    "reached",
    "received",
    "refund",
    "refunded",
    "refunds_by_name",
    "shares_by_label",
    "shares_by_path",
    "slices",
    "to_amount",
    "top_names",
    "traffic_by_day",
    "versions",
    "visitors",
    "visitors_of_both",
]


def forget() -> None:
    """Drop what this process remembers: after a database was emptied or restored."""
    dimensions.forget()
    live.forget()
