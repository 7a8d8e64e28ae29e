"""The tracker in a real browser: what it sends, when, and when it does not."""

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright
from playwright.sync_api import Request as Sent

from analytics.models import ApiToken
from tests.factories import GoalFactory, SiteFactory

ROOT = Path(__file__).resolve().parents[3]
TRACKER = ROOT / "analytics/static/analytics/a.js"
SOURCE = TRACKER.with_name("a.src.js")
KEY = "sk_abc123def456"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def stub() -> str:
    """The snippet for calls before loading, as people copy it."""
    found = re.search(r"<script>.*</script>", (ROOT / "docs/tracker.md").read_text())
    assert found
    return found[0]


class Website(ThreadingHTTPServer):
    """A site whose every page carries the tracker, and the collector beside it.

    `head` goes before the tracker's tag, `attributes` into it; `answers` holds
    other pages by path, or functions that make them.
    """

    def __init__(self, script: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server_port}"
        # Another site to the browser, at the same server.
        self.elsewhere = f"http://localhost:{self.server_port}"
        self.attributes = f'defer data-site="{KEY}" src="{self.origin}/a.js"'
        self.head = ""
        self.answers: dict[str, str | Callable[[], str]] = {"/a.js": script}
        self._posts: list[dict[str, str | None]] = []
        self._arrival = threading.Condition()

    def answer(self, path: str) -> str:
        page = f"<!doctype html>{self.head}{self.tag}<a href=/next>next</a>"
        answer = self.answers.get(path, page)
        return answer if isinstance(answer, str) else answer()

    @property
    def tag(self) -> str:
        return f"<script {self.attributes}></script>"

    def note(self, post: dict[str, str | None]) -> None:
        with self._arrival:
            self._posts.append(post)
            self._arrival.notify_all()

    def received(self, count: int) -> list[dict[str, Any]]:
        """All that arrived so far, and at least `count`."""
        with self._arrival:
            assert self._arrival.wait_for(lambda: len(self._posts) >= count, 10)
            return list(self._posts)


class Handler(BaseHTTPRequestHandler):
    server: Website

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        kind = "text/javascript" if path.endswith(".js") else "text/html"
        self._reply(200, kind, self.server.answer(path))

    # There is no do_OPTIONS: whatever needs a preflight never arrives.
    def do_POST(self) -> None:
        post: dict[str, str | None] = {"path": self.path}
        for name in ("Content-Type", "Cookie", "Sec-Purpose"):
            post[name] = self.headers[name]
        post["body"] = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.note(post)
        self._reply(202, "application/json", '{"ok":true}')

    def _reply(self, status: int, kind: str, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body.encode())))
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args: object) -> None:
        pass


class Visitor:
    """A browser's tab, and what the website's pages in it have sent."""

    def __init__(self, page: Page, website: Website) -> None:
        self.page, self.website = page, website
        self.posts: list[Sent] = []
        self.errors: list[Error] = []

    def note_request(self, request: Sent) -> None:
        if request.method == "POST":
            self.posts.append(request)

    def note_error(self, error: Error) -> None:
        self.errors.append(error)

    def open(self, path: str) -> None:
        self.page.goto(self.website.origin + path)

    def follow_link(self) -> None:
        self.page.click("text=next")
        self.page.wait_for_url("**/next")

    def run(self, script: str) -> Any:
        return self.page.evaluate(f"() => {{ {script} }}")

    def run_until(self, event: str, script: str) -> None:
        wait = f"addEventListener('{event}', done, {{once: true}})"
        self.run(f"return new Promise(done => {{ {wait}; {script} }})")

    def sent(self) -> list[dict[str, Any]]:
        """Every payload, in the order of sending, without its site key."""
        # The browser reports requests before it answers a later question. So
        # the list is complete, without a pause for what must not come.
        self.run("")
        bodies = [post.post_data or "" for post in self.posts]
        arrived = self.website.received(len(bodies))
        assert sorted(post["body"] for post in arrived) == sorted(bodies)
        payloads = [json.loads(body) for body in bodies]
        assert [payload.pop("site") for payload in payloads] == [KEY] * len(bodies)
        return payloads

    def statuses(self) -> list[int]:
        """What the server answered, once it has answered everything."""
        self.run("")
        answers = [post.response() for post in self.posts]
        return [answer.status for answer in answers if answer]

    def views(self) -> list[str]:
        """The page views among them, without the origin."""
        return [
            payload["url"].removeprefix(self.website.origin)
            for payload in self.sent()
            if payload["type"] == "pageview"
        ]

    def names(self) -> list[str | None]:
        return [payload.get("name") for payload in self.sent()]


