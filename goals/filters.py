"""The filters of the list of goals."""

from typing import cast

import django_filters
from django.db.models import QuerySet
from rest_framework.request import Request

from goals.models import Goal, GoalType, MatchType, currency_choices
from krafter.errors import Invalid
from krafter.views import check_parameters


class GoalFilter(django_filters.FilterSet):
    type = django_filters.ChoiceFilter(choices=GoalType.choices)
    match_type = django_filters.ChoiceFilter(choices=MatchType.choices)
    currency = django_filters.ChoiceFilter(choices=currency_choices)
    search = django_filters.CharFilter(
        method="in_name_or_value", max_length=1_024, strip=False
    )

    class Meta:
        model = Goal
        fields = ()

    def in_name_or_value(
        self, goals: QuerySet[Goal], name: str, value: str
    ) -> QuerySet[Goal]:
        """Case-insensitive, in Python: SQLite ignores case for ASCII only."""
        wanted = value.casefold()
        found = [
            pk
            for pk, *texts in goals.values_list("pk", "name", "match_value")
            if any(wanted in text.casefold() for text in texts)
        ]
        return goals.filter(pk__in=found)


CHOICES = ("type", "match_type", "currency")
FILTERS = (*CHOICES, "search")


def narrow(goals: QuerySet[Goal], request: Request) -> QuerySet[Goal]:
    """The goals that match the query parameters. Raises Invalid."""
    check_parameters(request, FILTERS)
    if empty := [name for name in CHOICES if request.query_params.get(name) == ""]:
        raise Invalid({name: ["May not be blank."] for name in empty})
    found = GoalFilter(request.query_params, goals)  # type: ignore[no-untyped-call]
    if found.errors:
        raise Invalid({field: list(errors) for field, errors in found.errors.items()})
    return cast("QuerySet[Goal]", found.qs)
