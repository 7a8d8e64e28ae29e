"""The page of the API's documentation, in a real browser against a real server."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from krafter.openapi import pages
from tests.analytics.ingest import browsers
from tests.running import Service


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # As in the tests of the tracker: Playwright keeps an event loop here.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        folder = tmp_path_factory.mktemp("browser")
        browser = browsers.launch(playwright, "chromium", folder)
        yield browser
        browser.close()


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
