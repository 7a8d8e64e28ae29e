"""The page of one goal, and the parts that load after it."""

import csv
import html
import io
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from analytics import events
from analytics.models import Role
from goals.templatetags.figures import duration
from tests.factories import GoalFactory, store
from tests.goals.pages.browsing import member, text
from tests.queries import captured_queries

pytestmark = pytest.mark.django_db

TODAY = datetime.now(UTC).date()
PARTS = ("breakdown", "journeys", "names", "conversions", "properties")


@pytest.fixture
def browser(site):
    return member(site.team)


@pytest.fixture
def goal(site):
    return GoalFactory.create(
        site=site, name="Bought", type="custom", match_value="buy", currency="EUR"
    )


@pytest.fixture
def address(site, goal):
    return f"/sites/{site.site_key}/goals/{goal.pk}"


def buy(site, visitor=1, **labels):
    ago = labels.pop("ago", 0)
    store(
        site,
        "goal",
        "buy",
        visitor=visitor,
        amount=10_0000,
        currency="EUR",
        at=datetime.now(UTC) - timedelta(days=ago),
        labels=events.Labels(**labels),
    )


def test_sentence_says_what_happened(site, browser, address):
    for visitor in (1, 1, 2):
        buy(site, visitor)
    store(site, "pageview", "/", visitor=3)
    shown = text(browser.get(address))
    assert "<strong>3</strong> conversions from" in shown
    assert (
        "by 2 visitor-days, worth <strong>30.00\N{NO-BREAK SPACE}EUR</strong>" in shown
    )
    assert "This is <strong>66.7\N{NO-BREAK SPACE}%</strong> of 3" in shown
    assert "too few to compare" in shown


def test_course_has_each_day_of_the_period(site, browser, address):
    buy(site)
    shown = text(browser.get(f"{address}?period=7d"))
    assert shown.count('<td class="number" data-value=') == 8
    assert shown.count('data-value="1"') == 1


@pytest.mark.parametrize(
    "query",
    [
        "compare=previous_month&from=2026-03-28&to=2026-03-31",
        # In Berlin, the hour from 2 to 3 was skipped.
        "compare=previous&interval=hour&from=2026-03-30&to=2026-03-30",
        f"compare=previous&from={TODAY}&to={TODAY + timedelta(5)}",
    ],
)
def test_rows_without_an_earlier_one_have_a_dash(site, browser, address, query):
    site.timezone = "Europe/Berlin"
    site.save()
    response = browser.get(f"{address}?period=custom&{query}")
    assert response.status_code == 200
    assert '<td class="number" data-before="">\N{EN DASH}</td>' in text(response)


def test_comparison_stands_beside(site, browser, address):
    buy(site)
    buy(site, ago=9)
    shown = text(browser.get(f"{address}?period=7d&compare=previous"))
    assert shown.count("data-before=") == 8 + 1
    assert "The earlier period had 1." in shown


def test_no_earlier_data_is_said(site, browser, address):
    buy(site)
    shown = text(browser.get(f"{address}?compare=previous"))
    assert "There is no earlier data to compare with." in shown


def test_rate_among_those_who_reached_another_goal(site, browser, address):
    other = GoalFactory.create(site=site, name="Joined")
    for visitor in (1, 2, 3, 4):
        store(site, "event", "signup", visitor=visitor)
    buy(site, 1)
    shown = text(browser.get(f"{address}?of={other.pk}"))
    assert "<strong>25.0\N{NO-BREAK SPACE}%</strong> of 4" in shown
    assert "completed “Joined”" in shown


def test_long_period_is_shown_by_the_week_and_month(site, browser, address):
    assert "Week from" in text(browser.get(f"{address}?period=12mo"))
    assert "Month from" in text(browser.get(f"{address}?period=12mo&interval=month"))


def test_breakdown_shows_values_and_their_bars(site, browser, address):
    for visitor in (1, 2):
        buy(site, visitor, country="DE")
    buy(site, 3)
    shown = text(browser.get(f"{address}/breakdown?dimension=country"))
    assert "By Country: 2 of 2 values." in shown
    assert "DE" in shown
    assert "not known" in shown
    assert 'width="50.0%"' in shown


def test_breakdown_follows_limit_and_cursor(site, browser, address):
    for visitor, country in enumerate(("DE", "DE", "DE", "FR", "FR", "GB"), start=1):
        buy(site, visitor, country=country)
    first = text(browser.get(f"{address}/breakdown?dimension=country&limit=2"))
    assert "By Country: 2 of 3 values." in first
    assert "GB" not in first
    cursor = re.findall(r"(\?[^\"]*cursor=[^\"]+)\">Next values", first)[0]
    second = text(browser.get(f"{address}/breakdown{html.unescape(cursor)}"))
    assert "By Country: 1 of 3 values." in second
    assert "GB" in second
    assert "DE" not in second
    assert "Next values" not in second


