"""Erase single events, all events of a visitor, a site, or a team.

Counts follow: each erasure raises the version of its day, also of today. The events of
a sealed day are already deleted. The audit trail records only how many events were
erased, never whose. Each function can be repeated, and continues after a crash.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from itertools import islice
from typing import Any

import msgspec
from django.apps import apps
from django.conf import settings
from django.db import models, transaction

from analytics.access import audit
from analytics.alone import ERASING, alone
from analytics.events import removal
from analytics.events.writing import lock_sites
from analytics.ingest import site_lookup, visitors
from analytics.models import Fact, OfOneSite, Site, Team
from analytics.questions.periods import Days, each_day
from krafter import clock

Progress = Callable[[int], object]

# Days of a visitor erased in one transaction.
_DAYS = 31
_IDS = 500


class Erased(msgspec.Struct):
    events: int
    refunds: int

    def __add__(self, other: "Erased") -> "Erased":
        return Erased(self.events + other.events, self.refunds + other.refunds)


def erase(site: Site, which: dict[str, Any]) -> Erased:
    """Erase the events of a validated `ErasureSerializer`; return their numbers."""
    if "events" in which:
        return events_with_ids(site, which["events"])
    days = Days(which["from"], which["to"])
    return visitor(site, which["visitor_id"], days)


def events_with_ids(site: Site, ids: Iterable[str]) -> Erased:
    """Erase the events that were sent with these ids, and their refunds."""
    erased = Erased(0, 0)
    rest = iter(dict.fromkeys(ids))
    while some := list(islice(rest, _IDS)):
        with transaction.atomic():
            lock_sites([site.pk])
            found = removal.Chosen(site.pk)
            found.with_ids(some)
            found.refunds_of(some)
            part = Erased(*found.erase())
            _note(site, "events", part)
            erased += part
    return erased


def visitor(site: Site, visitor_id: str, days: Days) -> Erased:
    """Erase the events of a visitor named by a server, and their refunds."""
    erased = Erased(0, 0)
    rest = each_day(days)
    while some := list(islice(rest, _DAYS)):
        with transaction.atomic():
            lock_sites([site.pk])
            found = removal.Chosen(site.pk)
            for day in some:
                who = visitors.known_visitor(site, day, visitor_id)
                found.of_visitor(day, who)
            found.refunds_of(found.event_ids)
            part = Erased(*found.erase())
            if part != Erased(0, 0):
                _note(site, "visitor", part)
            erased += part
    if erased == Erased(0, 0):
        # Record the request even if there was nothing to erase.
        with transaction.atomic():
            _note(site, "visitor", erased)
    return erased


def _note(site: Site, what: str, erased: Erased) -> None:
    audit.record(
        f"{what}.erased",
        site,
        changes={
            "events": [erased.events, 0],
            "refunds": [erased.refunds, 0],
        },
    )


def site(site: Site, *, progress: Progress = lambda rows: None) -> int:
    """Erase a site with all its data; return the number of events and refunds.

    It is marked as deleted first, so that no more events come.
    """
    with transaction.atomic():
        lock_sites([site.pk])
        now = clock.now()
        Site.objects.filter(pk=site.pk, deleted_at=None).update(deleted_at=now)
    site_lookup.forget()
    rows = 0
    # Repeated, because a request that had looked the site up before may still store
    # an event.
    while found := list(islice(removal.days_before(site.pk, date.max), 1_000)):
        for facts, day in found:
            rows += removal.delete_day(facts, site.pk, day, progress=progress)
    for table in _tables():
        removal.delete_rows(table, site.pk)
    with transaction.atomic():
        audit.record("site.erased", site, changes={"facts": [rows, 0]})
        site.delete()
    return rows


def _tables() -> Iterator[type[models.Model]]:
    for model in apps.get_models():
        if issubclass(model, OfOneSite) and not issubclass(model, Fact):
            yield model


def due() -> models.QuerySet[Site]:
    """Return the sites to erase: deletion period over, or erasure requested."""
    at_once = models.Q(erasure_asked_at__isnull=False)
    days = settings.SITE_DELETION_DAYS
    if days:
        at_once |= models.Q(deleted_at__lt=clock.now() - timedelta(days=days))
    return Site.objects.filter(at_once)


def erase_due() -> None:
    """Erase the sites of `due`, and teams.

    Called every hour, see `analytics.housekeeping`.
    """
    with alone(ERASING) as is_alone:
        if is_alone:
            for each in due():
                if is_taken(each):
                    site(each)
            for asked in Team.objects.filter(erasure_asked_at__isnull=False):
                team(asked)


def is_taken(found: Site) -> bool:
    """Return whether a site of `due` is still due; it can then no longer be restored.

    Erasing the sites before it in the list may have taken long.
    """
    with transaction.atomic():
        still = due().select_for_update().filter(pk=found.pk).first()
        if still is None:
            return False
        if still.erasure_asked_at is None:
            still.erasure_asked_at = clock.now()
            still.save(update_fields=["erasure_asked_at"])
    return True


def team(team: Team, *, progress: Progress = lambda rows: None) -> int:
    """Erase a team with its sites and keys; return the number of events and refunds."""
    if team.erasure_asked_at is None:
        # So that no site is created meanwhile, and the service continues after a crash.
        ask_for_team(team)
    team.tokens.all().delete()
    rows = sum(site(each, progress=progress) for each in team.sites.all())
    with transaction.atomic():
        audit.record("team.erased", team, changes={"facts": [rows, 0]})
        team.delete()
    return rows


def ask_for_site(site: Site) -> None:
    """Request the erasure of a deleted site. It can then no longer be restored."""
    with transaction.atomic():
        site.erasure_asked_at = clock.now()
        site.save(update_fields=["erasure_asked_at"])
        audit.record("site.erasure_asked", site)


def ask_for_team(team: Team) -> None:
    """Request the erasure of a team.

    Its sites are hidden at once, its keys revoked, and its memberships and invitations
    deleted.
    """
    now = clock.now()
    with transaction.atomic():
        audit.record("team.erasure_asked", team)
        team.erasure_asked_at = now
        team.save(update_fields=["erasure_asked_at"])
        team.sites.undeleted().update(deleted_at=now)
        team.sites.update(erasure_asked_at=now)
        team.tokens.filter(revoked_at=None).update(
            revoked_at=now, revoked_by=audit.actor_name()
        )
        team.memberships.all().delete()
        team.invitations.all().delete()
    site_lookup.forget()
