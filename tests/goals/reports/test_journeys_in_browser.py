"""One journey, as page loads and as a single-page application, in a real browser.

From a search engine or a campaign over two pages to a payment provider and back: both
ways of building a site must tell the same.
"""

import json
from collections.abc import Iterator

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, Request, Route

from tests.analytics.ingest import browsers
from tests.analytics.ingest.websites import TRACKER
from tests.factories import GoalFactory, SiteFactory
from tests.halves import on_postgresql

pytestmark = on_postgresql

AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"
SEARCH, PAYMENT = "https://www.google.com/search", "https://www.paypal.com/pay"
LANDINGS = {
    "search": "/",
    "campaign": "/?utm_source=News&amp;utm_medium=email&utm_campaign=may&gclid=1",
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("browser")
    with browsers.running("chromium", folder) as browser:
        yield browser


class Shop:
    """A shop on a domain of its own; what its pages sent is in `bodies`."""

    def __init__(self, browser: Browser, domain: str, key: str) -> None:
        self.origin = f"https://{domain}"
        self.tag = f'<script defer data-site="{key}" src="/a.js"></script>'
        self.bodies: list[str] = []
        self.context = browsers.new_context(browser, user_agent=AGENT)
        self.context.route("**/*", self._serve)
        self.context.on("request", self._note)

    def _note(self, request: Request) -> None:
        if request.method == "POST":
            self.bodies.append(request.post_data or "")

    def _serve(self, route: Route) -> None:
        """No request leaves the machine."""
        url = route.request.url
        if route.request.method == "POST":
            route.fulfill(status=202, json={"ok": True, "at": 0})
        elif url.endswith("/a.js"):
            route.fulfill(body=TRACKER.read_text(), content_type="text/javascript")
        else:
            tag = self.tag if url.startswith(self.origin) else ""
            route.fulfill(
                body=f"<!doctype html>{tag}<a>on</a>", content_type="text/html"
            )

    def calls(self) -> int:
        return sum(len(json.loads(body)["calls"]) for body in self.bodies)

    def visit(self, landing: str, *, is_single_page: bool) -> None:
        page = self.context.new_page()
        page.goto(SEARCH)
        self._follow(page, self.origin + landing, calls=1)
        for number, path in enumerate(("/product", "/cart"), start=2):
            if is_single_page:
                page.evaluate(f"history.pushState({{}}, '', '{path}')")
                self._wait(page, number)
            else:
                self._follow(page, self.origin + path, calls=number)
        self._follow(page, PAYMENT, calls=3)
        self._follow(page, f"{self.origin}/thank-you", calls=4)
        page.evaluate("ka.goal('purchase', 49.99)")
        self._wait(page, 5)
        self.context.close()

    def _follow(self, page: Page, url: str, *, calls: int) -> None:
        """Follow a link, so that the next page has a page before it."""
        page.evaluate("url => document.querySelector('a').href = url", url)
        page.click("a")
        page.wait_for_url(url)
        self._wait(page, calls)

    def _wait(self, page: Page, calls: int) -> None:
        for _ in range(100):
            if self.calls() >= calls:
                return
            page.wait_for_timeout(50)
        raise AssertionError(self.bodies)


QUESTIONS = [
    *(
        f"breakdown?dimension={dimension}&attribution={attribution}"
        for dimension in ("referrer", "channel", "utm_source", "utm_medium", "path")
        for attribution in ("last", "first")
    ),
    "rate?referrer=Google",
    "rate?channel=Email",
    "rate?utm_source=news",
    "rate?referrer=(none)",
    "stats?referrer=Google",
    "stats?channel=!Email",
    "stats?utm_source=NEWS&path=/thank-you",
    "conversions?referrer=Google",
    "conversions?channel=Email",
]


@pytest.fixture
def told(browser, db, reader, site):
    """All answers about the journey of one visitor of a new site."""

    def told(landing, *, is_single_page):
        name = "spa" if is_single_page else "pages"
        own = SiteFactory.create(team=site.team, domain=f"www.{name}.example")
        goal = GoalFactory.create(
            site=own,
            type="custom",
            match_type="exact",
            match_value="purchase",
            currency="EUR",
        )
        shop = Shop(browser, own.domain, own.site_key)
        shop.visit(landing, is_single_page=is_single_page)
        referrers = {json.loads(body)["referrer"] for body in shop.bodies}
        assert {"https://www.google.com/", "https://www.paypal.com/"} <= referrers
        for body in shop.bodies:
            client = Client(headers={"User-Agent": AGENT})
            sent = client.generic("POST", "/a", body.encode(), "text/plain")
            assert sent.status_code == 202
        path = f"/sites/{own.site_key}/goals/{goal.pk}"
        return {
            question: without_ids(reader("GET", f"{path}/{question}").json())
            for question in QUESTIONS
        }

    return told


def without_ids(answer):
    """Without what differs between two visitors, whatever they do."""
    data = answer["data"]
    if isinstance(data, list):
        for row in data:
            del row["timestamp"], row["visitor"], row["visit_started_at"]
    return data


@pytest.mark.parametrize("landing", LANDINGS)
def test_page_loads_and_single_page_application_tell_the_same(told, landing):
    pages = told(LANDINGS[landing], is_single_page=False)
    single = told(LANDINGS[landing], is_single_page=True)
    assert pages == single
    (source,) = pages["breakdown?dimension=referrer&attribution=last"]["breakdown"]
    (channel,) = pages["breakdown?dimension=channel&attribution=last"]["breakdown"]
    assert source["value"] == "Google"
    assert channel["value"] == ("Search" if landing == "search" else "Email")
    assert (source["conversions"], source["revenue"]) == (1, 49.99)
    assert pages["rate?referrer=Google"]["rate"] == 1
    assert pages["rate?referrer=(none)"]["rate"] is None
    (conversion,) = pages["conversions?referrer=Google"]
    assert conversion["referrer"] == "Google"
    is_campaign = landing == "campaign"
    assert conversion["utm_source"] == ("News" if is_campaign else None)
    assert len(pages["conversions?channel=Email"]) == is_campaign
