"""Precompute the counts of closed days by label, for a site and each of its goals.

Either for the labels that were queried before, or for all of them.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from analytics.events import ByLabels, Selection, Unkept
from analytics.events.cells import daily
from analytics.events.label_months import EVERYTHING, REFUNDS, Kept, refund_rows
from analytics.events.months import whole_months
from analytics.lifecycle.parts import Keeper
from analytics.models import Adjustment, LabelMonth, Site
from analytics.questions.filters import LABELS
from analytics.questions.labels import (
    ATTRIBUTIONS,
    DEFAULT_ATTRIBUTION,
    OWN,
    Attribution,
    Filters,
)
from analytics.questions.periods import Days
from analytics.sources import rules_of
from goals.counting.matched_names import matching_names_of_each
from goals.matching import Rule

# Labels counted in one statement: those with few combinations. All labels together have
# nearly as many combinations as there are visitors.
_TOGETHER = (
    tuple(label for label in LABELS if label not in (*OWN, "entry_path")),
    OWN,
    ("entry_path",),
)


class _Asked(NamedTuple):
    """A count to compute. `rule` is None for all events of the site."""

    rule: Rule | None
    attribution: Attribution
    labels: tuple[str, ...]


def count_ahead(
    site: Site,
    days: Days,
    *,
    all_labels: bool = False,
    attributions: Collection[Attribution] = (DEFAULT_ATTRIBUTION,),
    progress: Callable[[int], object] = lambda counted: None,
) -> None:
    """Compute and store the missing counts of these closed days.

    With `all_labels`: by every label under these attributions, whether or not it was
    queried before.
    """
    for asked in _asked(site, attributions if all_labels else ()):
        kept = _kept(site, days, asked)
        if kept and kept.lacks:
            rule = asked.rule
            names = rule and matching_names_of_each(site.pk, [rule], budget=None)[rule]
            kept.count(names, budget=None, progress=progress)


def _kept(site: Site, days: Days, asked: _Asked) -> ByLabels | None:
    """Counts of the days after sealed days that lack them; None if no day is left."""
    filters = Filters(attribution=asked.attribution)
    try:
        return ByLabels(
            Selection(site.pk, *days, filters, sources=rules_of(site)),
            asked.labels,
            rule=asked.rule.digest if asked.rule else EVERYTHING,
        )
    except Unkept as unkept:
        since = days._replace(first=unkept.since)
        return _kept(site, since, asked) if since.first <= since.last else None


def keep(site: Site, days: Days, progress: Callable[[int], object]) -> None:
    """Store counts by every label and attribution, before days are sealed."""
    # The current settings: the counts of sealed days keep them for good.
    site.refresh_from_db()
    count_ahead(
        site, days, all_labels=True, attributions=ATTRIBUTIONS, progress=progress
    )


def lacks(site: Site, days: Days) -> bool:
    """Whether one of those counts is missing."""
    site.refresh_from_db()
    return any(
        kept.lacks_closed
        for asked in _asked(site, ATTRIBUTIONS)
        if (kept := _kept(site, days, asked))
    )


def seal(site: Site, days: Days) -> None:
    """Store the refunds of days that are about to be sealed, by label.

    The caller holds both locks. Before that, a late event could still change the source
    of a refund.
    """
    refunds = Adjustment.objects.filter(site_id=site.pk, day__within=days).order_by()
    refunded = set(refunds.values_list("name_id", flat=True).distinct())
    months_of = whole_months(days)
    LabelMonth.objects.filter(
        site_id=site.pk, month__range=months_of, label__startswith=REFUNDS
    ).delete()
    sources = rules_of(site)
    for rule, attribution, labels in _asked(site, ATTRIBUTIONS) if refunded else ():
        names = rule and matching_names_of_each(site.pk, [rule], budget=None)[rule]
        if rule is None or not names or refunded.isdisjoint(names):
            continue
        selection = Selection(
            site.pk, *days, Filters(attribution=attribution), names, sources
        )
        found = daily(selection, labels, (Adjustment,), selection.attributed())
        kept = Kept(site.pk, rule.digest, attribution, sources.digest)
        for label, by_day in found.items():
            LabelMonth.objects.bulk_create(refund_rows(kept, label, by_day))


KEEPER = Keeper(keep, lacks, seal)


def _asked(site: Site, all_labels_of: Collection[Attribution]) -> Iterator[_Asked]:
    rules: dict[bytes, Rule | None] = {EVERYTHING: None}
    rules |= {goal.rule.digest: goal.rule for goal in site.goals.all()}
    before: defaultdict[tuple[bytes, str], set[str]] = defaultdict(set)
    rows = LabelMonth.objects.filter(site_id=site.pk).distinct()
    rows = rows.exclude(label__startswith=REFUNDS)
    for digest, attribution, label in rows.values_list("rule", "attribution", "label"):
        before[bytes(digest), attribution].add(label)
    for digest, rule in rules.items():
        for attribution in all_labels_of:
            for labels in _TOGETHER:
                yield _Asked(rule, attribution, labels)
                before[digest, attribution].difference_update(labels)
        for attribution in ATTRIBUTIONS:
            if asked := before[digest, attribution]:
                yield _Asked(rule, attribution, tuple(sorted(asked)))
