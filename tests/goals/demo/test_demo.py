"""demo and first_run."""

import io
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import time_machine
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from analytics.access import tokens
from analytics.ingest import pipeline
from analytics.models import ApiToken, Event, Site, Team
from goals.management.commands import demo
from goals.models import Goal
from tests.factories import GoalFactory, SiteFactory

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def run(command, **options):
    out = io.StringIO()
    call_command(command, stdout=out, stderr=out, **options)
    return out.getvalue()


def stored(site):
    """What a site's events say, without whose they were."""
    return sorted(
        Event.objects.filter(site=site).values_list("at", "name__name", "amount")
    )


def test_demo_makes_the_site_and_the_goals_of_the_documentation(db, client_with):
    run("demo", days=1)
    site = Site.objects.get(site_key="sk_abc123def456")
    reader = client_with(site.team, "analytics:read")
    goals = reader("GET", f"/sites/{site.site_key}/goals").json()["data"]
    assert [tuple(goal.values())[1:] for goal in goals] == [
        ("Purchase", "custom", "exact", "purchase", "USD"),
        ("Newsletter Signup", "pageview", "exact", "/newsletter/confirmed", None),
        ("Contact Form", "event", "contains", "contact", None),
    ]


def test_every_goal_of_the_demo_has_conversions_and_the_first_revenue(db, client_with):
    run("demo", days=7)
    site = Site.objects.get()
    reader = client_with(site.team, "analytics:read")
    answers = [
        reader("GET", f"/sites/{site.site_key}/goals/{goal.pk}/stats").json()["data"]
        for goal in site.goals.all()
    ]
    assert len(answers) == 3
    for answer in answers:
        assert answer["conversions"] >= answer["unique_conversions"] > 0
    assert answers[0]["revenue"] > 1_000
    assert [answer["revenue"] for answer in answers[1:]] == [None, None]


def test_demo_again_adds_nothing_and_later_only_what_is_missing(db):
    with time_machine.travel(NOON, tick=False) as now:
        run("demo", days=2)
        before = stored(Site.objects.get())
        assert run("demo", days=2).endswith(": 0 events added.\n")
        now.move_to(NOON + timedelta(days=1))
        run("demo", days=2)
        after = stored(Site.objects.get())
    assert [event for event in after if event[0] <= NOON] == before
    assert before[-1][0] <= NOON < after[-1][0] <= NOON + timedelta(days=1)


def test_demo_is_settled_by_its_seed(db):
    keys = ("sk_aaaaaaaaaaaa", "sk_bbbbbbbbbbbb", "sk_cccccccccccc")
    with time_machine.travel(NOON, tick=False):
        for key, seed in zip(keys, (1, 1, 2), strict=True):
            run("demo", site=key, days=1, seed=seed)
    first, same, other = (stored(Site.objects.get(site_key=key)) for key in keys)
    assert first == same != other


def test_demo_keeps_to_the_days_of_the_sites_zone(db):
    site = SiteFactory.create(timezone="Europe/Berlin", site_key="sk_berlin000000")
    # 29 March 2026 has 23 hours there.
    with time_machine.travel(datetime(2026, 3, 30, 12, tzinfo=UTC), tick=False):
        run("demo", site=site.site_key, days=2)
    events = Event.objects.filter(site=site)
    assert {event.day.day for event in events} == {28, 29, 30}
    assert all(event.at.astimezone(site.zone).date() == event.day for event in events)


def test_demo_leaves_an_existing_sites_goals_alone(site):
    goal = GoalFactory.create(site=site, deleted_at=timezone.now())
    run("demo", days=1)
    assert list(Goal.objects.all()) == [goal]
    assert Event.objects.filter(site=site).exists()


def test_demo_site_counts_a_page_that_is_opened_from_this_machine(db):
    run("demo", days=1)
    for host in ("localhost:8000", "127.0.0.1:8000", "demo.localhost"):
        body = {"site": "sk_abc123def456", "type": "pageview", "url": f"http://{host}/"}
        environ = {"HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux) Firefox/140.0"}
        outcome = pipeline.from_tracker(
            json.dumps(body).encode(),
            environ,
            address="127.0.0.1",
            now=timezone.now(),
        )
        assert not isinstance(outcome, pipeline.Dropped)


