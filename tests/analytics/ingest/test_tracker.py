"""The tracker in a real browser: what it sends, when, and when it does not."""

import gzip
import json
import re
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import ConsoleMessage, sync_playwright

from analytics.models import ApiToken
from analytics.sources.click_ids import CLICK_IDS
from tests.analytics.ingest import browsers
from tests.analytics.ingest.websites import (
    KEY,
    MORE,
    OTHER,
    ROOT,
    TRACKER,
    Visitor,
    Website,
    sent_by,
)
from tests.factories import GoalFactory, SiteFactory
from tests.halves import on_sqlite

pytestmark = on_sqlite

SOURCE = TRACKER.with_name("a.src.js")


def stub() -> str:
    """The snippet for calls before loading, as people copy it."""
    found = re.search(r"<script>.*</script>", (ROOT / "docs/tracker.md").read_text())
    assert found
    return found[0]


@pytest.mark.parametrize("file", [TRACKER, MORE])
def test_files_are_ascii_and_the_source_minified(file):
    assert file.read_bytes().isascii()
    assert len(file.read_bytes()) < len(file.with_suffix(".src.js").read_bytes()) / 1.5


def test_tracker_is_under_1024_bytes_with_gzip_and_2300_plain():
    script = TRACKER.read_bytes()
    assert len(script) < 2_300
    assert len(gzip.compress(script, 9)) < 1_024


def call(*made, url="/", **more):
    return {"call": [*made], "url": url, **more}


# How it is sent


def test_page_load_sends_one_page_view_beside_the_script(visitor, website):
    visitor.open("/pricing?utm_source=news#plans")
    [view] = visitor.sent()
    assert view == call(
        "page", url=f"{website.origin}/pricing?utm_source=news", ago=view["ago"]
    )
    [post] = website.received(1)
    assert post["path"] == "/a"
    assert json.loads(post["body"]).keys() == {"site", "referrer", "at", "calls"}


def test_address_is_beside_the_script_under_a_path_too(visitor, website):
    website.answers["/stats/a.js"] = TRACKER.read_text()
    website.attributes = f'defer data-site="{KEY}" src="/stats/a.js"'
    visitor.open("/")
    visitor.settle()
    assert [post["path"] for post in website.received(1)] == ["/stats/a"]


def test_fetch_outlives_the_page_and_carries_no_cookies_elsewhere(visitor, website):
    visitor.page.context.add_cookies(
        [{"name": "session", "value": "1", "url": website.origin}]
    )
    website.head = (
        "<script>navigator.sendBeacon = () => { throw 'a beacon' }; let options;"
        "const real = fetch; fetch = (...all) => real(...([, options] = all))</script>"
    )
    visitor.page.goto(website.elsewhere)
    visitor.settle()
    assert visitor.posts[0].resource_type == "fetch"
    assert visitor.run("return !!options.keepalive") is True
    [post] = website.received(1)
    assert post["Content-Type"].startswith("text/plain")
    assert post["Cookie"] is None


def test_twenty_large_events_at_once_all_arrive(visitor):
    visitor.open("/")
    visitor.run(
        "for (let n = 0; n < 20; n++) ka.track('big' + n, {blob: 'x'.repeat(6e3)})"
    )
    names = [name for _, name, _ in visitor.calls()]
    assert names == [f"big{n}" for n in range(20)]


def test_plain_fetch_is_used_where_others_use_up_the_quota(visitor, website):
    website.answers["/others"] = ""
    visitor.open("/")
    visitor.settle()
    website.may_answer.clear()
    visitor.run(
        "fetch('/others', {method: 'POST', body: 'x'.repeat(64e3), keepalive: true});"
        "ka.track('small', {blob: 'x'.repeat(3e3)})"
    )
    # The page's own request is under way, and leaves no room for another.
    posts = website.received(3)
    website.may_answer.set()
    assert sorted(post["path"] for post in posts) == ["/a", "/a", "/others"]


