"""POST /collect: what is dropped and why, what is stored, and for whom it is open."""

import json
from datetime import UTC, datetime

import pytest
import time_machine
from django.test import Client

from analytics.ingest import site_lookup
from analytics.ingest.pipeline import DROP_RULES
from analytics.models import Event
from tests.conftest import BASE, BROWSER

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 2, 18, 23, 30, tzinfo=UTC)
VIEW = {"type": "pageview", "url": "https://example.com/pricing"}
SIGNUP = {"type": "event", "name": "signup"}


@pytest.fixture
def dropped(track):
    """Why an event was dropped; None if it was stored."""

    def dropped(event=VIEW, headers=None, **environ):
        before = Event.objects.count()
        response = track(event, headers, **environ)
        assert response.status_code == 202
        answer = response.json()
        assert answer == {"ok": True, "dropped": answer["dropped"]}
        assert Event.objects.count() == before + (answer["dropped"] is None)
        return answer["dropped"]

    return dropped


def change(site, **values):
    for name, value in values.items():
        setattr(site, name, value)
    site.save()


# One test for each rule


def test_every_rule_is_tested_here():
    assert [name for name, _ in DROP_RULES] == [
        "unknown_site",
        "crawler",
        "prefetch",
        "do_not_track",
        "foreign_host",
        "referrer_spam",
        "excluded_ip",
        "excluded_path",
    ]


@pytest.mark.parametrize("key", ["sk_unknownunkno", "", "x", "SK_ABC123DEF456"])
def test_unknown_site_is_dropped(dropped, key):
    assert dropped({**VIEW, "site": key}) == "unknown_site"


@pytest.mark.parametrize(
    ("user_agent", "reason"),
    [
        (
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://google.com/bot.html)",
            "crawler",
        ),
        ("curl/8.5.0", "crawler"),
        ("python-requests/2.32", "crawler"),
        ("ELB-HealthChecker/2.0", "crawler"),
        ("Mozilla/5.0", "crawler"),
        ("", "crawler"),
        (BROWSER, None),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1"
            " (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
            None,
        ),
    ],
)
def test_crawler_is_dropped(dropped, user_agent, reason):
    assert dropped(headers={"User-Agent": user_agent}) == reason


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "prefetch"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"X-Purpose": "preview"},
        {"X-Moz": "prefetch"},
    ],
)
def test_prefetch_is_dropped(dropped, headers):
    assert dropped(headers=headers) == "prefetch"


@pytest.mark.parametrize("header", ["DNT", "Sec-GPC"])
def test_do_not_track_is_honoured_unless_the_site_says_otherwise(dropped, site, header):
    assert dropped(headers={header: "1"}) == "do_not_track"
    assert dropped(headers={header: "0"}) is None
    change(site, honour_dnt=False)
    site_lookup.forget()
    assert dropped(headers={header: "1"}) is None


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://example.com/", None),
        ("https://www.example.com/", None),
        ("https://EXAMPLE.com:8443/", None),
        ("https://shop.test/", None),
        ("https://a.shop.test/", None),
        ("/pricing", None),
        ("https://other.example/", "foreign_host"),
        ("https://notexample.com/", "foreign_host"),
        ("https://example.com.evil.test/", "foreign_host"),
        ("https://example.com@evil.test/", "foreign_host"),
        ("http://localhost:3000/", "foreign_host"),
        ("file:///home/joe/saved.html", "foreign_host"),
        ("about:blank", "foreign_host"),
        ("blob:https://example.com/1", "foreign_host"),
        ("data:text/html,x", "foreign_host"),
        ("http://127.0.0.1/", "foreign_host"),
    ],
)
def test_foreign_host_is_dropped(dropped, site, url, reason):
    change(site, allowed_hosts=["shop.test"])
    assert dropped({**VIEW, "url": url}) == reason