def test_breakdown_is_compared(site, browser, address):
    buy(site, 1, country="DE")
    buy(site, 2, country="DE")
    buy(site, 3, country="DE", ago=40)
    asked = f"{address}/breakdown?dimension=country&compare=previous"
    shown = text(browser.get(asked))
    assert "+100\N{NO-BREAK SPACE}%" in shown
    assert "cannot tell" in shown
    # A file is of this period.
    assert browser.get(f"{asked}&as=csv").status_code == 200


def test_breakdown_has_the_rates_of_the_api(site, browser, reader, address):
    for visitor in range(40):
        where = {"labels": events.Labels(referrer="news.example")}
        store(site, "pageview", "/", visitor=visitor, **(where if visitor < 30 else {}))
    buy(site, 1)
    buy(site, 35)
    shown = text(browser.get(f"{address}/breakdown?dimension=referrer"))
    rows = reader("GET", f"{address}/breakdown?dimension=referrer").json()["data"]
    rates = {row["value"]: row["rate"] for row in rows["breakdown"]}
    assert rates == {"news.example": pytest.approx(1 / 30), None: 0.1}
    assert "3.3\N{NO-BREAK SPACE}%" in shown
    assert "10.0\N{NO-BREAK SPACE}%" in shown
    assert "direct, no source" in shown
    assert "too few" in shown


@pytest.mark.parametrize(
    ("dimension", "unknown"),
    [
        ("referrer", "direct, no source"),
        ("utm_campaign", "no campaign"),
        ("country", "not known"),
    ],
)
def test_nothing_has_its_own_word(site, browser, address, dimension, unknown):
    buy(site)
    shown = text(browser.get(f"{address}/breakdown?dimension={dimension}"))
    assert f'<span class="soft">{unknown}</span>' in shown


def test_values_of_properties_are_shown_as_they_were_sent(site, browser, address):
    for sent in (True, 1500.5, "<b>"):
        store(site, "goal", "buy", props={"paid": sent})
    page = browser.get(f"{address}/breakdown?dimension=props.paid").content.decode()
    rows = page.split('<th scope="row" class="text">')[1:]
    shown = [row.partition("<svg")[0] for row in rows]
    assert shown == ["&lt;b&gt;", "1500.5", "true"]


def test_properties_lead_to_their_breakdown(site, browser, address):
    store(site, "goal", "buy", props={"plan & co": "pro"})
    shown = text(browser.get(f"{address}?dimension=props&period=7d"))
    assert f'data-part="{address}/properties?period=7d"' in shown
    keys = text(browser.get(f"{address}/properties?period=7d"))
    link = f"{address}?period=7d&amp;dimension=props.plan%20%26%20co#from"
    assert f'href="{link}">plan &amp; co</a>' in keys
    page = text(browser.get(link.replace("&amp;", "&").removesuffix("#from")))
    assert 'aria-current="true">props.plan &amp; co</a>' in page
    rows = browser.get(f"{address}/breakdown?dimension=props.plan%20%26%20co")
    assert "pro" in text(rows)


def test_goal_shows_what_was_noted_and_changed(site, browser, goal, address, writer):
    day = (datetime.now(UTC) - timedelta(days=3)).date()
    old = (datetime.now(UTC) - timedelta(days=300)).date()
    for at, said in ((day, "<Sale>"), (old, "Long ago")):
        body = {"date": at.isoformat(), "text": said}
        writer("POST", f"/sites/{site.site_key}/annotations", body)
    writer(
        "PATCH", f"/sites/{site.site_key}/goals/{goal.pk}", {"match_value": "bought"}
    )
    shown = text(browser.get(address))
    assert f'data-mark="{day}"' in shown
    assert "&lt;Sale&gt;" in shown
    assert "Long ago" not in shown
    assert "The old rule counted the goal call <code>buy</code>" in shown
    assert "the goal call <code>bought</code>" in shown
    # Who only looks notes nothing.
    assert "Add an annotation" not in shown


