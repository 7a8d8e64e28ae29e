from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("analytics", "0027_dropped_hosts")]

    operations = [
        migrations.AddField(
            "adjustment",
            name,
            models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=models.DO_NOTHING,
                related_name="+",
                to=f"analytics.{table}",
            ),
        )
        for name, table in (
            ("last_context", "context"),
            ("first_context", "context"),
            ("entry", "eventname"),
        )
    ]
