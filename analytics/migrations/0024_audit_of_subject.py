from django.db import migrations, models

from analytics.indexes import AddIndexBesideWriters


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("analytics", "0023_no_statistics_of_salts")]

    operations = [
        AddIndexBesideWriters(
            model_name="auditentry",
            index=models.Index(
                fields=["subject_id", "-at", "-id"], name="audit_of_subject"
            ),
        )
    ]