@pytest.mark.parametrize("status", [503, 429, 500])
def test_goal_with_an_id_is_sent_again_and_nothing_else(visitor, website, status):
    visitor.open("/")
    visitor.settle()
    website.statuses = [status, status]
    visitor.run(
        "ka.track('a', {id: 'no event id'}); ka.goal('b', 5); ka.goal('c', 5, {id: 1});"
        "ka.goal('d', {amount: 5, id: 2}); ka.page()"
    )
    time.sleep(0.1)
    visitor.run("ka.track('later')")
    website.received(3)
    bodies = [json.loads(post["body"])["calls"] for post in website.received(4)]
    names = [[made[3] for made in body if made[2] != "page"] for body in bodies]
    assert names == [[], ["a", "b", "c", "d"], ["c", "d", "later"], ["c", "d"]]


def test_goal_with_an_id_is_sent_again_after_the_network_was_away(visitor, website):
    website.attributes += ' data-api="/a"'
    visitor.open("/")
    visitor.settle()
    visitor.run(
        "const real = fetch; let left = 3; fetch = (...all) =>"
        " left-- > 0 ? Promise.reject(new TypeError()) : real(...all);"
        "ka.goal('sale', 9, {id: 'o-1'}); ka.track('lost')"
    )
    website.received(2)
    assert visitor.calls() == [["goal", "sale", 9, {"id": "o-1"}]]


def test_wrong_calls_are_not_sent_again(visitor, website):
    visitor.open("/")
    visitor.settle()
    website.statuses = [422]
    visitor.run("ka.goal('a', 5, {id: 1})")
    visitor.settle()
    visitor.run("ka.track('b')")
    assert [made[1] for made in visitor.calls()] == ["a", "b"]


# In which order


def test_calls_wait_for_the_answer_and_go_together_in_order(visitor, website):
    website.may_answer.clear()
    visitor.open("/")
    website.received(1)
    for name in "abc":
        visitor.run(f"ka.track('{name}')")
        time.sleep(0.05)
    assert len(website.received(1)) == 1
    website.may_answer.set()
    made = visitor.sent()
    assert [call["call"] for call in made] == [
        ["page"],
        *(["track", name] for name in "abc"),
    ]
    assert len(website.received(2)) == 2
    # Milliseconds from each call to the request.
    ago = [call["ago"] for call in made[1:]]
    assert ago == sorted(ago, reverse=True)
    assert 90 <= ago[0] - ago[2] < 5_000
    last = json.loads(website.received(2)[1]["body"])["last"]
    assert last == '{"ok":true,"at":1771457400000}'


def test_all_that_waits_is_sent_when_the_page_is_left(visitor, website):
    website.may_answer.clear()
    visitor.open("/")
    website.received(1)
    visitor.run("for (let n = 0; n < 5; n++) ka.track('waiting' + n)")
    visitor.run("document.links[0].onclick = () => { ka.track('left') }")
    visitor.follow_link()
    website.received(3)
    website.may_answer.set()
    calls = [call["call"] for call in sent_by(website, count=3)]
    assert sorted(calls) == sorted(
        [["page"], ["page"], ["track", "left"]]
        + [["track", f"waiting{n}"] for n in range(5)]
    )


def test_event_sent_while_leaving_the_page_arrives(visitor):
    visitor.open("/")
    visitor.run("document.links[0].onclick = () => { ka.track('left') }")
    visitor.follow_link()
    assert visitor.calls() == [["track", "left"]]


# What is a page view


def test_followed_link_sends_the_referrer(visitor, website):
    visitor.open("/first")
    visitor.settle()
    visitor.follow_link()
    [_, view] = visitor.sent()
    assert view["url"] == website.origin + "/next"
    assert view["referrer"] == website.origin + "/first"


def test_push_and_replace_of_another_path_count_as_views(visitor):
    visitor.open("/")
    visitor.run("history.pushState({}, '', '/a')")
    visitor.run("history.replaceState({}, '', '/b')")
    visitor.run("history.pushState({}, '', '/c?page=2')")
    assert visitor.views() == ["/", "/a", "/b", "/c?page=2"]


