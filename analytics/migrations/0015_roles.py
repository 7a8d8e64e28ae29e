"""Members of a team have a role. Who is a member already becomes an owner."""

from typing import Any

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


def copy_members(apps: Any, schema_editor: Any) -> None:
    membership = apps.get_model("analytics", "Membership")
    members = apps.get_model("analytics", "Team").members.through.objects
    membership.objects.bulk_create(
        membership(team_id=row.team_id, user_id=row.user_id, role="owner")
        for row in members.order_by("pk")
    )


def copy_back(apps: Any, schema_editor: Any) -> None:
    members = apps.get_model("analytics", "Team").members.through
    members.objects.bulk_create(
        members(team_id=row.team_id, user_id=row.user_id)
        for row in apps.get_model("analytics", "Membership").objects.order_by("pk")
    )


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0014_sources"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Membership",
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
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to="analytics.team",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("viewer", "Viewer"),
                            ("editor", "Editor"),
                            ("owner", "Owner"),
                        ],
                        max_length=6,
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False
                    ),
                ),
            ],
            options={
                "verbose_name": "member",
                "ordering": ("pk",),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("team", "user"), name="membership_unique"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(role__in=["viewer", "editor", "owner"]),
                        name="membership_role",
                    ),
                ],
            },
        ),
        migrations.RunPython(copy_members, copy_back),
        migrations.RemoveField(model_name="team", name="members"),
        migrations.AddField(
            model_name="team",
            name="members",
            field=models.ManyToManyField(
                blank=True,
                related_name="teams",
                through="analytics.Membership",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
    ]
