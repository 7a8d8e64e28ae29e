"""How a recount is tried: with which worlds, and each in a database of its own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from analytics import events
from analytics.models import ApiToken, Site
from goals.counting import stats
from goals.models import Goal
from tests.factories import GoalFactory, SiteFactory
from tests.recount.histories import WORLDS, ZONES
from tests.recount.sources import SITE


def in_each_world(examples: int, *, parts: int = 1) -> Callable[[Any], Any]:
    """A test of `ask`, `kinds`, `rules` and `data`, with so many examples a world.

    In `parts` of a world, so that none takes as long as a test that hangs.
    """

    def decorate(test: Any) -> Any:
        # One test of each world, so that two processes share the work.
        worlds = pytest.mark.parametrize(
            ("kinds", "rules"),
            [world for world in WORLDS for _ in range(parts)],
            ids=[f"{name}{n}" for name in ("pages", "names") for n in range(parts)],
        )
        bounds = settings(
            max_examples=examples // parts,
            deadline=None,
            # Shrinking would take minutes, after which the whole run is ended.
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
            report_multiple_bugs=False,
            # Each example is rolled back.
            suppress_health_check=[
                HealthCheck.function_scoped_fixture,
                HealthCheck.too_slow,
            ],
        )
        return worlds(bounds(given(data=st.data())(test)))

    return decorate


def site_with_goals(
    draw: Any, rules: list[Any], currencies: tuple[str | None, ...]
) -> tuple[Site, list[Goal]]:
    """A site of the team whose key asks, and a goal of each currency."""
    team = ApiToken.objects.get().team
    site = SiteFactory.create(team=team, timezone=draw(st.sampled_from(ZONES)), **SITE)
    goals = [
        GoalFactory.create(site=site, **draw(st.sampled_from(rules)), currency=currency)
        for currency in currencies
    ]
    return site, goals


@contextmanager
def rolled_back() -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
            transaction.set_rollback(True)
    finally:
        # The next site may get the same number.
        events.forget()
        stats.forget()
