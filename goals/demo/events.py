"""The visits of the demo shop as events of a site."""

from collections.abc import Iterator
from datetime import date, timedelta

from analytics import events
from analytics.ingest import visitors
from analytics.models import Site
from goals.demo import shop


def of_day(site: Site, day: date, seed: int) -> Iterator[events.NewEvent]:
    """Return the events of the shop's visitors on that day in the site's time zone."""
    number = 0
    for visit in shop.visits(day, seed):
        who = f"demo {seed} {visit.visitor}"
        yield from of_visit(site, day, visit, who, f"demo-{seed}-{day}", number)
        number += len(visit.steps)


def of_visit(
    site: Site, day: date, visit: shop.Visit, who: str, ids: str, number: int = 0
) -> Iterator[events.NewEvent]:
    """Return the events of a visit on that day.

    `who` identifies the visitor within the day, `ids` and `number` the events.
    """
    start, end = site.midnight(day), site.midnight(day, later=1)
    # Without a salt, so that later runs add events of the same visitors.
    visitor = visitors.known_visitor(site, day, who)
    own = dict(zip(("device", "browser", "os"), visit.agent, strict=True))
    labels = events.Labels(**visit.source._asdict(), country=visit.country, **own)
    # After the first page the referrer is a page of the site itself.
    inside = events.Labels(referrer=site.domain, country=visit.country, **own)
    for place, (second, step) in enumerate(visit.steps):
        number += 1
        at = start + timedelta(seconds=second)
        if at >= end:
            continue
        yield events.NewEvent(
            site_id=site.pk,
            day=day,
            at=at,
            type=step.type,
            name=step.name,
            visitor=visitor,
            labels=_of_step(step, inside) if place else labels,
            page=step.page,
            amount=None if step.amount is None else events.to_amount(step.amount),
            currency=None if step.amount is None else "USD",
            props=step.props,
            event_id=f"{ids}-{number}",
        )


def _of_step(step: shop.Step, labels: events.Labels) -> events.Labels:
    return labels if step.referrer is None else labels._replace(referrer=step.referrer)
