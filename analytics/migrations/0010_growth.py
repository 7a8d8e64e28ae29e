from django.db import migrations, models

from analytics.primary_keys import primary_key


class Migration(migrations.Migration):
    dependencies = [("analytics", "0009_site_months")]

    operations = [
        migrations.CreateModel(
            name="Growth",
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
                ("kind", models.CharField(max_length=8)),
                ("made", models.BigIntegerField(help_text="New ones.")),
                (
                    "folded",
                    models.BigIntegerField(
                        help_text="Events with (other) in place of one."
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "growth",
                "ordering": ("-day", "site_id", "kind"),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("site_id", "day", "kind"), name="growth_unique"
                    )
                ],
            },
        ),
        primary_key("analytics_growth", ["site_id", "id"]),
        migrations.CreateModel(
            name="ReservedName",
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
                ("digest", models.BinaryField(max_length=16)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("site_id", "digest"), name="reserved_name_unique"
                    )
                ],
            },
        ),
        primary_key("analytics_reservedname", ["site_id", "id"]),
    ]
