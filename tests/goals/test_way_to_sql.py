"""How far it is from a view to SQL: functions and files that a reader follows."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType

import pytest
from django.db import connection

from tests.factories import GoalFactory, store

ROOT = Path(__file__).parents[2]
GOAL = {"name": "a", "type": "event", "match_type": "exact", "match_value": "x"}
# What stands around every request, and what checks the caller, is met once.
AROUND = (
    *("krafter/views.py", "krafter/errors.py", "krafter/caching.py"),
    "analytics/access/",
)


WAYS = [
    ("GET", "/goals", 1, 1),
    # It makes the goal, and has its name known to the site.
    ("POST", "/goals", 3, 3),
    ("GET", "/goals/{goal}/stats?period=12mo", 6, 4),
    ("GET", "/goals/{goal}/stats?country=DE", 6, 4),
    ("GET", "/goals/stats", 6, 4),
    ("GET", "/goals/{goal}/breakdown", 5, 4),
    ("GET", "/goals/{goal}/breakdown?dimension=country", 5, 4),
    ("GET", "/goals/{goal}/breakdown?dimension=country&referrer=Google", 5, 4),
    ("GET", "/goals/{goal}/rate?country=DE", 6, 5),
    ("GET", "/goals/{goal}/timeseries", 6, 5),
    ("GET", "/goals/{goal}/rate", 6, 5),
    ("GET", "/stats", 5, 3),
    ("GET", "/stats?dimensions=path,country", 5, 4),
    ("GET", "/stats?dimensions=name,props.plan", 5, 4),
]


def way():
    """The functions of the project on the stack, outermost first: (file, name)."""
    frame: FrameType | None = sys._getframe(2)
    found = []
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT) and frame.f_code.co_name != "__call__":
            file = path.relative_to(ROOT).as_posix()
            is_ours = file.startswith(("analytics/", "goals/", "krafter/"))
            if is_ours and not file.startswith(AROUND):
                found.append((file, frame.f_code.co_name))
        frame = frame.f_back
    return found[::-1]


@pytest.mark.parametrize("match_type", ["exact", "contains"])
@pytest.mark.parametrize(("method", "path", "functions", "files"), WAYS)
def test_way_to_sql_is_short(owner, site, method, path, functions, files, match_type):
    goal = GoalFactory.create(site=site, currency="USD", match_type=match_type)
    store(site, "event", "signup", amount=100)
    store(site, "event", "signup", at=datetime.now(UTC) - timedelta(days=9))
    ways = []

    def note(execute, sql, *rest):
        if "SET statement_timeout" not in sql:
            ways.append(way())
        return execute(sql, *rest)

    url = f"/sites/{site.site_key}{path.format(goal=goal.pk)}"
    with connection.execute_wrapper(note):
        response = owner(method, url, GOAL if method == "POST" else b"")
    assert response.status_code < 300, response.content
    asked = list(filter(None, ways))
    assert asked
    longest = max(asked, key=len)
    assert len(longest) <= functions, longest
    most = max(asked, key=lambda way: len({file for file, _ in way}))
    assert len({file for file, _ in most}) <= files, most
