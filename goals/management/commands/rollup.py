"""Count the closed days of sites and goals ahead of time."""

from argparse import ArgumentParser
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
        asked = {(goal.site_id, goal.rule.digest) for goal in Goal.objects.all()}
        dropped = 0
        kept = GoalDay.objects.values_list("site_id", "rule").distinct().order_by()
        for site_id, rule in list(kept):
            if (site_id, bytes(rule)) not in asked:
                rows = GoalDay.objects.filter(site_id=site_id, rule=rule)
                dropped += rows.delete()[0]
        return dropped
