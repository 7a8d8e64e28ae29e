"""The import_log command: what is stored, left out and said."""

import gzip
import io
import re
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command

from analytics.ingest import access_log, visitors
from analytics.management.commands.import_log import EventIds
from analytics.models import Context, DropCount, Event
from tests.factories import SiteFactory

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CRAWLER = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
REAL_LOG = Path(__file__).parents[4] / "shared/data/access.log.gz"


def line(
    path: str = "/a",
    *,
    ip: str = "203.0.113.9",
    agent: str = AGENT,
    referrer: str = "-",
    time: str = "17/May/2015:10:05:03 +0000",
) -> str:
    request = f"GET {path} HTTP/1.1"
    return f'{ip} - - [{time}] "{request}" 200 512 "{referrer}" "{agent}"\n'


@pytest.fixture
def import_lines(site, tmp_path):
    """Import lines; the table that is printed, as a dictionary, and stderr."""

    def run(*lines, to=None, pack=False, encoding="utf-8"):
        path = tmp_path / "access.log"
        data = "".join(lines).encode(encoding)
        path.write_bytes(gzip.compress(data) if pack else data)
        return run_import(path, to or site)

    return run


def run_import(path, site):
    out, err = io.StringIO(), io.StringIO()
    call_command("import_log", str(path), site=site.site_key, stdout=out, stderr=err)
    rows = (row.rsplit(maxsplit=1) for row in out.getvalue().splitlines())
    table = {
        name.strip(): int(count.replace(",", ""))
        for name, count in rows
        if count.replace(",", "").isdigit()
    }
    return SimpleNamespace(table=table, out=out.getvalue(), err=err.getvalue())


def test_page_view_is_stored_with_the_logs_own_time_and_labels(import_lines, site):
    import_lines(
        line(
            "/caf%C3%A9?utm_source=news&x=1",
            ip="193.99.144.80",
            referrer="https://www.google.de/",
            time="17/May/2015:23:05:03 -0200",
        )
    )
    event = Event.objects.select_related("name", "context").get()
    assert event.site == site
    assert (event.name.type, event.name.name) == ("pageview", "/caf%C3%A9")
    assert event.at == datetime(2015, 5, 18, 1, 5, 3, tzinfo=UTC)
    assert event.day == date(2015, 5, 18)
    context = event.context
    assert (context.referrer, context.utm_source) == ("Google", "news")
    assert (context.country, context.device) == ("DE", "Desktop")
    assert (context.browser, context.os) == ("Firefox", "Linux")


def test_day_is_the_one_of_the_sites_time_zone(import_lines):
    there = SiteFactory.create(timezone="Pacific/Auckland")
    import_lines(line(time="17/May/2015:13:00:00 +0000"), to=there)
    assert Event.objects.get().day == date(2015, 5, 18)


def test_visitor_is_the_same_all_day_and_another_on_the_next(import_lines, site):
    import_lines(
        line("/a"),
        line("/b"),
        line("/a", ip="203.0.113.10"),
        line("/a", time="18/May/2015:10:05:03 +0000"),
    )
    seen = list(Event.objects.order_by("pk").values_list("visitor", flat=True))
    assert seen[0] == seen[1]
    assert len(set(seen)) == 3
    assert seen[0] == visitors.visitor(
        site, date(2015, 5, 17), address="203.0.113.9", user_agent=AGENT
    )


def test_each_reason_is_counted_and_all_add_up_to_the_lines_read(import_lines, site):
    site.excluded_ips, site.excluded_paths = ["198.51.100.0/24"], ["/internal/*"]
    site.save()
    table = import_lines(
        line(),
        line("/logo.png"),
        line("/feed/"),
        line(agent=CRAWLER),
        line(agent="-"),
        line(ip="198.51.100.7"),
        line("/internal/x"),
        line("http://other.example/"),
        line("/" + "a" * 1024),
        line().replace("GET", "POST"),
        line().replace(" 200 ", " 404 "),
        "\n",
        line(time="17/May/1970:10:05:03 +0000"),
        line(time="17/May/2970:10:05:03 +0000"),
    ).table
    assert table == {
        "read": 14,
        "stored": 1,
        "duplicate": 0,
        "malformed": 3,
        "not GET": 1,
        "status": 1,
        "asset": 1,
        "feed": 1,
        "too long": 1,
        "crawler": 2,
        "excluded ip": 1,
        "excluded path": 1,
        "foreign host": 1,
    }
    # They are told here, and are no request of today's.
    assert not DropCount.objects.exists()


def test_same_log_again_adds_nothing(import_lines):
    log = [line(), line(), line("/b"), line(ip="203.0.113.10")]
    assert import_lines(*log).table["stored"] == 4
    again = import_lines(*log).table
    assert (again["stored"], again["duplicate"]) == (0, 4)


def test_grown_log_adds_what_is_new(import_lines):
    import_lines(line(), line("/b"))
    grown = import_lines(line(), line("/b"), line("/b"), line("/c")).table
    assert (grown["stored"], grown["duplicate"]) == (2, 2)


def test_equal_requests_in_logs_of_two_servers_are_two_visitors(import_lines):
    import_lines(line(ip="203.0.113.9"))
    assert import_lines(line(ip="203.0.113.10")).table["stored"] == 1


