from django.db import migrations

from analytics.primary_keys import primary_key


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("analytics", "0008_site_keys"), ("goals", "0003_goal_days")]

    operations = [primary_key("goals_goalday", ["site_id", "id"])]