def test_another_query_is_the_same_page(visitor):
    visitor.open("/thanks?payment_intent=pi_1")
    # A router tidies the address, a search box writes into it.
    visitor.run("history.replaceState({}, '', '/thanks')")
    for typed in ("s", "sh", "sho"):
        visitor.run(f"history.replaceState({{}}, '', '?q={typed}')")
    visitor.run("history.pushState({}, '', '/thanks?page=2')")
    visitor.run_until("popstate", "history.back()")
    assert visitor.views() == ["/thanks?payment_intent=pi_1"]


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


def test_routes_in_the_fragment_count_with_data_hash(visitor, website):
    website.attributes += " data-hash"
    visitor.open("/app/?utm_source=news#/")
    visitor.run_until("hashchange", "location.hash = '/cart?step=1'")
    visitor.run_until("hashchange", "location.hash = '/cart?step=2'")
    visitor.run("history.pushState({}, '', '#/thanks')")
    visitor.run_until("popstate", "history.back()")
    assert visitor.views() == [
        "/app/?utm_source=news#/",
        "/app/?utm_source=news#/cart?step=1",
        "/app/?utm_source=news#/thanks",
        "/app/?utm_source=news#/cart?step=2",
    ]


def test_single_page_application_keeps_the_visits_referrer(visitor, website):
    visitor.open("/first")
    visitor.settle()
    visitor.follow_link()
    visitor.run("history.pushState({}, '', '/app'); ka.goal('sale')")
    referrers = [made["referrer"] for made in visitor.sent()[1:]]
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
    visitor.settle()
    visitor.run("addEventListener('pageshow', event => window.shown = event)")
    visitor.open("/second")
    visitor.settle()
    # A page out of the cache fires no load event.
    visitor.run("history.back()")
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
        [
            browsers.executable("chromium"),
            *browsers.FLAGS,
            f"--user-data-dir={tmp_path}",
            website.origin,
        ],
        stderr=subprocess.DEVNULL,
    )
    try:
        posts = website.received(2)
        calls = sent_by(website, count=2)
    finally:
        process.terminate()
        process.wait(10)
    assert early == []
    # Servers drop what a browser marks as prefetched.
    assert [post["Sec-Purpose"] for post in posts] == [None, None]
    view, event = calls
    assert event["call"] == ["track", "a", {"hidden": True}]
    assert (view["call"], view["url"]) == (["page"], website.origin + "/shown")


@pytest.mark.parametrize(
    ("base", "url", "sent"),
    [
        ("", "/step-2#secret", "/step-2"),
        ("", "step-3?a=1", "/shop/step-3?a=1"),
        ("<base href=/other/>", "step", "/other/step"),
        ("<base href=/other/>", "", "/shop/cart"),
    ],
)
def test_page_is_relative_to_the_base(visitor, website, base, url, sent):
    website.head = base
    website.attributes = f'defer data-site="{KEY}" src="{website.origin}/a.js"'
    visitor.open("/shop/cart")
    visitor.run(f"ka.page({{url: '{url}'}})")
    assert visitor.views() == ["/shop/cart", sent]


@pytest.mark.parametrize("host", ["", "{0.origin}"])
def test_data_api_replaces_the_address_whatever_the_base_says(visitor, website, host):
    website.head = "<base href=https://elsewhere.example/>"
    website.attributes += f' data-api="{host.format(website)}/js/collect"'
    visitor.open("/")
    assert len(visitor.sent()) == 1
    assert website.received(1)[0]["path"] == "/js/collect"


def test_long_urls_keep_host_path_and_campaign(visitor, website):
    many = "&".join(f"p{n}={'x' * 40}" for n in range(100))
    visitor.open(f"/thanks?{many}&utm_source=news&gclid=1&{many}&utm_campaign=may")
    [view] = visitor.sent()
    assert len(view["url"]) <= 2_000
    assert view["url"].startswith(website.origin + "/thanks?")
    kept = [part for part in view["url"].partition("?")[2].split("&") if part]
    assert kept == ["utm_source=news", "gclid=1", "utm_campaign=may"]


# For these the script has no room.
NOT_KEPT = {"cjevent", "awc"}


