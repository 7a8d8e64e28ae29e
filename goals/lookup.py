"""Finds the goal that a request names in its path or body."""

from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from analytics.access.authentication import site_for
from analytics.models import Site
from analytics.rows import columns
from goals.models import Goal
from krafter.parsing import uuid_or_404


def goal_for(request: Request, key: str, id: str, *, lock: bool = False) -> Goal:
    """Return the undeleted goal in the path, if the API key may access it.

    With `lock` the row is locked for update. Raises NotFound.
    """
    site = site_for(request, key)
    pk = Goal._meta.pk.get_db_prep_value(uuid_or_404(id), connection)
    with connection.cursor() as cursor:
        cursor.execute(_sql(lock), [pk, site.pk])
        row = cursor.fetchone()
    if row is None:
        raise NotFound
    goal: Goal = columns(Goal).instance(row)
    goal.site = site
    return goal


@cache
def _sql(lock: bool) -> str:
    lock = lock and connection.features.has_select_for_update
    return (
        f"SELECT {columns(Goal).sql('goal')} FROM {Goal._meta.db_table} AS goal"  # noqa: S608 - names of columns
        " WHERE goal.id = %s AND goal.site_id = %s AND goal.deleted_at IS NULL"
        f" {connection.ops.for_update_sql() if lock else ''}"
    )


def deleted_goal_for(request: Request, key: str, id: str) -> Goal:
    """Return the deleted goal in the path, locked for update. Raises NotFound."""
    site = site_for(request, key)
    goals = Goal.objects.filter(site=site, id=uuid_or_404(id)).order_by()
    goal = goals.exclude(deleted_at=None).select_for_update().first()
    if goal is None:
        raise NotFound
    goal.site = site
    return goal


def named_goal(site: Site, id: Any) -> Goal:
    """Return the undeleted goal with the id in a body. Raises ValidationError."""
    try:
        goal = site.goals.undeleted().filter(id=UUID(id)).first()
    except (ValueError, TypeError, AttributeError):
        goal = None
    if goal is None:
        raise serializers.ValidationError({"goal": ["No such goal on this site."]})
    return goal
