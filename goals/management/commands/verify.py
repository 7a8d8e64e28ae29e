"""Recount the days with stored counts, and report those that differ."""

from argparse import ArgumentParser
from collections.abc import Collection, Iterator
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from analytics import events
from analytics.events import Selection, Traffic, day_versions, months
from analytics.events.months import Versions
from analytics.models import LabelMonth, NameMonth, Site, SiteMonth
from analytics.questions.periods import Days
from analytics.traffic.site_months import as_stored
from goals.counting import rule_months
from goals.counting.matched_names import matching_names_of_each
from goals.counting.verified import Verified, verified_labels, verified_names
from goals.matching import Rule
from goals.models import GoalMonth
from krafter import clock

_QUIET = Traffic(0, 0, 0)


class Command(BaseCommand):
    help = (
        "Count kept days again from their events, and report those that differ. With"
        " --repair, those are counted again when they are next asked for."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--site", help="the key of one site; all without it")
        parser.add_argument("--repair", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        sites = Site.objects.all()
        if options["site"]:
            sites = sites.filter(site_key=options["site"])
            if not sites:
                raise CommandError(f"No site has the key {options['site']}")
        compared, wrong = 0, 0
        for site in tqdm(sites, unit="site", disable=None):
            for found in _verified(site):
                compared += found.number
                for text in found.differing:
                    self.stdout.write(f"{site.site_key} {found.day} {text}")
                if found.differing:
                    wrong += 1
                    if options["repair"]:
                        day_versions.note([(site.pk, found.day)], now=clock.now())
        self.stdout.write(f"{compared} kept counts, {wrong} days differ")
        if wrong and not options["repair"]:
            raise CommandError("Some days differ. Use --repair to count them again.")


def _verified(site: Site) -> Iterator[Verified]:
    rules = {goal.rule for goal in site.goals.all()}
    kept = {
        month
        for model in (GoalMonth, SiteMonth, LabelMonth, NameMonth)
        for month in model.objects.filter(site_id=site.pk)
        .values_list("month", flat=True)
        .distinct()
    }
    border = events.border(site.pk)
    # The events of sealed days are deleted, so their counts cannot be checked.
    for month in sorted(m for m in kept if not border or m >= border.before):
        yield from _of_month(site.pk, rules, month)
        yield from verified_labels(site, rules, month)
        yield from verified_names(site.pk, month)


def _of_month(site_id: int, rules: Collection[Rule], month: date) -> Iterator[Verified]:
    days = Days(month, months.last_of(month))
    before = day_versions.of_days(site_id, days)
    versions = Versions(before)
    by_digest = {rule.digest: rule for rule in rules}
    rows = {
        by_digest[bytes(row.rule)]: row
        for row in GoalMonth.objects.filter(
            site_id=site_id, month=month, rule__in=list(by_digest)
        )
    }
    kept = {rule: rule_months.days_of(row, versions) for rule, row in rows.items()}
    traffic = _traffic(site_id, month, versions)
    selection = Selection(site_id, *days)
    names = matching_names_of_each(site_id, rows)
    counted = rule_months.count(selection, names, with_amounts=rows)
    by_day = events.traffic_by_day(selection)
    after = day_versions.of_days(site_id, days)
    for day in sorted(
        {day for of_rule in kept.values() for day in of_rule} | {*traffic}
    ):
        if before.get(day, 0) != after.get(day, 0):
            # An event was stored meanwhile: the next answer recounts the day.
            continue
        compared = [
            (rule, of_rule[day], counted[rule].get(day, rule_months.NOTHING))
            for rule, of_rule in kept.items()
            if day in of_rule
        ]
        differing = [
            f"{rule.type} {rule.match_type} {rule.match_value!r}:"
            f" kept {_shown(was)}, counted {_shown(found)}"
            for rule, was, found in compared
            if was != found
        ]
        if day in traffic:
            found = as_stored(by_day.get(day, _QUIET), traffic[day])
            if traffic[day] != found:
                differing.append(f"traffic: kept {traffic[day]}, counted {found}")
        yield Verified(day, len(compared) + (day in traffic), differing)
    yield Verified(
        month,
        len(rows),
        [
            f"{rule.type} {rule.match_type} {rule.match_value!r}: the sums of the"
            " month are not those of its days"
            for rule, row in rows.items()
            if not rule_months.has_right_sums(row)
        ],
    )


def _traffic(site_id: int, month: date, versions: Versions) -> dict[date, list[int]]:
    """Return the stored numbers by day: only counted days whose version is valid.

    A list has the number of visitors alone, or all numbers of the day.
    """
    row = SiteMonth.objects.filter(site_id=site_id, month=month).first()
    if row is None:
        return {}
    counted, days = months.unpack(
        month, row.version, row.counted, bytes(row.days), versions
    )
    return {
        month.replace(day=number): days[number][1:] if number in days else [*_QUIET]
        for number in months.numbers(counted)
    }


def _shown(found: rule_months.DayCount) -> str:
    return f"{found.counts.conversions} ({found.counts.uniques} unique)"
