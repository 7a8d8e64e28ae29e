"""The tracker's form of POST /collect: calls of a page, read forgivingly."""

import json
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.ingest import calls, payloads
from analytics.models import Event, RateWindow
from tests.conftest import BASE, BROWSER

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 2, 18, 23, 30, tzinfo=UTC)
URL = "https://example.com/shop"


@pytest.fixture
def send(anyone, site):
    """Send calls; the answer says what became of each."""

    def send(*made, path="/a", query="?debug=1", url=URL, **fields):
        body = {"site": site.site_key, "at": 5_000, **fields}
        body.setdefault("calls", [[5_000, url, *call] for call in made])
        return anyone.post(
            f"{path}{query}",
            json.dumps(body),
            content_type="text/plain",
            headers={"User-Agent": BROWSER},
        )

    return send


@pytest.fixture
def told(send):
    """What became of one call: the reason it was dropped, and what was left out."""

    def told(*call, **options):
        response = send(call, **options)
        assert response.status_code == 202, response.content
        [outcome] = response.json()["calls"]
        return outcome.pop("dropped"), outcome.get("left_out", outcome.get("details"))

    return told


# The address and the answer


@pytest.mark.parametrize("path", ["/a", f"{BASE}/collect"])
def test_both_addresses_take_both_forms(send, anyone, site, path):
    assert send(["page"], path=path, query="").status_code == 202
    single = {"site": site.site_key, "type": "pageview", "url": URL}
    response = anyone.post(
        path,
        single,
        content_type="application/json",
        headers={"User-Agent": BROWSER},
    )
    assert response.content == b'{"ok":true}'
    assert Event.objects.count() == 2


def test_neutral_address_is_open_to_every_origin(anyone, site):
    response = anyone.options("/a", headers={"Origin": "https://example.com"})
    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert anyone.get("/a").status_code == 405


@time_machine.travel(NOW, tick=False)
def test_answer_tells_nothing_but_the_time_unless_asked(send):
    kept = send(["page"], query="")
    dropped = send(["page"], query="", url="https://other.example/")
    wrong = send(["nonsense"], query="")
    milliseconds = int(NOW.timestamp() * 1_000)
    for response in (kept, dropped, wrong):
        assert response.json() == {"ok": True, "at": milliseconds}
        assert response.content.startswith(b'{"ok":true,"at":')


def test_answer_names_what_became_of_each(send, site):
    site.excluded_paths = ["/admin"]
    site.save()
    made = [
        [5_000, URL, "goal", "sale", 9, {"id": "o-1"}],
        [5_000, "https://other.example/", "page"],
        [5_000, "https://example.com/admin", "page"],
        [5_000, URL, "goal", "sale", 9, {"id": "o-1"}],
        [5_000, URL, "track"],
        [5_000, URL, "track", "a", {"b": [1]}],
    ]
    answer = send(calls=made).json()
    assert [outcome["dropped"] for outcome in answer["calls"]] == [
        None,
        "foreign_host",
        "excluded_path",
        "repeated_id",
        "invalid",
        None,
    ]
    assert answer["calls"][4]["details"] == {"name": ["This field is required."]}
    assert list(answer["calls"][5]["left_out"]) == ["props.b"]
    assert Event.objects.count() == 2


def test_body_may_ask_as_well(send):
    assert "calls" in send(["page"], query="", debug="").json()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"calls": []}, "calls"),
        ({"calls": [[0, URL, "page"]] * 101}, "calls"),
        ({"calls": "x"}, "calls"),
        ({"site": 5}, "site"),
        ({"at": "x"}, "at"),
        ({"extra": 1}, "extra"),
    ],
)
def test_wrong_body_is_422(send, fields, field):
    response = send(["page"], **fields)
    assert response.status_code == 422
    assert list(response.json()["details"]) == [field]


def test_calls_of_a_request_use_the_limit_once(send, settings):
    settings.RATE_LIMIT_COLLECT = 10
    response = send(*[["track", f"a{n}"] for n in range(20)])
    assert response.headers["x-ratelimit-remaining"] == "9"
    assert RateWindow.objects.get().used == 1
    assert Event.objects.count() == 20


def test_calls_over_the_limit_are_not_stored(send, settings):
    settings.RATE_LIMIT_COLLECT = 1
    assert send(["page"]).status_code == 202
    assert send(["page"], ["track", "a"]).status_code == 429
    assert Event.objects.count() == 1


