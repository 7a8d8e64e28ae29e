from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("goals", "0006_exact_names")]

    operations = [
        migrations.AddField(
            model_name="goal",
            name="starred_at",
            field=models.DateTimeField(editable=False, null=True),
        )
    ]
