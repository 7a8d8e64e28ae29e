"""The filters of the list of goals."""

from typing import Any, cast

import django_filters
from django.db.models import QuerySet
from rest_framework.request import Request

from goals.models import Goal, GoalType, MatchType, currency_choices
from krafter.errors import Invalid
from krafter.fields import not_a_choice
from krafter.views import check_parameters


def _choice(values: list[str], **options: Any) -> django_filters.ChoiceFilter:
    # Django formats the value into this text, without escaping.
    wrong = not_a_choice("%(value)s", values)
    return django_filters.ChoiceFilter(
        choices=[(value, value) for value in values],
        error_messages={"invalid_choice": wrong},
        **options,
    )


class GoalFilter(django_filters.FilterSet):
    type = _choice(GoalType.values)
    match_type = _choice(MatchType.values)
    currency = _choice([code for code, _ in currency_choices()])
    starred = _choice(["true", "false"], method="with_star")
    search = django_filters.CharFilter(
        method="in_name_or_value", max_length=1_024, strip=False
    )

    class Meta:
        model = Goal
        fields = ()

    def with_star(self, goals: QuerySet[Goal], name: str, value: str) -> QuerySet[Goal]:
        return goals.filter(starred_at__isnull=value == "false")

    def in_name_or_value(
        self, goals: QuerySet[Goal], name: str, value: str
    ) -> QuerySet[Goal]:
        """Filter case-insensitively in Python: SQLite ignores case only for ASCII."""
        wanted = value.casefold()
        found = [
            pk
            for pk, *texts in goals.values_list("pk", "name", "match_value")
            if any(wanted in text.casefold() for text in texts)
        ]
        return goals.filter(pk__in=found)


CHOICES = ("type", "match_type", "currency", "starred")
FILTERS = (*CHOICES, "search")


def narrow(goals: QuerySet[Goal], request: Request) -> QuerySet[Goal]:
    """Return the goals that match the query parameters. Raises Invalid."""
    check_parameters(request, FILTERS)
    if empty := [name for name in CHOICES if request.query_params.get(name) == ""]:
        raise Invalid({name: ["May not be blank."] for name in empty})
    found = GoalFilter(request.query_params, goals)  # type: ignore[no-untyped-call]
    if found.errors:
        raise Invalid({field: list(errors) for field, errors in found.errors.items()})
    return cast("QuerySet[Goal]", found.qs)
