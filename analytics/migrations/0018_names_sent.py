import django.db.models.deletion
from django.db import migrations, models

from analytics.indexes import AddIndexBesideWriters
from analytics.primary_keys import primary_key


class Migration(migrations.Migration):
    # For the index, see `analytics.indexes`.
    atomic = False

    dependencies = [
        ("analytics", "0017_seals"),
    ]

    operations = [
        migrations.CreateModel(
            name="NameDay",
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
                ("day", models.DateField()),
                ("name_id", models.BigIntegerField()),
                ("events", models.BigIntegerField()),
                ("visitors", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="NameMonth",
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
                ("month", models.DateField(help_text="Its first day.")),
                ("version", models.BigIntegerField()),
                (
                    "counted",
                    models.IntegerField(help_text="The days counted: a bit each."),
                ),
                (
                    "days",
                    models.BinaryField(
                        help_text="Version and numbers of each day that had events."
                    ),
                ),
            ],
        ),
        AddIndexBesideWriters(
            model_name="event",
            index=models.Index(
                condition=models.Q(("props__isnull", False)),
                fields=["site", "day", "name", "id"],
                name="event_props",
            ),
        ),
        migrations.AddConstraint(
            model_name="nameday",
            constraint=models.UniqueConstraint(
                fields=("site_id", "day", "name_id"), name="name_day_unique"
            ),
        ),
        migrations.AddField(
            model_name="namemonth",
            name="site",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                to="analytics.site",
            ),
        ),
        migrations.AddConstraint(
            model_name="namemonth",
            constraint=models.UniqueConstraint(
                fields=("site", "month"), name="name_month_unique"
            ),
        ),
        primary_key("analytics_nameday", ["site_id", "id"]),
        primary_key("analytics_namemonth", ["site_id", "id"]),
    ]
