"""Precompute the counts of closed days by label, for a site and each of its goals.

Either for the labels that were queried before, or for all of them.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import cast

from analytics.events import Selection, missing_labels
from analytics.events.cells import daily
from analytics.events.label_months import EVERYTHING, REFUNDS, Kept, refund_rows
from analytics.events.missing_labels import Asked
from analytics.events.months import whole_months
from analytics.lifecycle.parts import Keeper
from analytics.models import Adjustment, LabelMonth, Site
from analytics.questions.filters import LABELS
from analytics.questions.labels import (
    ATTRIBUTIONS,
    DEFAULT_ATTRIBUTION,
    Attribution,
    Filters,
)
from analytics.questions.periods import Days
from analytics.sources import rules_of
from goals.counting.matched_names import matching_names_of_each
from goals.matching import Rule


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
    rules = _rules(site)
    missing_labels.count(
        site,
        days,
        _asked(site, rules, attributions if all_labels else ()),
        names_of=lambda digests: _names(site, rules, digests),
        progress=progress,
    )


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
        stored.missing
        for asked in _asked(site, _rules(site), ATTRIBUTIONS)
        if (stored := missing_labels.stored(site, days, asked))
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
    rules = _rules(site) if refunded else {}
    names_of = _names(site, rules, rules)
    for rule, attribution, labels in _asked(site, rules, ATTRIBUTIONS):
        names = names_of[rule]
        if not names or refunded.isdisjoint(names):
            continue
        selection = Selection(
            site.pk, *days, Filters(attribution=attribution), names, sources
        )
        found = daily(selection, labels, (Adjustment,), selection.attributed())
        kept = Kept(site.pk, rule, attribution, sources.digest)
        for label, by_day in found.items():
            LabelMonth.objects.bulk_create(refund_rows(kept, label, by_day))


KEEPER = Keeper(keep, lacks, seal)


def _rules(site: Site) -> dict[bytes, Rule]:
    """The rules of its goals by their digests."""
    return {goal.rule.digest: goal.rule for goal in site.goals.all()}


def _asked(
    site: Site, rules: Collection[bytes], all_labels_of: Collection[Attribution]
) -> list[Asked]:
    """The labels to count, by rule and attribution; also for all events."""
    wanted = {EVERYTHING, *rules}
    labels: defaultdict[tuple[bytes, Attribution], set[str]] = defaultdict(set)
    for rule in wanted:
        for attribution in all_labels_of:
            labels[rule, attribution].update(LABELS)
    rows = LabelMonth.objects.filter(site_id=site.pk).distinct()
    rows = rows.exclude(label__startswith=REFUNDS)
    for digest, of, label in rows.values_list("rule", "attribution", "label"):
        if bytes(digest) in wanted:
            labels[bytes(digest), cast(Attribution, of)].add(label)
    return [Asked(*of, tuple(sorted(of_rule))) for of, of_rule in labels.items()]


def _names(
    site: Site, rules: Mapping[bytes, Rule], digests: Collection[bytes]
) -> dict[bytes, Collection[int] | None]:
    """The ids of the names that these rules match; None for all events."""
    wanted = {digest: rules[digest] for digest in digests if digest != EVERYTHING}
    found = matching_names_of_each(site.pk, set(wanted.values()), budget=None)
    return {EVERYTHING: None, **{of: found[rule] for of, rule in wanted.items()}}
