"""Read-only list of the audit trail, newest first."""

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest
from unfold.contrib.filters.admin import DropdownFilter, RangeDateFilter, TextFilter
from unfold.decorators import display
from unfold.utils import parse_date_str
from unfold.views import ChangeList

from analytics.access import roles
from analytics.access.roles import Deed
from analytics.admin.read_only import ReadOnlyAdmin
from analytics.models import AuditEntry, Team


class TeamNumberFilter(DropdownFilter):
    title = "team"
    parameter_name = "team_id"

    def lookups(
        self, request: HttpRequest, model_admin: object
    ) -> list[tuple[str, str]]:
        own = roles.teams(request.user, Deed.SEE_AUDIT).order_by("name")
        return [(str(team.pk), team.name) for team in own]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        is_choice = self.value() in dict(self.lookup_choices)
        return queryset.filter(team_id=self.value()) if is_choice else queryset.none()


class DayFilter(RangeDateFilter):
    """Days in UTC, both inclusive."""

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Any]
    ) -> QuerySet[Any] | None:
        if (first := self._midnight("from")) is not None:
            queryset = queryset.filter(at__gte=first)
        if (last := self._midnight("to")) is not None:
            queryset = queryset.filter(at__lt=last + timedelta(days=1))
        return queryset

    def _midnight(self, bound: str) -> datetime | None:
        day = parse_date_str(str(self.used_parameters.get(f"at_{bound}", "")))
        return None if day is None else datetime.combine(day, time(), UTC)


class ExactFilter(TextFilter):
    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not (value := self.value()):
            return queryset
        # PostgreSQL takes no NUL in a text.
        return queryset.filter(**{str(self.parameter_name): value.replace("\0", "")})


class ActionFilter(ExactFilter):
    title = "action"
    parameter_name = "action"


class ActorFilter(ExactFilter):
    title = "user, key prefix or command"
    parameter_name = "actor_name"


class SubjectFilter(ExactFilter):
    title = "id of what was changed"
    parameter_name = "subject_id"


class _Trail(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list: list[Any] = list(self.result_list)
        _name_teams(self.result_list)


def _name_teams(entries: Iterable[Any]) -> None:
    """Add the names of teams, looked up by number, because an entry may outlive its
    team.
    """
    teams = Team.objects.in_bulk({entry.team_id for entry in entries} - {None})
    for entry in entries:
        team = teams.get(entry.team_id)
        entry.team_name = team.name if team else str(entry.team_id or "")


@admin.register(AuditEntry)
class AuditAdmin(ReadOnlyAdmin):
    to_view = Deed.SEE_AUDIT
    parameters = (
        "team_id",
        "at_from",
        "at_to",
        "action",
        "actor_name",
        "subject_id",
    )
    list_display = ("time", "action", "subject_name", "who", "via", "team", "changed")
    list_filter = (
        TeamNumberFilter,
        ("at", DayFilter),
        ActionFilter,
        ActorFilter,
        SubjectFilter,
    )
    fields = readonly_fields = (
        "time",
        "action",
        "subject_name",
        "subject_id",
        "who",
        "via",
        "team",
        "site_key",
        "changed",
        "request_id",
        "uuid",
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return _Trail

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        is_number = object_id.isascii() and object_id.isdigit() and len(object_id) < 19
        found = self.get_queryset(request).filter(pk=object_id if is_number else 0)
        entry = found.first()
        if entry is None:
            raise Http404
        _name_teams([entry])
        return entry

    def visible(self, request: HttpRequest) -> Q:
        return self.of_own_teams(request, "team_id")

    @display(description="time (UTC)")
    def time(self, entry: AuditEntry) -> str:
        return f"{entry.at:%Y-%m-%d %H:%M:%S}"

    @display(description="who")
    def who(self, entry: AuditEntry) -> str:
        return f"{entry.actor_type} {entry.actor_name}".strip()

    @display(description="team")
    def team(self, entry: Any) -> str:
        name: str = entry.team_name
        return name

    @display(description="changes")
    def changed(self, entry: AuditEntry) -> str:
        pairs = entry.changes.items()
        return "; ".join(f"{name}: {old!r} → {new!r}" for name, (old, new) in pairs)
