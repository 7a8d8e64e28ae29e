"""The operator's admin as a person has it: real Chromium on the served service."""

import functools
import re

import pytest
from playwright.sync_api import expect

from tests.goals.pages.browsing import DESKTOP, PHONE, settled, violations
from tests.halves import on_postgresql

pytestmark = on_postgresql

# axe-core knows minor and moderate ones besides.
WORST = ("serious", "critical")
NARROWEST = 320
# The first row of a list is meant by {id}.
PATHS = (
    "/admin/",
    *(
        f"/admin/{model}/"
        for model in (
            *("analytics/site", "goals/goal", "analytics/event"),
            *("analytics/dropcount", "analytics/apitoken", "analytics/team"),
            *("auth/user", "analytics/auditentry"),
        )
    ),
    "/admin/goals/goal/?q=nothing",
    *(
        f"/admin/{model}/add/"
        for model in (
            *("analytics/site", "goals/goal", "analytics/apitoken"),
            *("analytics/team", "auth/user"),
        )
    ),
    *(
        f"/admin/{model}/{{id}}/{deed}/"
        for model, deed in (
            *(("analytics/site", deed) for deed in ("change", "delete", "history")),
            *(("goals/goal", deed) for deed in ("change", "delete", "history")),
            *(("analytics/team", deed) for deed in ("change", "delete")),
            *(("auth/user", deed) for deed in ("change", "delete")),
            *(("analytics/apitoken", "change"), ("analytics/auditentry", "change")),
        )
    ),
)


@pytest.fixture(scope="module")
def id_in(open_tab):
    """The id of the first row of a list."""
    page = open_tab({})

    @functools.cache
    def id_in(model):
        page.goto(model)
        link = page.locator(f"a[href^='{model}'][href*='/change/']").first
        found = re.search(r"([^/]+)/change/", link.get_attribute("href") or "")
        assert found
        return found[1]

    yield id_in
    page.context.close()


@pytest.fixture
def open_page(look, id_in):
    def open_page(path, **options):
        model, of_row, _ = path.partition("{id}")
        page = look(path.format(id=id_in(model)) if of_row else path, **options)
        settled(page)
        return page

    return open_page


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["light", "dark"])
def test_page_is_accessible_and_fits(open_page, tab, device, path):
    page = open_page(path, tab=tab(device))
    expect(page.locator("html.dark")).to_have_count(int(device is PHONE))
    assert violations(page, WORST) == []
    page.set_viewport_size({"width": NARROWEST, "height": 900})
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROWEST


@pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["light", "dark"])
def test_sign_in_is_accessible_and_fits(shop, chromium, device):
    page = chromium.new_page(base_url=shop.server.url, **device)
    page.goto("/admin/login/?next=/admin/")
    assert violations(page, WORST) == []
    page.set_viewport_size({"width": NARROWEST, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROWEST
    page.close()


@pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["light", "dark"])
def test_what_opens_is_accessible_and_reached_by_keyboard(open_page, device):
    page = open_page("/admin/goals/goal/", **device)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.get_by_role("button", name="Filters").focus()
    page.keyboard.press("Enter")
    filters = page.locator("#changelist-filter")
    expect(filters).to_be_visible()
    expect(filters.locator(":focus")).to_have_count(1)
    assert violations(page, WORST) == []
    page.keyboard.press("Escape")
    expect(filters).to_be_hidden()