def chromium() -> str:
    path = shutil.which("chromium")
    # A machine without a browser may skip these tests, the gate may not.
    if path is None and os.environ.get("CI") == "true":
        pytest.fail("the tracker's tests need chromium on the PATH")
    if path is None:
        pytest.skip("no chromium on the PATH")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = chromium()
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright keeps an event loop on this thread, in which Django
        # suspects concurrency. There is none: each call blocks until answered.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(
            executable_path=executable,
            args=FLAGS,
            # Playwright turns off the cache that one of the tests is about.
            ignore_default_args=["--disable-back-forward-cache"],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page(browser: Browser) -> Page:
    """One tab for all, since each costs 0.1 s. Websites keep tests apart."""
    page = browser.new_context().new_page()
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


def test_served_file_is_ascii_and_under_1024_bytes():
    script = TRACKER.read_bytes()
    assert script.isascii()
    assert len(script) < 1024


def test_page_load_sends_one_page_view(visitor, website):
    visitor.open("/pricing?utm_source=news#plans")
    assert visitor.sent() == [
        {"type": "pageview", "url": website.origin + "/pricing?utm_source=news"}
    ]


def test_beacon_goes_to_the_scripts_origin_as_plain_text(visitor, website):
    visitor.page.goto(website.elsewhere)
    assert visitor.posts[0].resource_type == "ping"
    (post,) = website.received(1)
    assert post["path"] == "/api/v1/analytics/collect"
    assert post["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("beacon", ["undefined", "() => false"])
def test_unusable_beacon_falls_back_to_fetch_without_cookies(visitor, website, beacon):
    visitor.page.context.add_cookies(
        [{"name": "session", "value": "1", "url": website.origin}]
    )
    website.head = (
        f"<script>navigator.sendBeacon = {beacon}; let options;"
        "const real = fetch; fetch = (...all) => real(...([, options] = all))</script>"
    )
    visitor.page.goto(website.elsewhere)
    assert visitor.posts[0].resource_type == "fetch"
    assert visitor.run("return options.keepalive") is True
    (post,) = website.received(1)
    assert post["Content-Type"].startswith("text/plain")
    assert post["Cookie"] is None


def test_followed_link_sends_the_referrer(visitor, website):
    visitor.open("/first")
    visitor.follow_link()
    assert visitor.sent()[1] == {
        "type": "pageview",
        "url": website.origin + "/next",
        "referrer": website.origin + "/first",
    }


def test_push_and_replace_of_another_url_count_as_views(visitor):
    visitor.open("/")
    visitor.run("history.pushState({}, '', '/a')")
    visitor.run("history.replaceState({}, '', '/b')")
    visitor.run("history.pushState({}, '', '/b?page=2')")
    assert visitor.views() == ["/", "/a", "/b", "/b?page=2"]


def test_back_and_forward_count_as_views(visitor):
    visitor.open("/")
    visitor.run("history.pushState({}, '', '/a')")
    visitor.run_until("popstate", "history.back()")
    visitor.run_until("popstate", "history.forward()")
    assert visitor.views() == ["/", "/a", "/", "/a"]


def test_same_url_or_another_fragment_counts_nothing(visitor):
    visitor.open("/a?b=1")
    visitor.run("history.replaceState({scroll: 9}, '', location.href)")
    visitor.run("history.pushState({}, '')")
    visitor.run("history.pushState({}, '', '#part')")
    visitor.run_until("hashchange", "location.hash = 'other'")
    visitor.run_until("popstate", "history.back()")
    assert visitor.views() == ["/a?b=1"]


def test_single_page_application_keeps_the_visits_referrer(visitor, website):
    visitor.open("/first")
    visitor.follow_link()
    visitor.run("history.pushState({}, '', '/app'); ka.goal('sale')")
    referrers = [payload["referrer"] for payload in visitor.sent()[1:]]
    assert referrers == [website.origin + "/first"] * 3


def test_refused_push_state_stays_the_pages_own_error(visitor):
    visitor.open("/")
    name = visitor.run(
        "try { history.pushState(() => {}, '', '/a') } catch (e) { return e.name }"
    )
    assert name == "DataCloneError"
    assert visitor.views() == ["/"]


def test_page_restored_from_memory_counts_again(visitor):
    visitor.open("/first")
    visitor.run("addEventListener('pageshow', event => window.shown = event)")
    visitor.open("/second")
    # A page out of the cache fires no load event.
    visitor.page.go_back(wait_until="commit")
    visitor.page.wait_for_function("window.shown?.persisted")
    assert visitor.views() == ["/first", "/second", "/first"]


def test_prerendered_page_waits_until_it_is_shown(website, tmp_path):
    ready, early = threading.Event(), []

    def release() -> str:
        ready.set()
        return ""

    def hold() -> str:
        assert ready.wait(10)
        early.extend(website.received(0))
        return ""

    website.answers |= {
        "/": '<script type="speculationrules">{"prerender":'
        '[{"urls": ["/shown"], "eagerness": "immediate"}]}</script>'
        '<script>fetch("/hold").then(() => location = "/shown")</script>',
        "/hold": hold,
        "/shown": f'{website.tag}<script defer src="/own.js"></script>',
        "/own.js": 'ka.track("a", {hidden: document.prerendering}); fetch("/release")',
        "/release": release,
    }
    # Chromium prerenders nothing while a debugger watches, as Playwright does.
    # So here the pages drive themselves.
    process = subprocess.Popen(
        [chromium(), *FLAGS, f"--user-data-dir={tmp_path}", website.origin],
        stderr=subprocess.DEVNULL,
    )
    try:
        posts = website.received(2)
    finally:
        process.terminate()
        process.wait(10)
    assert early == []
    # Servers drop what a browser marks as prefetched.
    assert [post["Sec-Purpose"] for post in posts] == [None, None]
    event, view = sorted(
        (json.loads(post["body"]) for post in posts), key=lambda sent: sent["type"]
    )
    assert event["props"] == {"hidden": True}
    assert view["url"] == website.origin + "/shown"


def test_page_in_webkits_prerender_state_waits_until_visible(visitor, website):
    website.head = (
        "<script>state = 'prerender'; Object.defineProperty("
        "document, 'visibilityState', {get: () => state})</script>"
    )
    visitor.open("/")
    visitor.run("ka.track('a')")
    assert visitor.sent() == []
    visitor.run("state = 'visible'")
    visitor.run("document.dispatchEvent(new Event('visibilitychange'))")
    visitor.run("document.dispatchEvent(new Event('visibilitychange'))")
    assert visitor.names() == [None, "a"]


@pytest.mark.parametrize(
    ("name", "value", "views"),
    [
        ("doNotTrack", "'1'", []),
        ("doNotTrack", "'0'", ["/", "/a"]),
        ("globalPrivacyControl", "true", []),
        ("globalPrivacyControl", "false", ["/", "/a"]),
    ],
)
def test_visitor_who_objects_sends_nothing(visitor, website, name, value, views):
    website.head = (
        f"{stub()}<script>ka.page({{url: '/a'}}); Object.defineProperty("
        f"navigator, '{name}', {{value: {value}}})</script>"
    )
    visitor.open("/")
    visitor.run("ka.track('a'); ka.goal('b', 1)")
    assert visitor.views() == views
    assert len(visitor.sent()) == 2 * len(views)


def test_calls_before_loading_are_made_in_order(visitor, website):
    website.head = (
        f"{stub()}<script>ka.track('a', {{b: 1}}); ka.goal('c', 5, {{id: 'd'}});"
        "ka.page({url: '/e'}); ka.track('f')</script>"
    )
    visitor.open("/")
    here = {"url": website.origin + "/"}
    assert visitor.sent() == [
        {"type": "pageview"} | here,
        {"type": "event", "name": "a", "props": {"b": 1}} | here,
        {"type": "goal", "name": "c", "revenue": 5, "id": "d"} | here,
        {"type": "pageview", "url": website.origin + "/e"},
        {"type": "event", "name": "f"} | here,
    ]


def test_function_taken_from_the_stub_works_after_loading(visitor, website):
    website.head = f"{stub()}<script>track = ka.track</script>"
    visitor.open("/")
    visitor.run("track('late')")
    assert visitor.names() == [None, "late"]


def test_calls_send_the_given_fields_and_no_others(visitor, website):
    calls: dict[str, dict[str, object]] = {
        "ka.track('a')": {"type": "event", "name": "a"},
        "ka.track('a', {b: 'c', d: 3})": {
            "type": "event",
            "name": "a",
            "props": {"b": "c", "d": 3},
        },
        "ka.goal('a')": {"type": "goal", "name": "a"},
        "ka.goal('a', undefined, {})": {"type": "goal", "name": "a"},
        "ka.goal('a', 0)": {"type": "goal", "name": "a", "revenue": 0},
        "ka.goal('a', 49.99, {id: 'order-1'})": {
            "type": "goal",
            "name": "a",
            "revenue": 49.99,
            "id": "order-1",
        },
        # What template engines and data attributes make of amounts and ids.
        "ka.goal('a', '49.99', {id: 1001})": {
            "type": "goal",
            "name": "a",
            "revenue": 49.99,
            "id": "1001",
        },
        "ka.goal('a', 'n/a', {id: ''})": {"type": "goal", "name": "a", "revenue": None},
        "ka.goal('a', null, null)": {"type": "goal", "name": "a", "revenue": None},
        "ka.page()": {"type": "pageview"},
    }
    visitor.open("/shop")
    visitor.run(";".join(calls))
    url = website.origin + "/shop"
    assert visitor.sent()[1:] == [fields | {"url": url} for fields in calls.values()]


def test_page_with_a_relative_url_sends_an_absolute_one(visitor):
    visitor.open("/shop/cart")
    visitor.run("ka.page({url: '/step-2'}); ka.page({url: 'step-3?a=1'})")
    assert visitor.views() == ["/shop/cart", "/step-2", "/shop/step-3?a=1"]


@pytest.mark.parametrize("host", ["", "{0.origin}"])
def test_data_api_replaces_the_address(visitor, website, host):
    website.attributes += f' data-api="{host.format(website)}/js/collect"'
    visitor.open("/")
    assert len(visitor.sent()) == 1
    assert website.received(1)[0]["path"] == "/js/collect"


def test_event_sent_while_leaving_the_page_arrives(visitor):
    visitor.open("/")
    visitor.run("document.links[0].onclick = () => { ka.track('left') }")
    visitor.follow_link()
    assert visitor.names() == [None, "left", None]


def test_hopeless_calls_throw_nothing_into_the_page(visitor):
    visitor.open("/")
    visitor.run(
        "const loop = {}; loop.loop = loop; ka.track('a', loop);"
        "ka.track('a', {b: 1n}); ka.goal('a', 1n); ka.goal('a', Symbol());"
        "ka.page({url: 'http://['}); ka.track('still alive')"
    )
    assert visitor.names() == [None, "still alive"]


def test_unreachable_collector_throws_nothing_into_the_page(visitor, website):
    website.head = "<script>navigator.sendBeacon = undefined</script>"
    # Browsers refuse to talk to port 1.
    website.attributes += ' data-api="http://127.0.0.1:1/"'
    visitor.open("/")
    # The promise is fulfilled once the failure has been dealt with.
    visitor.run("return ka.track('a')")
    assert website.received(0) == []


def test_script_as_a_module_does_nothing_and_throws_nothing(visitor, website):
    website.attributes += " type=module"
    visitor.open("/")
    assert visitor.sent() == []


def test_script_twice_on_a_page_counts_once(visitor, website):
    website.head = stub() + website.tag
    visitor.open("/")
    visitor.run("history.pushState({}, '', '/a'); ka.track('b')")
    assert visitor.names() == [None, None, "b"]


def test_element_named_ka_is_no_obstacle(visitor, website):
    website.head = "<div id=ka></div>"
    visitor.open("/")
    visitor.run("ka.track('a')")
    assert visitor.names() == [None, "a"]


def test_browser_keeps_nothing_and_ka_is_the_only_global(visitor, website):
    names = "return Object.getOwnPropertyNames(window).filter(name => isNaN(name))"
    website.answers["/plain"] = "<!doctype html>"
    visitor.open("/plain")
    before = set(visitor.run(names))
    visitor.open("/")
    visitor.run("ka.goal('sale', 5)")
    assert set(visitor.run(names)) - before == {"ka"}
    assert visitor.run("return localStorage.length + sessionStorage.length") == 0
    assert visitor.run("return indexedDB.databases()") == []
    assert visitor.page.context.cookies() == []


def test_source_and_minified_file_behave_the_same(visitor, website):
    website.head = f"{stub()}<script>ka.track('early', {{a: 1}})</script>"
    sent = {}
    for file in (SOURCE, TRACKER):
        website.answers["/a.js"] = file.read_text()
        before = len(visitor.posts)
        visitor.open("/?a=1#b")
        visitor.run("history.pushState({}, '', '/c'); history.pushState({}, '', '#d')")
        visitor.run("history.replaceState({}, '', '/e')")
        visitor.run_until("popstate", "history.back()")
        visitor.run(
            "ka.goal('f', '1.5', {id: 7}); ka.goal('f', 'g'); ka.page({url: 'h'})"
        )
        visitor.run("navigator.sendBeacon = () => false; ka.track('i')")
        visitor.run("navigator.sendBeacon = undefined; ka.track('j', {k: null})")
        visitor.run("Object.defineProperty(navigator, 'doNotTrack', {value: '1'})")
        visitor.run("ka.track('l')")
        visitor.follow_link()
        sent[file.name] = visitor.sent()[before:]
    assert len(sent["a.js"]) == 12
    assert sent["a.js"] == sent["a.src.js"]


def test_visit_to_a_page_shows_up_in_the_stats_of_its_goals(
    browser, website, live_server
):
    site = SiteFactory.create(domain="localhost", site_key=KEY)
    goals = [
        GoalFactory.create(site=site, type=type, match_value=value, currency=currency)
        for type, value, currency in (
            ("pageview", "/thanks", None),
            ("event", "signup", None),
            ("custom", "purchase", "USD"),
        )
    ]
    _, secret = ApiToken.issue(team=site.team, name="t", scopes=["analytics:read"])
    website.attributes = f'defer data-site="{KEY}" src="{live_server.url}/a.js"'
    # Headless Chromium says so, and the service counts no programs.
    agent = f"Mozilla/5.0 (X11; Linux x86_64) Chrome/{browser.version} Safari/537.36"
    with browser.new_context(user_agent=agent) as context:
        visitor = Visitor(context.new_page(), website)
        visitor.page.on("request", visitor.note_request)
        visitor.page.goto(website.elsewhere)
        for script in (
            "",
            "history.pushState({}, '', '/thanks?order=1')",
            "ka.track('signup', {plan: 'pro'})",
            "ka.track('signup')",
            "ka.goal('purchase', 49.99, {id: 'order-1'})",
            # As a reloaded page does.
            "ka.goal('purchase', 49.99, {id: 'order-1'})",
        ):
            visitor.run(script)
            # Not all at once: a live server's threads share SQLite's one memory.
            visitor.statuses()
        assert visitor.statuses() == [202] * 6
    stats = []
    for goal in goals:
        path = f"/api/v1/analytics/sites/{KEY}/goals/{goal.id}/stats?period=7d"
        request = Request(live_server.url + path)
        request.add_header("Authorization", f"Bearer {secret}")
        with urlopen(request) as response:
            stats.append(json.load(response)["data"])
    assert [answer["conversions"] for answer in stats] == [1, 2, 1]
    assert [answer["unique_conversions"] for answer in stats] == [1, 1, 1]
    assert [answer["revenue"] for answer in stats] == [None, None, 49.99]
