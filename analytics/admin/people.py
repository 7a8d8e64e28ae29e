"""Teams, users and groups."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from analytics.models import Team

admin.site.unregister((User, Group))


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[misc, type-arg]  # as unfold's manual says
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc]  # the same
    pass


@admin.register(Team)
class TeamAdmin(ModelAdmin):
    list_display = ("name", "member_names", "undeleted_sites", "created_at")
    ordering = ("name", "pk")
    search_fields = ("name",)
    autocomplete_fields = ("members",)
    readonly_fields = ("created_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Team]:
        teams: QuerySet[Team] = super().get_queryset(request)
        undeleted = Count("sites", filter=Q(sites__deleted_at=None))
        return teams.prefetch_related("members").annotate(site_count=undeleted)

    @display(description="members")
    def member_names(self, team: Team) -> str:
        return ", ".join(user.get_username() for user in team.members.all()) or "none"

    @display(description="sites", ordering="site_count")
    def undeleted_sites(self, team: Any) -> int:
        return int(team.site_count)