def test_long_urls_keep_each_label_and_the_route(visitor, website):
    website.attributes += " data-hash"
    labels = ["utm_source=a", "UTM_Campaign=b", "ref=c", "source=d", "amp;utm_term=e"]
    labels += [f"{name}=1" for name in CLICK_IDS if name not in NOT_KEPT]
    long = "state=" + "x" * 500
    visitor.open(f"/thanks?{long}&" + f"&{long}&".join(labels) + f"&{long}#/step")
    [view] = visitor.sent()
    assert len(view["url"]) <= 2_000
    path, _, rest = view["url"].partition("?")
    query, _, route = rest.partition("#")
    assert path == website.origin + "/thanks"
    assert [part for part in query.split("&") if part] == labels
    assert route == "/step"


def test_long_referrers_are_cut(visitor, website):
    visitor.open(f"/first?{'x' * 3_000}")
    visitor.settle()
    visitor.run("history.replaceState({}, '', '/first?' + 'x'.repeat(3000))")
    visitor.follow_link()
    view = visitor.sent()[-1]
    assert len(view["referrer"]) == 2_000
    assert view["referrer"].startswith(website.origin + "/first")


# Where nothing is counted


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


@pytest.mark.parametrize("name", ["chromium", "firefox"])
def test_browser_that_a_program_drives_is_not_counted(website, tmp_path, name):
    # A thread of its own: Playwright's other loop holds this one.
    def visit() -> None:
        with sync_playwright() as playwright:
            browser = browsers.launch(playwright, name, tmp_path, is_noticed=True)
            page = browser.new_page()
            page.goto(website.origin)
            seen.append(page.evaluate("navigator.webdriver"))
            page.evaluate("ka.goal('sale', 5)")
            page.wait_for_timeout(200)
            browser.close()

    seen: list[bool] = []
    thread = threading.Thread(target=visit)
    thread.start()
    thread.join()
    assert seen == [True]
    assert website.received(0) == []


def test_person_can_leave_out_the_own_visits(visitor, website):
    link = re.search(
        r"<a href=\"#\" onclick=.*</a>", (ROOT / "docs/tracker.md").read_text()
    )
    assert link
    website.head = link[0]
    visitor.open("/")
    visitor.page.click("a[onclick]")
    visitor.run("ka.goal('mine', 5)")
    visitor.open("/again")
    assert visitor.views() == ["/"]
    visitor.run("localStorage.removeItem('kaOff')")
    visitor.run("ka.track('counted')")
    assert visitor.calls() == [["track", "counted"]]


def test_storage_that_is_denied_is_no_obstacle(visitor, website):
    website.head = (
        "<script>Object.defineProperty(window, 'localStorage',"
        " {get() { throw new DOMException('', 'SecurityError') }})</script>"
    )
    visitor.open("/")
    assert visitor.views() == ["/"]


@pytest.mark.parametrize(("attribute", "count"), [("", 1), (" data-iframe", 2)])
def test_frame_counts_only_by_data_iframe(visitor, website, attribute, count):
    website.answers["/frame"] = (
        f"<script {website.attributes}{attribute}></script>in a frame"
    )
    website.head = "<iframe src=/frame></iframe>"
    visitor.open("/")
    assert visitor.views() == ["/", "/frame"][:count]


def test_pages_that_are_not_of_the_web_are_not_counted(visitor, website, tmp_path):
    tag = f"<script data-iframe {website.attributes}></script>"
    saved = tmp_path / "saved.html"
    saved.write_text(f"<!doctype html>{tag}")
    page = visitor.page
    page.goto(saved.as_uri())
    visitor.run("ka.track('on a saved page')")
    visitor.run("return new Promise(done => setTimeout(done, 100))")
    website.answers["/frames"] = (
        f"<iframe srcdoc='{tag}'></iframe><iframe src='data:text/html,{tag}'></iframe>"
        "<script>const blob = new Blob([`"
        + tag.replace("/script", "\\/script")
        + "`], {type: 'text/html'}); const frame = document.createElement('iframe');"
        "frame.src = URL.createObjectURL(blob); document.body.append(frame)</script>"
    )
    visitor.open("/frames")
    visitor.run("return new Promise(done => setTimeout(done, 200))")
    assert visitor.sent() == []


# Calls


