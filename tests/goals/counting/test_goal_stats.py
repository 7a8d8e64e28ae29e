"""GET /sites/:key/goals/:id/stats: build the events, assert the numbers."""

from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine

from analytics import events
from tests.factories import GoalFactory, SiteFactory, store
from tests.queries import captured_queries

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 2, 18, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def goal(site):
    return GoalFactory.create(site=site, type="custom", match_value="purchase")


@pytest.fixture
def send(owner):
    """Send one event as a server does; `fields` as JSON text in braces."""

    def send(site, fields):
        body = f'{{"type":"goal","name":"purchase","visitor_id":"v",{fields}}}'
        response = owner("POST", f"/sites/{site.site_key}/events", body.encode())
        assert response.json()["data"][0]["status"] == "accepted"

    return send


@pytest.fixture
def stats(owner):
    def stats(goal, query=""):
        response = owner(
            "GET", f"/sites/{goal.site.site_key}/goals/{goal.id}/stats{query}"
        )
        assert response.status_code == 200, response.content
        return response.json()["data"]

    return stats


@pytest.fixture
def conversions(stats):
    def conversions(goal, query=""):
        return stats(goal, query)["conversions"]

    return conversions


@pytest.fixture
def revenue(owner):
    """The revenue of a goal of a new site, as it is printed."""

    def revenue(goal):
        url = f"/sites/{goal.site.site_key}/goals/{goal.id}/stats"
        text = owner("GET", url).content.decode()
        return text.partition('"revenue":')[2].removesuffix("}}")

    return revenue


# The answer


def test_answer_is_the_documented_one(owner, site):
    goal = GoalFactory.create(
        site=site, type="custom", match_value="purchase", currency="USD"
    )
    events.append(
        [
            events.NewEvent(
                site.pk,
                NOW.date(),
                NOW,
                "goal",
                "purchase",
                visitor=number % 298,
                amount=49_0000,
                currency="USD",
            )
            for number in range(342)
        ]
    )
    url = f"/sites/{site.site_key}/goals/{goal.id}/stats?period=30d"
    response = owner("GET", url)
    assert response.status_code == 200
    assert response.content == (
        b'{"data":{"conversions":342,"unique_conversions":298,"revenue":16758.00}}'
    )


def test_goal_that_nobody_reached_has_zeros(owner, site, goal):
    url = f"/sites/{site.site_key}/goals/{goal.id}/stats"
    assert owner("GET", url).content == (
        b'{"data":{"conversions":0,"unique_conversions":0,"revenue":null}}'
    )


def test_work_does_not_grow_with_the_events(owner, site, goal):
    url = f"/sites/{site.site_key}/goals/{goal.id}/stats"

    def queries():
        with captured_queries() as captured:
            owner("GET", url)
        return len(captured)

    store(site, "goal", "purchase")
    queries()
    # Key and site, goal, and all that the answer stands on.
    assert queries() == 3
    store(site, "goal", "purchase")
    before = queries()
    for number in range(30):
        store(site, "goal", "purchase", visitor=number)
        store(site, "goal", f"other {number}", visitor=number)
    # And what came.
    assert queries() == before == 4


# Which events


def test_new_goal_counts_the_past(conversions, site):
    for year in (1999, 2015, 2020):
        store(site, "goal", "purchase", at=datetime(year, 5, 17, tzinfo=UTC))
    goal = GoalFactory.create(site=site, type="custom", match_value="purchase")
    for year in (1999, 2015, 2020):
        days = f"from={year}-05-17&to={year}-05-17"
        assert conversions(goal, f"?period=custom&{days}") == 1
    assert conversions(goal, "?period=custom&from=2015-05-18&to=2020-05-16") == 0


