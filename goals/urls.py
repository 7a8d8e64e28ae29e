from django.urls import path

from analytics.urls import ITEM
from goals.drafts.views import ExplainViewSet, PreviewViewSet
from goals.mcp.views import McpViewSet
from goals.reports.views import (
    AllGoalsViewSet,
    ConversionViewSet,
    FunnelViewSet,
    GoalReportViewSet,
)
from goals.views import GoalViewSet

_GOALS = "analytics/sites/<str:key>/goals"
_GOAL = f"{_GOALS}/<str:id>"
_FUNNELS = "analytics/sites/<str:key>/funnels"

urlpatterns = [
    path("analytics/mcp", McpViewSet.as_view({"post": "call"})),
    path(_GOALS, GoalViewSet.as_view({"get": "list", "post": "create"})),
    path(f"{_GOALS}/apply", GoalViewSet.as_view({"post": "apply"})),
    path(f"{_GOALS}/preview", PreviewViewSet.as_view({"post": "preview"})),
    path(f"{_GOALS}/explain", ExplainViewSet.as_view({"post": "explain"})),
    path(f"{_GOALS}/stats", AllGoalsViewSet.as_view({"get": "stats"})),
    path(f"{_FUNNELS}/query", FunnelViewSet.as_view({"post": "query"})),
    path(_GOAL, GoalViewSet.as_view(ITEM)),
    path(f"{_GOAL}/stats", GoalViewSet.as_view({"get": "stats"})),
    path(f"{_GOAL}/timeseries", GoalReportViewSet.as_view({"get": "timeseries"})),
    path(f"{_GOAL}/breakdown", GoalReportViewSet.as_view({"get": "breakdown"})),
    path(f"{_GOAL}/rate", GoalReportViewSet.as_view({"get": "rate"})),
    path(f"{_GOAL}/conversions", ConversionViewSet.as_view({"get": "list"})),
]
