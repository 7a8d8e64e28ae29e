"""Fill a site with three months of the demo shop's visitors."""

import re
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone
from tqdm import tqdm

from analytics import events
from analytics.access import audit
from analytics.models import Site, Team
from analytics.questions.period_query import today
from goals.demo import live
from goals.demo.events import of_day
from goals.models import Goal
from krafter.names import printable

DAYS = 90
SEED = 1
MAX_DAYS = 1_830

# The three goals of the API's description.
GOALS: tuple[dict[str, str | None], ...] = (
    {
        "name": "Purchase",
        "type": "custom",
        "match_type": "exact",
        "match_value": "purchase",
        "currency": "USD",
    },
    {
        "name": "Newsletter Signup",
        "type": "pageview",
        "match_type": "exact",
        "match_value": "/newsletter/confirmed",
        "currency": None,
    },
    {
        "name": "Contact Form",
        "type": "event",
        "match_type": "contains",
        "match_value": "contact",
        "currency": None,
    },
)


class Command(BaseCommand):
    help = (
        "Create a demo site with three goals and three months of events up to"
        " now."
        " Running it again adds only missing events."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--site", default=live.SITE_KEY, help=f"its key ({live.SITE_KEY})"
        )
        parser.add_argument("--days", type=int, default=DAYS, help=f"({DAYS})")
        parser.add_argument(
            "--seed",
            type=int,
            default=SEED,
            help=f"other visitors, who come on top of those already there ({SEED})",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["days"] <= MAX_DAYS:
            raise CommandError(f"--days must be from 1 to {MAX_DAYS}.")
        if not 0 <= options["seed"] < 1 << 32:
            raise CommandError("--seed must be from 0 to 4294967295.")
        site = _site(options["site"])
        now = timezone.now()
        last = today(site, now)
        days = [last - timedelta(days=ago) for ago in range(options["days"], -1, -1)]
        added = 0
        for day in tqdm(days, unit="day", disable=None):
            made = of_day(site, day, options["seed"])
            added += sum(events.append([event for event in made if event.at <= now]))
        if added:
            events.look_at_tables()
        self.stdout.write(
            f"{printable(site.name)} ({site.site_key}): {added:,} events added."
        )


@transaction.atomic
def _site(site_key: str) -> Site:
    """Return the site. Create it if it is missing; add goals unless it ever had any."""
    if not re.fullmatch("sk_[a-z0-9]{12}", site_key):
        raise CommandError("A site key is sk_ and 12 lowercase letters and digits.")
    site = Site.objects.filter(site_key=site_key).first()
    if site is None:
        site = _make_site(site_key)
    if site.deleted_at is not None:
        raise CommandError(f"The site {site_key} was deleted. Take another key.")
    if not site.goals.exists():
        for fields in GOALS:
            goal = Goal.objects.create(site=site, **fields)
            audit.record("goal.created", goal, changes=audit.made(fields))
    return site


def _make_site(site_key: str) -> Site:
    team = Team.default()
    label = "demo" if site_key == live.SITE_KEY else site_key.removeprefix("sk_")
    domain = f"{label}.localhost"
    if team.sites.filter(domain=domain, deleted_at=None).exists():
        raise CommandError(f"Team {team} has a site {domain} with another key.")
    values = {
        "domain": domain,
        "name": "Demo shop",
        # So that the tracker can be tried on a page opened on the same machine.
        "allowed_hosts": ["localhost", "127.0.0.1"],
    }
    site = Site.objects.create(team=team, site_key=site_key, **values)
    audit.record("site.created", site, changes=audit.made(values))
    return site
