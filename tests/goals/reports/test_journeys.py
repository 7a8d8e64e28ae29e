"""GET /sites/:key/goals/:id/journeys."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from analytics.events import Labels
from goals.reports.journeys import time_to_convert
from tests.factories import GoalFactory, store

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
GOOGLE = Labels("google.com")


@pytest.fixture
def ask(reader, site):
    """Ask for the journeys to a signup, 1 to 3 March 2026."""
    goal = GoalFactory.create(site=site, match_value="signup")
    path = f"/sites/{site.site_key}/goals/{goal.pk}/journeys"
    period = "period=custom&from=2026-03-01&to=2026-03-03"

    def ask(query=""):
        return reader("GET", f"{path}?{period}&{query}")

    return ask


def walk(site, *steps, visitor=1, at=NOON):
    """Steps by minutes after noon: a path, or `signup`; with labels maybe."""
    for minutes, name, *labels in steps:
        type = "pageview" if name.startswith("/") else "event"
        moment = at + timedelta(minutes=minutes)
        values = {"labels": labels[0]} if labels else {}
        store(site, type, name, at=moment, visitor=visitor, **values)


def seconds(answer):
    found = answer.json()["data"]["time_to_convert"]
    return found and found["median"]


def test_journey_leads_from_arrival_to_conversion(ask, site):
    steps = [
        (0, "/", GOOGLE),
        (2, "/blog"),
        (3, "/pricing"),
        (4, "/join"),
        (7, "signup"),
    ]
    walk(site, *steps)
    assert ask().json() == {
        "data": {
            "period": {"from": "2026-03-01", "to": "2026-03-03"},
            "attribution": "last",
            "journeys": 1,
            "time_to_convert": {
                "median": 420,
                "quantiles": [
                    {"share": share, "seconds": 420}
                    for share in (0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
                ],
            },
            "entries": [{"path": "/", "journeys": 1}],
            "pages_before": [
                {"before": 1, "pages": [{"path": "/join", "journeys": 1}]},
                {"before": 2, "pages": [{"path": "/pricing", "journeys": 1}]},
                {"before": 3, "pages": [{"path": "/blog", "journeys": 1}]},
            ],
            "ways": [{"pages": ["/blog", "/pricing", "/join"], "journeys": 1}],
        }
    }


def test_nobody_has_no_time(ask):
    data = ask().json()["data"]
    assert data["journeys"] == 0
    assert data["time_to_convert"] is None
    assert data["entries"] == data["ways"] == []
    assert [each["pages"] for each in data["pages_before"]] == [[], [], []]


def test_each_visitor_has_one_journey_a_day_to_the_first_conversion(ask, site):
    walk(site, (0, "/"), (1, "signup"), (9, "signup"), visitor=1)
    walk(site, (0, "/"), (3, "signup"), visitor=1, at=NOON + timedelta(days=1))
    walk(site, (0, "/"), (5, "signup"), visitor=2)
    data = ask().json()["data"]
    assert data["journeys"] == 3
    assert data["time_to_convert"]["median"] == 180


def test_time_is_counted_from_the_arrival_of_the_attribution(ask, site):
    bing = Labels("bing.com")
    walk(site, (0, "/", GOOGLE), (10, "/"), (20, "/", bing), (25, "/"), (30, "signup"))
    assert seconds(ask()) == 10 * 60
    assert seconds(ask("attribution=first")) == 30 * 60
    # By its own labels an event has no arrival: its visit counts.
    assert seconds(ask("attribution=event")) == 30 * 60


def test_without_an_arrival_time_is_counted_from_the_first_event_of_the_visit(
    ask, site
):
    walk(site, (0, "/morning"), (100, "/noon"), (101, "/join"), (104, "signup"))
    data = ask().json()["data"]
    assert data["time_to_convert"]["median"] == 240
    assert data["entries"] == [{"path": "/noon", "journeys": 1}]
    # The pages are those of the day.
    assert data["ways"] == [{"pages": ["/morning", "/noon", "/join"], "journeys": 1}]


def test_arrival_may_be_of_an_earlier_visit_of_the_day(ask, site):
    walk(site, (0, "/", GOOGLE), (100, "/join"), (101, "signup"))
    assert seconds(ask()) == 101 * 60


def test_page_of_the_conversion_is_not_among_those_before(reader, site):
    goal = GoalFactory.create(site=site, type="pageview", match_value="/thanks")
    walk(site, (0, "/"), (1, "/cart"), (2, "/thanks"), (3, "/thanks"))
    path = f"/sites/{site.site_key}/goals/{goal.pk}/journeys"
    period = "period=custom&from=2026-03-02&to=2026-03-02"
    data = reader("GET", f"{path}?{period}").json()["data"]
    assert data["ways"] == [{"pages": ["/", "/cart"], "journeys": 1}]
    assert data["pages_before"][2]["pages"] == [{"path": None, "journeys": 1}]


def test_conversion_without_a_page_has_none(ask, site):
    walk(site, (0, "signup"))
    data = ask().json()["data"]
    assert data["time_to_convert"]["median"] == 0
    assert data["entries"] == [{"path": None, "journeys": 1}]
    assert data["ways"] == [{"pages": [], "journeys": 1}]


def test_filters_are_those_of_the_conversion(ask, site):
    walk(site, (0, "/", GOOGLE), (1, "signup"), visitor=1)
    walk(site, (0, "/"), (5, "signup"), visitor=2)
    # The first of the conversions that pass.
    walk(site, (0, "/"), (1, "signup"), (2, "/", GOOGLE), (5, "signup"), visitor=3)
    assert ask("referrer=Google").json()["data"]["journeys"] == 2
    assert seconds(ask("referrer=(none)")) == 60
    assert ask("path=/none").json()["data"]["journeys"] == 0


def test_most_frequent_come_first_and_equal_ones_by_path(ask, site):
    for visitor, page in enumerate(["/b", "/a", "/c", "/c"]):
        walk(site, (0, page), (1, "signup"), visitor=visitor)
    data = ask("limit=2").json()["data"]
    assert data["entries"] == [
        {"path": "/c", "journeys": 2},
        {"path": "/a", "journeys": 1},
    ]
    assert data["ways"][0] == {"pages": ["/c"], "journeys": 2}
    assert len(data["ways"]) == 2


def test_equal_ways_are_the_same_whatever_the_database(ask, site):
    ways = [["/a", "/b", "/c"], ["/b", "/c"], [], ["/c"], ["/b"]]
    for visitor, way in enumerate(ways, start=1):
        steps = [*enumerate(way), (9, "signup")]
        walk(site, *steps, visitor=visitor)
    found = ask("limit=4").json()["data"]["ways"]
    assert [each["pages"] for each in found] == [[], ["/b"], ["/c"], ["/b", "/c"]]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "sort=value", "compare=year"]
)
def test_wrong_parameter_is_refused(ask, query):
    response = ask(query)
    assert response.status_code == 422
    assert list(response.json()["details"]) == [query.partition("=")[0]]


def test_quantiles_are_the_nearest_ranks():
    found = time_to_convert(Counter(dict.fromkeys(range(1, 101), 1)))
    assert found
    assert [each.seconds for each in found.quantiles] == [10, 25, 50, 75, 90, 95]
    assert found.median == 50
    found = time_to_convert(Counter({5: 1, 7: 2}))
    assert found
    assert [each.seconds for each in found.quantiles] == [5, 5, 7, 7, 7, 7]
