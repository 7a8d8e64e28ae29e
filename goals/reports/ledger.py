"""A goal's conversions one by one, and their refunds on request."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from analytics import events
from analytics.questions.filters import filters
from analytics.questions.period_query import days
from analytics.sources import rules_of
from goals.counting.matched_names import Names, matching_names
from goals.models import Goal


class Ledger(NamedTuple):
    goal: Goal
    selection: events.Selection
    names: Names
    with_refunds: bool

    def rows(
        self, *, before: tuple[datetime, int] | None = None, limit: int | None = None
    ) -> Iterator[events.LedgerEntry]:
        """Yield entries, newest first.

        `before`: time and id of the last entry seen; only older ones follow.
        """
        return events.ledger(
            self.selection,
            self.names,
            with_refunds=self.with_refunds,
            before=before,
            limit=limit,
        )


def ledger(goal: Goal, asked: Mapping[str, Any]) -> Ledger:
    """Return the ledger for data that LedgerQuestionSerializer has validated.

    Raises Invalid.
    """
    site = goal.site
    period, labels = days(site, asked), filters(asked, site)
    selection = events.Selection(site.pk, *period, labels, sources=rules_of(site))
    with_refunds = asked.get("include") == "refunds"
    return Ledger(goal, selection, matching_names(site.pk, goal.rule), with_refunds)
