"""Long questions: queries that may read every event of their period, and exports.

They have their own threads and database connections (see `krafter.asgi`), so that no
other request waits for them. Each process runs a limited number of them per team.
"""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import Any, Protocol, TypeVar, cast

from django.conf import settings
from django.http import HttpRequest, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from analytics.models import ApiToken
from krafter import metrics
from krafter.errors import Unavailable

# Parameters of a question that stored counts answer.
OF_KEPT_DAYS = frozenset({"period", "from", "to", "detail", "compare", "attribution"})

# The key of a request's environment that holds its place.
_PLACE = "krafter.long_question"

_Action = TypeVar("_Action", bound=Callable[..., HttpResponseBase])


class _Marked(Protocol):
    short_with: Collection[str] | None


class _Teams:
    """The number of running long questions of each team in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._working: Counter[int] = Counter()

    def enter(self, team_id: int) -> "_Place":
        with self._lock:
            if self._working[team_id] >= settings.LONG_QUESTIONS_PER_TEAM:
                metrics.QUESTIONS_REFUSED.labels("team").inc()
                raise Unavailable(
                    "Your team has too many long queries running; retry",
                    retry_after=5,
                )
            self._working[team_id] += 1
        return _Place(self, team_id)

    def leave(self, team_id: int) -> None:
        with self._lock:
            self._working[team_id] -= 1
            if not self._working[team_id]:
                del self._working[team_id]


class _Place:
    """The place of one question. It is released once."""

    def __init__(self, teams: _Teams, team_id: int) -> None:
        self._teams = teams
        self._team_id = team_id
        self._is_held = True

    def close(self) -> None:
        if self._is_held:
            self._is_held = False
            self._teams.leave(self._team_id)


class _Held:
    """The parts of an export. Its place is occupied until they are closed."""

    def __init__(self, parts: Iterator[bytes], place: _Place) -> None:
        self._parts = parts
        self._place = place

    def __iter__(self) -> "_Held":
        return self

    def __next__(self) -> bytes:
        return next(self._parts)

    def close(self) -> None:
        self._place.close()


_teams = _Teams()


def forget() -> None:
    """Release all places. For tests, which need not close their responses."""
    global _teams
    _teams = _Teams()


def long_question(
    *, short_with: Collection[str] | None = None
) -> Callable[[_Action], _Action]:
    """Mark an action of a view, or a page, as a long question.

    `short_with`: if a request has only these parameters, it is not a long question.
    """

    def mark(action: _Action) -> _Action:
        cast(_Marked, action).short_with = short_with
        return action

    return mark


class LongQuestionThrottle(BaseThrottle):
    """Refuses questions over the limit per team, with 503 instead of 429."""

    def allow_request(self, request: Request, view: Any) -> bool:
        action: Any = getattr(view, view.action or "", None)
        token = cast(ApiToken, request.auth)
        take_place(request, action, request.query_params, token.team_id)
        return True


def take_place(request: Any, action: Any, asked: Collection[str], team_id: int) -> None:
    """Occupy a place for the team's request, if it is a long question.

    The middleware releases it. Raises Unavailable if the team has no free place.
    """
    if hasattr(action, "short_with") and _is_long(action.short_with, asked):
        request.META[_PLACE] = _teams.enter(team_id)


class LongQuestionsMiddleware:
    """Releases the place of a question; for an export, when its parts are closed."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        place: _Place | None = request.META.get(_PLACE)
        if place is not None:
            if isinstance(response, StreamingHttpResponse):
                parts = cast(Iterator[bytes], response.streaming_content)
                response.streaming_content = _Held(parts, place)
            else:
                place.close()
        return response


def _is_long(short_with: Collection[str] | None, asked: Collection[str]) -> bool:
    return short_with is None or not set(asked) <= set(short_with)


def is_long(method: str, path: str, query: str) -> bool:
    """Return whether a request is a long question, according to its route."""
    try:
        view = resolve(path).func
    except (Resolver404, UnicodeError):
        return False
    # DRF answers HEAD by the action for GET.
    verb = "get" if method == "HEAD" else method.lower()
    name = getattr(view, "actions", {}).get(verb)
    # An action of the API's views, or else a page.
    action: Any = getattr(getattr(view, "cls", None), name or "", view)
    if not hasattr(action, "short_with"):
        return False
    return _is_long(action.short_with, set(QueryDict(query)))
