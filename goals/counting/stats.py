"""How many conversions goals had: the questions of the stats endpoints."""

from collections.abc import Callable, Collection, Iterable
from datetime import date
from decimal import Decimal

from analytics import events
from analytics.events import Counts, Selection, closed_days
from analytics.models import Site
from analytics.questions.periods import Days
from analytics.questions.time_limits import in_time
from goals.counting import matched_names, open_days, rule_months
from goals.counting.answers import Counted, GoalCounts
from goals.counting.matched_names import matching_names_of_each
from goals.counting.open_days import OpenDays
from goals.counting.rule_months import ByDay, RuleMonths
from goals.matching import Rule
from goals.models import Goal
from goals.money import conversion
from goals.money.pricing import pricer
from krafter import metrics

Where = tuple[events.Where, ...]


def goal_stats(goal: Goal, days: Days, where: Where = ()) -> Counted:
    """What a goal had in those days, without its `money` and `comparison`."""
    return summed(goal, counted(goal.site_id, [goal], days, where)[goal.rule])


def all_goal_stats(site: Site, days: Days, where: Where = ()) -> list[GoalCounts]:
    """Each goal of a site with its stats, in the order of the list.

    The number of queries does not depend on how many goals there are.
    """
    goals = list(site.goals.undeleted())
    found = counted(site.pk, goals, days, where)
    amounts = {
        goal.pk: sums(found[goal.rule]) for goal in goals if goal.currency is not None
    }
    # One look at the rates for each currency, not for each goal.
    everything = {key: Decimal() for part in amounts.values() for key in part}
    revenue = {
        currency: pricer(everything, currency)
        for currency in {goal.currency for goal in goals}
    }
    return [
        GoalCounts(
            goal.id,
            goal.name,
            goal.currency,
            *total(found[goal.rule]),
            revenue[goal.currency](amounts.get(goal.pk, {})),
        )
        for goal in goals
    ]


def counted(
    site_id: int,
    goals: Collection[Goal],
    days: Days,
    where: Where = (),
    *,
    daily: bool = False,
) -> dict[Rule, ByDay]:
    """What each goal's rule counted on these days up to now.

    By the day with `daily`; without it the counts of days that are closed may
    stand together under one of them, and the amounts that need no rate.

    An event that was acknowledged before is in. Raises Unavailable while the
    past of a new rule takes long to count.
    """
    # Goals with one rule are one question.
    rules = list(dict.fromkeys(goal.rule for goal in goals))
    if not rules:
        return {}
    priced = {goal.rule for goal in goals if goal.currency}
    if where:
        with in_time():
            of_each = matching_names_of_each(site_id, rules)
            selection = Selection(site_id, *days, where)
            return rule_months.count(selection, of_each, with_amounts=priced)
    closed, current = closed_days.parted(days)
    past = RuleMonths(site_id, rules, closed) if closed else None
    names = matched_names.remembered(site_id, rules)
    standing = events.standing(
        site_id,
        closed=closed,
        open=current,
        kept=past.statement() if past else None,
        names_after=min(known.seen for known in names.values()) if names else None,
        refunds=bool(priced),
    )
    missing = past.read(standing) if past else []
    if closed is not None:
        metrics.count_days(closed.length, len(missing))
    today = OpenDays(site_id, rules, standing.ends)
    if names and standing.names is not None:
        matched_names.look_at(site_id, names, standing.names)
    elif missing or today.is_behind or standing.refunds:
        # After the events that were told of, whose names were there by then.
        names = matching_names_of_each(site_id, rules)
    if past and missing:
        _count_missing(past, missing, budget=closed_days.BUDGET_SECONDS)
    if today.is_behind:
        with in_time():
            today.catch_up(names or {})
    home = _home(goals)
    found: dict[Rule, ByDay] = {}
    for rule in rules:
        found[rule] = today.by_day(rule, standing.refunds, (names or {}).get(rule, ()))
        if past:
            found[rule] |= (
                past.by_day(rule) if daily else past.by_part(rule, home[rule])
            )
    return found


def _home(goals: Iterable[Goal]) -> dict[Rule, set[str | None]]:
    """The currencies in which amounts of a rule are never converted."""
    home: dict[Rule, set[str | None]] = {}
    for goal in goals:
        home.setdefault(goal.rule, set()).add(goal.currency)
    return {
        rule: {None, *currencies} if len(currencies) == 1 else {None}
        for rule, currencies in home.items()
    }


def count_ahead(
    site_id: int,
    rules: Collection[Rule],
    days: Days,
    *,
    budget: float | None = None,
    progress: Callable[[int], object] = lambda counted: None,
) -> None:
    """Count and keep what the rules lack of these days, which must be closed.

    Raises Unavailable when that takes longer than the budget in seconds; the
    next try goes on from there. `progress` hears of each number of days counted.
    """
    past = RuleMonths(site_id, rules, days)
    standing = events.standing(site_id, closed=days, kept=past.statement())
    if missing := past.read(standing):
        _count_missing(past, missing, budget=budget, progress=progress)


def _count_missing(
    past: RuleMonths,
    missing: Collection[date],
    *,
    budget: float | None,
    progress: Callable[[int], object] = lambda counted: None,
) -> None:
    with closed_days.in_budget(budget):
        for stretch in closed_days.stretches(missing, budget=budget, progress=progress):
            # A new goal asks for itself only.
            lacking = past.lacking(stretch)
            names = matching_names_of_each(past.site_id, lacking, budget=budget)
            selection = Selection(past.site_id, *stretch)
            found = rule_months.count(selection, names, with_amounts=names)
            past.keep(stretch, found)


def summed(goal: Goal, found: ByDay) -> Counted:
    amounts = sums(found)
    return Counted(*total(found), pricer(amounts, goal.currency)(amounts))


def total(found: ByDay) -> Counts:
    counts = [count.counts for count in found.values()]
    return Counts(
        sum(day.conversions for day in counts), sum(day.uniques for day in counts)
    )


def sums(found: ByDay) -> conversion.Sums:
    """The amounts of these days by day and currency."""
    return {
        (day, code): amount
        for day, count in found.items()
        for code, amount in count.amounts.items()
    }


def forget() -> None:
    """Drop what this process remembers: after a database was emptied or restored."""
    open_days.forget()
    matched_names.forget()
