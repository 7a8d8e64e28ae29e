"""What a list of goals can be narrowed by."""

from typing import cast

import django_filters
from django.db.models import Q, QuerySet
from rest_framework.request import Request

from goals.models import Goal, GoalType, MatchType
from krafter.api import Invalid
from krafter.views import check_parameters


class GoalFilter(django_filters.FilterSet):
    type = django_filters.ChoiceFilter(choices=GoalType.choices)
    match_type = django_filters.ChoiceFilter(choices=MatchType.choices)
    currency = django_filters.CharFilter(max_length=3)
    search = django_filters.CharFilter(
        method="in_name_or_value", max_length=1_024, strip=False
    )

    class Meta:
        model = Goal
        fields = ()

    def in_name_or_value(
        self, goals: QuerySet[Goal], name: str, value: str
    ) -> QuerySet[Goal]:
        return goals.filter(Q(name__icontains=value) | Q(match_value__icontains=value))


FILTERS = ("type", "match_type", "currency", "search")


def narrow(goals: QuerySet[Goal], request: Request) -> QuerySet[Goal]:
    """The goals that the query asks for; a parameter nobody knows is a 422."""
    check_parameters(request, FILTERS)
    found = GoalFilter(request.query_params, goals)  # type: ignore[no-untyped-call]
    if found.errors:
        raise Invalid({field: list(errors) for field, errors in found.errors.items()})
    return cast("QuerySet[Goal]", found.qs)
