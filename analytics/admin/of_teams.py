"""Admin pages of objects of teams: roles decide, not Django's own permissions.

Lists, filters, forms and look-ups exclude rows that the user may not see, and their
pages are answered with 404. Actions that the user may not perform are answered with
403.
"""

from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from analytics.access import roles
from analytics.access.roles import Deed
from analytics.admin.audited import AuditedAdmin
from analytics.models import Team


class OfTeamsAdmin(AuditedAdmin):
    # From a row to its team, as in a look-up; "pk" for the team itself.
    team_path: ClassVar[str] = "team_id"
    # None: nobody, operators included.
    to_view: ClassVar[Deed] = Deed.READ
    to_add: ClassVar[Deed | None]
    to_change: ClassVar[Deed | None]
    to_delete: ClassVar[Deed | None]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = super().get_queryset(request)
        return found.filter(self.visible(request))

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        row = super().get_object(request, object_id, from_field)
        if row is None:
            # Django would lead to the index with a message.
            raise Http404
        return row

    def team_of(self, row: Any) -> int:
        team_id: Any = row
        for name in self.team_path.split("__"):
            team_id = getattr(team_id, name)
        return int(team_id)

    def may(self, request: HttpRequest, deed: Deed | None, row: object = None) -> bool:
        """Return whether the user has the permission for the row, or for any row."""
        if deed is None:
            return False
        if row is None:
            return roles.may_anywhere(request.user, deed)
        return roles.may(request.user, deed, self.team_of(row))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return self.may(request, self.to_view, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.may(request, self.to_add)

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return self.may(request, self.to_change, obj)

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return self.may(request, self.to_delete, obj)

    def get_form(
        self,
        request: HttpRequest,
        obj: object = None,
        change: bool = False,
        **kwargs: Any,
    ) -> Any:
        form: Any = super().get_form(request, obj, change, **kwargs)
        # For `SerializerForm`, whose fields offer sites.
        form.user, form.deed = request.user, self.to_change if obj else self.to_add
        return form

    def formfield_for_foreignkey(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.related_model is Team and self.to_add is not None:
            kwargs["queryset"] = roles.teams(request.user, self.to_add)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Preselect the team if there is only one to choose."""
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        if self.to_add is not None:
            own = list(roles.teams(request.user, self.to_add)[:2])
            if len(own) == 1:
                initial.setdefault("team", own[0].pk)
        return initial

    def visible(self, request: HttpRequest) -> Q:
        """Return the rows that the user may see."""
        return self.of_own_teams(request, self.team_path)

    def of_own_teams(self, request: HttpRequest, path: str) -> Q:
        if roles.is_operator(request.user):
            return Q()
        own = roles.teams(request.user, self.to_view).values("pk")
        return Q(**{f"{path}__in": own})


class TeamFilter(AutocompleteSelectFilter):
    def value(self) -> Any:
        """Ignore a foreign team: its name would be shown as the chosen one."""
        chosen = super().value()
        own = {str(pk) for pk in roles.teams(self.request.user).values_list("pk")}
        return chosen if str(chosen) in own else None
