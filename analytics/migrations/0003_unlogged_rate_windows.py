from typing import Any

from django.db import migrations


def set_unlogged(apps: Any, schema_editor: Any) -> None:
    """Spare each request a flush of the log: a crash may forget a minute's count."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE analytics_ratewindow SET UNLOGGED")


class Migration(migrations.Migration):
    dependencies = [("analytics", "0002_adjustments")]

    operations = [migrations.RunPython(set_unlogged, migrations.RunPython.noop)]
