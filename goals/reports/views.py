"""The API of the questions about goals that go beyond their stats."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar
from uuid import UUID

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from analytics import events
from analytics.access.authentication import site_for
from analytics.models import Site
from analytics.questions.event_pages import event_page
from analytics.questions.filters import where
from analytics.questions.period_query import DaysAnswer, days
from analytics.questions.periods import PeriodError
from goals.counting.answers import AllGoalStats
from goals.counting.matched_names import Names, matching_names
from goals.counting.stats import all_goal_stats
from goals.lookup import goal_for
from goals.models import Goal
from goals.reports import export, openapi
from goals.reports.breakdown import breakdown
from goals.reports.conversion_rate import conversion_rate
from goals.reports.funnel_serializers import FunnelQuestionSerializer
from goals.reports.funnels import funnel
from goals.reports.questions import (
    BreakdownQuestionSerializer,
    ConversionsQuestionSerializer,
    QuestionSerializer,
    RateQuestionSerializer,
    TimeseriesQuestionSerializer,
    compared,
)
from goals.reports.timeseries import ComparedTimeseries, Timeseries, timeseries
from krafter.errors import Invalid
from krafter.rendering import EnvelopeRenderer
from krafter.views import ContractViewSet, check_parameters, query


class AllGoalsViewSet(ContractViewSet[Goal]):
    queryset = Goal.objects.none()
    operations = openapi.ALL_GOALS
    required_scopes: ClassVar = {"stats": "analytics:read"}

    def stats(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        asked = query(QuestionSerializer, request)
        period = days(site, asked)
        rows = all_goal_stats(site, period, where(asked))
        return Response(AllGoalStats(DaysAnswer(*period), rows))


class GoalReportViewSet(ContractViewSet[Goal]):
    queryset = Goal.objects.none()
    operations = openapi.REPORTS
    required_scopes: ClassVar = {
        "timeseries": "analytics:read",
        "breakdown": "analytics:read",
        "rate": "analytics:read",
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
            rows = timeseries(goal, period, interval, labels)
            answer = Timeseries(DaysAnswer(*period), interval, rows)
            if other := compared(asked, period):
                rows = timeseries(goal, other, interval, labels)
                answer.comparison = ComparedTimeseries(
                    DaysAnswer(*other), interval, rows
                )
        except PeriodError as error:
            raise Invalid({error.parameter: [error.message]}) from None
        return Response(answer)

    def breakdown(self, request: Request, key: str, id: str) -> Response:
        goal = goal_for(request, key, id)
        asked = query(BreakdownQuestionSerializer, request)
        return Response(
            breakdown(
                goal,
                days(goal.site, asked),
                asked["dimension"],
                where(asked),
                sort=asked["sort"],
                limit=asked["limit"],
            )
        )

    def rate(self, request: Request, key: str, id: str) -> Response:
        goal = goal_for(request, key, id)
        asked = query(RateQuestionSerializer, request)
        whole = _goal_of(goal.site, asked["of"]) if "of" in asked else None
        period = days(goal.site, asked)
        return Response(conversion_rate(goal, period, where(asked), of=whole))


def _goal_of(site: Site, id: UUID) -> Goal:
    goal = site.goals.undeleted().filter(id=id).first()
    if goal is None:
        raise Invalid({"of": ["No such goal on this site."]})
    return goal


class CsvRenderer(EnvelopeRenderer):
    media_type = "text/csv"


class NdjsonRenderer(EnvelopeRenderer):
    media_type = "application/x-ndjson"


class ConversionViewSet(ContractViewSet[Goal]):
    """A goal's conversions: page by page, or the whole period as one file."""

    queryset = Goal.objects.none()
    operations = openapi.CONVERSIONS
    required_scopes: ClassVar = {"list": "analytics:read"}
    renderer_classes = (EnvelopeRenderer, CsvRenderer, NdjsonRenderer)

    def list(self, request: Request, key: str, id: str) -> HttpResponseBase:
        goal = goal_for(request, key, id)
        match request.accepted_renderer:
            case CsvRenderer():
                return _file(request, goal, export.as_csv, "csv")
            case NdjsonRenderer():
                return _file(request, goal, export.ndjson, "ndjson")
        asked = query(ConversionsQuestionSerializer, request)
        find = partial(events.entries, *_scope_and_names(goal, asked))
        return event_page(request, asked, find, export.conversion)

    def handle_exception(self, error: Exception) -> Response:
        # An error is JSON, whatever the caller accepts besides.
        self.request.accepted_renderer = EnvelopeRenderer()
        self.request.accepted_media_type = EnvelopeRenderer.media_type
        return super().handle_exception(error)


def _file(
    request: Request,
    goal: Goal,
    write: Callable[[Iterator[events.Entry]], Iterator[bytes]],
    suffix: str,
) -> StreamingHttpResponse:
    asked = query(QuestionSerializer, request)
    selection, names = _scope_and_names(goal, asked)
    name = f"conversions-{selection.first}-{selection.last}.{suffix}"
    return StreamingHttpResponse(
        write(events.entries(selection, names)),
        content_type=f"{request.accepted_renderer.media_type}; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _scope_and_names(
    goal: Goal, asked: dict[str, Any]
) -> tuple[events.Selection, Names]:
    selection = events.Selection(goal.site_id, *days(goal.site, asked), where(asked))
    return selection, matching_names(goal.site_id, goal.rule)


class FunnelViewSet(ContractViewSet[Goal]):
    queryset = Goal.objects.none()
    serializer_class = FunnelQuestionSerializer
    operations = openapi.FUNNELS
    required_scopes: ClassVar = {"query": "analytics:read"}

    def query(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        check_parameters(request, ())
        asked = self.get_serializer(data=request.data, context={"site": site})
        asked.is_valid(raise_exception=True)
        fields = asked.validated_data
        selection = events.Selection(site.pk, *days(site, fields))
        return Response(
            funnel(selection, fields["steps"], fields.get("window_minutes"))
        )
