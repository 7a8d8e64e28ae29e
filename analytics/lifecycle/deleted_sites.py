"""Sites within their deletion period, and restoring one."""

from django.db import IntegrityError, transaction

from analytics.access import audit
from analytics.access.callers import without_nul
from analytics.ingest import site_lookup
from analytics.models import ImportedSite, Site, SiteQuerySet, Team
from analytics.sites import changes
from krafter.errors import Invalid


def of_team(team: Team) -> SiteQuerySet:
    """Return the deleted sites of a team that can be restored."""
    found = Site.objects.filter(
        team=team, deleted_at__isnull=False, erasure_asked_at=None
    )
    # An incomplete import is also marked as deleted.
    being_imported = ImportedSite.objects.filter(finished_at=None).values("site")
    return found.exclude(pk__in=being_imported)


def one(team: Team, site_key: str) -> Site | None:
    return of_team(team).filter(site_key=without_nul(site_key)).first()


def locked(team: Team, site_key: str) -> Site | None:
    """Like `one`, with a row lock: a site is either restored or erased."""
    found = of_team(team).select_for_update().filter(site_key=without_nul(site_key))
    return found.first()


def restore(site: Site) -> Site:
    """Restore a site and return it.

    Raises Invalid if the team has no room or another site with the domain, or if
    another request has restored or erased the site.
    """
    with transaction.atomic():
        found = locked(site.team, site.site_key)
        if found is None:
            raise Invalid({"non_field_errors": ["The site can no longer be restored."]})
        site = found
        if refusal := changes.lacks_room(site.team):
            raise Invalid({"non_field_errors": [refusal]})
        site.deleted_at = None
        try:
            with transaction.atomic():
                site.save(update_fields=["deleted_at"])
        except IntegrityError:
            message = f"The team has another site with the domain {site.domain}."
            raise Invalid({"domain": [message]}) from None
        audit.record("site.restored", site)
    site_lookup.forget()
    return site
