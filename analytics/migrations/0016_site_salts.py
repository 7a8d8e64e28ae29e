"""Salts become a site's own, in a table that PostgreSQL does not log.

Those there are go on to the end of their day, so that nobody who was there becomes
another visitor by the upgrade. The days that begin after it have salts of their own.
"""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import migrations, models

LIFETIME = timedelta(hours=47)


def set_unlogged(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE analytics_sitesalt SET UNLOGGED")


def copy(apps: Any, schema_editor: Any) -> None:
    new = apps.get_model("analytics", "SiteSalt")
    old = list(apps.get_model("analytics", "Salt").objects.all())
    by_zone: dict[str, list[Any]] = {salt.timezone: [] for salt in old}
    for salt in old:
        by_zone[salt.timezone].append(salt)
    sites = apps.get_model("analytics", "Site").objects.filter(timezone__in=by_zone)
    new.objects.bulk_create(
        [
            new(
                site_id=site.pk,
                day=salt.day,
                value=bytes(salt.value),
                ipv6_prefix=settings.IPV6_PREFIX,
                ends_at=min(
                    _began(salt.day, site.timezone) + LIFETIME,
                    salt.created_at + LIFETIME,
                ),
            )
            for site in sites
            for salt in by_zone[site.timezone]
        ],
        batch_size=500,
    )


def _began(day: Any, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


class Migration(migrations.Migration):
    dependencies = [("analytics", "0015_roles")]

    operations = [
        migrations.CreateModel(
            name="SiteSalt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("site_id", models.BigIntegerField()),
                ("day", models.DateField(help_text="The calendar day of the site.")),
                ("value", models.BinaryField(max_length=16)),
                ("ipv6_prefix", models.PositiveSmallIntegerField()),
                ("ends_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("site_id", "day"), name="site_salt_unique"
                    )
                ],
            },
        ),
        migrations.RunPython(set_unlogged, migrations.RunPython.noop),
        migrations.RunPython(copy, migrations.RunPython.noop),
        migrations.DeleteModel(name="Salt"),
    ]
