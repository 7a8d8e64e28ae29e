from typing import Any

import django.db.models.deletion
from django.db import migrations, models


def name_sources(apps: Any, schema_editor: Any) -> None:
    """An import for each stream that sites came from."""
    imports = apps.get_model("analytics", "Import")
    for imported in apps.get_model("analytics", "ImportedSite").objects.all():
        imported.source, _ = imports.objects.get_or_create(
            team_id=imported.site.team_id,
            stream=imported.stream,
            defaults={"finished_at": imported.finished_at},
        )
        imported.save(update_fields=["source"])


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0025_label_month_totals"),
    ]

    operations = [
        migrations.AddField(
            model_name="team",
            name="erasure_asked_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="site",
            name="erasure_asked_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="site",
            name="erasures",
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.CreateModel(
            name="Import",
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
                ("stream", models.UUIDField(help_text="The id of the export.")),
                ("new_keys", models.BooleanField(default=False)),
                ("pages", models.PositiveIntegerField(default=0)),
                ("counts", models.JSONField(default=dict)),
                ("hash", models.CharField(blank=True, max_length=64)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="imports",
                        to="analytics.team",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("team", "stream"), name="import_unique"
                    )
                ],
            },
        ),
        migrations.AddField(
            model_name="importedsite",
            name="source",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="sites",
                to="analytics.import",
            ),
        ),
        migrations.RunPython(name_sources, migrations.RunPython.noop),
        migrations.RemoveConstraint(
            model_name="importedsite", name="imported_site_unique"
        ),
        migrations.RemoveField(model_name="importedsite", name="stream"),
        migrations.AlterField(
            model_name="importedsite",
            name="source",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="sites",
                to="analytics.import",
            ),
        ),
        migrations.AddConstraint(
            model_name="importedsite",
            constraint=models.UniqueConstraint(
                fields=("source", "key"), name="imported_site_once"
            ),
        ),
    ]
