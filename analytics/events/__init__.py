"""The only package that reads or writes events, refunds, names and contexts.

A different storage engine would replace this package. Sites are ids here. Which
events are accepted, and which are conversions, is decided elsewhere.
"""

from analytics.events import (
    closed_sums,
    contexts,
    dictionaries,
    name_lists,
    open_labels,
    planner,
)
from analytics.events.adjustments import NewRefund, refund
from analytics.events.amount_units import MAX_AMOUNT, from_amount, to_amount
from analytics.events.breakdown import (
    DIMENSIONS,
    PROPS,
    BreakdownRow,
    breakdown_rows,
    label_rows,
    visitors_by_own_value,
    visitors_by_value,
)
from analytics.events.by_labels import ByLabels, Known, are_kept, is_kept
from analytics.events.by_question import (
    amounts_each,
    daily,
    daily_each,
    daily_sets,
    sent_names,
)
from analytics.events.cells import ByDay, daily_by_label
from analytics.events.counts import (
    Amounts,
    Counts,
    amounts,
    received,
    refunded,
    top_names,
)
from analytics.events.day_versions import last_closed
from analytics.events.dictionaries import last_name_id, named, names, reserve
from analytics.events.event_lists import Entry, listing, visitor_text
from analytics.events.funnels import Funnel, FunnelRow, funnel
from analytics.events.growth import KINDS as GROWTH_KINDS
from analytics.events.growth import folded
from analytics.events.journeys import Ways, ways
from analytics.events.label_months import Unkept
from analytics.events.ledger import LedgerEntry, ledger
from analytics.events.name_lists import (
    ORDERS as NAME_ORDERS,
)
from analytics.events.name_lists import (
    Seen,
    SentName,
    keep_name_days,
    name_daily,
    name_of_digest,
    name_place,
    names_sent,
    seen,
    types_of_name,
    wrong_name_days,
)
from analytics.events.open_days import Came, Converted, came, converted
from analytics.events.planner import look_at_tables
from analytics.events.prop_lists import SentProp, SentProps, props_sent
from analytics.events.ranked import SiteBreakdown
from analytics.events.seals import Border, Sealed, border
from analytics.events.selection import Selection
from analytics.events.series import hourly, hourly_amounts
from analytics.events.site_breakdown import (
    site_breakdown_by_label,
    site_breakdown_by_name,
    site_breakdown_by_path,
    site_breakdown_by_prop,
)
from analytics.events.standing import Refund, Standing, kept_rows, standing
from analytics.events.visitor_counts import visitors_by_day, visitors_of_both
from analytics.events.visits import (
    Presence,
    Traffic,
    open_traffic,
    presence,
    traffic_by_day,
)
from analytics.events.writing import NewEvent, append, known_ids, take_locks
from analytics.questions.labels import Filters, Labels, Where

__all__ = [
    "DIMENSIONS",
    "GROWTH_KINDS",
    "MAX_AMOUNT",
    "NAME_ORDERS",
    "PROPS",
    "Amounts",
    "Border",
    "BreakdownRow",
    "ByDay",
    "ByLabels",
    "Came",
    "Converted",
    "Counts",
    "Entry",
    "Filters",
    "Funnel",
    "FunnelRow",
    "Known",
    "Labels",
    "LedgerEntry",
    "NewEvent",
    "NewRefund",
    "Presence",
    "Refund",
    "Sealed",
    "Seen",
    "Selection",
    "SentName",
    "SentProp",
    "SentProps",
    "SiteBreakdown",
    "Standing",
    "Traffic",
    "Unkept",
    "Ways",
    "Where",
    "amounts",
    "amounts_each",
    "append",
    "are_kept",
    "border",
    "breakdown_rows",
    "came",
    "converted",
    "daily",
    "daily_by_label",
    "daily_each",
    "daily_sets",
    "folded",
    "forget",
    "from_amount",
    "funnel",
    "hourly",
    "hourly_amounts",
    "is_kept",
    "keep_name_days",
    "kept_rows",
    "known_ids",
    "label_rows",
    "last_closed",
    "last_name_id",
    "ledger",
    "listing",
    "look_at_tables",
    "name_daily",
    "name_of_digest",
    "name_place",
    "named",
    "names",
    "names_sent",
    "open_traffic",
    "presence",
    "props_sent",
    "received",
    "refund",
    "refunded",
    "reserve",
    "seen",
    "sent_names",
    "site_breakdown_by_label",
    "site_breakdown_by_name",
    "site_breakdown_by_path",
    "site_breakdown_by_prop",
    "standing",
    "take_locks",
    "to_amount",
    "top_names",
    "traffic_by_day",
    "types_of_name",
    "visitor_text",
    "visitors_by_day",
    "visitors_by_own_value",
    "visitors_by_value",
    "visitors_of_both",
    "ways",
    "wrong_name_days",
]


def forget() -> None:
    """Clear the caches of this process, after a database was emptied or restored."""
    dictionaries.forget()
    contexts.forget()
    open_labels.forget()
    closed_sums.forget()
    name_lists.forget()
    planner.forget()
