from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesRadioFilter
from unfold.widgets import UnfoldAdminTextInputWidget

from analytics import events
from analytics.access.roles import Deed
from analytics.admin.deletion import StateFilter
from analytics.admin.serializer_forms import SerializerForm
from analytics.admin.site_fields import SiteField, SiteFilter
from analytics.admin.sites import SiteAdmin
from analytics.models import Site
from goals import changes, current
from goals.admin_numbers import NumbersAdmin
from goals.current import Current
from goals.drafts.preview import preview
from goals.kept_past import refusal
from goals.matching import Rule, exact_names
from goals.models import Goal, lacks_room
from goals.serializers import GoalSerializer
from krafter.errors import Invalid, Unavailable

_PREVIEW_SECONDS = 2


class GoalForm(SerializerForm):
    serializers = (GoalSerializer,)

    # Do not strip: spaces at the ends are part of the value to match.
    match_value = forms.CharField(
        max_length=1_024,
        strip=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=(
            "The path of a page, or the name of an event or goal. Case-sensitive."
            " A regex uses RE2 syntax and may match anywhere; anchor it with ^ and $."
        ),
    )


class ChangedGoalForm(GoalForm):
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if not self.errors:
            before = Goal.objects.get(pk=self.instance.pk)
            after = Rule(*(cleaned[field] for field in Rule._fields))
            if reason := refusal(before.site, before.rule, after):
                self.add_error(
                    None, f"{reason} The API changes it with confirm=sealed."
                )
        return cleaned


class NewGoalForm(GoalForm):
    site = SiteField()

    def clean_site(self) -> Site:
        site: Site = self.cleaned_data["site"]
        if refusal := lacks_room(site):
            raise forms.ValidationError(refusal)
        return site


@admin.register(Goal)
class GoalAdmin(NumbersAdmin):
    audited_as = "goal"
    team_path = "site__team_id"
    to_add = to_change = to_delete = Deed.CHANGE_GOALS

    list_display = (
        "name",
        "site",
        "type",
        "match_type",
        "match_value",
        "currency",
        "created_at",
        "deleted_at",
    )
    list_filter = (
        StateFilter,
        ("site", SiteFilter),
        ("type", ChoicesRadioFilter),
        ("match_type", ChoicesRadioFilter),
    )
    list_filter_submit = True
    list_select_related = ("site",)
    search_fields = ("name", "match_value")
    ordering = ("-created_at", "id")
    _RULE = ("name", "type", "match_type", "match_value", "currency")
    _RECORD = ("at_present", "created_at", "updated_at", "deleted_at")
    add_fieldsets: Any = ((None, {"fields": ("site", *_RULE)}),)
    fieldsets = (
        (None, {"fields": _RULE}),
        ("Record", {"fields": ("site", *_RECORD)}),
    )

    what_deleting_does = (
        "The API answers 404 for the goal at once. The events that it counts are kept,"
        " so that it can be restored here with its whole history."
    )
    what_restoring_does = (
        "The goal is available in the API again, with its whole history."
    )

    def get_form(
        self,
        request: HttpRequest,
        obj: object = None,
        change: bool = False,
        **kwargs: Any,
    ) -> Any:
        kwargs["form"] = ChangedGoalForm if obj else NewGoalForm
        return super().get_form(request, obj, change, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: object = None) -> Any:
        return ("site", *self._RECORD) if obj else ()

    def current(self, rows: Sequence[Goal]) -> dict[UUID, Current]:
        of_site: dict[Site, list[Goal]] = {}
        for goal in rows:
            of_site.setdefault(goal.site, []).append(goal)
        found: dict[UUID, Current] = {}
        for site, goals in of_site.items():
            found |= current.of_goals(site, goals)
        return found

    def told_of(self, row: Goal) -> str:
        rule = f"{row.type} {row.match_type} {row.match_value}"
        return f"{rule}, of {row.site}; {self.at_present(row)}"

    def fields_to_save(self, changed: list[str]) -> list[str]:
        # Fields that are validated together are saved together. Otherwise a
        # concurrent API request could leave a rule that neither change alone
        # would: match type `regex` with a value that is not a valid pattern.
        rule = set(Rule._fields)
        return [*changed, *(rule if rule & set(changed) else ()), "updated_at"]

    def save_model(
        self, request: HttpRequest, obj: Any, form: Any, change: bool
    ) -> None:
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            events.reserve(obj.site_id, exact_names([obj.rule]))
        if not change or set(Rule._fields) & set(form.changed_data):
            self._warn_of_nothing(request, obj)

    def _warn_of_nothing(self, request: HttpRequest, goal: Goal) -> None:
        """Show a warning with the reason if the saved rule matches no event of the last
        30 days.
        """
        try:
            found = preview(goal, current.days_of(goal.site), seconds=_PREVIEW_SECONDS)
        except (Invalid, Unavailable):
            # Sealed days or a busy database: the goal is saved all the same.
            return
        if found.conversions:
            return
        said = ["No event of the last 30 days matches this rule."]
        said += [hint.message for hint in found.hints]
        self.message_user(request, " ".join(said), messages.WARNING)

    def restore_row(self, row: Goal) -> None:
        changes.restore(row)


# `analytics` does not import goals; their numbers are added to its site list here.
admin.site.unregister(Site)


@admin.register(Site)
class SiteWithGoalsAdmin(NumbersAdmin, SiteAdmin):  # type: ignore[misc]  # unfold's bases
    fieldsets: ClassVar[Any] = (
        *SiteAdmin.fieldsets,
        ("Goals", {"fields": ("at_present",)}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: object = None) -> Any:
        own = super().get_readonly_fields(request, obj)
        return (*own, "at_present") if obj else own

    def current(self, rows: Sequence[Site]) -> dict[int, Current]:
        return {site.pk: current.of_site(site) for site in rows}

    def told_of(self, row: Site) -> str:
        goals = row.goals.undeleted().count()
        return f"{goals} goals; {self.at_present(row)}"
