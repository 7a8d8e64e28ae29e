from django.db import migrations

from analytics.primary_keys import primary_key


class Migration(migrations.Migration):
    # An index that nobody waits for cannot be made in a transaction.
    atomic = False

    dependencies = [("analytics", "0007_drop_counts")]

    operations = [
        primary_key("analytics_event", ["site_id", "day", "id"]),
        primary_key("analytics_adjustment", ["site_id", "day", "id"]),
        primary_key("analytics_eventname", ["site_id", "id"]),
        primary_key("analytics_context", ["site_id", "id"]),
        primary_key("analytics_lateday", ["site_id", "id"]),
        primary_key("analytics_siteday", ["site_id", "id"]),
        primary_key("analytics_dropcount", ["site_id", "id"]),
    ]
