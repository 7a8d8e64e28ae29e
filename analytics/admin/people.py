"""Admin pages of teams and their members, and of users (for operators)."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.admin import TabularInline
from unfold.decorators import display
from unfold.forms import (
    AdminPasswordChangeForm,
    PaginationInlineFormSet,
    UserChangeForm,
    UserCreationForm,
)

from analytics.access import audit, roles
from analytics.access.roles import Deed
from analytics.admin.audited import AuditedAdmin
from analytics.admin.of_teams import OfTeamsAdmin
from analytics.models import Membership, Role, Team
from analytics.people import members
from krafter import names

# Django's permissions decide nothing here, so groups of them would only mislead.
admin.site.unregister((User, Group))


class OperatorsAdmin(AuditedAdmin):
    def has_module_permission(self, request: HttpRequest) -> bool:
        return roles.is_operator(request.user)

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return roles.is_operator(request.user)

    has_change_permission = has_delete_permission = has_view_permission

    def has_add_permission(self, request: HttpRequest) -> bool:
        return roles.is_operator(request.user)


class _NewUserForm(UserCreationForm):
    """Without `autofocus`: Django's script of the page focuses the first field, and a
    browser complains if that happened before.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].widget.attrs.pop("autofocus", None)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, OperatorsAdmin):  # type: ignore[misc, type-arg]  # as unfold's manual says
    audited_as = "user"
    form = UserChangeForm
    add_form = _NewUserForm
    change_password_form = AdminPasswordChangeForm
    list_display = (
        "username",
        "email",
        "is_staff",
        "is_superuser",
        "is_active",
        "has_second_factor",
        "last_login",
    )
    list_select_related = ("second_factor",)
    actions = ("remove_second_factor",)
    # Without Django's groups and permissions, which decide nothing here.
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Rights", {"fields": ("is_active", "is_staff", "is_superuser")}),
        ("Record", {"fields": ("last_login", "date_joined")}),
    )
    filter_horizontal = ()

    def user_change_password(
        self, request: HttpRequest, id: str, form_url: str = ""
    ) -> HttpResponse:
        with transaction.atomic():
            response: HttpResponse = super().user_change_password(request, id, form_url)
            if response.status_code == 302:
                user = self.get_object(request, unquote(id))
                audit.record_of_user("user.password_changed", user)
        return response

    def record(
        self, done: str, row: User, changes: audit.Changes | None = None
    ) -> None:
        audit.record_of_user(f"user.{done}", row, changes)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Return the objects deleted with the users, and the obstacles, for the
        confirmation page.
        """
        with transaction.atomic():
            kept = members.left_without_owner(objs)
        *found, protected = super().get_deleted_objects(objs, request)
        told = [f"Team {team}. {members.NEEDS_OWNER}" for team in kept]
        return (*found, [*protected, *told])

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        with transaction.atomic():
            _check_owners([obj])
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        with transaction.atomic():
            _check_owners(queryset)
            super().delete_queryset(request, queryset)

    @display(description="second factor", boolean=True)
    def has_second_factor(self, user: User) -> bool:
        return hasattr(user, "second_factor")

    @admin.action(
        description="Remove the second factor and sign out", permissions=["change"]
    )
    def remove_second_factor(
        self, request: HttpRequest, queryset: QuerySet[User]
    ) -> None:
        removed = sum(members.remove_second_factor(user) for user in queryset)
        message = f"Second factors removed: {removed}."
        self.message_user(request, message)


def _check_owners(users: Iterable[User]) -> None:
    """Raise an error if these users have become the last owners of a team in the
    meantime.
    """
    if members.left_without_owner(users):
        raise PermissionDenied(members.NEEDS_OWNER)


class _MembershipFormSet(PaginationInlineFormSet):
    def clean(self) -> None:
        super().clean()
        if any(self.errors) or self.instance.pk is None:
            return
        # The form is saved in this transaction: nobody changes members meanwhile.
        Team.objects.select_for_update().get(pk=self.instance.pk)
        has_owner = any(
            form.cleaned_data.get("role") == Role.OWNER
            and not form.cleaned_data.get("DELETE")
            and form.instance.user.is_active
            for form in self.forms
        )
        if not has_owner and members.owners(self.instance).exists():
            raise ValidationError(members.NEEDS_OWNER)


class MembershipInline(TabularInline):
    """Only operators may add members: the choice shows the names of all users."""

    model = Membership
    formset = _MembershipFormSet
    fields = ("user", "role")
    autocomplete_fields = ("user",)
    extra = 0

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return roles.may_anywhere(request.user, Deed.READ)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None or roles.may(request.user, Deed.MANAGE_MEMBERS, obj)

    has_delete_permission = has_change_permission

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return roles.is_operator(request.user)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if roles.is_operator(request.user) else ("user",)


def _check_name(text: str) -> None:
    if not names.is_name(text):
        raise ValidationError(names.MESSAGE)


@admin.register(Team)
class TeamAdmin(OfTeamsAdmin):
    audited_as = "team"
    team_path = "pk"
    to_change = Deed.MANAGE_MEMBERS
    to_add = to_delete = None

    list_display = ("name", "member_names", "undeleted_sites", "created_at")
    ordering = ("name", "pk")
    search_fields = ("name",)
    readonly_fields = ("created_at",)
    inlines = (MembershipInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Team]:
        teams: QuerySet[Team] = super().get_queryset(request)
        undeleted = Count("sites", filter=Q(sites__deleted_at=None))
        return teams.prefetch_related("memberships__user").annotate(
            site_count=undeleted
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return roles.is_operator(request.user)

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return roles.is_operator(request.user)

    def formfield_for_dbfield(
        self, db_field: Any, request: HttpRequest, **options: Any
    ) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **options)
        if field is not None and db_field.name == "name":
            field.validators.append(_check_name)
        return field

    def save_related(
        self, request: HttpRequest, form: Any, formsets: Any, change: bool
    ) -> None:
        before = _members(form.instance)
        super().save_related(request, form, formsets, change)
        if (after := _members(form.instance)) != before:
            # Without those who stay: a long list would be left out.
            gone = [member for member in before if member not in after]
            come = [member for member in after if member not in before]
            changed = {"members": [gone, come]}
            audit.record("team.changed", form.instance, changes=changed)

    @display(description="members")
    def member_names(self, team: Team) -> str:
        return ", ".join(map(str, team.memberships.all())) or "none"

    @display(description="sites", ordering="site_count")
    def undeleted_sites(self, team: Any) -> int:
        return int(team.site_count)


def _members(team: Team) -> list[str]:
    return [str(row) for row in team.memberships.select_related("user")]
