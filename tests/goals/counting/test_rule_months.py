"""Closed days: counted once, counted anew when they change, raced against."""

import threading
from datetime import UTC, date, datetime, timedelta
from io import StringIO

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection

from analytics import events, housekeeping
from analytics.events import Counts, months
from analytics.models import Event, LabelMonth, LateDay
from analytics.questions.filters import LABELS
from analytics.questions.periods import Days
from analytics.traffic import site_stats
from goals.counting import rule_months, stats
from goals.counting.matched_names import matching_names
from goals.counting.rule_months import NOTHING, RuleMonths
from goals.matching import Rule
from goals.models import GoalMonth
from krafter.errors import Unavailable
from tests.factories import GoalFactory, SiteFactory, store
from tests.halves import on_postgresql
from tests.queries import assert_queries

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = NOON.date()
SIGNUP = Rule("event", "exact", "signup")
GERMAN = events.Labels(country="DE")


def closed(site, rule=SIGNUP, days=None, **options):
    """What the rule counted on these days, or on that one."""
    days = days or Days(DAY, DAY)
    stats.count_ahead(site.pk, [rule], days, **options)
    return kept(site, [rule], days)[rule]


def kept(site, rules, days):
    """What is kept of these days, which must be all of them."""
    past = RuleMonths(site.pk, rules, days)
    standing = events.standing(site.pk, closed=days, kept=past.statement())
    assert past.read(standing) == []
    return {rule: past.by_day(rule) for rule in rules}


def counted(site, rule=SIGNUP):
    return closed(site, rule).get(DAY, NOTHING).counts


def test_closed_day_is_counted_once(site):
    store(site, "event", "signup", at=NOON)
    assert counted(site) == Counts(1, 1)
    with assert_queries(2):
        # One to see that nothing is missing, one for this test to read.
        assert counted(site) == Counts(1, 1)


def test_late_event_is_in_the_next_answer(site):
    store(site, "event", "signup", at=NOON)
    assert counted(site) == Counts(1, 1)
    store(site, "event", "signup", at=NOON, visitor=2)
    assert counted(site) == Counts(2, 2)


def test_late_event_of_a_new_name_is_in_the_next_answer(site):
    rule = Rule("event", "contains", "sign")
    store(site, "event", "signup", at=NOON)
    assert counted(site, rule) == Counts(1, 1)
    store(site, "event", "newsletter_signup", at=NOON)
    assert counted(site, rule) == Counts(2, 1)


def test_event_of_today_makes_no_day_late(site):
    with time_machine.travel(NOON, tick=False):
        store(site, "event", "signup", at=NOON)
    assert not LateDay.objects.exists()


def test_late_refund_is_in_the_next_answer(site):
    store(
        site,
        "event",
        "signup",
        at=NOON,
        amount=10_0000,
        currency="USD",
        event_id="order",
    )
    assert closed(site)[DAY].amounts == {"USD": 10}
    refund = events.NewRefund(day=DAY, at=NOON, refund_of="order", amount=4_0000)
    events.refund(site.pk, [refund])
    assert closed(site)[DAY].amounts == {"USD": 6}


def test_equal_rules_share_their_days(site):
    store(site, "event", "signup", at=NOON)
    GoalFactory.create(site=site, name="One")
    GoalFactory.create(site=site, name="Two")
    counted(site)
    assert GoalMonth.objects.count() == 1


def test_time_that_runs_out_keeps_what_was_counted(site):
    days = Days(DAY - timedelta(days=50), DAY)
    for day in (days.first, DAY):
        store(site, "event", "signup", at=datetime.combine(day, NOON.time(), UTC))
    with pytest.raises(Unavailable):
        closed(site, days=days, budget=-1)
    # As often as a client would come back; each time it is further.
    for tries in range(1, 100):
        try:
            closed(site, days=days, budget=0.001)
        except Unavailable:
            assert days_counted() >= tries
        else:
            break
    assert days_counted() == 51


def days_counted():
    return sum(row.counted.bit_count() for row in GoalMonth.objects.all())


