"""Numbers and dates in the locale of the browser, on pages and nowhere else."""

from datetime import UTC, datetime
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest
from babel.dates import format_date
from django.conf import settings

from analytics import events
from analytics.models import Role
from krafter import locales
from tests.factories import GoalFactory, store
from tests.goals.pages.browsing import member, text

SPACE = "\N{NO-BREAK SPACE}"
GERMAN = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.8"}


@pytest.fixture
def browser(site):
    return member(site.team, "editor", Role.EDITOR)


@pytest.fixture
def address(site):
    goal = GoalFactory.create(
        site=site, name="Bought", type="custom", match_value="buy", currency="EUR"
    )
    now = datetime.now(UTC)
    for visitor in range(3):
        labels = events.Labels(country="DE", referrer="news.example")
        store(site, "pageview", "/", visitor=visitor, at=now, labels=labels)
        money = {"amount": 12_345_678 + visitor, "currency": "EUR"}
        store(site, "goal", "buy", visitor=visitor % 2, at=now, **money)
    return f"/sites/{site.site_key}/goals/{goal.pk}"


def test_numbers_and_money_are_the_browsers(browser, address):
    shown = text(browser.get(address, headers=GERMAN))
    assert f"worth <strong>3.703,70{SPACE}EUR</strong>" in shown
    assert f"<strong>66,7{SPACE}%</strong> of 3" in shown
    # Words and their language stay as they are.
    assert '<html lang="en">' in shown
    today = format_date(datetime.now(UTC), "d. MMM yyyy", locale="de")
    assert f"to {today}," in shown
    english = browser.get(address)
    assert f"{datetime.now(UTC):%b %-d, %Y}" in text(english)
    assert f"worth <strong>3,703.70{SPACE}EUR</strong>" in text(english)
    assert "Accept-Language" in english.headers["Vary"]


class Attributes(HTMLParser):
    """What scripts, drawings and forms read of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[object] = []

    def handle_starttag(self, tag, attrs):
        if ("name", "csrfmiddlewaretoken") not in attrs:
            self.found.append((tag, attrs))


def attributes(response):
    parser = Attributes()
    parser.feed(response.content.decode())
    return parser.found


@pytest.mark.parametrize(
    "path",
    [
        *("{goal}?compare=previous", "{goal}/breakdown?dimension=country"),
        *("{goal}/journeys", "{goal}/conversions", "{goal}/names", "{goal}/edit"),
        *("{site}?compare=previous", "{site}/names", "{site}/live", "{site}/settings"),
        *("{site}/funnels?step=pageview:exact:/&step=custom:exact:buy", "/"),
    ],
)
def test_attributes_are_the_same_in_every_locale(site, browser, address, path):
    site.retention_months = 1_200
    site.save()
    url = path.format(goal=address, site=f"/sites/{site.site_key}")
    german = browser.get(url, headers=GERMAN)
    assert german.status_code == 200
    assert attributes(german) == attributes(browser.get(url))


@pytest.mark.parametrize(
    "path",
    [
        *("?as=csv", "/breakdown?dimension=country&as=csv", "/journeys?as=csv"),
        *("/conversions?as=csv", "/names?as=csv"),
    ],
)
def test_files_are_the_same_in_every_locale(browser, address, path):
    german = browser.get(address + path, headers=GERMAN).getvalue()
    assert german == browser.get(address + path).getvalue()
    assert b"," in german


@pytest.mark.parametrize(
    "path", ["/stats", "/breakdown?dimension=country", "/stats?period=x"]
)
def test_answers_of_the_api_are_the_same_in_every_locale(reader, address, path):
    german = reader("GET", address + path, headers=GERMAN)
    assert german.content == reader("GET", address + path).content


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        ("", "1,234.5"),
        ("*", "1,234.5"),
        ("en-GB", "1,234.5"),
        ("fr-CA, en", "1\u202f234,5"),
        ("hi", "1,234.5"),
        ("xx-XX, de", "1.234,5"),
        ("../../../etc/passwd", "1,234.5"),
        ("de" * 9_999, "1,234.5"),
        ("en;q=0.1, de", "1.234,5"),
    ],
)
def test_locale_is_the_first_that_is_known(rf, header, shown):
    with locales.of(rf.get("/", headers={"Accept-Language": header})):
        assert locales.number("1234.5", 1) == shown
    assert locales.number("1234.5", 1) == "1,234.5"


@pytest.mark.parametrize(
    ("header", "day", "in_year", "of_week", "moment"),
    [
        ("en-US", "Mar 9, 2026", "Mar 9", "Mon, Mar 9, 2026", "Mar 9, 2026, 2:05 PM"),
        ("en-GB", "9 Mar 2026", "9 Mar", "Mon, 9 Mar 2026", "9 Mar 2026, 14:05"),
        ("de", "9. März 2026", "9. März", "Mo., 9. März 2026", "9. März 2026, 14:05"),
        ("sv", "9 mars 2026", "9 mars", "mån 9 mars 2026", "9 mars 2026 14:05"),
        ("ja", "2026年3月9日", "3月9日", "2026年3月9日(月)", "2026年3月9日 14:05"),
    ],
)
def test_dates_are_those_of_the_locale(rf, header, day, in_year, of_week, moment):
    at = datetime(2026, 3, 9, 14, 5, 6, tzinfo=ZoneInfo("Pacific/Auckland"))
    with locales.of(rf.get("/", headers={"Accept-Language": header})):
        shown = [locales.day(at), locales.day(at, "MMMd"), locales.day(at, "yMMMEd")]
        assert shown == [day, in_year, of_week]
        # CLDR has a narrow space before PM.
        assert locales.moment(at).replace("\u202f", " ") == moment


def test_every_language_of_django_has_a_form(rf):
    for language, _name in settings.LANGUAGES:
        with locales.of(rf.get("/", headers={"Accept-Language": language})):
            assert locales.moment(datetime(2026, 3, 9, tzinfo=UTC))
            assert locales.number(1234)
