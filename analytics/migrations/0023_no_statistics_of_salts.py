from typing import Any

from django.db import migrations

# Their values must be in no file once they are deleted, and ANALYZE copies a sample of
# a column into pg_statistic, which is logged and kept until the next ANALYZE.
_COLUMNS = (
    ("analytics_sitesalt", "value", "bytea"),
    ("analytics_ratewindow", "caller", "varchar(64)"),
)


def keep_no_samples(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor != "postgresql":
        return
    for table, column, kind in _COLUMNS:
        schema_editor.execute(
            f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS 0"
        )
        # Only a change of the type drops the samples that there are. The same type
        # rewrites nothing.
        schema_editor.execute(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {kind}")


class Migration(migrations.Migration):
    dependencies = [("analytics", "0022_second_factor")]

    operations = [migrations.RunPython(keep_no_samples, migrations.RunPython.noop)]
