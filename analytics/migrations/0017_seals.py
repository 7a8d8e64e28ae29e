from django.db import migrations, models

from analytics.primary_keys import primary_key


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0016_site_salts"),
    ]

    operations = [
        migrations.AddField(
            model_name="site",
            name="retention_months",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="Whole months that events are kept; empty: for ever.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="site",
            name="sealed_before",
            field=models.DateField(editable=False, null=True),
        ),
        migrations.CreateModel(
            name="Seal",
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
                (
                    "first",
                    models.DateField(help_text="The day of the first event ever."),
                ),
                (
                    "before",
                    models.DateField(
                        help_text="The first day of a month; not sealed itself."
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("site_id",), name="seal_unique")
                ],
            },
        ),
        primary_key("analytics_seal", ["site_id", "id"]),
    ]