def test_only_its_own_kind_of_event_is_counted(conversions, site):
    store(site, "event", "purchase")
    store(site, "goal", "purchase")
    store(site, "goal", "purchase")
    store(site, "pageview", "/purchase")
    counts = {
        kind: conversions(
            GoalFactory.create(
                site=site, type=kind, match_type="contains", match_value="purchase"
            )
        )
        for kind in ("event", "custom", "pageview")
    }
    assert counts == {"event": 1, "custom": 2, "pageview": 1}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.com/pricing", 1),
        ("https://example.com/pricing?plan=pro#faq", 1),
        ("https://shop.example.com:8080/pricing", 1),
        ("/pricing?plan=pro", 1),
        ("https://example.com/pricing/", 0),
        ("https://example.com/?page=/pricing", 0),
        ("https://example.com/#/pricing", 0),
        ("https://example.com/%70ricing", 0),
    ],
)
def test_page_is_compared_by_its_path(owner, conversions, site, url, expected):
    goal = GoalFactory.create(site=site, type="pageview", match_value="/pricing")
    body = {"type": "pageview", "url": url, "visitor_id": "v"}
    owner("POST", f"/sites/{site.site_key}/events", body)
    assert conversions(goal) == expected


def test_acknowledged_event_is_in_the_next_answer(owner, track, conversions, site):
    goal = GoalFactory.create(site=site, match_value="signup")
    event = {"type": "event", "name": "signup"}
    for sent in range(1, 6):
        if sent % 2:
            assert track(event).json() == {"ok": True, "dropped": None}
        else:
            body = {**event, "visitor_id": "v"}
            owner("POST", f"/sites/{site.site_key}/events", body)
        assert conversions(goal) == sent


def test_repeated_event_is_counted_once(owner, stats, site, goal):
    body = {"type": "goal", "name": "purchase", "visitor_id": "v", "id": "order-1"}
    for _ in range(3):
        owner("POST", f"/sites/{site.site_key}/events", body)
    assert stats(goal)["conversions"] == 1


# Visitors


def test_visitor_counts_once_a_day(stats, site, goal):
    yesterday = NOW - timedelta(days=1)
    for visitor, at in [(1, NOW), (1, NOW), (2, NOW), (1, yesterday), (3, yesterday)]:
        store(site, "goal", "purchase", visitor=visitor, at=at)
    answer = stats(goal)
    assert answer["conversions"] == 5
    # 1 and 2 today, 1 and 3 yesterday.
    assert answer["unique_conversions"] == 4


def test_visitor_counts_once_for_all_names_of_a_rule(stats, site):
    goal = GoalFactory.create(site=site, match_type="contains", match_value="sign")
    for name in ("signup", "signin", "sign off"):
        store(site, "event", name, visitor=1)
    assert stats(goal)["conversions"] == 3
    assert stats(goal)["unique_conversions"] == 1


# Days


@pytest.mark.parametrize(
    ("zone", "day", "start", "end"),
    [
        ("UTC", "2026-01-15", "2026-01-15T00:00Z", "2026-01-16T00:00Z"),
        ("UTC", "2024-02-29", "2024-02-29T00:00Z", "2024-03-01T00:00Z"),
        ("Europe/Berlin", "2026-01-15", "2026-01-14T23:00Z", "2026-01-15T23:00Z"),
        # 23 hours, then 25.
        ("Europe/Berlin", "2025-03-30", "2025-03-29T23:00Z", "2025-03-30T22:00Z"),
        ("Europe/Berlin", "2025-10-26", "2025-10-25T22:00Z", "2025-10-26T23:00Z"),
        ("America/New_York", "2025-03-09", "2025-03-09T05:00Z", "2025-03-10T04:00Z"),
        ("America/New_York", "2025-11-02", "2025-11-02T04:00Z", "2025-11-03T05:00Z"),
        # Midnight does not exist on this day.
        ("America/Santiago", "2025-09-07", "2025-09-07T04:00Z", "2025-09-08T03:00Z"),
        ("Pacific/Kiritimati", "2026-01-15", "2026-01-14T10:00Z", "2026-01-15T10:00Z"),
        ("Pacific/Pago_Pago", "2026-01-15", "2026-01-15T11:00Z", "2026-01-16T11:00Z"),
        ("Asia/Kathmandu", "2026-01-15", "2026-01-14T18:15Z", "2026-01-15T18:15Z"),
        ("Australia/Lord_Howe", "2025-10-05", "2025-10-04T13:30Z", "2025-10-05T13:00Z"),
        ("Europe/Berlin", "2024-02-29", "2024-02-28T23:00Z", "2024-02-29T23:00Z"),
    ],
)
def test_day_is_cut_in_the_sites_zone(
    owner, send, conversions, site, zone, day, start, end
):
    place = SiteFactory.create(team=site.team, timezone=zone)
    goal = GoalFactory.create(site=place, type="custom", match_value="purchase")
    start, end = datetime.fromisoformat(start), datetime.fromisoformat(end)
    for at in (start - MICROSECOND, start, end - MICROSECOND, end):
        send(place, f'"timestamp":"{at.isoformat()}"')

    def on(first, last):
        return conversions(goal, f"?period=custom&from={first}&to={last}")

    before = date.fromisoformat(day) - timedelta(days=1)
    after = date.fromisoformat(day) + timedelta(days=1)
    assert on(day, day) == 2
    assert (on(before, before), on(after, after)) == (1, 1)
    assert (on(before, day), on(day, after), on(before, after)) == (3, 3, 4)


