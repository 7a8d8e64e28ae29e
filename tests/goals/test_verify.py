"""Kept days are counted again, and those that differ are named."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.management import CommandError, call_command

from analytics.events import months
from analytics.models import LabelMonth, NameDay, SiteMonth
from goals.models import Goal, GoalMonth
from tests.factories import GoalFactory, store

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = NOON - timedelta(days=4)


@pytest.fixture
def kept(site, reader):
    """A goal of whose conversions a day is kept; asks for its stats."""
    goal = GoalFactory.create(site=site, type="event", match_value="paid")
    for visitor in range(3):
        store(site, "event", "paid", at=DAY, visitor=visitor)

    def ask():
        path = f"/sites/{site.site_key}"
        assert reader("GET", f"{path}/stats?period=7d").status_code == 200
        answer = reader("GET", f"{path}/goals/{goal.id}/stats?period=7d").json()
        return answer["data"]["conversions"]

    with time_machine.travel(NOON, tick=False):
        assert ask() == 3
        yield ask


def days_of(model):
    """The days of the only row, by number: version and counts."""
    return months._decode(bytes(model.objects.get().days))


def change(model, days, **sums):
    model.objects.update(days=months.pack(days), **sums)


def test_right_days_pass(kept, capsys):
    call_command("verify")
    assert "0 days differ" in capsys.readouterr().out


def test_wrong_goal_day_is_named_and_repaired(kept, capsys):
    version, _, *rest = days_of(GoalMonth)[DAY.day]
    change(GoalMonth, {DAY.day: [version, 2, *rest]}, conversions=2)
    assert kept() == 2
    with pytest.raises(CommandError, match="--repair"):
        call_command("verify")
    said = capsys.readouterr().out
    assert "2026-03-06 event exact 'paid': kept 2 (" in said
    assert "1 days differ" in said
    call_command("verify", "--repair")
    assert kept() == 3
    call_command("verify")


def test_wrong_day_of_a_site_is_named(kept, capsys):
    version, *numbers = days_of(SiteMonth)[DAY.day]
    change(SiteMonth, {DAY.day: [version, *(99 for _ in numbers)]})
    with pytest.raises(CommandError):
        call_command("verify")
    assert "traffic: kept" in capsys.readouterr().out


def test_wrong_sums_of_a_month_are_named(kept, capsys):
    GoalMonth.objects.update(conversions=7)
    with pytest.raises(CommandError):
        call_command("verify")
    assert "the sums of the month are not those of its days" in capsys.readouterr().out


@pytest.fixture
def by_label(kept, reader, site):
    """What is kept by labels, of the goal and of the site."""
    path = f"/sites/{site.site_key}/goals/{Goal.objects.get().pk}/breakdown"
    for query in ("dimension=country", "dimension=os&country=(none)"):
        assert reader("GET", f"{path}?period=7d&{query}").status_code == 200


def test_right_labels_pass(by_label, capsys):
    call_command("verify")
    assert "0 days differ" in capsys.readouterr().out


@pytest.mark.parametrize("label", ["country", "country,os"])
def test_wrong_day_of_a_label_is_named_and_repaired(by_label, kept, capsys, label):
    row = LabelMonth.objects.exclude(rule=b"").get(label=label)
    days = months._decode(bytes(row.days))
    ((value, numbers),) = days[DAY.day][1].items()
    days[DAY.day][1] = {value: [2, *numbers[1:]]}
    row.days, row.total = months.pack(days), months._encode(days[DAY.day][1:])
    row.save()
    with pytest.raises(CommandError, match="--repair"):
        call_command("verify")
    text = f"2026-03-06 event exact 'paid' {label} (last): differs"
    assert text in capsys.readouterr().out
    call_command("verify", "--repair")
    call_command("verify")


def test_wrong_sum_of_a_label_is_named(by_label, capsys):
    row = LabelMonth.objects.filter(rule=b"").get(label="country")
    row.total = months._encode([{}, []])
    row.save()
    with pytest.raises(CommandError):
        call_command("verify")
    assert "by label country (last): the sums of the month" in capsys.readouterr().out


def test_wrong_names_of_a_day_are_named(kept, reader, site, capsys):
    assert reader("GET", f"/sites/{site.site_key}/names?period=7d").status_code == 200
    call_command("verify")
    NameDay.objects.update(visitors=1)
    with pytest.raises(CommandError):
        call_command("verify")
    assert "2026-03-06 names: 1 differ" in capsys.readouterr().out
