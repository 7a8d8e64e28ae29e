"""Count the closed days of sites and goals ahead of time."""

from argparse import ArgumentParser
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand
from tqdm import tqdm

from analytics import events
from analytics.models import Site
from analytics.questions.periods import MAX_DAYS, Days
from analytics.traffic import site_stats
from goals.counting import stats
from goals.models import Goal, GoalDay


class Command(BaseCommand):
    help = (
        "Count the closed days of sites and goals ahead of time, and delete counts"
        " of rules that no goal has."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--site", help="the key of one site; all without it")
        parser.add_argument(
            "--days", type=int, default=366, help="how far back, 366 by default"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        last = events.last_closed(datetime.now(UTC))
        span = min(max(options["days"], 1), MAX_DAYS)
        days = Days(last - timedelta(days=span - 1), last)
        sites = Site.objects.undeleted()
        if options["site"]:
            sites = sites.filter(site_key=options["site"])
        with tqdm(total=len(sites) * 2 * span, unit="day", disable=None) as bar:
            for number, site in enumerate(sites, 1):
                # Deleted goals too: they may be restored.
                rules = {goal.rule for goal in site.goals.all()}
                site_stats.closed_traffic(site.pk, days, progress=bar.update)
                if rules:
                    stats.closed_by_day(site.pk, rules, days, progress=bar.update)
                bar.n = number * 2 * span
                bar.refresh()
        dropped = self._drop_unasked() if not options["site"] else 0
        self.stdout.write(f"{len(sites)} sites up to {last}, {dropped} rows dropped")

    def _drop_unasked(self) -> int:
        """Delete the counts of rules that no goal has."""
        asked = defaultdict(set)
        for goal in Goal.objects.all():
            asked[goal.site_id].add(goal.rule.digest)
        dropped = 0
        # One site at a time, since sites may be on different machines.
        for site_id in list(Site.objects.values_list("pk", flat=True)):
            kept = GoalDay.objects.filter(site_id=site_id)
            rules = {
                bytes(rule) for rule in kept.values_list("rule", flat=True).distinct()
            }
            for rule in rules - asked[site_id]:
                dropped += kept.filter(rule=rule).delete()[0]
        return dropped
