"""GET /sites/:key/goals/:id/conversions."""

import csv
import io
import json
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest

from analytics import events
from analytics.events import Labels, look_at_tables
from goals.reports import export
from tests.factories import GoalFactory, store

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
CSV = {"Accept": "text/csv"}
NDJSON = {"Accept": "application/x-ndjson"}


@pytest.fixture
def conversions(reader, site):
    """Ask for a goal's conversions, 1 to 3 March 2026."""
    goal = GoalFactory.create(site=site, match_value="signup", currency="EUR")
    path = f"/sites/{site.site_key}/goals/{goal.pk}/conversions"
    period = "period=custom&from=2026-03-01&to=2026-03-03"

    def ask(query="", **options):
        return reader("GET", f"{path}?{period}&{query}", **options)

    return ask


def signup(site, **values):
    store(site, "event", "signup", **{"at": NOON, **values})


def streamed(response):
    assert response.status_code == 200
    assert response.streaming
    return response.getvalue()


def test_conversion_is_shown_with_all_that_is_known(conversions, site):
    store(site, "event", "other", at=NOON)
    signup(
        site,
        visitor=-1,
        labels=Labels("Google", "news", "mail", "spring", "DE", "Mobile", "Safari"),
        page="/join",
        amount=499_900,
        currency="USD",
        props={"plan": "pro", "seats": 3},
        event_id="order-1",
    )
    assert conversions(queries=9).json() == {
        "data": [
            {
                "id": "order-1",
                "type": "event",
                "name": "signup",
                "timestamp": "2026-03-02T12:00:00Z",
                "visitor": "ffffffffffffffff",
                "refund_of": None,
                "page": "/join",
                "entry_path": None,
                "visit": 1,
                "visit_started_at": "2026-03-02T12:00:00Z",
                "channel": "Other campaign",
                "revenue": 49.99,
                "currency": "USD",
                "props": {"plan": "pro", "seats": 3},
                "referrer": "Google",
                "utm_source": "news",
                "utm_medium": "mail",
                "utm_campaign": "spring",
                "country": "DE",
                "device": "Mobile",
                "browser": "Safari",
                "os": None,
                "utm_term": None,
                "utm_content": None,
                "click_id": None,
            }
        ],
        "next_cursor": None,
    }


def test_it_is_shown_as_among_the_sites_events(conversions, reader, site):
    signup(site, amount=5, props={"a": None}, labels=Labels(country="DE"))
    (event,) = reader("GET", f"/sites/{site.site_key}/events").json()["data"]
    (conversion,) = conversions().json()["data"]
    assert conversion | event == conversion


def test_page_of_a_page_view_is_its_name(reader, site):
    goal = GoalFactory.create(site=site, type="pageview", match_value="/")
    store(site, "pageview", "/", at=datetime.now(UTC))
    path = f"/sites/{site.site_key}/goals/{goal.pk}/conversions"
    assert [each["page"] for each in reader("GET", path).json()["data"]] == ["/"]


def test_pages_go_back_in_time_and_leave_nothing_out(conversions, site):
    # Three moments, so that cursors fall between events of the same one.
    for number in range(9):
        moment = NOON + timedelta(microseconds=number % 3)
        signup(site, at=moment, event_id=str(number))
    seen, cursor, pages = [], "", 0
    while cursor is not None:
        response = conversions(f"limit=2{cursor and f'&cursor={cursor}'}")
        seen += [each["id"] for each in response.json()["data"]]
        cursor = response.json()["next_cursor"]
        pages += 1
    assert seen == ["8", "5", "2", "7", "4", "1", "6", "3", "0"]
    assert pages == 5


def test_only_the_days_and_labels_asked_for(conversions, site):
    site.timezone = "Pacific/Kiritimati"  # 14 hours ahead
    site.save()
    inside = datetime(2026, 2, 28, 10, tzinfo=UTC)
    for moment in (inside, inside - timedelta(microseconds=1)):
        signup(site, at=moment, labels=Labels(country="DE"), event_id=str(moment))
    signup(site, at=inside, labels=Labels(country="FR"))
    found = conversions("country=DE").json()["data"]
    assert [each["id"] for each in found] == [str(inside)]


def test_ndjson_has_an_object_a_line(conversions, site):
    for name in ("1", "2"):
        signup(site, event_id=name, amount=10_000, props={"text": "two\nlines"})
    response = conversions(headers=NDJSON)
    lines = streamed(response).decode().splitlines()
    assert [json.loads(line) for line in lines] == conversions().json()["data"]
    assert response["Content-Type"] == "application/x-ndjson; charset=utf-8"


