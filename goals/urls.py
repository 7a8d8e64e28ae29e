from django.urls import path

from analytics.urls import ITEM
from goals.views import GoalViewSet

_GOALS = "analytics/sites/<str:key>/goals"

urlpatterns = [
    path(_GOALS, GoalViewSet.as_view({"get": "list", "post": "create"})),
    path(f"{_GOALS}/<str:id>", GoalViewSet.as_view(ITEM)),
    path(f"{_GOALS}/<str:id>/stats", GoalViewSet.as_view({"get": "stats"})),
]
