"""How many conversions goals had: the questions of the stats endpoints."""

from collections.abc import Callable, Collection, Mapping
from datetime import date
from decimal import Decimal

from analytics import events
from analytics.events import Counts, Selection, closed_days
from analytics.models import Site
from analytics.questions.periods import Days, each_day
from analytics.questions.time_limits import in_time
from goals.counting import matched_names, open_days, rule_days
from goals.counting.answers import Counted, GoalCounts
from goals.counting.matched_names import matching_names_of_each
from goals.counting.rule_days import DayCount, DayCounts
from goals.matching import Rule
from goals.models import Goal
from goals.money import conversion
from goals.money.pricing import pricer

Where = tuple[events.Where, ...]


def goal_stats(goal: Goal, days: Days, where: Where = ()) -> Counted:
    """What a goal had in those days, without its `money` and `comparison`."""
    return summed(goal, of_one(goal, by_day(goal.site_id, [goal], days, where)))


def all_goal_stats(site: Site, days: Days, where: Where = ()) -> list[GoalCounts]:
    """Each goal of a site with its stats, in the order of the list.

    The number of queries does not depend on how many goals there are.
    """
    goals = list(site.goals.undeleted())
    counted = by_day(site.pk, goals, days, where)
    found = [(goal, of_one(goal, counted)) for goal in goals]
    amounts = {goal.pk: sums(days) for goal, days in found if goal.currency}
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
            *total(days),
            revenue[goal.currency](amounts.get(goal.pk, {})),
        )
        for goal, days in found
    ]


def by_day(
    site_id: int, goals: Collection[Goal], days: Days, where: Where = ()
) -> dict[date, DayCounts]:
    """What the goals' rules counted on each of these days; none for days to come.

    An event that was acknowledged before is in. Raises Unavailable while the
    past of a new rule takes long to count.
    """
    # Goals with one rule are one question.
    rules = {goal.rule for goal in goals}
    if not rules:
        return {}
    priced = {goal.rule for goal in goals if goal.currency}
    if where:
        selection = Selection(site_id, *days, where)
        with in_time():
            names = matching_names_of_each(site_id, rules)
            return rule_days.count(selection, names, with_amounts=priced)
    closed, current = closed_days.parted(days)
    found: dict[date, DayCounts] = {}
    if closed is not None:
        budget = closed_days.BUDGET_SECONDS
        found = closed_by_day(site_id, rules, closed, budget=budget)
    if current is not None:
        seen = open_days.read(site_id, current)
        # After the events, whose names were there with them or before.
        names = matching_names_of_each(site_id, rules)
        found |= open_days.count(site_id, seen, names, with_amounts=priced)
    return found


def closed_by_day(
    site_id: int,
    rules: Collection[Rule],
    days: Days,
    *,
    budget: float | None = None,
    progress: Callable[[int], object] = lambda counted: None,
) -> dict[date, DayCounts]:
    """What these rules counted on each of these days, which must be closed.

    Raises Unavailable when the days that are not kept yet take longer than the
    budget in seconds; what was counted by then is kept, and the next try goes
    on from there. `progress` hears of each number of days counted.
    """
    # Read before names and events: what a count misses then raises a version
    # that was already read.
    versions = events.versions(site_id, *days)
    found = rule_days.kept(site_id, rules, days, versions)
    missing = [day for day in each_day(days) if len(found[day]) < len(rules)]
    if not missing:
        return found
    with closed_days.in_budget(budget):
        for stretch in closed_days.stretches(missing, budget=budget, progress=progress):
            # Only of the rules that lack one of the days: a new goal asks for
            # itself.
            part = list(each_day(stretch))
            lacking = {
                rule for rule in rules if any(rule not in found[d] for d in part)
            }
            names = matching_names_of_each(site_id, lacking)
            selection = Selection(site_id, *stretch)
            counted = rule_days.count(selection, names, with_amounts=lacking)
            fresh = {
                day: {rule: n for rule, n in counts.items() if rule not in found[day]}
                for day, counts in counted.items()
            }
            rule_days.keep(site_id, fresh, versions)
            for day, counts in fresh.items():
                found[day] |= counts
    return found


def of_one(goal: Goal, counted: Mapping[date, DayCounts]) -> dict[date, DayCount]:
    rule = goal.rule
    return {day: counts[rule] for day, counts in counted.items()}


def summed(goal: Goal, found: Mapping[date, DayCount]) -> Counted:
    amounts = sums(found)
    return Counted(*total(found), pricer(amounts, goal.currency)(amounts))


def total(found: Mapping[date, DayCount]) -> Counts:
    counts = [day.counts for day in found.values()]
    return Counts(
        sum(day.conversions for day in counts), sum(day.uniques for day in counts)
    )


def sums(found: Mapping[date, DayCount]) -> conversion.Sums:
    """The amounts of these days by day and currency."""
    return {
        (day, code): amount
        for day, counted in found.items()
        for code, amount in counted.amounts.items()
    }


def forget() -> None:
    """Drop what this process remembers: after a database was emptied or restored."""
    open_days.forget()
    matched_names.forget()
