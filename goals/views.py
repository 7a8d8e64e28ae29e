"""The API of goals."""

from typing import Any, ClassVar

from django.db import transaction
from msgspec.structs import astuple
from rest_framework.request import Request
from rest_framework.response import Response

from analytics import events
from analytics.access.authentication import site_for
from analytics.access.idempotency import replayable
from analytics.questions.filters import filters
from analytics.questions.long_questions import OF_KEPT_DAYS, long_question
from analytics.questions.period_query import DaysAnswer, compared, days
from goals import changes, openapi
from goals.answers import ComparedStats, Coverage, GoalStats, Star, deleted_goals
from goals.counting import stats
from goals.counting.answers import compared_counts
from goals.filters import narrow
from goals.lookup import deleted_goal_for, goal_for
from goals.models import Goal
from goals.money.detail import goal_money
from goals.reports.questions import StatsQuestionSerializer
from goals.rule_changes import rule_changes
from goals.serializers import GoalSerializer
from goals.sets import apply
from goals.sets.apply import (
    ApplyQuerySerializer,
    ConfirmQuerySerializer,
    GoalSetSerializer,
)
from krafter.answers import Deletion
from krafter.caching import check_if_match, etag_of
from krafter.views import ContractViewSet, check_parameters, query


class GoalViewSet(ContractViewSet[Goal]):
    queryset = Goal.objects.none()
    serializer_class = GoalSerializer
    instead_of_array = (
        "Send a JSON object, not an array: one goal, or a site's whole list as"
        ' {"goals": [...]} to POST /sites/:key/goals/apply'
    )
    operations = openapi.GOALS
    required_scopes: ClassVar = {
        "list": "analytics:read",
        "create": "analytics:write",
        "retrieve": "analytics:read",
        "partial_update": "analytics:write",
        "destroy": "analytics:write",
        "stats": "analytics:read",
        "apply": "analytics:write",
        "changes_of_rule": "analytics:read",
        "star": "analytics:write",
        "unstar": "analytics:write",
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
        changes.create(site, serializer)
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
            asked = query(ConfirmQuerySerializer, request)
            check_if_match(request, GoalSerializer.show(goal))
            serializer = self.get_serializer(goal, data=request.data, partial=True)
            serializer.is_valid(raise_exception=True)
            changes.change(serializer, is_confirmed="confirm" in asked)
        changed = serializer.data
        return Response(changed, headers={"ETag": etag_of(changed)})

    def destroy(self, request: Request, key: str, id: str) -> Response:
        with transaction.atomic():
            goal = goal_for(request, key, id, lock=True)
            check_if_match(request, GoalSerializer.show(goal))
            changes.delete(goal)
        return Response(Deletion(deleted=True))

    def changes_of_rule(self, request: Request, key: str, id: str) -> Response:
        goal = goal_for(request, key, id)
        check_parameters(request, ())
        return Response(rule_changes(goal))

    def star(self, request: Request, key: str, id: str) -> Response:
        return self._star(request, key, id, is_starred=True)

    def unstar(self, request: Request, key: str, id: str) -> Response:
        return self._star(request, key, id, is_starred=False)

    def _star(
        self, request: Request, key: str, id: str, *, is_starred: bool
    ) -> Response:
        with transaction.atomic():
            goal = goal_for(request, key, id, lock=True)
            check_parameters(request, ())
            changes.star(goal, is_starred=is_starred)
        return Response(Star(starred=is_starred))

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
                is_confirmed="confirm" in asked,
            )
        )

    @long_question(short_with=OF_KEPT_DAYS)
    def stats(self, request: Request, key: str, id: str) -> Response:
        goal = goal_for(request, key, id)
        asked = query(StatsQuestionSerializer, request)
        labels, detail = filters(asked, goal.site), asked.get("detail")
        is_kept = events.are_kept(labels) and detail != "money"
        period = days(goal.site, asked, is_kept=is_kept)
        from_border = asked["period"] != "custom"
        counted = stats.goal_stats(goal, period, labels, from_border=from_border)
        answer = GoalStats(*astuple(counted))
        if detail == "money":
            answer.money = goal_money(goal, period, labels)
        if detail == "attribution":
            answer.attribution = labels.attribution
        if detail == "coverage":
            since = stats.since(goal, period, labels)
            answer.coverage = Coverage(since, since == period.first)
        if other := compared(goal.site, asked, period, is_kept=events.are_kept(labels)):
            labels = labels._replace(until=other.until)
            before = stats.goal_stats(goal, other.days, labels)
            answer.comparison = ComparedStats(
                DaysAnswer(*other.days),
                other.until,
                *astuple(compared_counts(counted.unique_conversions, before)),
            )
        return Response(answer)


class DeletedGoalViewSet(ContractViewSet[Goal]):
    """Deleted goals, which can be restored with their whole history."""

    queryset = Goal.objects.none()
    serializer_class = GoalSerializer
    operations = openapi.DELETED_GOALS
    required_scopes: ClassVar = {
        "list": "analytics:write",
        "restore": "analytics:write",
    }

    def list(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        check_parameters(request, ())
        return Response(deleted_goals(site))

    def restore(self, request: Request, key: str, id: str) -> Response:
        with transaction.atomic():
            goal = deleted_goal_for(request, key, id)
            check_parameters(request, ())
            changes.restore(goal)
        shown = GoalSerializer.show(goal)
        return Response(shown, headers={"ETag": etag_of(shown)})