@pytest.mark.parametrize(
    "options",
    [
        {"days": 0},
        {"days": 1_831},
        {"seed": -1},
        {"seed": 1 << 32},
        {"site": "sk_SHORT"},
    ],
)
def test_demo_refuses_what_it_cannot_do(db, options):
    with pytest.raises(CommandError):
        run("demo", **options)
    assert not Site.objects.exists()


def test_demo_takes_no_domain_from_another_site(db):
    SiteFactory.create(domain="demo.localhost", team=Team.default())
    with pytest.raises(CommandError, match="with another key"):
        run("demo")


def test_demo_does_not_raise_a_deleted_site(site):
    site.deleted_at = timezone.now()
    site.save()
    with pytest.raises(CommandError, match="was deleted"):
        run("demo", days=1)


# first_run


@pytest.fixture(autouse=True)
def short_month(monkeypatch):
    monkeypatch.setattr(demo, "DAYS", 3)


def test_first_run_makes_a_user_a_demo_and_a_key_that_work(db, monkeypatch):
    monkeypatch.setenv("PORT", "8123")
    out = run("first_run")
    (path,) = re.findall(r"password in (\S+)", out)
    password = Path(path).read_text().strip()
    assert Path(path).stat().st_mode & 0o777 == 0o600
    assert password not in out
    (secret,) = set(re.findall(r"kr_live_[\w-]{43}", out))
    user = authenticate(username="admin", password=password)
    assert user is not None
    assert user.is_superuser
    bearer = Client(headers={"Authorization": f"Bearer {secret}"})
    urls = re.findall(r'curl "?(http\S+?)"? -H', out)
    answers = [bearer.get(url.removeprefix("http://127.0.0.1:8123")) for url in urls]
    assert len(answers[0].json()["data"]) == 3
    assert Decimal(answers[1].json()["data"]["revenue"]) > 0
    assert "http://127.0.0.1:8123/admin/" in out
    assert "http://127.0.0.1:8123/api/v1/docs" in out


def test_first_look_at_the_demo_sees_visits_of_the_last_half_hour(db):
    # The hour in which the demo's shop has fewest visitors.
    now = datetime(2026, 3, 10, 4, 40, tzinfo=UTC)
    with time_machine.travel(now, tick=False):
        run("first_run")
    recent = Event.objects.filter(at__gt=now - timedelta(minutes=30))
    assert recent.filter(event_id__startswith="live-").count() >= 5


def test_later_runs_show_no_secret_but_say_which_key_there_is(db):
    first = run("first_run")
    (secret,) = set(re.findall(r"kr_live_[\w-]{43}", first))
    later = run("first_run")
    assert "password" not in later
    assert secret not in later
    assert secret[:12] in later
    assert "manage.py create_token --name laptop --scopes '*'" in later
    assert ApiToken.objects.count() == 1


def test_later_runs_bring_nothing_back_that_was_taken_away(db):
    run("first_run")
    ApiToken.objects.get().revoke()
    Site.objects.update(deleted_at=timezone.now())
    before = Event.objects.count()
    later = run("first_run")
    assert "none is in use; a new one:" in later
    assert "curl" not in later
    assert ApiToken.objects.count() == 1
    assert Event.objects.count() == before


def test_key_of_the_first_run_ends_in_a_year(db):
    run("first_run")
    key = ApiToken.objects.get()
    assert key.expires_at is not None
    assert key.expires_at - timezone.now() > timedelta(days=364)


def test_secrets_are_written_to_a_file_and_not_printed(db, tmp_path):
    path = tmp_path / "secrets.json"
    out = run("first_run", secrets=str(path))
    made = json.loads(path.read_text())
    assert path.stat().st_mode & 0o777 == 0o600
    assert authenticate(username=made["user"], password=made["password"])
    assert ApiToken.objects.get().digest == tokens.digest(made["api_key"])
    assert made["password"] not in out
    assert made["api_key"] not in out


@pytest.fixture(autouse=True)
def data_dir(settings, tmp_path):
    settings.DATA_DIR = tmp_path


def test_first_run_makes_nothing_in_production(db, settings):
    settings.PRODUCTION = True
    assert "PRODUCTION is set" in run("first_run")
    assert not Team.objects.exists()
