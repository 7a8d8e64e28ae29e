"""The API of the questions about goals that go beyond their stats."""

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from analytics.days import days
from analytics.filtering import where
from analytics.periods import PeriodError
from goals.breakdown import breakdown
from goals.models import Goal
from goals.questions import (
    BreakdownQuestionSerializer,
    TimeseriesQuestionSerializer,
    compared,
    shown,
)
from goals.timeseries import timeseries
from goals.views import goal_for
from krafter.api import Invalid
from krafter.views import ContractViewSet, query


class GoalReportViewSet(ContractViewSet[Goal]):
    queryset = Goal.objects.none()
    required_scopes: ClassVar = {
        "timeseries": "analytics:read",
        "breakdown": "analytics:read",
    }

    def timeseries(self, request: Request, key: str, id: str) -> Response:
        goal = goal_for(request, key, id)
        asked = query(TimeseriesQuestionSerializer, request)
        period, interval, labels = (
            days(goal.site, asked),
            asked["interval"],
            where(asked),
        )
        try:
            answer: dict[str, Any] = {
                "period": shown(period),
                "interval": interval,
                "timeseries": timeseries(goal, period, interval, labels),
            }
            if other := compared(asked, period):
                answer["comparison"] = {
                    "period": shown(other),
                    "interval": interval,
                    "timeseries": timeseries(goal, other, interval, labels),
                }
        except PeriodError as error:
            raise Invalid({error.parameter: [error.message]}) from None
        return Response(answer)

    def breakdown(self, request: Request, key: str, id: str) -> Response:
        goal = goal_for(request, key, id)
        asked = query(BreakdownQuestionSerializer, request)
        period, dimension = days(goal.site, asked), asked["dimension"]
        rows, values = breakdown(
            goal,
            period,
            dimension,
            where(asked),
            sort=asked["sort"],
            limit=asked["limit"],
        )
        return Response(
            {
                "period": shown(period),
                "dimension": dimension,
                "breakdown": rows,
                "total_values": values,
            }
        )
