"""Rows with `deleted_at`: deleting hides them, restoring brings them back."""

from abc import abstractmethod
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.timezone import now
from unfold.contrib.filters.admin import RadioFilter
from unfold.decorators import action

from analytics.admin.confirmed_actions import Deed, DeedAdmin


class StateFilter(RadioFilter):
    """Live rows unless asked for others."""

    title = "state"
    parameter_name = "state"
    all_option: Any = ("", "Live")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("deleted", "Deleted"), ("all", "Live and deleted")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "all":
                return queryset
            case "deleted":
                return queryset.exclude(deleted_at=None)
        return queryset.filter(deleted_at=None)


class SoftDeleteAdmin(DeedAdmin):
    """A deleted row can be looked at and restored, not changed."""

    what_deleting_does: str
    what_restoring_does: str

    actions = ("delete_selected", "restore_selected")
    actions_detail: Any = ("restore",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_live = getattr(obj, "deleted_at", None) is None
        return is_live and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_live = getattr(obj, "deleted_at", None) is None
        return is_live and super().has_delete_permission(request, obj)

    def has_restore_permission(self, request: HttpRequest, object_id: str) -> bool:
        row = self.get_object(request, object_id)
        is_deleted = getattr(row, "deleted_at", None) is not None
        return is_deleted and super().has_change_permission(request)

    def save_model(
        self, request: HttpRequest, obj: Any, form: Any, change: bool
    ) -> None:
        # Only what was changed: an API call that deletes or edits the row
        # while the form is open must not be undone by saving it.
        if not change:
            obj.save()
        elif form.changed_data:
            obj.save(update_fields=self.fields_to_save(form.changed_data))

    def fields_to_save(self, changed: list[str]) -> list[str]:
        return changed

    def delete_row(self, row: Any) -> None:
        rows = self.model._default_manager.filter(pk=row.pk, deleted_at=None)
        rows.update(deleted_at=now())

    @abstractmethod
    def restore_row(self, row: Any) -> str | None:
        """Restore, or return the reason why it cannot be."""

    # Has the name of Django's own action, so that it takes its place.
    @admin.action(permissions=["delete"], description="Delete")
    def delete_selected(
        self, request: HttpRequest, queryset: QuerySet[Any]
    ) -> HttpResponse | None:
        return self.do(request, queryset, self._deletion())

    @admin.action(permissions=["change"], description="Restore")
    def restore_selected(
        self, request: HttpRequest, queryset: QuerySet[Any]
    ) -> HttpResponse | None:
        return self.do(request, queryset, self._restoration())

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_delete_permission(request):
            raise PermissionDenied
        return self.do_to_one(request, object_id, self._deletion())

    @action(  # type: ignore[operator]  # typed as what it makes
        description="Restore", icon="undo", permissions=["restore"]
    )
    def restore(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.do_to_one(request, object_id, self._restoration())

    def _deletion(self) -> Deed:
        return Deed("delete", "deleted", self.what_deleting_does, self.delete_row)

    def _restoration(self) -> Deed:
        does = self.what_restoring_does
        return Deed("restore", "restored", does, self.restore_row, "primary")
