"""How many conversions a goal had: the questions of the stats endpoints."""

from collections.abc import Iterable
from decimal import Decimal

from analytics import events
from analytics.periods import Days
from goals import money, rates
from goals.matching import Rule
from goals.models import Goal


def matching_names(site_id: int, rule: Rule) -> list[int]:
    """The ids of the names that the rule matches, of all the site ever sent."""
    matches = rule.matcher()
    candidates: Iterable[tuple[int, str]]
    if rule.match_type == "exact":
        candidates = events.named(site_id, rule.match_value, types=[rule.event_type])
    else:
        candidates = events.names(site_id, rule.event_type)
    return [pk for pk, name in candidates if matches(name)]


def matching_names_of_each(
    site_id: int, rules: Iterable[Rule]
) -> dict[Rule, list[int]]:
    """`matching_names` of many rules, in one look at the names of each type."""
    found: dict[Rule, list[int]] = {rule: [] for rule in rules}
    for event_type in sorted({rule.event_type for rule in found}):
        own = [
            (rule.matcher(), ids)
            for rule, ids in found.items()
            if rule.event_type == event_type
        ]
        for pk, name in events.names(site_id, event_type):
            for matches, ids in own:
                if matches(name):
                    ids.append(pk)
    return found


def goal_stats(
    goal: Goal, days: Days, where: tuple[events.Where, ...] = ()
) -> dict[str, int | Decimal | None]:
    """`conversions`, `unique_conversions`, `revenue` of a goal in those days."""
    names = matching_names(goal.site_id, goal.rule)
    scope = events.Scope(goal.site_id, *days, where)
    counts = events.count(scope, names)
    return {
        "conversions": counts.conversions,
        "unique_conversions": counts.uniques,
        "revenue": revenue(scope, names, goal.currency),
    }


def revenue(
    scope: events.Scope, names: Iterable[int], currency: str | None
) -> Decimal | None:
    """What events of these names brought in; None without a currency."""
    if currency is None:
        return None
    sums = events.amounts(scope, names)
    return money.total(sums, currency, rates.needed(sums, currency).per_euro)
