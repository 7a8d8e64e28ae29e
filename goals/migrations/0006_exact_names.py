from hashlib import blake2b
from typing import Any

from django.db import migrations

_EVENT_TYPES = {"pageview": "pageview", "event": "event", "custom": "goal"}


def reserve(apps: Any, schema_editor: Any) -> None:
    """As saving an exact goal does from now on, for those that there are."""
    goals = apps.get_model("goals", "Goal").objects.filter(match_type="exact")
    reserved = apps.get_model("analytics", "ReservedName")
    rows = goals.order_by().values_list("site_id", "type", "match_value").distinct()
    reserved.objects.bulk_create(
        (
            reserved(
                site_id=site_id,
                digest=blake2b(
                    f"{_EVENT_TYPES[type]}\0{value}".encode(), digest_size=16
                ).digest(),
            )
            for site_id, type, value in rows.iterator()
        ),
        batch_size=1_000,
        ignore_conflicts=True,
    )


class Migration(migrations.Migration):
    dependencies = [("analytics", "0010_growth"), ("goals", "0005_months_and_names")]

    operations = [migrations.RunPython(reserve, migrations.RunPython.noop)]
