"""A browser's tab, and a website with the tracker; both browsers in turn."""

import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.analytics.ingest import browsers
from tests.analytics.ingest.websites import TRACKER, Visitor, Website


@pytest.fixture(scope="module", params=["chromium", "firefox"])
def browser(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("browser")
    with browsers.running(request.param, folder) as browser:
        yield browser


@pytest.fixture(scope="module")
def page(browser: Browser) -> Page:
    """One tab for all, since each costs 0.1 s. Websites keep tests apart."""
    page = browsers.new_context(browser).new_page()
    page.set_default_timeout(10_000)
    return page


@pytest.fixture
def website() -> Iterator[Website]:
    with Website(TRACKER.read_text()) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def visitor(page: Page, website: Website) -> Iterator[Visitor]:
    visitor = Visitor(page, website)
    page.on("request", visitor.note_request)
    page.on("pageerror", visitor.note_error)
    yield visitor
    # The answer comes after the errors that were reported before it.
    visitor.run("")
    page.remove_listener("request", visitor.note_request)
    page.remove_listener("pageerror", visitor.note_error)
    page.context.clear_cookies()
    assert visitor.errors == []