def test_calls_before_loading_are_made_in_order(visitor, website):
    website.head = (
        f"{stub()}<script>ka.track('a', {{b: 1}}); ka.goal('c', 5, {{id: 'd'}});"
        "ka.page({url: '/e'}); ka.track('f')</script>"
    )
    visitor.open("/")
    made = visitor.sent()
    assert [m["call"] for m in made] == [
        ["page"],
        ["track", "a", {"b": 1}],
        ["goal", "c", 5, {"id": "d"}],
        ["page", {"url": "/e"}],
        ["track", "f"],
    ]
    assert [m["url"] for m in made].count(website.origin + "/e") == 1
    # All in one request.
    assert len(website.received(1)) == 1


def test_function_taken_from_the_stub_works_after_loading(visitor, website):
    website.head = f"{stub()}<script>track = ka.track</script>"
    visitor.open("/")
    visitor.run("track('late')")
    assert visitor.calls() == [["track", "late"]]


def test_objects_that_the_page_changes_later_are_sent_as_they_were(visitor, website):
    visitor.open("/")
    visitor.run("const props = {n: 1}; ka.track('a', props); props.n = 2")
    assert visitor.calls() == [["track", "a", {"n": 1}]]


def test_hopeless_arguments_do_not_cost_the_call(visitor):
    visitor.open("/")
    visitor.run(
        "const loop = {}; loop.loop = loop; ka.track('a', loop);"
        "ka.track('b', {c: 1n}); ka.goal('d', 1n, {id: 7}); ka.goal('e', Symbol());"
        "ka.page({url: 'http://['}); ka.goal('f', () => 5); ka.track('still alive')"
    )
    assert visitor.calls() == [
        ["track", "a"],
        ["track", "b"],
        ["goal", "d", None, {"id": 7}],
        ["goal", "e"],
        ["goal", "f"],
        ["track", "still alive"],
    ]


@pytest.mark.parametrize("delay", [0, 30])
def test_unreachable_collector_throws_nothing_into_the_page(visitor, website, delay):
    # Browsers refuse to talk to port 1.
    website.attributes += ' data-api="http://127.0.0.1:1/"'
    website.head = (
        "<script>const real = fetch; fetch = async (...all) => {"
        f" await new Promise(done => setTimeout(done, {delay}));"
        " return real(...all) }</script>"
    )
    visitor.open("/")
    # The promise is fulfilled.
    visitor.run("return ka.track('a')")
    visitor.run("return new Promise(done => setTimeout(done, 200))")
    assert website.received(0) == []


def test_script_as_a_module_does_nothing_and_throws_nothing(visitor, website):
    website.attributes += " type=module"
    visitor.open("/")
    assert visitor.sent() == []


def test_script_twice_on_a_page_counts_once(visitor, website):
    website.head = stub() + website.tag
    visitor.open("/")
    visitor.run("history.pushState({}, '', '/a'); ka.track('b')")
    assert visitor.views() == ["/", "/a"]
    assert visitor.calls() == [["track", "b"]]


def test_two_keys_on_a_page_both_count(visitor, website):
    website.head = f"{stub()}<script>ka.track('early'); track = ka.track</script>"
    website.head += website.tag.replace(KEY, OTHER)
    visitor.open("/")
    visitor.run("history.pushState({}, '', '/a'); ka.goal('b', 5); track('late')")
    made = visitor.sent()
    for site in (None, OTHER):
        calls = [m["call"] for m in made if m.get("site") == site]
        assert calls == [
            ["page"],
            ["track", "early"],
            ["page"],
            ["goal", "b", 5],
            ["track", "late"],
        ]


def test_element_named_ka_is_no_obstacle(visitor, website):
    website.head = "<div id=ka></div>"
    visitor.open("/")
    visitor.run("ka.track('a')")
    assert visitor.calls() == [["track", "a"]]


def test_browser_keeps_nothing_and_ka_is_the_only_global(visitor, website):
    names = "return Object.getOwnPropertyNames(window).filter(name =>"
    # Playwright adds names of its own.
    names += " isNaN(name) && !name.startsWith('__'))"
    website.answers["/plain"] = "<!doctype html>"
    visitor.open("/plain")
    before = set(visitor.run(names))
    visitor.open("/")
    visitor.run("ka.goal('sale', 5)")
    assert set(visitor.run(names)) - before == {"ka"}
    assert visitor.run("return localStorage.length + sessionStorage.length") == 0
    assert visitor.run("return indexedDB.databases()") == []
    assert visitor.page.context.cookies() == []