def test_csv_has_a_row_each_and_a_header(conversions, site):
    signup(site, event_id='quo"te, comma', page="/two\r\nlines", props={"ü": 'x"'})
    signup(site, amount=1_234_500, currency="EUR", labels=Labels(country="DE"))
    response = conversions(headers=CSV)
    text = streamed(response).decode()
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    assert header == list(export.COLUMNS)
    amount, quoted = (dict(zip(header, row, strict=True)) for row in rows)
    assert (quoted["id"], quoted["page"]) == ('quo"te, comma', "/two\r\nlines")
    assert (quoted["props"], quoted["revenue"]) == ('{"ü":"x\\""}', "")
    assert (amount["revenue"], amount["currency"]) == ("123.45", "EUR")
    assert (amount["country"], amount["props"], amount["id"]) == ("DE", "", "")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == (
        'attachment; filename="conversions-2026-03-01-2026-03-03.csv"'
    )


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "＝1"])  # noqa: RUF001 - meant
def test_formula_is_made_harmless_in_csv_alone(conversions, site, text):
    signup(site, event_id=text, page=text, labels=Labels(utm_source=text))
    _, row = csv.reader(io.StringIO(streamed(conversions(headers=CSV)).decode()))
    cells = dict(zip(export.COLUMNS, row, strict=True))
    guarded = f"{text[0]}'{text[1:]}" if text[0].isspace() else text
    assert {cells["id"], cells["page"], cells["utm_source"]} == {f"'{guarded}"}
    assert json.loads(streamed(conversions(headers=NDJSON)))["page"] == text


@pytest.mark.parametrize("delimiter", ["comma", "semicolon", "tab"])
@pytest.mark.parametrize("separator", [",", ";", "|", "\t", "\n", ', "', ";'"])
def test_no_cell_is_a_formula_however_the_file_is_split(
    conversions, site, separator, delimiter
):
    text = f"a{separator}=1+1{separator}@x"
    signup(site, event_id=text, page=text, props={"k": text})
    body = streamed(conversions(f"delimiter={delimiter}", headers=CSV)).decode()
    for split_at in ",;|\t":
        for line in body.splitlines():
            for cell in line.split(split_at):
                assert cell.strip("\"' ")[:1] not in ("=", "+", "-", "@") or (
                    "'" in cell[: cell.index(cell.strip("\"' ")[0])]
                )


@pytest.mark.parametrize(
    ("delimiter", "character"), [("comma", ","), ("semicolon", ";"), ("tab", "\t")]
)
@pytest.mark.parametrize("bom", ["true", "false"])
def test_delimiter_and_byte_order_mark_are_chosen(
    conversions, site, delimiter, character, bom
):
    signup(site, event_id="a;b,c\td", page="/é")
    query = f"delimiter={delimiter}&bom={bom}"
    body = streamed(conversions(query, headers=CSV))
    assert body.startswith(b"\xef\xbb\xbf") == (bom == "true")
    text = io.StringIO(body.decode("utf-8-sig"), newline="")
    header, row = csv.reader(text, delimiter=character)
    assert header == list(export.COLUMNS)
    cells = dict(zip(header, row, strict=True))
    assert (cells["id"], cells["page"]) == ("a;b,c\td", "/é")


@pytest.mark.parametrize(
    ("query", "headers", "named"),
    [
        ("delimiter=;", CSV, "delimiter"),
        ("bom=1", CSV, "bom"),
        ("delimiter=tab", NDJSON, "delimiter"),
        ("bom=true", {}, "bom"),
    ],
)
def test_only_csv_has_a_delimiter(conversions, query, headers, named):
    response = conversions(query, headers=headers)
    assert response.status_code == 422
    assert list(response.json()["details"]) == [named]


def test_empty_period_is_a_header_or_nothing(conversions):
    assert streamed(conversions(headers=CSV)).decode().count("\r\n") == 1
    assert streamed(conversions(headers=NDJSON)) == b""


@pytest.mark.parametrize("headers", [CSV, NDJSON])
def test_error_is_json_whatever_is_accepted(conversions, headers):
    response = conversions("limit=5", headers=headers)
    assert response.status_code == 422
    assert response.json()["details"] == {"limit": ["Unknown parameter."]}
    assert response["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "cursor=x", "compare=year", "country="]
)
def test_wrong_parameter_is_refused(conversions, query):
    response = conversions(query)
    assert response.status_code == 422
    assert list(response.json()["details"]) == [query.partition("=")[0]]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("headers", [CSV, NDJSON])
def test_all_are_streamed_in_little_memory(conversions, site, headers):
    """As in production: without a transaction around the request."""
    fill(site, 20_000)
    response = conversions(headers=headers, queries=6)
    tracemalloc.start()
    lines = size = 0
    for block in response.streaming_content:
        lines += block.count(b"\n")
        size += len(block)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert lines == 20_000 + (headers is CSV)
    # 500 rows are held at a time, with where they come from.
    assert size > 3_000_000
    assert peak < 3_000_000


def fill(site, number):
    batch = [
        events.NewEvent(
            site_id=site.pk,
            day=NOON.date(),
            at=NOON + timedelta(seconds=second),
            type="event",
            name="signup",
            visitor=second,
            page="/a-page-with-a-name-of-some-length",
            props={"plan": "pro", "note": "x" * 40},
        )
        for second in range(number)
    ]
    events.append(batch)
    look_at_tables()  # as whatever stores many events at once does