def test_unfinished_count_is_answered_503(owner, site, monkeypatch):
    goal = GoalFactory.create(site=site)
    store(site, "event", "signup", at=datetime.now(UTC) - timedelta(days=9))
    path = f"/sites/{site.site_key}/goals/{goal.id}/stats?period=12mo"
    monkeypatch.setattr("analytics.events.closed_days.BUDGET_SECONDS", -1)
    response = owner("GET", path)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"
    assert "error" in response.json()
    monkeypatch.undo()
    assert owner("GET", path).status_code == 200


def test_rollup_command_leaves_nothing_to_count(site):
    last = events.last_closed(datetime.now(UTC))
    noon = datetime.combine(last, datetime.min.time(), UTC) + timedelta(hours=12)
    goal = GoalFactory.create(site=site)
    store(site, "event", "signup", at=noon)
    call_command("rollup", stdout=StringIO())
    days = Days(last - timedelta(days=365), last)
    with assert_queries(2):
        assert closed(site, goal.rule, days)[last].counts == Counts(1, 1)


def test_closed_day_of_a_site_is_counted_once(site):
    scope = events.Selection(site.pk, DAY, DAY)
    store(site, "event", "signup", at=NOON)
    assert site_stats.traffic(scope) == {DAY: (0, 1, 1)}
    with assert_queries(1):
        assert site_stats.traffic(scope) == {DAY: (0, 1, 1)}


def test_late_event_is_in_the_next_answer_of_a_site(site):
    scope = events.Selection(site.pk, DAY, DAY)
    store(site, "event", "signup", at=NOON)
    assert site_stats.traffic(scope) == {DAY: (0, 1, 1)}
    store(site, "pageview", "/", at=NOON + timedelta(hours=1))
    assert site_stats.traffic(scope) == {DAY: (1, 1, 2)}


def test_new_goal_beside_counted_ones_asks_for_itself_only(site):
    other = Rule("event", "contains", "sign")
    store(site, "event", "signup", at=NOON)
    assert counted(site) == Counts(1, 1)
    # What is kept is believed: a count of it would tell.
    packed = months.pack({DAY.day: [1, 7, 1]})
    GoalMonth.objects.update(days=packed, conversions=7)
    stats.count_ahead(site.pk, [SIGNUP, other], Days(DAY, DAY))
    found = kept(site, [SIGNUP, other], Days(DAY, DAY))
    assert found[SIGNUP][DAY].counts == Counts(7, 1)
    assert found[other][DAY].counts == Counts(1, 1)


def test_rollup_command_counts_sites_without_goals(site):
    last = events.last_closed(datetime.now(UTC))
    store(site, "pageview", "/", at=datetime.combine(last, NOON.time(), UTC))
    call_command("rollup", stdout=StringIO())
    scope = events.Selection(site.pk, last - timedelta(days=365), last)
    with assert_queries(1):
        assert site_stats.traffic(scope)[last] == (1, 1, 1)


def test_rollup_command_counts_by_every_label(site, reader):
    goal = GoalFactory.create(site=site)
    last = events.last_closed(datetime.now(UTC))
    at = datetime.combine(last, NOON.time(), UTC)
    store(site, "event", "signup", at=at)
    path = f"/sites/{site.site_key}/goals/{goal.pk}/breakdown"
    asked = f"{path}?dimension=country&attribution=first&os=(none)"
    assert reader("GET", asked).status_code == 200
    call_command("rollup", stdout=StringIO())
    kept = LabelMonth.objects.values_list("rule", "attribution", "label").distinct()
    found = {(bytes(rule), attribution, label) for rule, attribution, label in kept}
    assert found == {
        *((rule, "last", each) for rule in (b"", goal.rule.digest) for each in LABELS),
        *((rule, "first", "country,os") for rule in (b"", goal.rule.digest)),
    }
    # A rule that no goal has any more is dropped, what is kept of the site stays.
    goal.delete()
    call_command("rollup", stdout=StringIO())
    assert {bytes(rule) for (rule,) in LabelMonth.objects.values_list("rule")} == {b""}