def test_day_that_a_zone_skipped_is_empty(send, conversions, site):
    """Samoa went from 29 to 31 December 2011."""
    place = SiteFactory.create(team=site.team, timezone="Pacific/Apia")
    goal = GoalFactory.create(site=place, type="custom", match_value="purchase")
    for at in ("2011-12-30T09:59:59.999999Z", "2011-12-30T10:00:00Z"):
        send(place, f'"timestamp":"{at}"')
    counts = [
        conversions(goal, f"?period=custom&from=2011-12-{day}&to=2011-12-{day}")
        for day in (29, 30, 31)
    ]
    assert counts == [1, 0, 1]


@pytest.mark.parametrize(
    ("zone", "now", "period", "first", "end"),
    [
        ("UTC", "2026-02-18T12:00Z", "7d", "2026-02-11T00:00Z", "2026-02-19T00:00Z"),
        ("UTC", "2026-02-18T12:00Z", "30d", "2026-01-19T00:00Z", "2026-02-19T00:00Z"),
        ("UTC", "2026-02-18T12:00Z", "12mo", "2025-02-18T00:00Z", "2026-02-19T00:00Z"),
        ("UTC", "2024-02-29T23:59Z", "12mo", "2023-02-28T00:00Z", "2024-03-01T00:00Z"),
        ("UTC", "2026-03-31T00:00Z", "12mo", "2025-03-31T00:00Z", "2026-04-01T00:00Z"),
        (
            "Europe/Berlin",
            "2026-02-18T23:30Z",
            "7d",
            "2026-02-11T23:00Z",
            "2026-02-19T23:00Z",
        ),
        (
            "Europe/Berlin",
            "2026-04-01T10:00Z",
            "7d",
            "2026-03-24T23:00Z",
            "2026-04-01T22:00Z",
        ),
        (
            "America/New_York",
            "2026-02-18T03:00Z",
            "30d",
            "2026-01-18T05:00Z",
            "2026-02-18T05:00Z",
        ),
        (
            "Pacific/Kiritimati",
            "2026-02-18T12:00Z",
            "7d",
            "2026-02-11T10:00Z",
            "2026-02-19T10:00Z",
        ),
        (
            "Pacific/Pago_Pago",
            "2026-02-18T10:00Z",
            "7d",
            "2026-02-10T11:00Z",
            "2026-02-18T11:00Z",
        ),
    ],
)
def test_period_includes_both_of_its_days(
    clock, conversions, site, zone, now, period, first, end
):
    clock.move_to(datetime.fromisoformat(now))
    place = SiteFactory.create(team=site.team, timezone=zone)
    goal = GoalFactory.create(site=place, type="custom", match_value="purchase")
    first, end = datetime.fromisoformat(first), datetime.fromisoformat(end)
    for at in (first, end - MICROSECOND):
        store(place, "goal", "purchase", at=at)
    assert conversions(goal, f"?period={period}") == 2
    for at in (first - MICROSECOND, end):
        store(place, "goal", "purchase", at=at)
    assert conversions(goal, f"?period={period}") == 2


