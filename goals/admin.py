from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesRadioFilter
from unfold.widgets import UnfoldAdminTextInputWidget

from analytics.admin.deletion import SoftDeleteAdmin, StateFilter
from analytics.admin.serializer_forms import SerializerForm
from analytics.admin.site_fields import SiteField, SiteFilter
from analytics.models import Site
from goals.matching import Rule
from goals.models import Goal, lacks_room
from goals.serializers import GoalSerializer


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


class NewGoalForm(GoalForm):
    site = SiteField()

    def clean_site(self) -> Site:
        site: Site = self.cleaned_data["site"]
        if refusal := lacks_room(site):
            raise forms.ValidationError(refusal)
        return site


@admin.register(Goal)
class GoalAdmin(SoftDeleteAdmin):
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
    add_fieldsets: Any = ((None, {"fields": ("site", *_RULE)}),)
    fieldsets = (
        (None, {"fields": _RULE}),
        ("Record", {"fields": ("site", "created_at", "updated_at", "deleted_at")}),
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
        kwargs["form"] = GoalForm if obj else NewGoalForm
        return super().get_form(request, obj, change, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: object = None) -> Any:
        return ("site", "created_at", "updated_at", "deleted_at") if obj else ()

    def fields_to_save(self, changed: list[str]) -> list[str]:
        # Fields that are validated together are saved together. Otherwise a
        # concurrent API request could leave a rule that neither change alone
        # would: match type `regex` with a value that is not a valid pattern.
        rule = set(Rule._fields)
        return [*changed, *(rule if rule & set(changed) else ()), "updated_at"]

    def restore_row(self, row: Goal) -> str | None:
        if refusal := lacks_room(row.site):
            return f"{row}: {refusal}"
        Goal.objects.filter(pk=row.pk).update(deleted_at=None)
        return None