@pytest.mark.parametrize(
    ("referrer", "reason"),
    [
        ("https://semalt.com/", "referrer_spam"),
        ("http://buttons-for-website.com", "referrer_spam"),
        ("https://www.google.com/", None),
        ("", None),
    ],
)
def test_spam_in_the_referrer_is_dropped(dropped, referrer, reason):
    assert dropped({**VIEW, "referrer": referrer}) == reason


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("192.0.2.7", "excluded_ip"),
        ("192.0.3.7", None),
        ("198.51.100.1", "excluded_ip"),
        ("198.51.100.2", None),
        ("::ffff:192.0.2.7", "excluded_ip"),
        ("2001:db8::1", "excluded_ip"),
        ("2001:db9::1", None),
    ],
)
def test_excluded_ip_is_dropped(dropped, site, address, reason):
    change(site, excluded_ips=["192.0.2.0/24", "198.51.100.1", "2001:db8::/32"])
    assert dropped(REMOTE_ADDR=address) == reason


@pytest.mark.parametrize(
    ("pattern", "path", "reason"),
    [
        ("/admin/*", "/admin/users", "excluded_path"),
        ("/admin/*", "/admin/", "excluded_path"),
        ("/admin/*", "/admin", None),
        ("/admin/*", "/en/admin/users", None),
        ("/admin", "/admin", "excluded_path"),
        ("/admin", "/admin/", None),
        ("/Admin", "/admin", None),
        ("*/edit", "/a/b/edit", "excluded_path"),
        ("*", "/", "excluded_path"),
        ("/a.c", "/abc", None),
        ("/[ab]", "/a", None),
        ("/[ab]", "/[ab]", "excluded_path"),
        ("/caf%C3%A9", "/caf%C3%A9", "excluded_path"),
        ("/a*c", "/a\nc", "excluded_path"),
        ("/" + "*a" * 500, "/" + "b" * 1_000, None),
    ],
)
def test_excluded_path_is_dropped(dropped, site, pattern, path, reason):
    change(site, excluded_paths=["/never", pattern])
    assert dropped({**VIEW, "url": f"https://example.com{path}?x=1"}) == reason


def test_excluded_path_holds_for_events_on_that_page(dropped, site):
    change(site, excluded_paths=["/admin"])
    event = {**SIGNUP, "url": "https://example.com/admin"}
    assert dropped(event) == "excluded_path"


@pytest.mark.parametrize(
    ("field", "longest", "cut"),
    [
        ("name", "x" * 1_024, lambda event: event.name.name),
        ("props", {"k": "x" * 1_024}, lambda event: event.props),
        ("props", {"x" * 1_024: "v"}, lambda event: event.props),
    ],
)
def test_over_long_value_is_cut(dropped, field, longest, cut):
    longer = (
        {key + "x" * (key != "k"): value + "x" for key, value in longest.items()}
        if isinstance(longest, dict)
        else longest + "x"
    )
    if isinstance(longest, dict):
        longest = {key: value if key == "k" else "vx" for key, value in longest.items()}
    assert dropped({**SIGNUP, field: longer}) is None
    assert cut(Event.objects.get()) == longest


def test_over_long_addresses_keep_host_path_and_campaign(dropped):
    url = f"https://example.com/thanks?token={'x' * 3_000}&utm_source=news"
    referrer = f"https://example.net/{'x' * 3_000}"
    sale = {"type": "goal", "name": "sale", "revenue": 99}
    assert dropped({**sale, "url": url, "referrer": referrer}) is None
    event = Event.objects.get()
    assert event.page is not None
    assert (event.page.name, event.amount) == ("/thanks", 99_0000)
    assert event.context.utm_source == "news"
    assert event.context.referrer == "example.net"


def test_over_long_path_is_cut(dropped):
    assert dropped({**VIEW, "url": "https://example.com/" + "x" * 3_000}) is None
    assert Event.objects.get().name.name == "/" + "x" * 2_047


