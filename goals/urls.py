from django.urls import path

from analytics.urls import ITEM
from goals.annotations.views import AnnotationViewSet
from goals.drafts.views import ExplainViewSet, PreviewViewSet
from goals.funnels.views import SavedFunnelViewSet
from goals.mcp.views import McpViewSet
from goals.reports.views import (
    AllGoalsViewSet,
    ConversionViewSet,
    FunnelViewSet,
    GoalReportViewSet,
)
from goals.sent.views import NameViewSet
from goals.views import DeletedGoalViewSet, GoalViewSet

_GOALS = "analytics/sites/<str:key>/goals"
_GOAL = f"{_GOALS}/<str:id>"
_DELETED = "analytics/sites/<str:key>/deleted-goals"
_FUNNELS = "analytics/sites/<str:key>/funnels"
_ANNOTATIONS = "analytics/sites/<str:key>/annotations"
_NAMES = "analytics/sites/<str:key>/names"

urlpatterns = [
    path("analytics/mcp", McpViewSet.as_view({"post": "call"})),
    path(_GOALS, GoalViewSet.as_view({"get": "list", "post": "create"})),
    path(f"{_GOALS}/apply", GoalViewSet.as_view({"post": "apply"})),
    path(f"{_GOALS}/preview", PreviewViewSet.as_view({"post": "preview"})),
    path(f"{_GOALS}/explain", ExplainViewSet.as_view({"post": "explain"})),
    path(f"{_GOALS}/stats", AllGoalsViewSet.as_view({"get": "stats"})),
    path(f"{_FUNNELS}/query", FunnelViewSet.as_view({"post": "query"})),
    path(_FUNNELS, SavedFunnelViewSet.as_view({"get": "list", "post": "create"})),
    path(f"{_FUNNELS}/<str:id>", SavedFunnelViewSet.as_view(ITEM)),
    path(f"{_FUNNELS}/<str:id>/stats", SavedFunnelViewSet.as_view({"get": "stats"})),
    path(_DELETED, DeletedGoalViewSet.as_view({"get": "list"})),
    path(
        f"{_DELETED}/<str:id>/restore",
        DeletedGoalViewSet.as_view({"post": "restore"}),
    ),
    path(_ANNOTATIONS, AnnotationViewSet.as_view({"get": "list", "post": "create"})),
    path(f"{_ANNOTATIONS}/<str:id>", AnnotationViewSet.as_view(ITEM)),
    path(_NAMES, NameViewSet.as_view({"get": "list"})),
    path(f"{_NAMES}/<str:id>/stats", NameViewSet.as_view({"get": "stats"})),
    path(_GOAL, GoalViewSet.as_view(ITEM)),
    path(f"{_GOAL}/changes", GoalViewSet.as_view({"get": "changes_of_rule"})),
    path(f"{_GOAL}/star", GoalViewSet.as_view({"post": "star"})),
    path(f"{_GOAL}/unstar", GoalViewSet.as_view({"post": "unstar"})),
    path(f"{_GOAL}/stats", GoalViewSet.as_view({"get": "stats"})),
    path(f"{_GOAL}/timeseries", GoalReportViewSet.as_view({"get": "timeseries"})),
    path(f"{_GOAL}/breakdown", GoalReportViewSet.as_view({"get": "breakdown"})),
    path(f"{_GOAL}/rate", GoalReportViewSet.as_view({"get": "rate"})),
    path(f"{_GOAL}/journeys", GoalReportViewSet.as_view({"get": "journeys"})),
    path(f"{_GOAL}/conversions", ConversionViewSet.as_view({"get": "list"})),
]
