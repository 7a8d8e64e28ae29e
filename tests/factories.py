"""Rows a test needs but does not care about; what it asserts on it spells out."""

from datetime import UTC, datetime
from typing import Any

import factory

from analytics import events
from analytics.models import Site, Team
from goals.models import Goal


class TeamFactory(factory.django.DjangoModelFactory[Team]):
    class Meta:
        model = Team

    name = factory.Sequence(lambda n: f"Team {n}")


class SiteFactory(factory.django.DjangoModelFactory[Site]):
    class Meta:
        model = Site

    team = factory.SubFactory(TeamFactory)
    domain = factory.Sequence(lambda n: f"site{n}.example")
    name = factory.SelfAttribute("domain")


class GoalFactory(factory.django.DjangoModelFactory[Goal]):
    class Meta:
        model = Goal

    site = factory.SubFactory(SiteFactory)
    name = "Signup"
    type = "event"
    match_type = "exact"
    match_value = "signup"


def store(site: Site, type: str, name: str, **values: Any) -> None:
    """Store one event as ingest would."""
    events.append([new_event(site, type, name, **values)])


def new_event(site: Site, type: str, name: str, **values: Any) -> events.NewEvent:
    """One to store together with others; `at` defaults to now, `visitor` to 1."""
    at = values.pop("at", None) or datetime.now(UTC)
    values = {"visitor": 1, **values}
    return events.NewEvent(
        site_id=site.pk,
        day=at.astimezone(site.zone).date(),
        at=at,
        type=type,
        name=name,
        **values,
    )
