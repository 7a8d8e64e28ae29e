"""Neither an address nor a user agent gets into a table or a log."""

import gzip
import io
import json
from ipaddress import ip_network

import pytest
from django.core.management import call_command
from django.db import connection

from analytics.ingest import salts, visitors
from analytics.models import Context, Event

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log_everything")]

ADDRESS = "203.0.113.77"
ADDRESS_V6 = "2001:db8:dead:beef::77"
AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    " uniquetrace/7.7"
)
# Parts of them count as well, and numbers in other forms.
TRACES = [ADDRESS, "203.0.113", "3405803853", "cb00714d", "dead:beef", "uniquetrace"]
TRACES += ["X11; Linux", "Gecko/20100101"]


def stored():
    """Everything in every table as text, binary columns as hexadecimal too."""
    parts = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            for row in cursor.fetchall():
                for value in row:
                    if isinstance(value, bytes | memoryview):
                        parts.append(bytes(value).hex())
                        parts.append(bytes(value).decode("latin-1"))
                    else:
                        parts.append(str(value))
    return "\n".join(parts)


def assert_no_trace(caplog):
    tables, logs = stored(), caplog.text
    # The look itself works, and there is something to look at.
    assert "sk_abc123def456" in tables
    assert 'FROM "analytics_site"' in logs
    assert Event.objects.exists()
    for trace in TRACES:
        assert trace.lower() not in tables.lower(), trace
        assert trace.lower() not in logs.lower(), trace


@pytest.mark.parametrize("address", [ADDRESS, ADDRESS_V6, f"::ffff:{ADDRESS}"])
def test_tracker_leaves_no_trace(track, settings, caplog, address):
    settings.RATE_LIMIT_COLLECT = 100
    events = [
        {"type": "pageview", "url": "https://example.com/", "referrer": "/x"},
        {"type": "event", "name": "signup", "props": {"plan": "pro"}},
        {"type": "goal", "name": "purchase", "revenue": 5},
    ]
    for event in events:
        response = track(event, {"User-Agent": AGENT}, REMOTE_ADDR=address)
        assert response.json() == {"ok": True, "dropped": None}
        assert_no_trace(caplog)


def test_forwarded_address_leaves_no_trace(track, settings, caplog):
    settings.TRUSTED_PROXIES = [ip_network("127.0.0.0/8")]
    settings.RATE_LIMIT_COLLECT = 100
    headers = {"User-Agent": AGENT, "X-Forwarded-For": f"198.51.100.1, {ADDRESS}"}
    track({"type": "event", "name": "signup"}, headers)
    assert_no_trace(caplog)


def test_dropped_and_refused_events_leave_no_trace(track, site, settings, caplog):
    settings.RATE_LIMIT_COLLECT = 100
    track({"type": "event", "name": "kept"})
    site.excluded_ips = [f"{ADDRESS.rpartition('.')[0]}.0/30"]
    headers = {"User-Agent": AGENT}
    for event, status in [
        ({"type": "event", "name": "x", "site": "sk_unknownunkno"}, 202),
        ({"type": "pageview", "url": "https://foreign.example/"}, 202),
        ({"type": "click"}, 422),
        (b"{", 400),
        (b" " * 9_000, 413),
    ]:
        answer = track(event, headers, REMOTE_ADDR=ADDRESS)
        assert answer.status_code == status
        assert ADDRESS not in answer.content.decode()
    assert_no_trace(caplog)


def test_failure_leaves_no_trace(track, monkeypatch, caplog):
    track({"type": "event", "name": "kept"})
    monkeypatch.setattr("analytics.ingest.writer.events.append", lambda *_, **__: 1 / 0)
    headers = {"User-Agent": AGENT}
    answer = track({"type": "event", "name": "x"}, headers, REMOTE_ADDR=ADDRESS)
    assert answer.status_code == 500
    assert_no_trace(caplog)


@pytest.mark.parametrize("address", [ADDRESS, ADDRESS_V6])
def test_server_event_leaves_no_trace(writer, site, caplog, address):
    event = {"type": "event", "name": "signup", "ip": address, "user_agent": AGENT}
    path = f"/sites/{site.site_key}/events"
    for body in (
        event,
        {"events": [event, {**event, "name": ""}, {**event, "ip": f"{address}x"}]},
        {**event, "timestamp": "x"},
    ):
        answer = writer("POST", path, body)
        assert address not in answer.content.decode().replace(f"{address}x", "")
    assert_no_trace(caplog)


def test_name_that_a_sender_gives_a_visitor_is_not_stored(writer, site, caplog):
    body = {"type": "event", "name": "signup", "visitor_id": "uniquetrace@example.com"}
    writer("POST", f"/sites/{site.site_key}/events", body)
    assert_no_trace(caplog)


def test_imported_log_leaves_no_trace(site, tmp_path, caplog, capsys):
    line = (
        f'{ADDRESS} - uniquetrace [18/Feb/2026:12:00:00 +0000] "GET /pricing HTTP/1.1"'
        f' 200 1234 "https://blog.example/" "{AGENT}"\n'
    )
    log = tmp_path / "access.log.gz"
    log.write_bytes(gzip.compress((line + "malformed " + line).encode()))
    call_command("import_log", str(log), "--site", site.site_key, stdout=io.StringIO())
    assert_no_trace(caplog)


def test_labels_are_coarse(track):
    track({"type": "event", "name": "x"}, {"User-Agent": AGENT}, REMOTE_ADDR="8.8.8.8")
    context = Context.objects.get()
    labels = (context.device, context.browser, context.os, context.country)
    assert labels == ("Desktop", "Firefox", "Linux", "US")


def test_visitor_cannot_be_had_from_what_is_stored_once_its_salt_is_gone(track, site):
    """All addresses there are could be tried, if the salt were known."""
    track({"type": "event", "name": "x"}, {"User-Agent": AGENT}, REMOTE_ADDR=ADDRESS)
    event = Event.objects.get()

    def guess():
        return visitors.visitor(site, event.day, address=ADDRESS, user_agent=AGENT)

    assert guess() == event.visitor
    connection.cursor().execute("DELETE FROM analytics_sitesalt")
    salts.forget()
    assert guess() != event.visitor


def test_answers_show_no_address(track, reader, site):
    track({"type": "event", "name": "x"}, {"User-Agent": AGENT}, REMOTE_ADDR=ADDRESS)
    events = reader("GET", f"/sites/{site.site_key}/events").json()
    assert [event["name"] for event in events["data"]] == ["x"]
    shown = json.dumps(events)
    assert not [trace for trace in TRACES if trace in shown]
