"""The pages of /docs: made without a broken link, served, and found by searching."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from playwright.sync_api import Browser, expect

from krafter import installation, pages
from tests.analytics.ingest import browsers
from tests.halves import on_sqlite

pytestmark = on_sqlite

DESKTOP = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"}
PHONE = {"viewport": {"width": 320, "height": 640}, "color_scheme": "dark"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All pages, made anew. A link to no page or heading fails here."""
    folder = tmp_path_factory.mktemp("documentation") / "docs"
    subprocess.run(
        [sys.executable, "-m", "docs.site", "--strict", folder],
        cwd=installation.ROOT,
        check=True,
    )
    return folder


@pytest.fixture(autouse=True)
def served(made: Path, monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    monkeypatch.setattr(installation, "DOCUMENTATION", made)


class Page(HTMLParser):
    """Where a page leads, and what of it the policy would refuse."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        for name in ("href", "src", "action"):
            if given.get(name):
                self.links.add(str(given[name]))
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)
        self.inline += [n for n in given if n == "style" or n.startswith("on")]


def test_each_document_is_a_page_and_every_link_leads_somewhere(made):
    client = Client()
    documents = {path.stem for path in (installation.ROOT / "docs").glob("*.md")}
    assert documents <= {path.stem for path in made.glob("*.html")}
    targets = set()
    for document in sorted(made.glob("*.html")):
        page = Page(document.read_text())
        assert page.inline == [], document.name
        targets |= {urljoin(f"/docs/{document.name}", link) for link in page.links}
    here = {urlsplit(link) for link in targets if not urlsplit(link).netloc}
    assert len({link.path for link in here}) > len(documents)
    for link in here:
        if link.scheme:
            continue
        answer = client.get(f"{link.path}?{link.query}", follow=True)
        assert answer.status_code == 200, link.path


def test_address_without_a_slash_leads_to_the_first_page():
    answer = Client().get("/docs", follow=True)
    assert answer.redirect_chain == [("/docs/", 302)]
    assert "<h1>Documentation" in answer.content.decode()
    assert answer.headers["Content-Security-Policy"] == pages.POLICY


def test_styles_are_kept_for_a_year_and_compressed():
    page = Client().get("/docs/api.html").content.decode()
    (styles,) = re.findall(r'"(_static/pages\.css\?v=[^"]+)"', page)
    answer = Client().get(f"/docs/{styles}", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Content-Type"] == "text/css; charset=utf-8"


def test_list_of_words_is_asked_for_anew_and_not_sent_again():
    first = Client().get("/docs/searchindex.js")
    assert first.headers["Cache-Control"] == "no-cache"
    again = Client().get(
        "/docs/searchindex.js", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert again.status_code == 304


@pytest.mark.parametrize(
    "name",
    [
        "missing.html",
        "../pyproject.toml",
        "%2e%2e/%2e%2e/pyproject.toml",
        "//etc/passwd",
        "%00",
        "x" * 5_000,
    ],
)
def test_nothing_else_is_served(name):
    assert Client().get(f"/docs/{name}").status_code == 404


def test_where_none_was_made_there_is_none(monkeypatch, tmp_path):
    monkeypatch.setattr(installation, "DOCUMENTATION", tmp_path / "none")
    assert Client().get("/docs/").status_code == 404


def test_only_reading():
    assert Client().post("/docs/").status_code == 405


# In a browser


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("browser")
    with browsers.running("chromium", folder) as browser:
        yield browser


@pytest.fixture
def look(live_server, chromium: Browser):
    """Open a page; whatever the browser complains of fails the test."""
    complaints: list[str] = []
    contexts = []

    def look(path, **options):
        context = browsers.new_context(chromium, base_url=live_server.url, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(request.url))
        page.goto(path)
        return page

    yield look
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("path", ["/docs/", "/docs/api.html", "/docs/search.html"])
def test_page_is_accessible_and_fits(look, device, path):
    page = look(path, **device)
    found = Axe().run(page).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []
    shown = page.evaluate("document.documentElement.scrollWidth")
    assert shown <= device["viewport"]["width"]


def test_searching_finds_a_page_and_its_words(look):
    page = look("/docs/")
    page.get_by_label("Search the documentation").fill("revenue refund")
    page.keyboard.press("Enter")
    result = page.locator("#search-results").get_by_role("link").first
    expect(result).to_be_visible()
    result.click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert "search.html" not in page.url


def test_a_theme_is_kept_for_all_pages(look):
    page = look("/docs/", **DESKTOP)
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.get_by_role("button", name="Theme").click(click_count=2)
    dark = page.evaluate(background)
    page.goto("/docs/http.html")
    assert page.evaluate(background) == dark != light
