from django.db import migrations, models

from analytics.primary_keys import primary_key


class Migration(migrations.Migration):
    dependencies = [("analytics", "0026_moves")]

    operations = [
        migrations.CreateModel(
            name="DroppedHost",
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
                ("host", models.CharField(max_length=253)),
                ("count", models.BigIntegerField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("site_id", "day", "host"), name="dropped_host_unique"
                    )
                ]
            },
        ),
        primary_key("analytics_droppedhost", ["site_id", "id"]),
    ]
