"""A served shop, and browsers in which its operator has signed in."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.analytics.ingest import browsers
from tests.goals.pages.browsing import AGENT, DESKTOP, PASSWORD, SITE
from tests.running import Service, running


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
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


@pytest.fixture
def look(
    shop: Service, chromium: Browser, signed_in: Any
) -> Iterator[Callable[..., Page]]:
    """Opens a page of a browser in which Ada has signed in."""
    complaints: list[str] = []
    contexts: list[BrowserContext] = []

    def look(path: str = "/", **options: Any) -> Page:
        options = {
            "base_url": shop.server.url,
            "user_agent": AGENT,
            "storage_state": signed_in,
            **DESKTOP,
        } | options
        context = browsers.new_context(chromium, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: (
                complaints.append(request.url)
                if not request.url.startswith((shop.server.url, "data:"))
                else None
            ),
        )
        page.goto(path)
        expect(page).not_to_have_url(re.compile("/login"))
        return page

    yield look
    for context in contexts:
        context.close()
    assert complaints == []
