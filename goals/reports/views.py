"""The API of reports about goals beyond their stats."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar
from uuid import UUID

from django.http.response import HttpResponseBase
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from analytics import events
from analytics.access.authentication import site_for
from analytics.models import Site
from analytics.questions import cursors
from analytics.questions.event_pages import event_page
from analytics.questions.filters import filters
from analytics.questions.long_questions import OF_KEPT_DAYS, long_question
from analytics.questions.period_query import (
    DaysAnswer,
    EarlierAnswer,
    compared,
    days,
)
from analytics.questions.periods import PeriodError
from goals.counting.answers import AllGoalStats, compared_counts
from goals.counting.stats import all_goal_stats
from goals.lookup import goal_for
from goals.models import Goal
from goals.reports import breakdown_files, export, openapi
from goals.reports.breakdown import breakdown
from goals.reports.breakdown_answers import Breakdown
from goals.reports.conversion_rate import compared_rate, conversion_rate
from goals.reports.funnel_serializers import FunnelQuestionSerializer, selection
from goals.reports.funnels import funnel
from goals.reports.journeys import journeys
from goals.reports.ledger import ledger
from goals.reports.questions import (
    BreakdownCsvSerializer,
    BreakdownFileSerializer,
    BreakdownQuestionSerializer,
    ComparedQuestionSerializer,
    ConversionsCsvSerializer,
    ConversionsQuestionSerializer,
    JourneysQuestionSerializer,
    LedgerQuestionSerializer,
    RateQuestionSerializer,
    TimeseriesQuestionSerializer,
    csv_form,
)
from goals.reports.timeseries import Timeseries, compared_timeseries, timeseries
from krafter.errors import Invalid
from krafter.fields import StrictSerializer
from krafter.rendering import EnvelopeRenderer, NdjsonRenderer
from krafter.views import ContractViewSet, check_parameters, query


class AllGoalsViewSet(ContractViewSet[Goal]):
    queryset = Goal.objects.none()
    operations = openapi.ALL_GOALS
    required_scopes: ClassVar = {"stats": "analytics:read"}

    @long_question(short_with=OF_KEPT_DAYS)
    def stats(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        asked = query(ComparedQuestionSerializer, request)
        labels = filters(asked, site)
        is_kept = events.are_kept(labels)
        period = days(site, asked, is_kept=is_kept)
        from_border = asked["period"] != "custom"
        rows = all_goal_stats(site, period, labels, from_border=from_border)
        answer = AllGoalStats(DaysAnswer(*period), asked["attribution"], rows)
        if other := compared(site, asked, period, is_kept=is_kept):
            answer.comparison = EarlierAnswer(DaysAnswer(*other.days), other.until)
            labels = labels._replace(until=other.until)
            before = {row.id: row for row in all_goal_stats(site, other.days, labels)}
            for row in rows:
                # A goal that was created meanwhile has no earlier numbers yet.
                if past := before.get(row.id):
                    row.comparison = compared_counts(row.unique_conversions, past)
        return Response(answer)


class CsvRenderer(EnvelopeRenderer):
    media_type = "text/csv"


class AnsweringFiles(ContractViewSet[Goal]):
    """The actions `with_files` can also return CSV and NDJSON."""

    with_files: ClassVar[tuple[str, ...]]

    def get_renderers(self) -> list[BaseRenderer]:
        if self.action not in self.with_files:
            return super().get_renderers()
        return [EnvelopeRenderer(), CsvRenderer(), NdjsonRenderer()]

    def handle_exception(self, error: Exception) -> Response:
        # Errors are JSON, whatever else the client accepts.
        self.request.accepted_renderer = EnvelopeRenderer()
        self.request.accepted_media_type = EnvelopeRenderer.media_type
        return super().handle_exception(error)


class GoalReportViewSet(AnsweringFiles):
    with_files = ("breakdown",)
    queryset = Goal.objects.none()
    operations = openapi.REPORTS
    required_scopes: ClassVar = {
        "timeseries": "analytics:read",
        "breakdown": "analytics:read",
        "rate": "analytics:read",
        "journeys": "analytics:read",
    }

    @long_question()
    def timeseries(self, request: Request, key: str, id: str) -> Response:
        goal = goal_for(request, key, id)
        asked = query(TimeseriesQuestionSerializer, request)
        interval, labels = asked["interval"], filters(asked, goal.site)
        is_kept = events.are_kept(labels) and interval != "hour"
        period = days(goal.site, asked, is_kept=is_kept)
        try:
            from_border = asked["period"] != "custom"
            rows = timeseries(goal, period, interval, labels, from_border=from_border)
            answer = Timeseries(DaysAnswer(*period), labels.attribution, interval, rows)
            if other := compared(
                goal.site, asked, period, is_kept=is_kept, interval=interval
            ):
                answer.comparison = compared_timeseries(
                    goal, rows, other, interval, labels
                )
        except PeriodError as error:
            raise Invalid({error.parameter: [error.message]}) from None
        return Response(answer)

    @long_question()
    def breakdown(self, request: Request, key: str, id: str) -> HttpResponseBase:
        goal = goal_for(request, key, id)
        renderer = request.accepted_renderer
        asked = query(_breakdown_serializer(renderer), request)
        rows = _asking(goal, asked)()
        match renderer:
            case CsvRenderer():
                return breakdown_files.file(rows, "csv", **csv_form(asked))
            case NdjsonRenderer():
                return breakdown_files.file(rows, "ndjson")
        return Response(rows)

    @long_question()
    def rate(self, request: Request, key: str, id: str) -> Response:
        goal = goal_for(request, key, id)
        asked = query(RateQuestionSerializer, request)
        whole = _goal_of(goal.site, asked["of"]) if "of" in asked else None
        labels = filters(asked, goal.site)
        is_kept = events.are_kept(labels) and whole is None
        period = days(goal.site, asked, is_kept=is_kept)
        from_border = asked["period"] != "custom"
        answer = conversion_rate(
            goal, period, labels, of=whole, from_border=from_border
        )
        if other := compared(goal.site, asked, period, is_kept=is_kept):
            labels = labels._replace(until=other.until)
            before = conversion_rate(goal, other.days, labels, of=whole)
            answer.comparison = compared_rate(answer, before, other.until)
        return Response(answer)

    @long_question()
    def journeys(self, request: Request, key: str, id: str) -> Response:
        goal = goal_for(request, key, id)
        asked = query(JourneysQuestionSerializer, request)
        period, labels = days(goal.site, asked), filters(asked, goal.site)
        return Response(journeys(goal, period, labels, limit=asked["limit"]))


def _breakdown_serializer(renderer: object) -> type[StrictSerializer]:
    match renderer:
        case CsvRenderer():
            return BreakdownCsvSerializer
        case NdjsonRenderer():
            return BreakdownFileSerializer
    return BreakdownQuestionSerializer


def _asking(goal: Goal, asked: Mapping[str, Any]) -> Callable[[], Breakdown]:
    """Return the function that makes the breakdown.

    It makes one page, or, without a limit, as many rows as a file has.
    """
    labels, dimension = filters(asked, goal.site), asked["dimension"]
    is_kept = events.is_kept(labels, [dimension])
    period = days(goal.site, asked, is_kept=is_kept)
    return partial(
        breakdown,
        goal,
        period,
        dimension,
        labels,
        sort=asked["sort"],
        limit=asked.get("limit", breakdown_files.MOST_ROWS),
        after=cursors.read_offset(asked.get("cursor")),
        with_all_visitors=asked.get("include") == "visitors",
        other=compared(goal.site, asked, period, is_kept=is_kept),
        from_border=asked["period"] != "custom",
    )


def _goal_of(site: Site, id: UUID) -> Goal:
    goal = site.goals.undeleted().filter(id=id).first()
    if goal is None:
        raise Invalid({"of": ["No such goal on this site."]})
    return goal


class ConversionViewSet(AnsweringFiles):
    """A goal's conversions: paged, or the whole period as one file."""

    with_files = ("list",)
    queryset = Goal.objects.none()
    operations = openapi.CONVERSIONS
    required_scopes: ClassVar = {"list": "analytics:read"}

    @long_question()
    def list(self, request: Request, key: str, id: str) -> HttpResponseBase:
        goal = goal_for(request, key, id)
        match request.accepted_renderer:
            case CsvRenderer():
                asked = query(ConversionsCsvSerializer, request)
                return export.file(ledger(goal, asked), "csv", **csv_form(asked))
            case NdjsonRenderer():
                asked = query(LedgerQuestionSerializer, request)
                return export.file(ledger(goal, asked), "ndjson")
        asked = query(ConversionsQuestionSerializer, request)
        return event_page(request, asked, ledger(goal, asked).rows, export.conversion)


class FunnelViewSet(ContractViewSet[Goal]):
    queryset = Goal.objects.none()
    serializer_class = FunnelQuestionSerializer
    operations = openapi.FUNNELS
    required_scopes: ClassVar = {"query": "analytics:read"}

    @long_question()
    def query(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        check_parameters(request, ())
        asked = self.get_serializer(data=request.data, context={"site": site})
        asked.is_valid(raise_exception=True)
        fields = asked.validated_data
        return Response(
            funnel(
                selection(site, fields),
                fields["steps"],
                fields.get("window_minutes"),
                fields.get("dimension"),
            )
        )
