"""The API of goals."""

from typing import Any, ClassVar

from django.db import transaction
from django.utils import timezone
from msgspec.structs import astuple
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.access.authentication import site_for
from analytics.access.idempotency import replayable
from analytics.questions.filters import where
from analytics.questions.period_query import DaysAnswer, days
from goals import openapi
from goals.answers import ComparedStats, GoalStats
from goals.counting import stats
from goals.filters import narrow
from goals.lookup import goal_for
from goals.models import Goal, lacks_room
from goals.money.detail import goal_money
from goals.reports.questions import StatsQuestionSerializer, compared
from goals.serializers import GoalSerializer
from goals.sets import apply
from goals.sets.apply import ApplyQuerySerializer, GoalSetSerializer
from krafter.answers import Deletion
from krafter.caching import check_if_match, etag_of
from krafter.errors import Invalid
from krafter.views import ContractViewSet, query


class GoalViewSet(ContractViewSet[Goal]):
    queryset = Goal.objects.none()
    serializer_class = GoalSerializer
    operations = openapi.GOALS
    required_scopes: ClassVar = {
        "list": "analytics:read",
        "create": "analytics:write",
        "retrieve": "analytics:read",
        "partial_update": "analytics:write",
        "destroy": "analytics:write",
        "stats": "analytics:read",
        "apply": "analytics:write",
    }

    def get_serializer_class(self) -> Any:
        return GoalSetSerializer if self.action == "apply" else GoalSerializer

    def list(self, request: Request, key: str) -> Response:
        goals = site_for(request, key).goals.undeleted()
        return Response([GoalSerializer.show(goal) for goal in narrow(goals, request)])

    @replayable
    def create(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        with transaction.atomic():
            if refusal := lacks_room(site):
                raise Invalid({"non_field_errors": [refusal]})
            serializer.save(site=site)
        made = serializer.data
        headers = {"Location": f"{request.path}/{made['id']}", "ETag": etag_of(made)}
        return Response(made, status=201, headers=headers)

    def retrieve(self, request: Request, key: str, id: str) -> Response:
        return Response(GoalSerializer.show(goal_for(request, key, id)))

    def partial_update(self, request: Request, key: str, id: str) -> Response:
        with transaction.atomic():
            # Locked, so that two concurrent changes cannot leave an invalid goal,
            # such as type `regex` with a value that is not a pattern.
            goal = goal_for(request, key, id, lock=True)
            check_if_match(request, GoalSerializer.show(goal))
            serializer = self.get_serializer(goal, data=request.data, partial=True)
            serializer.is_valid(raise_exception=True)
            serializer.save(updated_at=timezone.now())
        changed = serializer.data
        return Response(changed, headers={"ETag": etag_of(changed)})

    def destroy(self, request: Request, key: str, id: str) -> Response:
        with transaction.atomic():
            goal = goal_for(request, key, id, lock=True)
            check_if_match(request, GoalSerializer.show(goal))
            goal.deleted_at = timezone.now()
            goal.save(update_fields=["deleted_at"])
        return Response(Deletion(deleted=True))

    def apply(self, request: Request, key: str) -> Response:
        """Replace the goals of the site by a list; others are deleted."""
        site = site_for(request, key)
        asked = query(ApplyQuerySerializer, request)
        checked = self.get_serializer(data=request.data)
        checked.is_valid(raise_exception=True)
        wanted = checked.validated_data
        return Response(
            apply.apply(
                site,
                wanted["goals"],
                delete_missing=wanted["delete_missing"],
                dry_run=asked["dry_run"] == "true",
            )
        )

    def stats(self, request: Request, key: str, id: str) -> Response:
        goal = goal_for(request, key, id)
        asked = query(StatsQuestionSerializer, request)
        period, labels = days(goal.site, asked), where(asked)
        counted = stats.goal_stats(goal, period, labels)
        answer = GoalStats(*astuple(counted))
        if asked.get("detail") == "money":
            answer.money = goal_money(goal, period, labels)
        if other := compared(asked, period):
            counted = stats.goal_stats(goal, other, labels)
            answer.comparison = ComparedStats(DaysAnswer(*other), *astuple(counted))
        return Response(answer)
