"""What the list of conversions says of each: its source, its visit, its refunds."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest

from analytics import events
from analytics.events import Labels, refund_origins
from analytics.models import Event
from analytics.questions.periods import Days
from analytics.sources import rules_of
from tests.factories import GoalFactory, store
from tests.queries import captured_queries

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DIRECT = Labels()
GOOGLE = Labels(referrer="www.google.com")
NEWS = Labels(referrer="news.example", utm_source="letter", utm_medium="email")


@pytest.fixture
def goal(site):
    return GoalFactory.create(
        site=site, type="custom", match_value="buy", currency="EUR"
    )


@pytest.fixture
def ask(reader, site, goal):
    """GET something of the goal, 1 to 3 March 2026."""
    path = f"/sites/{site.site_key}/goals/{goal.pk}"
    period = "period=custom&from=2026-03-01&to=2026-03-03"

    def get(what, query="", **options):
        response = reader("GET", f"{path}/{what}?{period}&{query}", **options)
        assert response.status_code == 200, response.content
        return response

    return get


@pytest.fixture
def ledger(ask):
    """All rows, page by page."""

    def rows(query="", limit=100):
        found, cursor = [], ""
        while cursor is not None:
            page = ask("conversions", f"limit={limit}&{query}{cursor}").json()
            found += page["data"]
            cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
        return found

    return rows


def view(site, path, minute, labels=DIRECT, **values):
    at = NOON + minute * MINUTE
    store(site, "pageview", path, at=at, labels=labels, **values)


def buy(site, minute, **values):
    store(site, "goal", "buy", **{"at": NOON + minute * MINUTE, **values})


def give_back(site, order, amount, minute, event_id=None):
    at = NOON + minute * MINUTE
    refund = events.NewRefund(at.date(), at, order, amount, event_id=event_id)
    [outcome] = events.refund(site.pk, [refund])
    assert outcome.is_new, outcome


def fill(site, number):
    """Purchases by as many visitors, one after the other."""
    events.append(
        [
            events.NewEvent(
                site_id=site.pk,
                day=NOON.date(),
                at=NOON + timedelta(seconds=n),
                type="goal",
                name="buy",
                visitor=n,
                event_id=f"{n}",
                amount=1_0000,
            )
            for n in range(number)
        ]
    )


def two_visits(site):
    """In the morning from a search, at noon by a letter; a purchase in each."""
    view(site, "/blog/post", -90, GOOGLE)
    view(site, "/cart", -85)
    buy(site, -80, page="/cart", event_id="first", amount=10_0000, currency="EUR")
    view(site, "/offer", 0, NEWS)
    buy(site, 10, page="/offer", event_id="second", amount=20_0000, currency="EUR")
    buy(site, 40, page="/offer", event_id="third")


def test_each_has_its_source_entry_page_and_visit(ledger, site):
    two_visits(site)
    told = [
        (row["id"], row["channel"], row["referrer"], row["utm_source"])
        for row in ledger()
    ]
    assert told == [
        ("third", "Email", "news.example", "letter"),
        ("second", "Email", "news.example", "letter"),
        ("first", "Search", "Google", None),
    ]
    visits = [
        (row["entry_path"], row["visit"], row["visit_started_at"]) for row in ledger()
    ]
    second = ("/offer", 2, "2026-03-02T12:00:00Z")
    assert visits == [second, second, ("/blog/post", 1, "2026-03-02T10:30:00Z")]


@pytest.mark.parametrize(
    ("attribution", "sources"),
    [
        ("last", [None, "news.example", "Google"]),
        ("first", [None, "Google", "Google"]),
        ("event", [None, None, None]),
    ],
)
def test_source_is_that_of_the_attribution(ledger, site, attribution, sources):
    two_visits(site)
    buy(site, 41, visitor=2)
    rows = ledger(f"attribution={attribution}")
    found = [rows[n]["referrer"] for n in (0, 2, 3)]
    assert found == sources
    assert [row["entry_path"] for row in rows] == [None, *["/offer"] * 2, "/blog/post"]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("referrer=Google", ["first"]),
        ("channel=email", ["third", "second"]),
        ("entry_path=/bl*", ["first"]),
        ("attribution=first&referrer=Google", ["third", "second", "first"]),
        ("path=/cart", ["first"]),
    ],
)
def test_filters_take_what_is_shown(ledger, site, query, ids):
    two_visits(site)
    assert [row["id"] for row in ledger(query)] == ids


def test_late_event_changes_source_and_visit_at_once(ledger, site):
    buy(site, 0, event_id="order")
    [row] = ledger()
    assert (row["channel"], row["entry_path"], row["visit"]) == ("Direct", None, 1)
    view(site, "/late", -5, GOOGLE)
    [row] = ledger()
    assert (row["channel"], row["entry_path"]) == ("Search", "/late")
    assert row["visit_started_at"] == "2026-03-02T11:55:00Z"


def test_visits_begin_anew_with_the_day(ledger, site):
    view(site, "/", -13 * 60)
    buy(site, 0)
    view(site, "/next", 12 * 60 + 1)
    buy(site, 12 * 60 + 2)
    assert [(row["visit"], row["entry_path"]) for row in ledger()] == [
        (1, "/next"),
        (1, None),
    ]


def test_refunds_are_listed_when_asked_for(ledger, ask, site):
    two_visits(site)
    give_back(site, "second", 5_0000, 60, event_id="refund-1")
    give_back(site, "first", 10_0000, 24 * 60)
    assert [row["refund_of"] for row in ledger()] == [None] * 3
    rows = ledger("include=refunds")
    assert [(row["id"], row["refund_of"], row["revenue"]) for row in rows] == [
        (None, "first", -10),
        ("refund-1", "second", -5),
        ("third", None, None),
        ("second", None, 20),
        ("first", None, 10),
    ]
    # Its own time, and the source and visit of what it refunds.
    assert rows[0]["timestamp"] == "2026-03-03T12:00:00Z"
    same = ("channel", "referrer", "entry_path", "visit", "visit_started_at", "page")
    for refund, order in ((rows[0], rows[4]), (rows[1], rows[3])):
        assert [refund[key] for key in same] == [order[key] for key in same]
    stats = ask("stats").json()["data"]
    assert sum(row["revenue"] or 0 for row in rows) == stats["revenue"] == 15


def test_refund_passes_the_filters_of_what_it_refunds(ledger, site):
    two_visits(site)
    give_back(site, "first", 10_0000, 60)
    query = "include=refunds&referrer={}"
    assert [row["refund_of"] for row in ledger(query.format("Google"))] == [
        "first",
        None,
    ]
    assert {row["refund_of"] for row in ledger(query.format("news.example"))} == {None}


def test_refund_of_an_erased_event_has_its_own_labels_and_no_visit(ledger, ask, site):
    """As in a breakdown."""
    view(site, "/", -1)
    buy(site, 0, event_id="gone", amount=10_0000, labels=GOOGLE)
    give_back(site, "gone", 4_0000, 5)
    Event.objects.filter(site_id=site.pk).delete()
    [row] = ledger("include=refunds")
    assert (row["refund_of"], row["revenue"]) == ("gone", -4)
    assert (row["referrer"], row["channel"]) == ("Google", "Search")
    assert row["entry_path"] is row["visit"] is row["visit_started_at"] is None
    answer = ask("breakdown", "dimension=channel").json()["data"]["breakdown"]
    assert [(each["value"], each["revenue"]) for each in answer] == [("Search", -4)]


@pytest.mark.parametrize(
    ("attribution", "referrer"),
    [("last", "news.example"), ("first", "Google"), ("event", None)],
)
def test_refund_of_an_event_deleted_by_age_has_what_was_kept(
    ledger, site, attribution, referrer
):
    two_visits(site)
    give_back(site, "second", 5_0000, 24 * 60)
    days = Days(NOON.date(), NOON.date())
    refund_origins.keep(site.pk, days, rules_of(site))
    Event.objects.filter(site_id=site.pk).delete()
    query = f"include=refunds&attribution={attribution}"
    [row] = ledger(query)
    assert (row["refund_of"], row["referrer"]) == ("second", referrer)
    assert (row["entry_path"], row["visit"]) == ("/offer", None)
    assert ledger(f"{query}&entry_path=/offer") == [row]


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_lose_nothing_of_one_moment(ledger, site, limit):
    for number in range(4):
        buy(site, 0, event_id=f"{number}", amount=10_0000, visitor=number)
    for number in (2, 0, 1):
        give_back(site, f"{number}", 1_0000, 0, event_id=f"refund {number}")
    ids = [row["id"] for row in ledger("include=refunds", limit)]
    assert sorted(ids) == [*"0123", "refund 0", "refund 1", "refund 2"]
    assert [id for id in ids if len(id) == 1] == [*"3210"]
    assert [id[-1] for id in ids if len(id) > 1] == [*"102"]
    assert [row["id"] for row in ledger("", limit)] == [*"3210"]


def test_refund_of_a_page_view_has_its_page(reader, site):
    goal = GoalFactory.create(site=site, type="pageview", match_value="/paid")
    view(site, "/paid", 0, event_id="1", amount=1_0000, currency="EUR")
    give_back(site, "1", 1_0000, 1)
    path = f"/sites/{site.site_key}/goals/{goal.pk}/conversions"
    query = "?period=custom&from=2026-03-01&to=2026-03-03&include=refunds"
    rows = reader("GET", path + query).json()["data"]
    assert [(row["type"], row["page"]) for row in rows] == [("pageview", "/paid")] * 2


def test_files_have_the_same_rows(ledger, ask, site):
    two_visits(site)
    give_back(site, "second", 5_0000, 60)
    rows = ledger("include=refunds")
    lines = ask("conversions", "include=refunds", headers={"Accept": NDJSON})
    assert [json.loads(line) for line in lines.getvalue().splitlines()] == rows
    text = ask("conversions", "include=refunds", headers={"Accept": "text/csv"})
    cells = csv.DictReader(io.StringIO(text.getvalue().decode(), newline=""))
    for cell, row in zip(cells, rows, strict=True):
        amounts = {20: "20.00", 10: "10.00", -5: "-5.00", None: ""}
        assert cell.pop("revenue") == amounts[row["revenue"]]
        assert cell == {key: "" if row[key] is None else f"{row[key]}" for key in cell}


NDJSON = "application/x-ndjson"


@pytest.mark.parametrize("query", ["include=visitors", "include=", "include=refund"])
def test_nothing_else_can_be_included(reader, site, goal, query):
    path = f"/sites/{site.site_key}/goals/{goal.pk}/conversions?{query}"
    for headers in ({}, {"Accept": "text/csv"}, {"Accept": NDJSON}):
        response = reader("GET", path, headers=headers)
        assert response.status_code == 422
        assert list(response.json()["details"]) == ["include"]


def test_page_of_a_thousand_is_read_in_three_parts(ask, site):
    fill(site, 1_100)
    for number in (1_099, 500, 1):
        give_back(site, f"{number}", 1_0000, 24 * 60 + number)
    ask("conversions", "include=refunds")
    with captured_queries() as few:
        ask("conversions", "limit=1&include=refunds")
    with captured_queries() as many:
        page = ask("conversions", "limit=1000&include=refunds").json()["data"]
    assert len(page) == 1_000
    # Of each part the sources, and the names of the entry pages.
    assert len(many) == len(few) + 4


def test_event_that_is_erased_meanwhile_is_left_out(site, goal):
    fill(site, 600)
    days = NOON.date(), NOON.date()
    selection = events.Selection(site.pk, *days)
    names = set(Event.objects.filter(site_id=site.pk).values_list("name_id", flat=True))
    rows = events.ledger(selection, names)
    assert next(rows).entry.event_id == "599"
    Event.objects.filter(site_id=site.pk, event_id="7").delete()
    left = [row.entry.event_id for row in rows]
    assert left == [f"{n}" for n in range(598, -1, -1) if n != 7]
