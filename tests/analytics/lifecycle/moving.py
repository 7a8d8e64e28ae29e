"""A random history of a team, and everything that the API says of it.

    python -m tests.analytics.lifecycle.moving make SEED    makes it
    python -m tests.analytics.lifecycle.moving answers      prints what is said, as JSON

Each on the database of DATABASE_URL, so that two may be compared.
"""

import json
import os
import random
import sys
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

# Not of today: what is compared must not change while it is.
NOW = "2026-03-10T12:00:00+00:00"
GOALS = [
    ("pageview", "contains", "/p", None),
    ("pageview", "regex", r"^/p\d$", None),
    ("event", "exact", "signup", None),
    ("custom", "contains", "b", "EUR"),
    ("custom", "exact", "buy", "USD"),
]


def make(seed: int) -> None:
    from analytics import events
    from analytics.events import Labels, NewEvent, NewRefund
    from analytics.lifecycle import prune
    from analytics.models import Team
    from goals.counting import ahead
    from goals.models import Goal
    from goals.money import rates
    from tests.factories import SiteFactory

    chance = random.Random(seed)
    now = datetime.fromisoformat(NOW)
    team = Team.objects.create(name="Movers")
    rates.store(
        {
            (code, date(2026, 1, 1) + timedelta(days=number)): str(
                Decimal("1.1") + number
            )
            for code in ("USD", "GBP")
            for number in range(0, 70, 3)
        }
    )
    prune.GRACE_SECONDS = 0
    for domain, zone, retention in (
        ("utc.example", "UTC", None),
        ("berlin.example", "Europe/Berlin", None),
        ("pruned.example", "Europe/Berlin", 1),
    ):
        site = SiteFactory.create(
            team=team,
            domain=domain,
            timezone=zone,
            excluded_paths=["/intern/*"],
            excluded_referrers=["pay.example"],
            retention_months=retention,
        )
        for number, (type, match_type, value, currency) in enumerate(GOALS):
            Goal.objects.create(
                site=site,
                name=f"Goal {number}",
                type=type,
                match_type=match_type,
                match_value=value,
                currency=currency,
                deleted_at=now if number == 1 else None,
            )

        def event(number: int, site: Any = site) -> NewEvent:
            at = now - timedelta(seconds=chance.randrange(60 * 86_400))
            type = chance.choice(["pageview", "pageview", "event", "goal"])
            names = {
                "pageview": ["/", "/p1", "/p2", "/price\\ \t\u00e9"],
                "event": ["signup", "sign out"],
                "goal": ["buy", "rebuy"],
            }
            amount = chance.choice([None, 10_0000, 334, 99_9900])
            return NewEvent(
                site_id=site.pk,
                day=at.astimezone(site.zone).date(),
                at=at,
                type=type,
                name=chance.choice(names[type]),
                visitor=chance.randrange(-5, 6),
                labels=Labels(
                    country=chance.choice(["", "DE", "FR"]),
                    referrer=chance.choice(["", "news.example", "pay.example"]),
                    utm_source=chance.choice(["", "news"]),
                    browser=chance.choice(["", "Firefox"]),
                ),
                page=None if type == "pageview" else chance.choice([None, "/p1"]),
                amount=amount if type == "goal" else None,
                currency=chance.choice([None, "EUR", "USD", "GBP"])
                if amount and type == "goal"
                else None,
                props=chance.choice([None, {"k": 1, "z": "ä\n"}, {"a": 1.5}]),
                event_id=f"{site.pk}-{number}",
            )

        made = [event(number) for number in range(400)]
        events.append(made[:300])
        # Kept before and after late events: some of what is kept is out of date.
        ahead.count_ahead(site, ahead.last_days(90))
        events.append(made[300:])
        events.refund(
            site.pk,
            [
                NewRefund(
                    day=(then := each.at + timedelta(days=1)).date(),
                    at=then,
                    refund_of=each.event_id or "",
                    amount=100,
                    event_id=f"r{each.event_id}",
                )
                for each in made
                if each.amount and each.at < now - timedelta(days=2)
            ][:20],
        )
        if retention is not None:
            assert prune.prune(site).deleted > 100


def answers() -> dict[str, Any]:
    from django.test import Client

    from analytics.models import ApiToken, Team

    team = Team.objects.get(name="Movers")
    _, secret = ApiToken.issue(team=team, name="t", scopes=["*"])
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    base = "/api/v1/analytics/sites"
    said: dict[str, Any] = {}

    def ask(path: str) -> Any:
        answer = client.get(f"{base}{path}")
        assert answer.status_code == 200, (path, answer.content)
        said[path] = answer.json()["data"]
        return said[path]

    for site in ask(""):
        key = f"/{site['site_key']}"
        ask(key)
        ask(f"{key}/settings")
        is_pruned = site["domain"] == "pruned.example"
        for period in ("7d", "30d", "12mo"):
            dimensions = "" if is_pruned else "&dimensions=path,country,utm_source"
            ask(f"{key}/stats?period={period}{dimensions}")
            ask(f"{key}/goals/stats?period={period}")
            ask(f"{key}/drops?period={period}")
        if not is_pruned:
            for name in ask(f"{key}/names?period=12mo&limit=100"):
                ask(f"{key}/names/{name['id']}/stats?period=12mo")
        for event in ask(f"{key}/events?limit=1000"):
            event.pop("visitor", None)
        for goal in ask(f"{key}/goals"):
            of = f"{key}/goals/{goal['id']}"
            for period in ("7d", "30d", "12mo", "custom&from=2026-01-20&to=2026-02-10"):
                ask(f"{of}/stats?period={period}")
                ask(f"{of}/timeseries?period={period}")
                ask(f"{of}/rate?period={period}")
                if is_pruned:
                    continue
                ask(f"{of}/stats?period={period}&country=DE")
                for attribution in ("last", "first", "event"):
                    question = f"period={period}&attribution={attribution}"
                    ask(f"{of}/stats?{question}&referrer=news.example")
                    ask(f"{of}/breakdown?{question}&dimension=channel")
                ask(f"{of}/breakdown?period={period}&dimension=country")
            # What is counted from events alone.
            since = "custom&from=2026-02-01&to=2026-03-10" if is_pruned else "12mo"
            ask(f"{of}/stats?period={since}&detail=money")
            ask(f"{of}/stats?period={since}&country=DE&utm_source=news&props.k=1")
            ask(f"{of}/breakdown?period={since}&dimension=props.k")
            ask(f"{of}/breakdown?period={since}&dimension=path")
            ask(f"{of}/conversions?period={since}&limit=1000")
    return said


def main() -> None:
    import django
    import time_machine

    django.setup()
    from django.conf import settings

    settings.ALLOWED_HOSTS = ["testserver"]
    settings.RATE_LIMIT_API = 0
    with time_machine.travel(datetime.fromisoformat(NOW), tick=False):
        if sys.argv[1] == "make":
            make(int(sys.argv[2]))
        else:
            json.dump(answers(), sys.stdout, sort_keys=True)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "krafter.settings")
    main()
