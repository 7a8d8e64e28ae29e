"""Create, change and delete sites, for the API, the pages and the admin."""

from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from analytics.access import audit
from analytics.ingest import site_lookup
from analytics.models import Site, Team
from krafter.errors import Invalid


@transaction.atomic
def create(team: Team, checked: Any) -> Site:
    """Store a site from a valid serializer. Raises Invalid."""
    if refusal := lacks_room(team):
        raise Invalid({"non_field_errors": [refusal]})
    _save(checked, team=team)
    site: Site = checked.instance
    audit.record("site.created", site, changes=audit.made(checked.validated_data))
    return site


def lacks_room(team: Team) -> str | None:
    """Return why the team cannot have another site, or None.

    Call it in a transaction: it locks the team.
    """
    if not settings.MAX_SITES:
        return None
    # Without the lock two requests at once could exceed the limit.
    Team.objects.select_for_update().get(pk=team.pk)
    if Site.objects.undeleted().filter(team=team).count() < settings.MAX_SITES:
        return None
    return f"A team has at most {settings.MAX_SITES} sites."


def change(*checked: Any) -> None:
    """Store the changes of valid serializers of one site. Raises Invalid."""
    with transaction.atomic():
        for part in checked:
            before = audit.values(part.instance, part.validated_data)
            _save(part)
            if changed := audit.changes(before, part.validated_data):
                audit.record("site.changed", part.instance, changes=changed)
    site_lookup.forget()


def delete(site: Site) -> None:
    """Hide a site immediately. Its events and goals are kept."""
    site.deleted_at = timezone.now()
    with transaction.atomic():
        site.save(update_fields=["deleted_at"])
        audit.record("site.deleted", site)
    site_lookup.forget()


def _save(checked: Any, **values: Any) -> None:
    """Save the site. Raises Invalid if another request has just used the domain."""
    try:
        with transaction.atomic():
            checked.save(**values)
    except IntegrityError:
        raise Invalid({"domain": ["The team has a site with this domain."]}) from None
