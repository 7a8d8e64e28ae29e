import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0021_key_makers"),
        ("goals", "0008_annotation"),
    ]

    operations = [
        migrations.CreateModel(
            name="SavedFunnel",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("name", models.CharField(max_length=255)),
                ("steps", models.JSONField()),
                ("window_minutes", models.PositiveSmallIntegerField(null=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="funnels",
                        to="analytics.site",
                    ),
                ),
            ],
            options={"ordering": ("created_at", "id")},
        )
    ]