def test_note_is_made_and_deleted_on_the_page(site, goal, address):
    editor = member(site.team, "editor", Role.EDITOR)
    today = datetime.now(UTC).date().isoformat()
    form = {"date": today, "text": "Sale", "goal": str(goal.pk), "query": "period=7d"}
    notes = f"/sites/{site.site_key}/notes"
    answer = editor.post(notes, form)
    assert answer.headers["Location"] == f"{address}?period=7d#marks"
    assert "Sale" in text(editor.get(address))
    wrong = editor.post(notes, {**form, "date": "never"}, follow=True)
    assert "The annotation was not added" in text(wrong)
    (note,) = site.annotations.all()
    assert editor.post(f"{notes}/{note.pk}/delete", form).status_code == 302
    assert not site.annotations.exists()
    assert editor.post(f"{notes}/{note.pk}/delete", form).status_code == 404
    viewer = member(site.team, "viewer")
    assert viewer.post(notes, form).status_code == 403


@pytest.mark.parametrize("path", ["?as=csv", "/names?as=csv", "/conversions?as=csv"])
def test_tables_as_csv(site, browser, address, path):
    buy(site)
    answer = browser.get(address + path)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["Content-Disposition"]
    content = b"".join(answer)
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    assert len(rows) == (31 if path == "?as=csv" else 1)
    assert rows[-1].get("conversions", "1") == "1"


def test_breakdown_as_csv(site, browser, address):
    buy(site, country="DE")
    response = browser.get(f"{address}/breakdown?dimension=country&as=csv")
    (row,) = csv.DictReader(io.StringIO(response.getvalue().decode()))
    assert row == {
        "country": "DE",
        "conversions": "1",
        "unique_conversions": "1",
        "revenue": "10.00",
        "visitors": "1",
        "rate": "1.0",
        "rate_low": "0.206549",
        "rate_high": "1.0",
        "too_few_to_compare": "true",
    }


def test_journeys_say_how_long_it_took_and_over_which_pages(site, browser, address):
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0) - timedelta(days=2)
    for visitor, minutes in ((1, 3), (2, 65), (3, 125)):
        labels = events.Labels(referrer="www.google.com")
        store(site, "pageview", "/<in>", at=noon, visitor=visitor, labels=labels)
        at = noon + timedelta(minutes=1)
        store(site, "pageview", "/cart", at=at, visitor=visitor)
        at = noon + timedelta(minutes=minutes, seconds=20)
        store(site, "goal", "buy", at=at, visitor=visitor)
    shown = text(browser.get(f"{address}/journeys"))
    space = "\N{NO-BREAK SPACE}"
    assert (
        "Half of the 3 visitor-days with a conversion converted within"
        f" <strong>1{space}h 5{space}min</strong>"
    ) in shown
    row = '<th scope="row">{}\N{NO-BREAK SPACE}%</th><td class="number">'
    assert f"{row.format(95)}2{space}h 5{space}min" in shown
    assert f"{row.format(10)}3{space}min 20{space}s" in shown
    assert "<code>/&lt;in&gt;</code> → <code>/cart</code>" in shown
    # Two converted in a later visit, which has no page; none saw a third page.
    assert shown.count('<span class="soft">no page</span>') == 2
    rows = browser.get(f"{address}/journeys?as=csv&limit=1").getvalue().decode()
    assert list(csv.reader(io.StringIO(rows))) == [
        ["list", "place", "pages", "journeys", "seconds"],
        ["time_to_convert", "0.1", "", "", "200"],
        ["time_to_convert", "0.25", "", "", "200"],
        ["time_to_convert", "0.5", "", "", "3920"],
        ["time_to_convert", "0.75", "", "", "7520"],
        ["time_to_convert", "0.9", "", "", "7520"],
        ["time_to_convert", "0.95", "", "", "7520"],
        ["entries", "", "", "2", ""],
        ["pages_before", "1", "/cart", "3", ""],
        ["pages_before", "2", "/<in>", "3", ""],
        ["pages_before", "3", "", "3", ""],
        ["ways", "", "/<in> > /cart", "3", ""],
    ]


def test_journeys_of_nobody_say_so(site, browser, address):
    store(site, "pageview", "/")
    shown = text(browser.get(f"{address}/journeys"))
    assert "No conversions in this period." in shown
    assert "Time to convert" not in shown


def test_one_journey_is_no_half(site, browser, address):
    buy(site)
    shown = text(browser.get(f"{address}/journeys"))
    assert "The one visitor-day with a conversion converted <strong>0" in shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "\N{EN DASH}"),
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3_600, "1 h"),
        (3_605, "1 h"),
        (86_399, "23 h 59 min"),
    ],
)
def test_durations_have_two_units(seconds, shown):
    assert duration(seconds).replace("\N{NO-BREAK SPACE}", " ") == shown


