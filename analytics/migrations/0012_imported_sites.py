import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0011_time_zones"),
    ]

    operations = [
        migrations.CreateModel(
            name="ImportedSite",
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
                (
                    "key",
                    models.CharField(
                        help_text="The site's key in the export.", max_length=15
                    ),
                ),
                ("events", models.BigIntegerField(default=0)),
                ("refunds", models.BigIntegerField(default=0)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "site",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="imported",
                        to="analytics.site",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("stream", "key"), name="imported_site_unique"
                    )
                ],
            },
        ),
    ]
