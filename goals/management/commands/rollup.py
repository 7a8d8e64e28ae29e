"""Count the closed days of sites and goals ahead of time."""

from argparse import ArgumentParser
from collections import defaultdict
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand
from tqdm import tqdm

from analytics import events
from analytics.events.label_months import EVERYTHING
from analytics.models import LabelMonth, Site
from analytics.questions.periods import MAX_DAYS
from goals.counting import ahead
from goals.models import Goal, GoalMonth, RuleNames


class Command(BaseCommand):
    help = (
        "Count the closed days of sites and goals ahead of time, by every label too,"
        " and delete counts of rules that no goal has."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--site", help="the key of one site; all without it")
        parser.add_argument(
            "--days",
            type=int,
            default=ahead.DAYS_BACK,
            help="how far back, 366 by default",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        span = min(max(options["days"], 1), MAX_DAYS)
        days = ahead.last_days(span)
        sites = Site.objects.undeleted()
        if options["site"]:
            sites = sites.filter(site_key=options["site"])
        with tqdm(total=len(sites) * 2 * span, unit="day", disable=None) as bar:
            for number, site in enumerate(sites, 1):
                ahead.count_ahead(site, days, all_labels=True, progress=bar.update)
                bar.n = number * 2 * span
                bar.refresh()
        dropped = self._drop_unasked() if not options["site"] else 0
        self.stdout.write(
            f"{len(sites)} sites up to {days.last}, {dropped} rows dropped"
        )

    def _drop_unasked(self) -> int:
        """Delete the counts of rules that no goal has, except those of sealed days."""
        asked = defaultdict(set)
        for goal in Goal.objects.all():
            asked[goal.site_id].add(goal.rule.digest)
        dropped = 0
        # One site at a time, since sites may be on different machines.
        for site_id in list(Site.objects.values_list("pk", flat=True)):
            border = events.border(site_id)
            since = border.before if border else date.min
            by_label = LabelMonth.objects.exclude(rule=EVERYTHING)
            for rows in (
                GoalMonth.objects.filter(month__gte=since),
                by_label.filter(month__gte=since),
                RuleNames.objects.all(),
            ):
                kept = rows.filter(site_id=site_id)
                rules = {
                    bytes(rule)
                    for rule in kept.values_list("rule", flat=True).distinct()
                }
                for rule in rules - asked[site_id]:
                    dropped += kept.filter(rule=rule).delete()[0]
        return dropped
