"""Save, change and delete funnels, for the API and the pages."""

from typing import Any

from django.db import transaction

from analytics.access import audit
from analytics.models import Site
from goals.models import SavedFunnel
from krafter.errors import Invalid

MAX_FUNNELS = 1_000


@transaction.atomic
def create(site: Site, checked: Any) -> SavedFunnel:
    """Store a funnel from a valid serializer. Raises Invalid."""
    # Without the lock two requests at once could exceed the limit.
    Site.objects.select_for_update().get(pk=site.pk)
    if site.funnels.count() >= MAX_FUNNELS:
        refusal = f"A site holds at most {MAX_FUNNELS:,} funnels."
        raise Invalid({"non_field_errors": [refusal]})
    funnel: SavedFunnel = checked.save(site=site)
    audit.record("funnel.created", funnel, changes=audit.made(checked.validated_data))
    return funnel


@transaction.atomic
def change(checked: Any) -> SavedFunnel:
    sent = checked.validated_data
    changed = audit.changes(audit.values(checked.instance, sent), sent)
    funnel: SavedFunnel = checked.save()
    if changed:
        audit.record("funnel.changed", funnel, changes=changed)
    return funnel


@transaction.atomic
def delete(funnel: SavedFunnel) -> None:
    audit.record("funnel.deleted", funnel)
    funnel.delete()