def test_over_long_id_is_still_counted_once(dropped, track):
    assert dropped({**SIGNUP, "id": "x" * 65}) is None
    assert dropped({**SIGNUP, "id": "x" * 66}) is None
    answer = track({**SIGNUP, "id": "x" * 65}).json()
    assert answer == {"ok": True, "dropped": "repeated_id"}
    assert Event.objects.count() == 2


def test_first_rule_that_holds_names_the_reason(dropped, site):
    change(site, excluded_paths=["*"], excluded_ips=["0.0.0.0/0"])
    everything = {
        "headers": {"User-Agent": "Googlebot/2.1", "DNT": "1", "Purpose": "prefetch"},
        "event": {**VIEW, "url": "https://evil.test/" + "x" * 3_000},
    }
    assert dropped(**everything) == "crawler"
    everything["headers"]["User-Agent"] = BROWSER
    assert dropped(**everything) == "prefetch"
    everything["headers"]["Purpose"] = ""
    assert dropped(**everything) == "do_not_track"
    everything["headers"]["DNT"] = "0"
    assert dropped(**everything) == "foreign_host"
    everything["event"]["url"] = "/" + "x" * 3_000
    assert dropped(**everything) == "excluded_ip"
    change(site, excluded_ips=[])
    site_lookup.forget()
    assert dropped(**everything) == "excluded_path"


# The answer


@pytest.mark.parametrize("event", [VIEW, {**VIEW, "site": "sk_unknownunkno"}])
@pytest.mark.parametrize("query", ["", "?debug=0", "?debug=", "?debug=11", "?xdebug=1"])
def test_answer_does_not_tell_kept_from_dropped(anyone, site, event, query):
    response = anyone.post(
        f"{BASE}/collect{query}",
        {"site": site.site_key, **event},
        content_type="application/json",
        headers={"User-Agent": BROWSER},
    )
    assert response.status_code == 202
    assert response.content == b'{"ok":true}'
    assert Event.objects.count() == (1 if "site" not in event else 0)


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "text/plain;charset=UTF-8", "application/json", "image/gif", ""],
)
def test_body_is_json_whatever_it_calls_itself(anyone, site, content_type):
    body = json.dumps({"site": site.site_key, **VIEW})
    anyone.post(f"{BASE}/collect", body, content_type, headers={"User-Agent": BROWSER})
    assert Event.objects.count() == 1


def test_any_origin_may_call_without_a_preflight(track):
    headers = {"Origin": "https://example.com"}
    for event in (VIEW, {**VIEW, "site": "sk_unknownunkno"}, {"type": "x"}, b"{"):
        response = track(event, headers)
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in response.headers


def test_preflight_is_answered(anyone):
    response = anyone.options(
        f"{BASE}/collect",
        headers={
            "Origin": "https://example.com",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        },
    )
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["Access-Control-Allow-Methods"] == "POST"
    assert response.headers["Access-Control-Allow-Headers"] == "Content-Type"