# What the console says


def test_console_says_what_became_of_each_call_and_why(visitor, website):
    lines: list[Any] = []

    def note(message: ConsoleMessage) -> None:
        lines.append(message.args[0].json_value())

    website.attributes += " data-debug"
    visitor.page.on("console", note)
    visitor.open("/")
    visitor.settle()
    visitor.run("Object.defineProperty(navigator, 'doNotTrack', {value: '1'})")
    visitor.run("ka.goal('refused', 5)")
    visitor.settle()
    visitor.page.remove_listener("console", note)
    assert "debug" in json.loads(website.received(1)[0]["body"])
    [sent, refused] = lines
    assert sent[0][0][2] == "page"
    assert json.loads(sent[1])["ok"] is True
    assert refused[0][2:4] == ["goal", "refused"]
    assert refused[1] == "doNotTrack"


def test_console_is_silent_by_default(visitor):
    lines: list[str] = []
    visitor.page.on("console", note := lambda m: lines.append(m.text))
    visitor.open("/")
    visitor.run("ka.goal('a', 'n/a')")
    visitor.settle()
    visitor.page.remove_listener("console", note)
    assert lines == []


# The optional file


@pytest.fixture
def more(visitor: Visitor, website: Website) -> Callable[..., Visitor]:
    """A page with these parts, and what they have counted."""

    def more(parts: str, body: str = "", path: str = "/") -> Visitor:
        website.head = (
            f"{website.tag}<script defer data-more='{parts}' src=/a.more.js></script>"
            "<script>addEventListener('click', e => "
            "e.target.closest('.stay') && e.preventDefault())</script>" + body
        )
        visitor.open(path)
        return visitor

    return more


def test_more_counts_nothing_by_default(more):
    page = more("", "<a class=stay href=https://other.example/a.pdf>x</a>")
    page.page.click("text=x")
    page.run("scrollTo(0, 1e6); dispatchEvent(new Event('pagehide'))")
    assert page.calls() == []


@pytest.mark.parametrize(
    ("parts", "href", "calls"),
    [
        ("outbound", "https://other.example/a?b=secret#c", [("outbound link", "a")]),
        ("outbound", "/inside", []),
        ("outbound", "mailto:a@example.com", []),
        ("outbound downloads", "https://other.example/a.PDF?x=1", ["both"]),
        ("downloads", "/files/a.zip", [("file download", "zip")]),
        ("downloads", "/files/zip", []),
    ],
)
def test_links_are_counted(more, website, parts, href, calls):
    visitor = more(parts, f"<a class=stay href='{href}'><b>go</b></a>")
    visitor.page.click("text=go")
    host = website.origin.partition("//")[2]
    expected = {
        "a": ["track", "outbound link", {"url": "other.example/a"}],
        "zip": [
            "track",
            "file download",
            {"url": f"{host}/files/a.zip", "type": "zip"},
        ],
    }
    found = visitor.calls()
    if calls == ["both"]:
        assert [call[1] for call in found] == ["outbound link", "file download"]
        assert found[1][2] == {"url": "other.example/a.PDF", "type": "pdf"}
    else:
        assert found == [expected[name] for _, name in calls]


def test_forms_are_counted_without_what_was_filled_in(more, website):
    form = (
        "<form id=order action='/buy?token=1'><input name=id value=secret>"
        "<button>send</button></form>"
        "<script>addEventListener('submit', e => e.preventDefault())</script>"
    )
    visitor = more("forms", form)
    visitor.page.click("text=send")
    host = website.origin.partition("//")[2]
    assert visitor.calls() == [
        ["track", "form submit", {"form": "order", "action": f"{host}/buy"}]
    ]


def test_missing_page_is_counted(more, website):
    website.missing = "/gone"
    assert more("404").calls() == []
    visitor = more("404", path="/gone")
    assert visitor.calls() == [["track", "404", {"path": "/gone"}]]