def test_names_that_match(site, browser):
    goal = GoalFactory.create(site=site, match_type="contains", match_value="sign")
    for name in ("signup", "signup", "resign"):
        store(site, "event", name)
    shown = text(browser.get(f"/sites/{site.site_key}/goals/{goal.pk}/names"))
    assert "2 names that the site has sent match" in shown
    assert shown.index("<code>signup</code>") < shown.index("<code>resign</code>")


def test_conversions_one_by_one_in_the_sites_time(site, browser, address, monkeypatch):
    monkeypatch.setattr("goals.pages.goal_parts._CONVERSIONS", 2)
    site.timezone = "Asia/Tokyo"
    site.save()
    for visitor in (1, 2, 3):
        buy(site, visitor, referrer="Google")
    shown = text(browser.get(f"{address}/conversions"))
    assert "Times are in Asia/Tokyo" in shown
    assert shown.count("10.00\N{NO-BREAK SPACE}EUR") == 2
    older = shown.partition('href="' + f"{address}/conversions?cursor=")[2]
    cursor = older.partition('"')[0]
    last = text(browser.get(f"{address}/conversions?cursor={cursor}"))
    assert last.count("10.00\N{NO-BREAK SPACE}EUR") == 1


def test_conversions_show_source_entry_page_visit_and_refunds(site, browser, address):
    now = datetime.now(UTC)
    labels = events.Labels(referrer="www.google.com")
    store(site, "pageview", "/landing", at=now, visitor=9, labels=labels)
    store(site, "goal", "buy", at=now, visitor=9, amount=10_0000, event_id="order 9")
    events.refund(site.pk, [events.NewRefund(now.date(), now, "order 9", 4_0000)])
    shown = text(browser.get(f"{address}/conversions"))
    for each in ("Google", "Search", "/landing", f"no. 1, from {now:%-I:%M}"):
        assert each in shown
    assert "refund of order 9" not in shown
    assert "include=refunds" in shown
    query = "include=refunds"
    shown = text(browser.get(f"{address}/conversions?{query}"))
    assert "refund of order 9" in shown
    assert "Without refunds" in shown
    rows = b"".join(browser.get(f"{address}/conversions?{query}&as=csv"))
    assert rows.count(b"order 9") == 2


@pytest.mark.parametrize("part", PARTS)
def test_part_is_a_page_and_for_a_script_the_part_alone(site, browser, address, part):
    whole = browser.get(f"{address}/{part}")
    alone = browser.get(f"{address}/{part}", headers={"X-Part": "1"})
    assert "<main" in text(whole)
    assert "<html" not in text(alone)
    assert "X-Part" in alone.headers["Vary"]


def test_parts_are_linked_with_what_the_page_asks(browser, address):
    shown = text(browser.get(f"{address}?period=7d&country=DE&compare=previous"))
    query = "?period=7d&amp;country=DE"
    assert f'data-part="{address}/breakdown{query}&amp;dimension=referrer"' in shown
    assert f'data-part="{address}/conversions{query}"' in shown


def test_scripts_are_named_and_nothing_is_inline(browser, address):
    shown = text(browser.get(address))
    assert "style=" not in shown
    assert shown.count("<script ") == shown.count("<script src=") == 6


@pytest.mark.parametrize("path", ["", *(f"/{part}" for part in PARTS)])
def test_foreign_unknown_deleted_and_signed_out(
    site, strangers_site, browser, goal, address, path
):
    foreign = GoalFactory.create(site=strangers_site)
    for wrong in (
        f"/sites/{strangers_site.site_key}/goals/{foreign.pk}",
        f"/sites/{site.site_key}/goals/{foreign.pk}",
        f"/sites/{strangers_site.site_key}/goals/{goal.pk}",
        f"/sites/{site.site_key}/goals/nothing",
        f"/sites/{site.site_key}/goals/{str(goal.pk).replace('-', '')}",
    ):
        assert browser.get(wrong + path).status_code == 404
    assert Client().get(address + path).status_code == 302
    goal.deleted_at = datetime.now(UTC)
    goal.save()
    assert browser.get(address + path).status_code == 404


@pytest.mark.parametrize(
    "query", ["?dimension=shoe", "?interval=year", "?of=x", "?cursor=1", "?limit=0"]
)
def test_wrong_question_is_named(browser, address, query):
    assert browser.get(address + query).status_code == 422


def test_number_of_queries_is_fixed(site, browser, address):
    def queries():
        browser.get(address)
        with captured_queries() as found:
            browser.get(address)
        return len(found)

    buy(site)
    one = queries()
    for number in range(20):
        buy(site, number, ago=number, country="DE")
        GoalFactory.create(site=site, match_value=f"other {number}")
    assert queries() == one