def test_period_is_30d_unless_said_otherwise(conversions, site, goal):
    for days in (0, 7, 8, 30, 31, 365, 366):
        store(site, "goal", "purchase", at=NOW - timedelta(days=days))
    counts = {
        query: conversions(goal, query)
        for query in ("", "?period=7d", "?period=30d", "?period=12mo")
    }
    assert counts == {"": 4, "?period=7d": 2, "?period=30d": 4, "?period=12mo": 6}


def test_change_of_the_zone_holds_from_the_next_event_on(
    owner, send, conversions, site, goal
):
    send(site, '"timestamp":"2026-02-17T23:30:00Z"')
    url = f"/sites/{site.site_key}/settings"
    assert owner("PATCH", url, {"timezone": "Europe/Berlin"}).status_code == 200
    send(site, '"timestamp":"2026-02-17T23:30:00Z"')
    counts = [
        conversions(goal, f"?period=custom&from=2026-02-{day}&to=2026-02-{day}")
        for day in (17, 18)
    ]
    assert counts == [1, 1]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("?period=90d", "period"),
        ("?period=", "period"),
        ("?period=30D", "period"),
        ("?period=7d%20", "period"),
        ("?period=day", "period"),
        ("?period=custom", "from"),
        ("?period=custom&to=2026-01-01", "from"),
        ("?period=custom&from=2026-01-01", "to"),
        ("?period=custom&from=2026-01-02&to=2026-01-01", "to"),
        ("?period=custom&from=2021-01-01&to=2026-01-05", "to"),
        ("?from=2026-01-01", "from"),
        ("?to=2026-01-01", "to"),
        ("?period=7d&from=2026-01-01&to=2026-01-01", "from"),
        ("?period=30d&to=2026-01-01", "to"),
        ("?perod=7d", "perod"),
        ("?period=7d&days=3", "days"),
        ("?period=7d&period=30d", "period"),
        ("?period=7d&period=7d", "period"),
    ],
)
def test_wrong_question_is_refused(owner, site, goal, query, parameter):
    response = owner("GET", f"/sites/{site.site_key}/goals/{goal.id}/stats{query}")
    assert response.status_code == 422
    assert list(response.json()["details"]) == [parameter]


def test_custom_may_be_1830_days_long(owner, site, goal, conversions):
    assert conversions(goal, "?period=custom&from=2021-01-01&to=2026-01-04") == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "today",
        "2026-02-30",
        "2025-02-29",
        "2026-13-01",
        "2026-00-10",
        "2026-1-1",
        "26-01-01",
        "20260101",
        "2026-W01-1",
        "2026-001",
        "2026/01/01",
        "01.01.2026",
        "2026-01-01T00:00:00Z",
        "2026-01-01%00",
        "2026-01-01%0A",
        "%202026-01-01",
        "%D9%A2%D9%A0%D9%A2%D9%A6-01-01",
        "-2026-01-01",
        "10000-01-01",
        "1767225600",
    ],
)
@pytest.mark.parametrize("parameter", ["from", "to"])
def test_date_has_one_form(owner, site, goal, parameter, text):
    days = {"from": "2026-01-01", "to": "2026-01-31", parameter: text}
    query = f"?period=custom&from={days['from']}&to={days['to']}"
    response = owner("GET", f"/sites/{site.site_key}/goals/{goal.id}/stats{query}")
    assert response.status_code == 422
    assert list(response.json()["details"]) == [parameter]


# Revenue


