"""The pages as a person has them: real Chromium on the served service.

On a desktop in light and on a phone in dark; by mouse, by keyboard alone, and without
scripts. Whatever the browser complains of, the policy's violations above all, fails.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.analytics.ingest import browsers
from tests.goals.pages.browsing import (
    AGENT,
    DESKTOP,
    PHONE,
    SITE,
    settled,
    violations,
)
from tests.halves import on_postgresql

pytestmark = on_postgresql

NARROWEST, WIDEST = 320, 3840
# {goal} is one of the demo's.
PATHS = (
    "/",
    "/sites/new",
    f"/sites/{SITE}?compare=previous&device=Desktop",
    f"/sites/{SITE}/goals/{{goal}}?compare=previous",
    f"/sites/{SITE}/goals/{{goal}}/breakdown?dimension=country",
    f"/sites/{SITE}/goals/{{goal}}/journeys",
    f"/sites/{SITE}/goals/{{goal}}/names",
    f"/sites/{SITE}/goals/{{goal}}/conversions",
    f"/sites/{SITE}/goals/{{goal}}/edit",
    f"/sites/{SITE}/goals/{{goal}}/delete",
    f"/sites/{SITE}/goals/new",
    f"/sites/{SITE}/deleted-goals",
    f"/sites/{SITE}/names",
    f"/sites/{SITE}/funnels",
    f"/sites/{SITE}/funnels?step=pageview:exact:/cart&step=pageview:exact:/checkout"
    "&country=DE&dimension=referrer",
    f"/sites/{SITE}/live",
    f"/sites/{SITE}/install",
    f"/sites/{SITE}/settings",
    f"/sites/{SITE}/delete",
    f"/sites/{SITE}/erase",
    "/teams/1",
    "/teams/1/keys",
    "/teams/1/data",
    "/teams/1/erase",
    "/account",
    "/account/second-factor",
)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_page_is_accessible_and_fits(look, tab, goal, device, path):
    page = look(path.format(goal=goal), tab=tab(device))
    settled(page)
    assert violations(page) == []
    for width in (NARROWEST, device["viewport"]["width"], WIDEST):
        page.set_viewport_size({"width": width, "height": 900})
        settled(page)
        shown = page.evaluate("document.documentElement.scrollWidth")
        assert shown <= width, f"at {width}"


def test_sign_in_and_error_pages_are_accessible(shop, chromium):
    page = chromium.new_page(base_url=shop.server.url)
    for path in ("/login", "/nowhere", "/login?next=/sites"):
        page.goto(path)
        assert violations(page) == []
    page.close()


def test_goal_is_drawn_broken_down_and_listed(look, goal):
    page = look(f"/sites/{SITE}")
    page.get_by_role("link", name="Purchase").click()
    expect(page.locator(".chart canvas")).to_be_visible()
    settled(page)
    expect(page.get_by_role("cell", name="purchase").first).to_be_visible()
    page.get_by_role("link", name="Country").click()
    settled(page)
    expect(page.get_by_role("rowheader", name="US")).to_be_visible()
    assert "dimension=country" in page.url
    page.get_by_role("link", name="7 days").click()
    # The address keeps what was chosen before.
    assert "dimension=country" in page.url
    expect(page.get_by_text("visitor-days of the site")).to_be_visible()


def test_preview_follows_what_is_typed(look):
    page = look(f"/sites/{SITE}/goals/new")
    place = page.locator("[data-preview-place]")
    page.get_by_label("Value").press_sequentially("/products", delay=30)
    expect(place.get_by_text("/products", exact=True)).to_be_visible()
    page.get_by_label("Path or name").select_option("regex")
    page.get_by_label("Value").fill("(?=x)")
    expect(place).to_contain_text("invalid perl operator")


def test_theme_is_kept(look):
    page = look()
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.get_by_role("button", name="Theme").click()
    page.get_by_role("button", name="Theme").click()
    expect(page.get_by_role("button", name="Dark")).to_be_visible()
    dark = page.evaluate(background)
    assert dark != light
    page.reload()
    assert page.evaluate(background) == dark


def test_keyboard_alone_makes_a_goal(look):
    page = look(f"/sites/{SITE}")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()

    def tab_to(name: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            focused = page.evaluate(
                "document.activeElement.innerText"
                " || document.activeElement.labels?.[0]?.innerText || ''"
            )
            if focused.strip() == name:
                return
        pytest.fail(f"Tab does not reach {name}")

    tab_to("New goal")
    # What has the focus is seen to have it.
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="New goal")).to_be_visible()
    tab_to("Name")
    page.keyboard.type("By keyboard")
    tab_to("A page is viewed")
    page.keyboard.press("ArrowDown")
    tab_to("Value")
    page.keyboard.type("add_to_cart")
    tab_to("Create goal")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="By keyboard")).to_be_visible()
    tab_to("Delete")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Delete “By keyboard”?")).to_be_visible()
    tab_to("Delete the goal")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("It can be restored")


def test_keys_are_listed_and_lead_to_what_they_say(look, goal):
    page = look(f"/sites/{SITE}/goals/{goal}", **PHONE)
    settled(page)
    page.keyboard.press("?")
    help = page.get_by_role("dialog", name="Keyboard shortcuts on this page")
    expect(help).to_be_visible()
    assert violations(page) == []
    assert help.evaluate("help => help.scrollWidth <= help.clientWidth")
    for name in ("Funnels", "12 months", "Filter", "Edit", "All sites"):
        expect(help.get_by_role("definition").filter(has_text=name)).to_be_visible()
    # The focus stays in it, both ways, and what is behind it hears no key.
    for key in (*["Tab"] * 5, *["Shift+Tab"] * 5, "f"):
        page.keyboard.press(key)
        assert help.evaluate("help => help.contains(document.activeElement)")
    page.keyboard.press("Escape")
    expect(help).to_be_hidden()
    page.keyboard.press("3")
    expect(page).to_have_url(re.compile("period=12mo"))
    page.keyboard.press("/")
    expect(page.get_by_label("Attribution")).to_be_focused()
    # What is typed is no key.
    page.get_by_label("Campaign", exact=True).press_sequentially("flags?")
    expect(page.get_by_label("Campaign", exact=True)).to_have_value("flags?")
    expect(help).to_be_hidden()
    page.get_by_role("link", name="Goals", exact=True).focus()
    page.keyboard.press("Control+f")
    page.keyboard.press("l")
    expect(page).to_have_url(re.compile(f"/sites/{SITE}/live"))


def test_keys_can_be_switched_off_and_stay_off(look):
    page = look(f"/sites/{SITE}")
    goals = page.get_by_role("link", name="Goals", exact=True)
    expect(goals).to_have_attribute("aria-keyshortcuts", "g")
    page.keyboard.press("?")
    page.get_by_label("Enable keyboard shortcuts").uncheck()
    page.get_by_role("button", name="Close").click()
    page.reload()
    expect(page.get_by_role("button", name="Keyboard")).to_be_visible()
    expect(goals).not_to_have_attribute("aria-keyshortcuts", "g")
    page.keyboard.press("?")
    page.keyboard.press("f")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page).to_have_url(re.compile(f"/sites/{SITE}$"))
    # The list says how to have them back.
    page.get_by_role("button", name="Keyboard").click()
    page.get_by_label("Enable keyboard shortcuts").check()
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    expect(page).to_have_url(re.compile("/funnels"))


@pytest.mark.parametrize(
    "path", ["/", f"/sites/{SITE}", f"/sites/{SITE}/goals/{{goal}}", "/account"]
)
def test_no_key_means_two_things(look, goal, path):
    page = look(path.format(goal=goal))
    settled(page)
    keys = "[...document.querySelectorAll('[data-key]')].map(each => each.dataset.key)"
    found = page.evaluate(keys)
    assert "t" in found
    assert len(found) == len(set(found))


def test_steps_of_a_funnel_change_places_by_keyboard(look):
    page = look(f"/sites/{SITE}/funnels")
    page.get_by_label("Step 1").select_option("/checkout")
    page.get_by_label("Step 2").select_option("/cart")
    page.get_by_role("button", name="Later").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Step 1")).to_have_value("pageview:exact:/cart")
    page.get_by_role("button", name="Show the funnel").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("completed the funnel")).to_be_visible()
    assert "step=pageview:exact:/cart&step=pageview:exact:/chec" in page.url


def test_funnel_is_filtered_and_broken_down_by_keyboard(look):
    steps = "step=pageview:exact:/cart&step=pageview:exact:/checkout"
    page = look(f"/sites/{SITE}/funnels?{steps}&window_minutes=60")
    steps_of = page.get_by_role("table", name="Visitors who reached each step")
    expect(steps_of.get_by_role("row").nth(2)).to_contain_text(
        re.compile(r"\d\s(s|min)")
    )
    began = int(
        steps_of.get_by_role("row").nth(1).get_by_role("cell").first.inner_text()
    )
    page.get_by_text("Filter", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_label("Country", exact=True).fill("DE")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Country: DE")).to_be_visible()
    page.get_by_role("link", name="Channel").focus()
    page.keyboard.press("Enter")
    rows = page.get_by_role("table", name="By Channel").locator("tbody tr")
    expect(rows).not_to_have_count(0)
    of_rows = [int(row.locator("td").first.inner_text()) for row in rows.all()]
    first = int(
        steps_of.get_by_role("row").nth(1).get_by_role("cell").first.inner_text()
    )
    assert sum(of_rows) == first < began
    for asked in (steps, "window_minutes=60", "country=DE", "dimension=channel"):
        assert asked in page.url
    page.get_by_label("Or by a property").fill("props.plan")
    page.keyboard.press("Enter")
    expect(page.get_by_role("table", name="By props.plan")).to_be_visible()
    assert "country=DE" in page.url
    page.get_by_role("link", name="nothing").last.click()
    expect(page.get_by_role("table")).to_have_count(1)


def test_everything_but_the_chart_works_without_scripts(look):
    page = look(f"/sites/{SITE}", java_script_enabled=False)
    page.get_by_role("link", name="Newsletter Signup").click()
    expect(page.locator("#course tbody tr")).to_have_count(31)
    page.get_by_role("link", name="Country").click()
    page.get_by_role("link", name="Show by Country").click()
    expect(page.get_by_role("rowheader", name="DE")).to_be_visible()
    page.goto(f"/sites/{SITE}/goals/new")
    page.get_by_label("Value").fill("/cart")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("One name that the site has sent matches")).to_be_visible()
    page.goto(f"/sites/{SITE}/funnels?device=Mobile")
    page.get_by_label("Step 1").select_option("/cart")
    page.get_by_label("Step 2").select_option("/checkout")
    page.get_by_role("button", name="Show the funnel").click()
    page.get_by_role("link", name="Entry page").click()
    expect(page.get_by_role("table", name="By Entry page")).to_be_visible()
    expect(page.get_by_text("Device: Mobile")).to_be_visible()


@contextmanager
def own_page(folder: Path, snippet: str) -> Iterator[str]:
    """A person's own page, served from a port of its own."""
    (folder / "index.html").write_text(
        f"<!doctype html><title>Mine</title>{snippet}<button"
        " onclick=\"ka.goal('bought', 9.5)\">Buy</button>"
    )

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Quiet, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_from_nothing_to_a_conversion_of_ones_own(look, chromium, tmp_path):
    page = look()
    page.get_by_role("link", name="Add a site").click()
    page.get_by_label("Domain").fill("mine.example")
    page.get_by_role("button", name="Add the site").click()
    expect(page.get_by_text("Waiting for the first event")).to_be_visible()
    page.get_by_role("button", name="Copy the snippet").click()
    expect(page.locator(".messages[role=status]")).to_have_text("Copied.")
    snippet = page.locator("[data-copy]").inner_text()
    with own_page(tmp_path, snippet) as address:
        visitor = browsers.new_context(chromium, user_agent=AGENT)
        mine = visitor.new_page()
        mine.goto(address)
        mine.get_by_role("button", name="Buy").click()
        # Without loading the page anew.
        page.get_by_role("link", name="bought").click(timeout=15_000)
        visitor.close()
    page.get_by_label("Currency").select_option("EUR")
    page.get_by_role("button", name="Create goal").click()
    expect(page.get_by_role("main")).to_contain_text("1 conversion from")
    expect(page.get_by_role("main")).to_contain_text("9.50\N{NO-BREAK SPACE}EUR")
    page.get_by_role("link", name="Live").click()
    expect(page.get_by_role("cell", name="bought", exact=True)).to_be_visible()


def test_test_event_says_what_became_of_it(look):
    page = look(f"/sites/{SITE}/install")
    page.get_by_role("button", name="Send a test event").click()
    expect(page.get_by_text("The event was stored.")).to_be_visible()


def test_pages_are_light(look, goal):
    """At most 100 KB on first load and 20 KB after, as sent."""
    page = look()

    def weight(path: str) -> int:
        sent: list[int] = []

        def add(request: Any) -> None:
            sizes = request.sizes()
            sent.append(sizes["responseBodySize"] + sizes["responseHeadersSize"])

        page.on("requestfinished", add)
        page.goto(path)
        settled(page)
        page.remove_listener("requestfinished", add)
        return sum(sent)

    heaviest = f"/sites/{SITE}/goals/{goal}"
    first = weight(heaviest)
    again = weight(heaviest)
    assert 1_000 < again <= 20 * 1_024
    assert again < first <= 100 * 1_024