def test_rollup_command_drops_days_that_no_goal_asks_for(site):
    store(site, "event", "signup", at=NOON)
    counted(site)
    out = StringIO()
    call_command("rollup", stdout=out)
    assert "1 rows dropped" in out.getvalue()
    assert not GoalMonth.objects.exists()


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_late_event_is_never_missed_by_a_count_that_runs_meanwhile():
    """Writers and counters of the same closed days, at once, many times."""
    site = SiteFactory.create()
    goal = GoalFactory.create(site=site, match_type="contains", match_value="sign")
    rule = goal.rule
    days = Days(date(2026, 3, 1), date(2026, 3, 3))
    rounds, errors = 40, []

    def write(number):
        for i in range(rounds):
            day = days.first + timedelta(days=i % 3)
            at = datetime.combine(day, datetime.min.time(), UTC)
            store(site, "event", f"sign {number} {i}", at=at, visitor=1000 * number + i)
        connection.close()

    def count():
        seen = 0
        for _ in range(rounds):
            found = stats.counted(site.pk, [goal], days, daily=True)[rule]
            total = sum(day.counts.conversions for day in found.values())
            if total < seen:
                errors.append((total, seen))
            seen = total
        connection.close()

    threads = [threading.Thread(target=write, args=(n,)) for n in range(3)]
    threads += [threading.Thread(target=count) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    found = closed(site, rule, days)
    direct = events.daily(
        events.Selection(site.pk, *days), matching_names(site.pk, rule)
    )
    assert {day: found[day].counts for day in found} == direct
    assert sum(c.conversions for c in direct.values()) == Event.objects.count() == 120


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_live_day_misses_no_event_that_commits_while_it_is_read():
    site = SiteFactory.create()
    goal = GoalFactory.create(site=site, match_type="contains", match_value="sign")
    today = datetime.now(UTC).date()
    days = Days(today - timedelta(days=1), today + timedelta(days=1))
    rounds, errors = 40, []

    def conversions():
        return stats.goal_stats(goal, days).conversions

    def write(number):
        for i in range(rounds):
            store(site, "event", f"sign {number} {i}", visitor=1000 * number + i)
        connection.close()

    def read():
        seen = 0
        for _ in range(rounds):
            total = conversions()
            if total < seen:
                errors.append((total, seen))
            seen = total
        connection.close()

    threads = [threading.Thread(target=write, args=(n,)) for n in range(3)]
    threads += [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert conversions() == 120
    assert stats.goal_stats(goal, days).unique_conversions == 120


# What is not asked, counted or kept


def test_empty_site_is_asked_once_and_keeps_nothing(owner, site):
    goals = [GoalFactory.create(site=site, match_value=f"{n}") for n in range(200)]
    first = owner("GET", f"/sites/{site.site_key}/goals/stats?period=12mo")
    assert first.status_code == 200
    assert len(first.json()["data"]["goals"]) == len(goals)
    assert not GoalMonth.objects.exists()


def test_nothing_is_kept_of_days_before_the_first_event(site):
    store(site, "event", "signup", at=NOON)
    year = Days(DAY - timedelta(days=365), DAY + timedelta(days=10))
    assert closed(site, days=year)[DAY].counts == Counts(1, 1)
    (row,) = GoalMonth.objects.all()
    assert row.month == DAY.replace(day=1)
    assert list(months.numbers(row.counted)) == list(range(DAY.day, DAY.day + 11))
    # Ten days without events take a bit each.
    assert len(row.days) < 16


def test_event_before_the_first_is_in_the_next_answer(site):
    year = Days(DAY - timedelta(days=365), DAY)
    store(site, "event", "signup", at=NOON)
    assert set(closed(site, days=year)) == {DAY}
    early = NOON - timedelta(days=300)
    store(site, "event", "signup", at=early, visitor=2)
    assert set(closed(site, days=year)) == {early.date(), DAY}


def test_late_event_costs_its_day_and_not_its_month(site):
    for number in range(1, 29):
        store(site, "event", "signup", at=NOON.replace(day=number))
    days = Days(DAY.replace(day=1), DAY.replace(day=28))
    closed(site, days=days)
    store(site, "event", "signup", at=NOON, visitor=2)
    counted_again: list[int] = []
    stats.count_ahead(site.pk, [SIGNUP], days, progress=counted_again.append)
    assert counted_again == [1]
    found = closed(site, days=days)
    assert sum(day.counts.uniques for day in found.values()) == 29


def test_year_of_many_goals_is_one_row_a_month(site, owner):
    for number in range(60):
        GoalFactory.create(site=site, match_value=f"{number}", currency="EUR")
    last = events.last_closed(datetime.now(UTC))
    for back in (0, 40, 300):
        at = datetime.combine(last - timedelta(days=back), NOON.time(), UTC)
        store(site, "event", "7", at=at, amount=50_000, currency="EUR")
        store(site, "event", "7", at=at, visitor=2, amount=10_000, currency="USD")
    url = f"/sites/{site.site_key}/goals/stats?period=12mo"
    assert owner("GET", url).status_code == 200
    assert GoalMonth.objects.count() <= 60 * 12
    # As all days of a month are: they are taken apart where one is not enough.
    assert owner("GET", url).json()["data"]["goals"][7] == {
        "id": str(site.goals.get(match_value="7").pk),
        "name": "Signup",
        "currency": "EUR",
        "conversions": 6,
        "unique_conversions": 6,
        # Dollars without a rate are left out.
        "revenue": 15.0,
    }


# Ahead of time


@pytest.mark.parametrize(
    "filters",
    [
        events.Filters(),
        events.Filters(until=NOON),
        events.Filters((events.Where("country", ("DE",)),)),
    ],
)
def test_courses_are_the_conversions_by_day(site, monkeypatch, filters):
    # Of more rules the single days are not read at first.
    monkeypatch.setattr(rule_months, "_FEW_RULES", 1)
    goals = [
        GoalFactory.create(site=site, match_value=value)
        for value in ("signup", "order", "never")
    ]
    days = Days(DAY - timedelta(days=70), DAY)
    for ago in (0, 1, 30, 31, 60):
        for name in ("signup", "order", "order"):
            store(site, "event", name, at=NOON - timedelta(days=ago), labels=GERMAN)

    def courses(**how):
        found = stats.counted(site.pk, goals, days, filters, **how)
        totals = [stats.total(found[goal.rule]) for goal in goals]
        return totals, [found.course(goal.rule) for goal in goals]

    assert courses(with_courses=True) == courses(daily=True)
    # The month is not valid as a whole any more.
    store(site, "event", "signup", at=NOON - timedelta(days=31), labels=GERMAN)
    totals, (signups, orders, nothing) = courses(with_courses=True)
    assert (totals, [signups, orders, nothing]) == courses(daily=True)
    assert signups[DAY - timedelta(days=31)] == 2
    assert len(orders) == (4 if filters.until else 5)
    assert nothing == {}


def test_workers_count_ahead(site, settings):
    settings.COUNT_AHEAD = True
    last = events.last_closed(datetime.now(UTC))
    goal = GoalFactory.create(site=site)
    store(site, "event", "signup", at=datetime.combine(last, NOON.time(), UTC))
    for task in housekeeping.tasks:
        task()
    days = Days(last - timedelta(days=365), last)
    assert kept(site, [goal.rule], days)[goal.rule][last].counts == Counts(1, 1)
    with assert_queries(1):
        assert site_stats.traffic(events.Selection(site.pk, *days))[last] == (0, 1, 1)


def test_rate_needs_visitors_only_and_visits_are_added_when_asked_for(site):
    store(site, "event", "signup", at=NOON)
    store(site, "pageview", "/", at=NOON + timedelta(hours=2))
    scope = events.Selection(site.pk, DAY - timedelta(days=40), DAY)
    assert site_stats.visitors(scope) == 1
    with assert_queries(1):
        assert site_stats.visitors(scope) == 1
    assert site_stats.traffic(scope) == {DAY: (1, 1, 2)}
    with assert_queries(1):
        assert site_stats.visitors(scope) == 1
    with assert_queries(1):
        assert site_stats.traffic(scope) == {DAY: (1, 1, 2)}
