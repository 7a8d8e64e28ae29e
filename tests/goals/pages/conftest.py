"""A served shop, and browsers in which its operator has signed in."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from tests.analytics.ingest import browsers
from tests.goals.pages.browsing import AGENT, DESKTOP, PASSWORD, SITE
from tests.running import Service, running


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service with the demo shop, and an operator."""
    with running(
        tmp_path_factory.mktemp("pages"), workers=1, RATE_LIMIT_SIGN_IN="0"
    ) as service:
        service.manage("demo", "--days", "7")
        service.manage(
            *("createsuperuser", "--noinput", "--username", "ada", "--email", ""),
            DJANGO_SUPERUSER_PASSWORD=PASSWORD,
        )
        yield service


@pytest.fixture(scope="session")
def goal(shop: Service) -> str:
    return str(shop("GET", f"/sites/{SITE}/goals").json()["data"][0]["id"])


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("browser")
    with browsers.running("chromium", folder) as browser:
        yield browser


@pytest.fixture(scope="module")
def signed_in(shop: Service, chromium: Browser) -> Any:
    """The cookies of a browser in which Ada has signed in."""
    context = browsers.new_context(chromium, base_url=shop.server.url)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="Krafter", exact=True)).to_be_visible()
    expect(page).not_to_have_url(re.compile("/login"))
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture(scope="module")
def open_tab(
    shop: Service, chromium: Browser, signed_in: Any
) -> Callable[[dict[str, Any]], Page]:
    """Opens a tab of a browser in which Ada has signed in."""

    def open_tab(options: dict[str, Any]) -> Page:
        usual = {
            "base_url": shop.server.url,
            "user_agent": AGENT,
            "storage_state": signed_in,
            **DESKTOP,
        }
        return browsers.new_context(chromium, **usual | options).new_page()

    return open_tab


@pytest.fixture(scope="module")
def tab(
    open_tab: Callable[[dict[str, Any]], Page],
) -> Callable[[dict[str, Any]], Page]:
    """The tab of a device for all pages that are only looked at.

    A new one for each would take as long as the page itself.
    """
    tabs: dict[str, Page] = {}

    def tab(device: dict[str, Any]) -> Page:
        scheme = device["color_scheme"]
        if scheme not in tabs:
            tabs[scheme] = open_tab(device)
        tabs[scheme].set_viewport_size(device["viewport"])
        return tabs[scheme]

    return tab


@pytest.fixture
def watch(shop: Service) -> Iterator[Callable[[Page], None]]:
    """Fails the test if a page complains, or asks another server for something."""
    complaints: list[str] = []
    pages: list[Page] = []

    def note_request(request: Request) -> None:
        if not request.url.startswith((shop.server.url, "data:")):
            complaints.append(request.url)

    listeners: dict[Any, Callable[[Any], None]] = {
        "console": lambda message: complaints.append(message.text),
        "pageerror": lambda error: complaints.append(str(error)),
        "request": note_request,
    }

    def watch(page: Page) -> None:
        pages.append(page)
        for event, listener in listeners.items():
            page.on(event, listener)

    yield watch
    for page in pages:
        for event, listener in listeners.items():
            page.remove_listener(event, listener)
    assert complaints == []


@pytest.fixture
def look(
    open_tab: Callable[[dict[str, Any]], Page], watch: Callable[[Page], None]
) -> Iterator[Callable[..., Page]]:
    """Opens a page in a browser of its own, or in a tab that there is."""
    contexts: list[BrowserContext] = []

    def look(path: str = "/", tab: Page | None = None, **options: Any) -> Page:
        page = tab or open_tab(options)
        if tab is None:
            contexts.append(page.context)
        watch(page)
        page.goto(path)
        expect(page).not_to_have_url(re.compile("/login"))
        return page

    yield look
    for context in contexts:
        context.close()
