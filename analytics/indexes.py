"""Adding an index to a table that is in use."""

from typing import Any

from django.db.migrations import AddIndex


class AddIndexBesideWriters(AddIndex):
    """AddIndex that lets others write meanwhile, on PostgreSQL.

    Only in a migration that is not atomic. One that was interrupted is begun again.
    """

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            # What an interrupted run leaves behind is not usable.
            schema_editor.execute(
                f'DROP INDEX CONCURRENTLY IF EXISTS "{self.index.name}"'
            )
            schema_editor.add_index(model, self.index, concurrently=True)
