from typing import Any

from django.db import migrations


def replace(apps: Any, schema_editor: Any) -> None:
    """UTC for the two names that were accepted and are no time zones."""
    sites = apps.get_model("analytics", "Site").objects
    sites.filter(timezone__in=("localtime", "Factory")).update(timezone="UTC")


class Migration(migrations.Migration):
    dependencies = [("analytics", "0010_growth")]

    operations = [migrations.RunPython(replace, migrations.RunPython.noop)]
