"""Create, change and delete annotations, for the API and the pages."""

from typing import Any

from django.db import transaction

from analytics.access import audit
from analytics.models import Site
from goals.models import Annotation
from krafter.errors import Invalid

MAX_ANNOTATIONS = 1_000


@transaction.atomic
def create(site: Site, checked: Any) -> Annotation:
    """Store an annotation from a valid serializer. Raises Invalid."""
    # Without the lock two requests at once could exceed the limit.
    Site.objects.select_for_update().get(pk=site.pk)
    if site.annotations.count() >= MAX_ANNOTATIONS:
        refusal = f"A site holds at most {MAX_ANNOTATIONS:,} annotations."
        raise Invalid({"non_field_errors": [refusal]})
    made: Annotation = checked.save(site=site)
    audit.record("annotation.created", made, changes=_values({}, made))
    return made


@transaction.atomic
def change(checked: Any) -> Annotation:
    before = {"day": str(checked.instance.day), "text": checked.instance.text}
    changed: Annotation = checked.save()
    if changes := _values(before, changed):
        audit.record("annotation.changed", changed, changes=changes)
    return changed


@transaction.atomic
def delete(annotation: Annotation) -> None:
    audit.record("annotation.deleted", annotation)
    annotation.delete()


def _values(before: dict[str, str], row: Annotation) -> audit.Changes:
    return audit.changes(before, {"day": str(row.day), "text": row.text})