def test_depth_and_time_are_told_when_the_page_is_left(more):
    visitor = more("scroll time", "<p style=height:9000px>long</p>")
    visitor.settle()
    visitor.run_until("scroll", "scrollTo(0, 4800)")
    visitor.page.wait_for_timeout(700)
    visitor.run("history.pushState({}, '', '/next-page')")
    visitor.settle()
    visitor.run("dispatchEvent(new Event('pagehide'))")
    calls = visitor.calls()
    assert calls[0] == ["track", "scroll depth", {"percent": 50, "path": "/"}]
    assert calls[1][:2] == ["track", "time on page"]
    assert calls[1][2]["path"] == "/"
    assert 1 <= calls[1][2]["seconds"] <= 9


# Both files, and the whole way


def test_source_and_minified_file_behave_the_same(visitor, website):
    website.head = f"{stub()}<script>ka.track('early', {{a: 1}})</script>"
    sent = {}
    for file in (SOURCE, TRACKER):
        website.answers["/a.js"] = file.read_text()
        before = len(visitor.sent())
        visitor.open("/?a=1#b")
        visitor.run("history.pushState({}, '', '/c'); history.pushState({}, '', '#d')")
        visitor.run("history.replaceState({}, '', '/e')")
        visitor.run_until("popstate", "history.back()")
        visitor.run(
            "ka.goal('f', '1.5', {id: 7}); ka.goal('f', 'g'); ka.page({url: 'h'})"
        )
        visitor.run("ka.track('j', {k: null})")
        visitor.run("Object.defineProperty(navigator, 'doNotTrack', {value: '1'})")
        visitor.run("ka.track('l')")
        visitor.follow_link()
        sent[file.name] = visitor.sent()[before:]
        for made in sent[file.name]:
            del made["ago"]
    assert len(sent["a.js"]) >= 11
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
    website.attributes = (
        f'defer data-debug data-site="{KEY}" src="{live_server.url}/a.js"'
    )
    # Headless Chromium says so, and the service counts no programs.
    agent = f"Mozilla/5.0 (X11; Linux x86_64) Chrome/{browser.version} Safari/537.36"
    said: list[Any] = []
    with browsers.new_context(browser, user_agent=agent) as context:
        page = context.new_page()
        page.on("console", lambda message: said.append(message.args[0].json_value()))
        for script in (
            "",
            "history.pushState({}, '', '/thanks?order=1')",
            "ka.track('signup', {plan: 'pro'}); ka.track('signup', {plan: {}})",
            "ka.goal('purchase', 49.99, {id: 'order-1'})",
            # As a reloaded page does.
            "ka.goal('purchase', {amount: 49.99, currency: 'USD', id: 'order-1'})",
            "ka.goal('purchase', '1,299.00', {id: 'order-2'})",
        ):
            if not script:
                page.goto(website.elsewhere)
            page.evaluate(f"() => {{ {script} }}")
            # Not all at once: a live server's threads share SQLite's one memory.
            deadline = time.monotonic() + 10
            before = len(said)
            while len(said) == before and time.monotonic() < deadline:
                page.wait_for_timeout(20)
    told = [outcome for _, answer in said for outcome in json.loads(answer)["calls"]]
    assert told == [
        {"dropped": None},
        {"dropped": None},
        {"dropped": None},
        {
            "dropped": None,
            "left_out": {"props.plan": ["Must be a text, a number, true or false."]},
        },
        {"dropped": None},
        {"dropped": "repeated_id"},
        {
            "dropped": None,
            "left_out": {
                "amount": ["Not an amount from 0 to 1000000000000, such as 49.99."]
            },
        },
    ]
    stats = []
    for goal in goals:
        path = f"/api/v1/analytics/sites/{KEY}/goals/{goal.id}/stats?period=7d"
        request = Request(live_server.url + path)
        request.add_header("Authorization", f"Bearer {secret}")
        with urlopen(request) as response:
            stats.append(json.load(response)["data"])
    assert [answer["conversions"] for answer in stats] == [1, 2, 2]
    assert [answer["unique_conversions"] for answer in stats] == [1, 1, 1]
    assert [answer["revenue"] for answer in stats] == [None, None, 49.99]
