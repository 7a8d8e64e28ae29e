"""Paged lists of events: the query parameters of a page, and the page."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol, TypeVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.questions import cursors
from krafter.fields import StrictSerializer
from krafter.views import page


class Listed(Protocol):
    """The fields of an event that a cursor contains."""

    @property
    def at(self) -> datetime: ...

    @property
    def pk(self) -> int: ...


_Entry = TypeVar("_Entry", bound=Listed)


class PageQuerySerializer(StrictSerializer):
    limit = serializers.IntegerField(min_value=1, max_value=1_000, default=100)
    cursor = serializers.CharField(required=False)


def event_page(
    request: Request,
    asked: Mapping[str, Any],
    find: Callable[..., Iterator[_Entry]],
    shown: Callable[[_Entry], object],
) -> Response:
    """Return the page for query parameters validated by a PageQuerySerializer.

    `find` yields events newest first; it accepts `before` and `limit`.
    """
    limit = asked["limit"]
    # One more than is shown tells whether there is a next page.
    found = list(find(before=cursors.read(asked.get("cursor")), limit=limit + 1))
    rows = found[:limit]
    last = rows[-1] if len(found) > limit else None
    return page(
        request,
        [shown(entry) for entry in rows],
        cursors.write(last.at, last.pk) if last else None,
    )
