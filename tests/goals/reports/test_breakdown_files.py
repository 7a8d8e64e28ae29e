"""GET /sites/:key/goals/:id/breakdown as CSV and NDJSON."""

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import quote

import pytest

from analytics.events import Labels
from goals.money import rates
from goals.reports import breakdown_files
from tests.factories import GoalFactory, store

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
CSV = {"Accept": "text/csv"}
NDJSON = {"Accept": "application/x-ndjson"}


@pytest.fixture
def ask(reader, site):
    """Ask for a breakdown of a goal, 1 to 3 March 2026."""
    goal = GoalFactory.create(site=site, currency="EUR")
    path = f"/sites/{site.site_key}/goals/{goal.pk}/breakdown"
    period = "period=custom&from=2026-03-01&to=2026-03-03"

    def ask(dimension, query="", **options):
        asked = f"{period}&dimension={quote(dimension)}&{query}"
        return reader("GET", f"{path}?{asked}", **options)

    return ask


def signup(site, **values):
    store(site, "event", "signup", **{"at": NOON, **values})


def read(response, delimiter=","):
    assert response.status_code == 200, response.getvalue()
    text = io.StringIO(response.getvalue().decode("utf-8-sig"), newline="")
    return list(csv.DictReader(text, delimiter=delimiter))


def lines(response):
    assert response.status_code == 200, response.getvalue()
    return [json.loads(line) for line in response.getvalue().splitlines()]


def three_countries(site):
    for visitor, country in ((1, "DE"), (2, "DE"), (2, "DE"), (3, "FR"), (4, "")):
        labels = Labels(country=country)
        signup(site, visitor=visitor, labels=labels, amount=1_0000)
    store(site, "pageview", "/", at=NOON, visitor=5, labels=Labels(country="US"))


@pytest.mark.parametrize("query", ["", "include=visitors&sort=value"])
def test_ndjson_has_the_rows_of_the_answer(ask, site, query):
    three_countries(site)
    answer = ask("country", query).json()["data"]
    response = ask("country", query, headers=NDJSON)
    assert lines(response) == answer["breakdown"]
    assert response["Content-Type"] == "application/x-ndjson; charset=utf-8"


def test_csv_has_rates_of_a_label(ask, site):
    three_countries(site)
    response = ask("country", "include=visitors", headers=CSV)
    rows = read(response)
    assert rows[0] == {
        "country": "DE",
        "conversions": "3",
        "unique_conversions": "2",
        "revenue": "3.00",
        "visitors": "2",
        "rate": "1.0",
        "rate_low": "0.34238",
        "rate_high": "1.0",
        "too_few_to_compare": "true",
    }
    assert [row["country"] for row in rows] == ["DE", "FR", "(none)", "US"]
    assert (rows[-1]["conversions"], rows[-1]["rate"]) == ("0", "0.0")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == (
        'attachment; filename="breakdown-country-2026-03-01-2026-03-03.csv"'
    )


def test_csv_of_a_property_has_its_values_as_json_spells_them(ask, site):
    for value in ("pro", 3, 3.5, True, "", "true", None):
        signup(site, props={"plan": value})
    rows = read(ask("props.plan", "sort=value", headers=CSV))
    assert list(rows[0]) == [
        "props.plan",
        "conversions",
        "unique_conversions",
        "revenue",
    ]
    values = [row["props.plan"] for row in rows]
    assert values == ["", "pro", "true", "3", "3.5", "true", "(none)"]


def test_csv_of_a_path_has_rates_when_asked(ask, site):
    signup(site, page="/cart")
    store(site, "pageview", "/", at=NOON, visitor=5)
    assert "rate" not in read(ask("path", headers=CSV))[0]
    rows = read(ask("path", "include=visitors", headers=CSV))
    assert [(row["path"], row["visitors"], row["rate"]) for row in rows] == [
        ("/cart", "1", "1.0"),
        ("/", "1", "0.0"),
    ]


@pytest.mark.parametrize("key", ["a,=1", 'a"b', "a\r\nX: y", "é", "a/b"])
def test_any_key_of_a_property_makes_a_file(ask, site, key):
    signup(site, props={key: "=1+1"})
    [row] = read(ask(f"props.{key}", headers=CSV))
    assert [*row.values()][:2] == ["'=1+1", "1"]
    assert "," not in key or "'" in next(iter(row))


def test_all_rows_are_in_the_file(ask, site):
    for number in range(30):
        signup(site, props={"n": number}, visitor=number)
    assert len(read(ask("props.n", headers=CSV))) == 30
    assert len(lines(ask("props.n", headers=NDJSON))) == 30


@pytest.mark.parametrize("dimension", ["country", "props.c"])
def test_rows_add_up_to_the_stats_with_what_the_file_cuts_off(
    ask, site, dimension, monkeypatch
):
    """Amounts are converted, so that rows are rounded."""
    monkeypatch.setattr(breakdown_files, "MOST_ROWS", 2)
    rates.store({("USD", NOON.date()): "1.25"})
    for number, country in enumerate(("DE", "FR", "US", "GB")):
        for _ in range(4 - number):
            signup(
                site,
                labels=Labels(country=country),
                props={"c": country},
                amount=3_3300,
                currency="USD",
                visitor=number,
            )
    *rows, other = read(ask(dimension, headers=CSV))
    assert [row[dimension] for row in rows] == ["DE", "FR"]
    assert (other[dimension], other["conversions"]) == ("(other)", "3")
    assert other["unique_conversions"] == ""
    revenue = sum(Decimal(row["revenue"]) for row in (*rows, other))
    assert revenue == Decimal("26.64")
    *own, last = lines(ask(dimension, headers=NDJSON))
    assert [row["value"] for row in own] == ["DE", "FR"]
    assert last == {
        "other": {
            "values": 2,
            "conversions": 3,
            "revenue": float(other["revenue"]),
        }
    }


def test_delimiter_and_byte_order_mark(ask, site):
    signup(site, labels=Labels(utm_source="a;b"))
    query = "delimiter=semicolon&bom=true"
    [row] = read(ask("utm_source", query, headers=CSV), ";")
    assert row["utm_source"] == "a;b"
    body = ask("utm_source", query, headers=CSV).getvalue()
    assert body.startswith(b"\xef\xbb\xbfutm_source;conversions")


@pytest.mark.parametrize(
    ("query", "headers", "named"),
    [
        ("limit=5", CSV, "limit"),
        ("cursor=Mg==", NDJSON, "cursor"),
        ("delimiter=tab", NDJSON, "delimiter"),
        ("bom=true", {}, "bom"),
        ("delimiter=;", CSV, "delimiter"),
        ("include=refunds", CSV, "include"),
    ],
)
def test_parameters_are_those_of_the_form(ask, query, headers, named):
    response = ask("country", query, headers=headers)
    assert response.status_code == 422
    assert list(response.json()["details"]) == [named]
    assert response["Content-Type"] == "application/json"


@pytest.mark.parametrize("what", ["rate", "timeseries", "stats"])
def test_other_questions_have_no_file(reader, site, what):
    goal = GoalFactory.create(site=site)
    path = f"/sites/{site.site_key}/goals/{goal.pk}/{what}"
    assert reader("GET", path, headers=CSV).status_code == 406