@pytest.mark.parametrize(
    ("currency", "amounts", "expected"),
    [
        ("USD", ["0.1", "0.2"], "0.30"),
        ("USD", ["49", "49.99", "0.01"], "99.00"),
        ("USD", ["1.005", "1.005"], "2.01"),
        ("USD", ["0.001"], "0.001"),
        ("USD", ["0"], "0.00"),
        ("USD", [], "0.00"),
        ("USD", ["1e2", "1E-2"], "100.01"),
        ("USD", ["999999999999.9999"] * 11, "10999999999999.9989"),
        ("USD", ["1000000000000"] * 3, "3000000000000.00"),
        ("EUR", ["19.9"] * 3, "59.70"),
        ("JPY", ["1200", "300"], "1500"),
        ("JPY", ["1000000"], "1000000"),
        ("JPY", [], "0"),
        ("JPY", ["0.5", "0.5"], "1"),
        ("KWD", ["1.234", "0.001"], "1.235"),
        ("KWD", ["5"], "5.000"),
        ("KWD", [], "0.000"),
        ("CLF", ["1.2345"], "1.2345"),
    ],
)
def test_revenue_is_an_exact_sum(send, revenue, site, currency, amounts, expected):
    goal = GoalFactory.create(
        site=site, type="custom", match_value="purchase", currency=currency
    )
    for amount in amounts:
        send(site, f'"revenue":{amount},"currency":"{currency}"')
    send(site, '"id":"without revenue"')
    assert revenue(goal) == expected


def test_revenue_is_null_without_a_currency(send, revenue, goal, site):
    send(site, '"revenue":49.99,"currency":"USD"')
    send(site, '"revenue":49.99')
    assert revenue(goal) == "null"


def test_amount_without_a_code_counts_and_another_currency_does_not(
    send, stats, revenue, site
):
    goal = GoalFactory.create(
        site=site, type="custom", match_value="purchase", currency="USD"
    )
    send(site, '"revenue":49.99')
    send(site, '"revenue":10,"currency":"USD"')
    send(site, '"revenue":1000,"currency":"EUR"')
    send(site, '"revenue":1000,"currency":"JPY"')
    assert revenue(goal) == "59.99"
    assert stats(goal)["conversions"] == 4


def test_revenue_is_of_matching_events_in_the_period(send, revenue, site):
    goal = GoalFactory.create(
        site=site, type="custom", match_value="purchase", currency="USD"
    )
    send(site, '"revenue":1,"timestamp":"2026-01-19T00:00:00Z"')
    send(site, '"revenue":2,"timestamp":"2026-01-18T23:59:59.999999Z"')
    store(site, "goal", "purchase again", amount=4_0000)
    store(site, "event", "purchase", amount=8_0000)
    assert revenue(goal) == "1.00"


def test_revenue_counts_for_every_type_of_goal(owner, revenue, site):
    for kind, event in [
        ("event", {"type": "event", "name": "x"}),
        ("custom", {"type": "goal", "name": "x"}),
        ("pageview", {"type": "pageview", "url": "/x"}),
    ]:
        body = {**event, "revenue": 5, "visitor_id": "v"}
        owner("POST", f"/sites/{site.site_key}/events", body)
        goal = GoalFactory.create(
            site=site,
            type=kind,
            match_type="contains",
            match_value="x",
            currency="USD",
        )
        assert revenue(goal) == "5.00"


def test_refund_of_an_open_day_counts_under_a_filter(stats, site):
    """Of a period without closed days nothing is kept."""
    goal = GoalFactory.create(
        site=site, type="custom", match_value="purchase", currency="EUR"
    )
    labels = events.Labels(utm_source="letter")
    store(site, "goal", "purchase", labels=labels, amount=10_0000, event_id="1", at=NOW)
    events.refund(site.pk, [events.NewRefund(NOW.date(), NOW, "1", amount=4_0000)])
    query = "?period=custom&from=2026-02-18&to=2026-02-18&utm_source="
    assert stats(goal, f"{query}letter")["revenue"] == 6
    assert stats(goal, f"{query}other")["revenue"] == 0