def test_same_log_may_be_imported_into_two_sites(import_lines, strangers_site):
    import_lines(line())
    assert import_lines(line(), to=strangers_site).table["stored"] == 1


def test_equal_requests_are_told_apart_over_what_is_remembered(monkeypatch):
    monkeypatch.setattr(EventIds, "_MAX_REMEMBERED", 2)
    requests = [access_log.parse(line(path).strip()) for path in "aabab"]
    ids = EventIds()
    names = [ids.next(request) for request in requests]
    assert [name[33:] for name in names] == ["", "1", "", "2", "1"]


def test_user_agent_that_the_log_does_not_know_is_no_crawler(import_lines):
    common = line().rpartition(' "-"')[0] + "\n"
    done = import_lines(common)
    assert done.table["stored"] == 1
    assert "1 page views came without a user agent" in done.out


def test_malformed_lines_are_shown_by_number_without_their_content(import_lines):
    done = import_lines(line(), *[line()[:-2] + "\n"] * 7)
    assert done.table["malformed"] == 7
    assert done.err.splitlines() == [
        f"line {number}: a quote is never closed" for number in range(2, 7)
    ]


def test_neither_address_nor_user_agent_is_stored_or_said(import_lines):
    done = import_lines(line(), line()[:-2] + "\n")
    rows = [*Event.objects.values(), *Context.objects.values()]
    assert Event.objects.count() == len(rows) - Context.objects.count() > 0
    assert done.out
    assert done.err
    for text in (str(rows), done.out, done.err):
        assert "203.0.113" not in text
        assert "Gecko" not in text


def test_bytes_that_are_no_text_do_no_harm(import_lines):
    log = line("/caf\xe9", agent=AGENT + " \xff\xfe", referrer="http://\xe4.example/")
    import_lines(log, encoding="latin-1")
    event = Event.objects.select_related("name", "context").get()
    assert event.name.name == "/caf%E9"
    assert event.context.referrer == "%e4.example"


def test_long_query_and_referrer_do_not_lose_the_page_view(import_lines):
    long = "b" * 4_000
    import_lines(line(f"/a?{long}", referrer=f"http://other.example/{long}"))
    event = Event.objects.select_related("name", "context").get()
    assert event.name.name == "/a"
    assert event.context.referrer == "other.example"


def test_gzip_is_told_by_its_bytes(import_lines):
    assert import_lines(line(), pack=True).table["stored"] == 1


@pytest.mark.parametrize("pack", [gzip.compress, bytes])
def test_standard_input_is_read(site, monkeypatch, pack):
    data = pack(line().encode())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert run_import("-", site).table["stored"] == 1


@pytest.mark.parametrize("data", [b"", gzip.compress(b"", mtime=0)])
def test_empty_log_is_no_error(site, tmp_path, data):
    path = tmp_path / "access.log"
    path.write_bytes(data)
    assert run_import(path, site).table["read"] == 0


def test_broken_gzip_is_an_error_after_what_was_readable(site, tmp_path, capsys):
    whole = gzip.compress("".join(line(f"/{n}") for n in range(5_000)).encode())
    path = tmp_path / "access.log.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CommandError, match="ends here: Compressed file ended"):
        call_command("import_log", str(path), site=site.site_key)
    (stored,) = re.findall(r"stored +([\d,]+)", capsys.readouterr().out)
    assert Event.objects.count() == int(stored.replace(",", "")) > 1_000


def test_missing_file_and_unknown_site_are_errors(site, tmp_path):
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_log", str(tmp_path / "none"), site=site.site_key)
    with pytest.raises(CommandError, match="no site with the key sk_none"):
        call_command("import_log", str(tmp_path), site="sk_none")


@pytest.mark.skipif(not REAL_LOG.exists(), reason="the log is not part of the project")
def test_real_log_gives_the_numbers_counted_by_hand(site, owner):
    """Counted with awk and grep over the same file: see docs/commands.md."""
    done = run_import(REAL_LOG, site)
    assert done.table == {
        "read": 10_000,
        "stored": 1_582,
        "duplicate": 0,
        "malformed": 1,
        "not GET": 48,
        "status": 371,
        "asset": 5_790,
        "feed": 901,
        "too long": 0,
        "crawler": 1_307,
    }
    assert done.err == "line 8,899: a quote is never closed\n"
    assert run_import(REAL_LOG, site).table["stored"] == 0

    for match_type, value, conversions, uniques in (
        ("exact", "/projects/xdotool/", 204, 178),
        ("contains", "logstash", 169, 124),
        ("regex", r"^/blog/geekery/[a-z0-9-]+\.html$", 321, 224),
    ):
        path = f"/sites/{site.site_key}/goals"
        body = {
            "name": value,
            "type": "pageview",
            "match_type": match_type,
            "match_value": value,
        }
        goal = owner("POST", path, body).json()["data"]["id"]
        days = "period=custom&from=2015-05-17&to=2015-05-20"
        stats = owner("GET", f"{path}/{goal}/stats?{days}").json()["data"]
        assert stats == {
            "conversions": conversions,
            "unique_conversions": uniques,
            "revenue": None,
        }
