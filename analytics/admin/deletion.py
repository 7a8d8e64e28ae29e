"""Soft deletion in the admin: sets `deleted_at`, which can be cleared again."""

from abc import abstractmethod
from typing import Any, cast

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.timezone import now
from unfold.contrib.filters.admin import RadioFilter
from unfold.decorators import action

from analytics.access.roles import Deed
from analytics.admin.confirmed_actions import ConfirmedAction, ConfirmedActionAdmin
from krafter.errors import Invalid


class StateFilter(RadioFilter):
    """Shows rows that are not deleted, unless another state is chosen."""

    title = "state"
    parameter_name = "state"
    all_option: Any = ("", "Not deleted")

    def lookups(
        self, request: HttpRequest, model_admin: object
    ) -> list[tuple[str, str]]:
        return [("deleted", "Deleted"), ("all", "All")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "all":
                return queryset
            case "deleted":
                return queryset.exclude(deleted_at=None)
        return queryset.filter(deleted_at=None)


class SoftDeleteAdmin(ConfirmedActionAdmin):
    """A deleted row can be viewed and restored, but not changed."""

    what_deleting_does: str
    what_restoring_does: str

    actions = ("delete_selected", "restore_selected")
    actions_detail: Any = ("restore",)

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        is_undeleted = getattr(obj, "deleted_at", None) is None
        return is_undeleted and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        is_undeleted = getattr(obj, "deleted_at", None) is None
        return is_undeleted and super().has_delete_permission(request, obj)

    def has_restore_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        if object_id is None:
            return super().has_delete_permission(request)
        row = self.get_object(request, object_id)
        is_deleted = row.deleted_at is not None
        return is_deleted and super().has_delete_permission(request, row)

    def save_model(
        self, request: HttpRequest, obj: Any, form: Any, change: bool
    ) -> None:
        # Save changed fields only, so that saving an open form does not undo
        # what an API request changed or deleted meanwhile.
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
    def restore_row(self, row: Any) -> None:
        """Restore a row, and record it in the audit trail. Raises Invalid."""

    # Overrides Django's action of the same name.
    @admin.action(permissions=["delete"], description="Delete")
    def delete_selected(
        self, request: HttpRequest, queryset: QuerySet[Any]
    ) -> HttpResponse | None:
        return self.do(request, queryset, self._deletion())

    @admin.action(permissions=["restore"], description="Restore")
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

    def _deletion(self) -> ConfirmedAction:
        return ConfirmedAction(
            "delete",
            "deleted",
            self.what_deleting_does,
            self._deed(),
            self.delete_row,
        )

    def _restoration(self) -> ConfirmedAction:
        does = self.what_restoring_does
        return ConfirmedAction(
            "restore",
            "restored",
            does,
            self._deed(),
            self._restored,
            "primary",
            records=True,
        )

    def _restored(self, row: Any) -> str | None:
        """Restore a row; return the reason if it cannot be restored."""
        try:
            self.restore_row(row)
        except Invalid as refused:
            reasons = [reason for own in refused.details.values() for reason in own]
            return f"{row}: {' '.join(reasons)}"
        return None

    def _deed(self) -> Deed:
        """Return the permission: users who may delete a row may restore it."""
        return cast(Deed, self.to_delete)