# When


def stored():
    found = Event.objects.order_by("at").values_list("name__name", "at")
    return [(name, NOW - at) for name, at in found]


@time_machine.travel(NOW, tick=False)
def test_calls_are_dated_by_their_age_in_order(send):
    made = [[1_000, URL, "track", "a"], [4_750, URL, "track", "b"]]
    send(calls=made)
    assert stored() == [
        ("a", timedelta(seconds=4)),
        ("b", timedelta(milliseconds=250)),
    ]


@time_machine.travel(NOW, tick=False)
def test_calls_at_the_same_time_are_stored_in_order(send):
    send(*[["track", name] for name in "dcba"])
    assert [name for name, _ in stored()] == list("dcba")


@time_machine.travel(NOW, tick=False)
def test_calls_come_after_those_before_them_however_long_the_way_took(send):
    # The first request took half a second, the second nothing.
    last = send(["track", "first"], query="").content.decode()[:40]
    send(calls=[[4_500, URL, "track", "second"]], last=last)
    assert [name for name, _ in stored()] == ["first", "second"]


@time_machine.travel(NOW, tick=False)
@pytest.mark.parametrize(
    ("at", "made_at", "last", "ago"),
    [
        (5_000, 6_000, None, 0),
        (5_000, None, None, 0),
        (None, 4_000, None, 0),
        (5_000, "x", None, 0),
        (1e15, 0, None, 3_600),
        (5_000, 10**400, None, 0),
        (5_000, -(10**400), None, 3_600),
        (5_000, 4_000, "<html>", 1),
        (5_000, 4_000, '{"ok":true,"at":99999999999999', 1),
        (5_000, 4_000, '{"ok":true,"at":0}', 1),
    ],
)
def test_odd_clocks_are_no_obstacle(send, at, made_at, last, ago):
    send(calls=[[made_at, URL, "track", "a"]], at=at, last=last)
    assert stored() == [("a", timedelta(seconds=ago))]


# What


@pytest.mark.parametrize(
    ("call", "type", "name"),
    [
        (["page"], "pageview", "/shop"),
        (["page", {"url": "shop"}], "pageview", "/shop"),
        (["track", "signup"], "event", "signup"),
        (["track", 404], "event", "404"),
        (["track", "x" * 1_025], "event", "x" * 1_024),
        (["track", "a\0b"], "event", "ab"),
        (["goal", "sale"], "goal", "sale"),
        (["goal", "sale", None, None], "goal", "sale"),
    ],
)
def test_call_makes_its_event(told, call, type, name):
    assert told(*call) == (None, None)
    event = Event.objects.get()
    assert (event.name.type, event.name.name) == (type, name)


@pytest.mark.parametrize(
    "call", [[], ["x", "y"], ["track"], ["track", ""], ["goal", {}], ["goal", None]]
)
def test_call_without_a_name_or_method_makes_none(told, call):
    assert told(*call)[0] == "invalid"
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("amount", "stored"),
    [
        (49.99, 49_9900),
        (0, 0),
        (0.1 + 0.2, 3000),
        ("49.99", 49_9900),
        (" 49.99\n", 49_9900),
        ("1299.00", 1299_0000),
        ("0.125", 1250),
        ("12.3456", 12_3456),
        ("1,299.00", None),
        ("1.299", None),
        ("49,99", None),
        ("1e3", None),
        ("0x1F", None),
        ("1_000", None),
        ("\uff14\uff19", None),
        ("$5", None),
        ("n/a", None),
        ("", None),
        ("-5", None),
        (-5, None),
        (10**13, None),
        (True, None),
        ([5], None),
        ("2026-02-18T00:00:00.000Z", None),
    ],
)
def test_amount_is_taken_if_it_is_beyond_doubt_and_the_goal_always(
    told, amount, stored
):
    for call in (["goal", "sale", amount], ["goal", "sale", {"amount": amount}]):
        reason, left_out = told(*call)
        assert reason is None
        assert (left_out is None) == (stored is not None)
    amounts = list(Event.objects.values_list("amount", flat=True))
    assert amounts == [stored, stored]