def test_no_cookie_is_set(track):
    response = track(VIEW)
    assert not response.cookies
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize("size", [8 * 1024, 8 * 1024 + 1])
def test_body_has_a_largest_size(track, site, size):
    text = json.dumps({"site": site.site_key, **VIEW})
    response = track(text.ljust(size))
    assert response.status_code == (202 if size == 8 * 1024 else 413)


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({}, "type"),
        ({"type": "click"}, "type"),
        ({"type": "custom", "name": "x"}, "type"),
        ({"type": None}, "type"),
        ({"type": "pageview"}, "url"),
        ({"type": "pageview", "url": ""}, "url"),
        ({"type": "event"}, "name"),
        ({"type": "event", "name": ""}, "name"),
        ({"type": "goal", "name": None}, "name"),
        ({**SIGNUP, "name": 5}, "name"),
        ({**SIGNUP, "name": "a\0b"}, "name"),
        ({**SIGNUP, "url": "a\0b"}, "url"),
        ({**SIGNUP, "referrer": "a\0b"}, "referrer"),
        ({**SIGNUP, "referrer": []}, "referrer"),
        ({**SIGNUP, "revenue": -1}, "revenue"),
        ({**SIGNUP, "revenue": 10**13}, "revenue"),
        ({**SIGNUP, "revenue": "NaN"}, "revenue"),
        ({**SIGNUP, "revenue": "Infinity"}, "revenue"),
        ({**SIGNUP, "revenue": "much"}, "revenue"),
        ({**SIGNUP, "revenue": "1e3"}, "revenue"),
        ({**SIGNUP, "revenue": "1_000"}, "revenue"),
        ({**SIGNUP, "revenue": "\uff14\uff19"}, "revenue"),
        ({**SIGNUP, "revenue": " 5"}, "revenue"),
        ({**SIGNUP, "revenue": "0x1F"}, "revenue"),
        ({**SIGNUP, "revenue": True}, "revenue"),
        ({**SIGNUP, "revenue": [1]}, "revenue"),
        ({**SIGNUP, "revenue": 1, "currency": "usd"}, "currency"),
        ({**SIGNUP, "revenue": 1, "currency": "XYZ"}, "currency"),
        ({**SIGNUP, "revenue": 1, "currency": ""}, "currency"),
        ({**SIGNUP, "revenue": 1, "currency": 840}, "currency"),
        ({**SIGNUP, "currency": "USD"}, "currency"),
        ({**SIGNUP, "props": []}, "props"),
        ({**SIGNUP, "props": {"a": {"b": 1}}}, "props"),
        ({**SIGNUP, "props": {"a": [1]}}, "props"),
        ({**SIGNUP, "props": {str(n): n for n in range(31)}}, "props"),
        ({**SIGNUP, "props": {"a\0": 1}}, "props"),
        ({**SIGNUP, "props": {"a": "\0"}}, "props"),
        ({**SIGNUP, "id": ""}, "id"),
        ({**SIGNUP, "id": 5}, "id"),
        ({**SIGNUP, "id": "a\0b"}, "id"),
        ({**SIGNUP, "site": 5}, "site"),
        ({**SIGNUP, "site": None}, "site"),
        # A browser may not say when it was, nor who.
        ({**SIGNUP, "timestamp": "2020-01-01T00:00:00Z"}, "timestamp"),
        ({**SIGNUP, "visitor_id": "x"}, "visitor_id"),
        ({**SIGNUP, "ip": "192.0.2.1"}, "ip"),
        ({**SIGNUP, "user_agent": "x"}, "user_agent"),
    ],
)
def test_malformed_event_is_422_and_names_the_field(track, event, field):
    response = track(event)
    assert response.status_code == 422
    assert response.json()["error"] == "Validation failed"
    assert list(response.json()["details"]) == [field]
    assert not Event.objects.exists()


def test_missing_site_is_422(track):
    response = track(json.dumps(VIEW))
    assert response.json()["details"] == {"site": ["This field is required."]}


# What is stored


@time_machine.travel(NOW, tick=False)
def test_page_view_is_stored(track, site):
    track(
        {
            "type": "pageview",
            "url": "https://www.example.com/Pricing?utm_source=news&utm_medium=mail"
            "&utm_campaign=may#faq",
            "referrer": "https://www.google.com/search?q=secret",
        }
    )
    event = Event.objects.get()
    assert (event.site_id, event.at, str(event.day)) == (site.pk, NOW, "2026-02-18")
    assert (event.name.type, event.name.name) == ("pageview", "/Pricing")
    assert (event.page, event.amount, event.currency) == (None, None, None)
    assert (event.props, event.event_id) == (None, None)
    context = event.context
    assert context.referrer == "www.google.com"
    assert (context.utm_source, context.utm_medium) == ("news", "mail")
    assert context.utm_campaign == "may"
    assert (context.device, context.browser) == ("Desktop", "Firefox")
    assert context.os == "Linux"


