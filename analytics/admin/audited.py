"""The base of admin pages whose changes are recorded in the audit trail."""

from collections.abc import Iterable
from typing import Any

from django.db import models, transaction
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from analytics.access import audit

_OF_FILTERS = ("", "__exact", "__id__exact", "__isnull", "__in")


class AuditedAdmin(ModelAdmin):
    # The noun of its actions: `goal` for `goal.created`.
    audited_as: str

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # Only what the filters of the list send. Django allows any column of the
        # table and of those it refers to: `?digest__startswith=` would tell digests.
        allowed: set[str] = set()
        for entry in self.get_list_filter(request):
            if isinstance(entry, tuple | str):
                field = entry[0] if isinstance(entry, tuple) else entry
                allowed |= {f"{field}{end}" for end in _OF_FILTERS}
            else:
                allowed.add(getattr(entry, "parameter_name", ""))
        return lookup in allowed

    def save_related(
        self, request: HttpRequest, form: Any, formsets: Any, change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        self.record_form(form, change)

    def record(self, done: str, row: Any, changes: audit.Changes | None = None) -> None:
        audit.record(f"{self.audited_as}.{done}", row, changes=changes)

    def record_form(self, form: Any, change: bool) -> None:
        before = {name: _told(form.initial.get(name)) for name in form.changed_data}
        after = {name: _told(form.cleaned_data[name]) for name in form.changed_data}
        if not change:
            self.record("created", form.instance, audit.made(after))
        elif changed := audit.changes(before, after):
            self.record("changed", form.instance, changed)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        with transaction.atomic():
            self.record("deleted", obj)
            super().delete_model(request, obj)

    def delete_queryset(
        self, request: HttpRequest, queryset: models.QuerySet[Any]
    ) -> None:
        with transaction.atomic():
            for row in queryset:
                self.record("deleted", row)
            super().delete_queryset(request, queryset)


def _told(value: Any) -> Any:
    """Return rows by their names; the rows of a list in order."""
    if isinstance(value, models.Model):
        return str(value)
    is_list = isinstance(value, Iterable) and not isinstance(value, str | dict)
    if isinstance(value, models.QuerySet) or (
        is_list and any(isinstance(row, models.Model) for row in value)
    ):
        return sorted(str(row) for row in value)
    return list(value) if is_list else value
