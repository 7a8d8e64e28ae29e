"""The page of the API's documentation, in a real browser against a real server."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from krafter.openapi import pages
from tests.analytics.ingest import browsers
from tests.halves import on_sqlite
from tests.running import Service

pytestmark = on_sqlite


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("browser")
    with browsers.running("chromium", folder) as browser:
        yield browser


@pytest.fixture
def origin(service: Service) -> str:
    return service.url.removesuffix("/api/v1/analytics")


@pytest.fixture
def page(browser: Browser, origin: str) -> Iterator[Page]:
    """The page; anything that the browser complains of fails the test."""
    complaints: list[str] = []
    foreign: list[str] = []
    page = browser.new_page()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda request: (
            foreign.append(request.url)
            if not request.url.startswith((origin, "data:"))
            else None
        ),
    )
    page.goto(f"{origin}/api/v1/docs")
    yield page
    page.close()
    assert complaints == []
    assert foreign == []


def test_every_operation_is_shown(page):
    paths = pages.document()["paths"].values()
    expect(page.locator(".opblock")).to_have_count(sum(map(len, paths)))


def test_pasted_key_is_tried(page, service):
    page.get_by_role("button", name="Authorize").first.click()
    page.get_by_label("auth-bearer-value").fill(service.secret)
    page.locator(".auth-btn-wrapper .authorize").click()
    page.locator(".auth-btn-wrapper .btn-done").click()
    operation = page.locator("#operations-sites-sites_list")
    operation.click()
    operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table .response")
    expect(answer.locator(".response-col_status")).to_contain_text("200")
    expect(answer).to_contain_text('"data"')


def authorize(page, secret):
    page.get_by_role("button", name="Authorize").first.click()
    page.get_by_label("auth-bearer-value").fill(secret)
    page.locator(".auth-btn-wrapper .authorize").click()
    page.locator(".auth-btn-wrapper .btn-done").click()


def execute(page):
    operation = page.locator("#operations-sites-sites_list")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Execute").click()
    return operation


def test_key_stays_for_the_session_of_the_tab(page, service):
    authorize(page, service.secret)
    page.reload()
    answer = execute(page).locator(".live-responses-table .response")
    expect(answer.locator(".response-col_status")).to_contain_text("200")
    assert page.evaluate("localStorage.length") == 0
    page.get_by_role("button", name="Authorize").first.click()
    page.locator(".auth-btn-wrapper button", has_text="Logout").click()
    assert page.evaluate("sessionStorage.length") == 0


def test_request_is_shown_in_five_languages(page, service):
    authorize(page, service.secret)
    snippets = execute(page).locator(".request-snippets")
    for title, said in [
        ("curl", "curl -X 'GET'"),
        ("Python", "requests.request("),
        ("TypeScript", "await fetch("),
        ("PHP", "curl_setopt_array("),
        ("Go", "http.NewRequest("),
    ]:
        snippets.get_by_text(title, exact=True).click()
        expect(snippets).to_contain_text(said)
        expect(snippets).to_contain_text(f"Bearer {service.secret}")


def test_search_leaves_what_has_the_words(page):
    expect(page.locator("#operations-goals-goals_stats")).to_be_visible()
    page.get_by_label("Search operations").fill("funnel")
    expect(page.locator("#operations-goals-funnels_query")).to_be_visible()
    expect(page.locator("#operations-goals-goals_stats")).to_be_hidden()
    expect(page.locator("#operations-sites-sites_list")).to_be_hidden()


def test_page_is_dark_where_that_is_asked_for(page):
    assert not page.evaluate("document.documentElement.matches('.dark-mode')")
    page.emulate_media(color_scheme="dark")
    expect(page.locator("html.dark-mode")).to_have_count(1)


def test_phone_scrolls_in_one_direction_only(page):
    page.set_viewport_size({"width": 375, "height": 700})
    page.locator("#operations-goals-goals_stats .opblock-summary-control").click()
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) <= 375