@time_machine.travel(NOW, tick=False)
def test_event_is_stored(track, site):
    site.timezone = "Europe/Berlin"
    site.save()
    props = {"plan": "pro", "seats": 5, "trial": True, "rate": 0.5, "code": None}
    url = "https://example.com/register?x=1"
    track({**SIGNUP, "url": url, "props": props, "id": "e-1"})
    event = Event.objects.get()
    assert (event.name.type, event.name.name) == ("event", "signup")
    assert event.page is not None
    assert (event.page.type, event.page.name) == ("pageview", "/register")
    assert event.props == props
    assert event.event_id == "e-1"
    # Half past midnight in Berlin.
    assert (event.at, str(event.day)) == (NOW, "2026-02-19")


@pytest.mark.parametrize(
    ("fields", "amount", "currency"),
    [
        ({}, None, None),
        ({"revenue": 49.99}, 499_900, None),
        ({"revenue": 49.99, "currency": "USD"}, 499_900, "USD"),
        ({"revenue": 0}, 0, None),
        ({"revenue": 0.1 + 0.2}, 3_000, None),
        ({"revenue": "49.99"}, 499_900, None),
        ({"revenue": 10**12, "currency": "JPY"}, 10**16, "JPY"),
        ({"revenue": 1e-300}, 0, None),
        ({"revenue": None, "currency": None}, None, None),
    ],
)
def test_goal_is_stored_with_its_amount(track, fields, amount, currency):
    track({"type": "goal", "name": "purchase", **fields})
    event = Event.objects.get()
    assert (event.name.type, event.name.name) == ("goal", "purchase")
    assert (event.amount, event.currency) == (amount, currency)


def test_repeated_id_is_stored_once(track):
    for _ in range(3):
        assert track({**SIGNUP, "id": "same"}).status_code == 202
    assert track({**SIGNUP, "id": "same"}).json()["dropped"] == "repeated_id"
    track({**SIGNUP, "id": "other"})
    assert Event.objects.count() == 2


def test_name_is_kept_as_sent(track):
    for name in (" Sign Up ", "signup", "Größe\n🛒", "%", "x" * 1_024):
        track({**SIGNUP, "name": name})
    names = Event.objects.order_by("id").values_list("name__name", flat=True)
    assert list(names) == [" Sign Up ", "signup", "Größe\n🛒", "%", "x" * 1_024]


# Beneath Django, as the server runs it


@pytest.mark.parametrize(
    ("method", "body", "status"),
    [
        ("POST", VIEW, 202),
        ("POST", {**VIEW, "site": "sk_unknownunkno"}, 202),
        ("POST", {"type": "x"}, 422),
        ("POST", b"{", 400),
        ("POST", b" " * 9_000, 413),
        ("OPTIONS", b"", 204),
        ("GET", b"", 405),
        ("HEAD", b"", 405),
        ("PUT", VIEW, 405),
    ],
)
def test_server_and_django_answer_alike(service, site, method, body, status):
    def sent(key):
        if isinstance(body, dict):
            return json.dumps({"site": key, **body}).encode()
        return body

    by_server = service.send(
        method,
        "/collect?debug=1",
        sent(service.new_site(domain=site.domain)),
        {"User-Agent": BROWSER},
    )
    by_django = Client(headers={"User-Agent": BROWSER}).generic(
        method, f"{BASE}/collect?debug=1", sent(site.site_key)
    )
    assert by_server.status == by_django.status_code == status
    assert by_server.body == by_django.content or method == "HEAD"
    for name in ("access-control-allow-origin", "allow", "retry-after"):
        assert by_server.headers.get(name) == by_django.headers.get(name)
    if by_server.body:
        content_type = by_django.headers["Content-Type"]
        assert by_server.headers["content-type"] == content_type


def test_failure_is_logged_and_answered_in_shape(track, monkeypatch, caplog):
    monkeypatch.setattr("analytics.ingest.writer.events.append", lambda *_, **__: 1 / 0)
    response = track(VIEW, REMOTE_ADDR="192.0.2.77")
    assert response.status_code == 500
    assert list(response.json()) == ["error"]
    assert "ZeroDivisionError" in caplog.text
    assert "192.0.2.77" not in caplog.text