@pytest.mark.parametrize(
    ("currency", "stored"),
    [
        ("USD", (5_0000, "USD")),
        ("usd", (5_0000, "USD")),
        (None, (5_0000, None)),
        # Without its currency an amount would count in the goal's, 1:1.
        ("EURO", (None, None)),
        ("", (None, None)),
        (840, (None, None)),
        ("XXX", (None, None)),
        ("HRK", (None, None)),
    ],
)
def test_amount_stays_only_with_its_currency(told, currency, stored):
    told("goal", "sale", 5, {"currency": currency})
    told("goal", "sale", {"amount": 5, "currency": currency})
    found = Event.objects.values_list("amount", "currency")
    assert list(found) == [stored, stored]


@pytest.mark.parametrize(
    ("props", "kept", "left_out"),
    [
        ({"a": 1, "b": "c", "d": True, "e": None}, ..., None),
        ({"a": 1, "b": {"c": 1}, "d": [1]}, {"a": 1}, ["props.b", "props.d"]),
        ([1], None, ["props"]),
        ("x", None, ["props"]),
        (5, None, ["props"]),
        ({"a\0": "b\0"}, {"a": "b"}, None),
        ({"k" * 1_025: "v" * 1_025}, {"k" * 1_024: "v" * 1_024}, None),
        (
            {f"k{n}": n for n in range(31)},
            {f"k{n}": n for n in range(30)},
            ["props.k30"],
        ),
    ],
)
def test_wrong_prop_is_left_out_and_the_event_stays(told, props, kept, left_out):
    reason, found = told("track", "a", props)
    assert reason is None
    assert (list(found) if found else None) == left_out
    assert Event.objects.get().props == (props if kept is ... else kept)


@pytest.mark.parametrize(
    ("id", "stored"),
    [
        (1001, "1001"),
        ("o-1", "o-1"),
        ("", None),
        (None, None),
        (True, None),
        ([], None),
    ],
)
def test_id_is_a_text_or_a_number(told, id, stored):
    told("goal", "sale", 5, {"id": id})
    assert Event.objects.get().event_id == stored


def test_unknown_option_is_left_out(told):
    assert told("goal", "sale", {"amount": 5, "ID": 1}) == (
        None,
        {"ID": ["Unknown option."]},
    )


def test_half_a_character_costs_nothing_but_itself(anyone, site):
    body = (
        f'{{"site":"{site.site_key}","calls":[[0,"{URL}","track","a\\ud83d",'
        '{"b":"\\udfffc","d":"\\\\ud800","e":"\\ud83d\\ude00"}],'
        f'[0,"{URL}","track","next"]]}}'
    )
    headers = {"User-Agent": BROWSER}
    response = anyone.post("/a", body, content_type="text/plain", headers=headers)
    assert response.status_code == 202
    first, second = Event.objects.order_by("at")
    assert (first.name.name, second.name.name) == ("a\ufffd", "next")
    assert first.props == {"b": "\ufffdc", "d": "\\ud800", "e": "\U0001f600"}


@pytest.mark.parametrize(
    ("url", "path", "source"),
    [
        ("https://example.com/?utm_source=a#/cart", "/cart", "a"),
        ("https://example.com/app/#/cart?utm_source=a", "/app/cart", "a"),
        ("https://example.com/app/index.html#!/cart", "/app/cart", ""),
        ("https://example.com/app/?utm_source=a#/", "/app/", "a"),
        ("https://example.com/app#section", "/app", ""),
        ("https://example.com/#//evil.example/x", "//evil.example/x", ""),
    ],
)
def test_route_in_a_fragment_is_a_path_below_the_folder(told, url, path, source):
    assert told("page", url=url)[0] is None
    event = Event.objects.get()
    assert (event.name.name, event.context.utm_source) == (path, source)


def test_referrer_holds_for_all_calls(send):
    send(["page"], ["track", "a"], referrer=f"https://example.net/{'x' * 2_133}")
    referrers = Event.objects.values_list("context__referrer", flat=True)
    assert list(referrers) == ["example.net"] * 2


@settings(max_examples=200)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_any_argument_makes_an_event_or_is_invalid(argument):
    sent = calls.Sent(site="x", calls=[])
    for call in (
        [0, URL, "goal", "a", argument],
        [0, URL, "goal", "a", 5, argument],
        [0, URL, "track", "a", argument],
    ):
        assert calls.event(sent, call, date(2026, 2, 18)).event.name == "a"
    for call in (argument, [0, URL, "goal", argument], [0, argument, "page"]):
        with suppress(payloads.Rejected):
            assert calls.event(sent, call, date(2026, 2, 18)).event.type
