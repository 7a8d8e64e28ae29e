import uuid

import django.utils.timezone
from django.db import migrations, models

from analytics.append_only import append_only

# The least that AUDIT_DAYS may be.
MIN_DAYS = 30


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0012_imported_sites"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditEntry",
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
                (
                    "uuid",
                    models.UUIDField(default=uuid.uuid4, editable=False, unique=True),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "team_id",
                    models.BigIntegerField(
                        help_text="Null for what concerns the whole installation.",
                        null=True,
                    ),
                ),
                ("site_key", models.CharField(blank=True, max_length=15)),
                ("actor_type", models.CharField(max_length=8)),
                ("actor_id", models.CharField(blank=True, max_length=64)),
                ("actor_name", models.CharField(blank=True, max_length=255)),
                ("via", models.CharField(max_length=8)),
                ("action", models.CharField(max_length=64)),
                ("subject_id", models.CharField(blank=True, max_length=64)),
                ("subject_name", models.CharField(blank=True, max_length=255)),
                ("changes", models.JSONField(default=dict)),
                ("request_id", models.CharField(blank=True, max_length=128)),
            ],
            options={
                "verbose_name": "audit entry",
                "verbose_name_plural": "audit trail",
                "ordering": ("-at", "-pk"),
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(
                        fields=["team_id", "-at", "-id"], name="audit_of_team"
                    ),
                    models.Index(fields=["-at", "-id"], name="audit_newest"),
                ],
            },
        ),
        append_only("analytics_auditentry", days=MIN_DAYS),
    ]
