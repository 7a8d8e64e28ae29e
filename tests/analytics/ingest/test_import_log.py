"""The import_log command: what is stored, left out and said."""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import signal
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command

from analytics.ingest import salts
from analytics.ingest.access_log import reading
from analytics.ingest.access_log.clf import read_combined
from analytics.ingest.log_import import EventIds
from analytics.models import Context, DropCount, Event, SiteSalt
from tests.analytics.ingest.access_log.test_clf import COMMON
from tests.factories import SiteFactory

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

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

    def run(*lines, to=None, pack=bytes, encoding="utf-8", **options):
        path = tmp_path / "access.log"
        data = "".join(lines).encode(encoding)
        path.write_bytes(pack(data))
        return run_import(path, site=to or site, **options)

    return run


def run_import(*paths, site, **options):
    """The table that is printed, all of it, what went to stderr, and the error."""
    out, err = io.StringIO(), io.StringIO()
    error = None
    flags = [
        f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}")
        for name, value in {"site": site.site_key, **options}.items()
    ]
    try:
        call_command("import_log", *map(str, paths), *flags, stdout=out, stderr=err)
    except CommandError as raised:
        error = str(raised)
    rows = (row.rpartition(" ") for row in out.getvalue().splitlines())
    table = {
        name.strip(): int(count.replace(",", ""))
        for name, _, count in rows
        if count.replace(",", "").isdigit() and not name.startswith(" ")
    }
    return SimpleNamespace(
        table=table, out=out.getvalue(), err=err.getvalue(), error=error
    )


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
    assert (context.referrer, context.utm_source) == ("www.google.de", "news")
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
    monkeypatch.setattr(EventIds, "MAX_REMEMBERED", 2)
    requests = [read_combined(line(path).strip()) for path in "aabab"]
    ids = EventIds()
    names = [ids.next(request) for request in requests]
    assert [name[33:] for name in names] == ["", "1", "", "2", "1"]


def test_user_agent_that_the_log_does_not_know_is_no_crawler(import_lines):
    common = line().rpartition(' "-"')[0] + "\n"
    done = import_lines(common)
    assert done.table["stored"] == 1
    assert "1 page views came without a user agent" in done.out


def test_malformed_lines_are_shown_by_number_without_their_content(import_lines):
    done = import_lines(*[line()] * 8, *[line()[:-2] + "\n"] * 7)
    assert done.table["malformed"] == 7
    assert done.err.splitlines() == [
        f"line {number}: a quote is never closed" for number in range(9, 14)
    ]
    assert "7 malformed: a quote is never closed" in done.out


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


ARCHIVES = [gzip.compress, bz2.compress, lzma.compress, zstd.compress]


@pytest.mark.parametrize("pack", ARCHIVES)
def test_archive_is_told_by_its_bytes(import_lines, pack):
    assert import_lines(line(), pack=pack).table["stored"] == 1
    assert import_lines(line(), pack=bytes).table["duplicate"] == 1


@pytest.mark.parametrize("pack", ARCHIVES)
def test_archive_of_several_pieces_is_read_to_its_end(import_lines, pack):
    done = import_lines(
        pack=lambda _: pack(line("/a").encode()) + pack(line("/b").encode())
    )
    assert done.table["stored"] == 2


@pytest.mark.parametrize("pack", ARCHIVES)
def test_broken_archive_is_an_error_after_what_was_readable(import_lines, pack):
    # Times that do not repeat, or an archive of them is too short to be cut.
    lines = [
        line(f"/{hashlib.sha256(str(n).encode()).hexdigest()}") for n in range(5_000)
    ]
    done = import_lines(*lines, pack=lambda data: pack(data)[:-1_000])
    assert "ends here: " in done.error
    assert Event.objects.count() == done.table["stored"]
    assert done.table["stored"] > 1_000


@pytest.mark.parametrize("pack", [gzip.compress, bytes])
def test_standard_input_is_read(site, monkeypatch, pack):
    data = pack(line().encode())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert run_import("-", site=site).table["stored"] == 1


@pytest.mark.parametrize("data", [b"", gzip.compress(b"", mtime=0)])
def test_empty_log_is_no_error(site, tmp_path, data):
    path = tmp_path / "access.log"
    path.write_bytes(data)
    assert run_import(path, site=site).table["read"] == 0


def test_missing_file_and_unknown_site_are_errors(site, tmp_path):
    assert run_import(tmp_path / "none", site=site).error.endswith(
        "No such file or directory"
    )
    with pytest.raises(CommandError, match="no site with the key sk_none"):
        call_command("import_log", str(tmp_path), site="sk_none")


# Formats


SAMPLES = Path(__file__).parent / "access_log" / "log_samples"
# The same twelve requests in each format, the last cut short.
ALL = {
    **{"read": 12, "stored": 4, "duplicate": 0, "malformed": 1, "not GET": 1},
    **{"status": 1, "asset": 1, "feed": 1, "too long": 0, "crawler": 2},
    "foreign host": 1,
}
WITHOUT_HOST = {**ALL, "stored": 5} | {"foreign host": 0}
WITHOUT_AGENT = {**WITHOUT_HOST, "stored": 7, "crawler": 0}
TABLES = {
    "alb": ALL,
    "caddy": ALL,
    "cloudfront": {**ALL, "read": 14, "no request": 2},
    "combined": WITHOUT_HOST,
    "common": WITHOUT_AGENT,
    "elb": ALL,
    "haproxy": WITHOUT_AGENT,
    "iis": {**ALL, "read": 16, "no request": 4},
    "nginx-json": ALL,
    # S3 does not escape quotes, so that an agent with some cannot be read.
    "s3": {**ALL, "stored": 3, "malformed": 2},
    "traefik": WITHOUT_HOST,
    "traefik-json": ALL,
    "vhost-combined": ALL,
}


@pytest.mark.parametrize("name", TABLES)
def test_sample_of_each_format_gives_what_it_holds(site, name):
    done = run_import(SAMPLES / f"{name}.log", site=site)
    assert {**ALL, "foreign host": 0, **done.table} == TABLES[name]
    names = set(Event.objects.values_list("name__name", flat=True))
    everywhere = {"/", "/pricing", "/caf%C3%A9"}
    assert names == everywhere | ({"/say%22hi%22"} if name != "s3" else set())
    first = Event.objects.order_by("at")[0]
    assert first.at.replace(microsecond=0) == datetime(
        2026, 2, 18, 10, 0, 3, tzinfo=UTC
    )
    # Who asked for the first page asked for the second as well.
    assert first.visitor == Event.objects.get(name__name="/pricing").visitor
    browsers = set(Event.objects.values_list("context__browser", flat=True))
    has_agent = TABLES[name] not in (WITHOUT_AGENT,)
    assert browsers == ({"Firefox", "Chrome"} if has_agent else {""})
    assert Event.objects.get(name__name="/pricing").context.utm_source == "news"


@pytest.mark.parametrize("name", TABLES)
def test_log_of_each_format_imported_again_adds_nothing(site, name):
    path = SAMPLES / f"{name}.log"
    stored = run_import(path, site=site).table["stored"]
    again = run_import(path, site=site).table
    assert (again["stored"], again["duplicate"]) == (0, stored)
    assert Event.objects.count() == stored


@pytest.mark.parametrize("name", TABLES)
def test_format_may_be_named(site, name):
    log_format = {"iis": "w3c", "cloudfront": "w3c"}.get(name, name)
    done = run_import(SAMPLES / f"{name}.log", site=site, format=log_format)
    assert done.table["stored"] == TABLES[name]["stored"]


def test_same_requests_in_two_formats_of_one_server_are_one_visitor(site):
    run_import(SAMPLES / "caddy.log", SAMPLES / "nginx-json.log", site=site)
    home = Event.objects.filter(name__name="/", context__referrer="www.google.de")
    assert home.count() == 2
    assert len(set(home.values_list("visitor", flat=True))) == 1


def test_host_decides_whose_page_it_was(import_lines, site):
    site.allowed_hosts = ["shop.other.example"]
    site.save()
    hosts = ["example.com", "www.example.com:443", "shop.other.example", "_", "-"]
    foreign = ["other.example", "203.0.113.1", "example.com.evil.example"]
    table = import_lines(
        *(f"{host} {line(f'/{n}')}" for n, host in enumerate(hosts + foreign))
    ).table
    assert (table["stored"], table["foreign host"]) == (5, 3)
    names = set(Event.objects.values_list("name__name", flat=True))
    assert names == {f"/{n}" for n in range(5)}


def test_format_is_said(import_lines):
    assert import_lines(line()).out.splitlines()[0].endswith("access.log: combined")


def test_byte_order_mark_is_no_part_of_the_first_line(import_lines):
    assert import_lines("\ufeff", line()).table["stored"] == 1


def test_pattern_of_ones_own_is_read(import_lines):
    text = '203.0.113.9|18/Feb/2026 12:00:00|"GET /a?utm_source=x HTTP/1.1"|200'
    done = import_lines(
        text, pattern='%h|%{%d/%b/%Y %T}t|"%r"|%>s', timezone="Asia/Tokyo"
    )
    assert done.table["stored"] == 1
    assert Event.objects.get().at == datetime(2026, 2, 18, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pattern": "%h"}, "The pattern lacks the request"),
        ({"pattern": "%h", "format": "common"}, "not both"),
        ({"timezone": "Mars/Base"}, "there is no zone Mars/Base"),
        ({"timezone": "../etc"}, "there is no zone ../etc"),
        ({"timezone": "localtime"}, "there is no zone localtime"),
        ({"max_malformed": "101"}, "a number from 0 to 100"),
        ({"max_malformed": "nan"}, "a number from 0 to 100"),
        ({"format": "iis"}, "invalid choice: 'iis'"),
    ],
)
def test_wrong_option_is_an_error(import_lines, options, message):
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    with pytest.raises(CommandError, match=message):
        call_command("import_log", "-", *flags, site="sk_abc123def456")


# Too many malformed lines


@pytest.mark.parametrize("number", [3, 300])
def test_log_of_which_more_than_half_is_malformed_fails(import_lines, number):
    done = import_lines(*[line()] * number, *["x\n"] * (number + 1))
    assert f"{number + 1:,} of {2 * number + 1:,} lines are malformed" in done.error
    assert f"{number + 1} malformed: not in the format of the log" in done.out
    # A short log is judged before anything of it is stored.
    expected = {"refused": 3} if number == 3 else {"stored": 300}
    assert expected.items() <= done.table.items()
    assert sum(done.table.values()) == 2 * done.table["read"]
    assert Event.objects.count() == expected.get("stored", 0)


def test_malformed_lines_at_its_start_are_no_more_than_others(import_lines):
    log = [*["x\n"] * 90, *(line(f"/{n}") for n in range(200))]
    done = import_lines(*log)
    assert done.error is None
    assert (done.table["stored"], done.table["malformed"]) == (200, 90)


def test_half_malformed_is_not_too_much(import_lines):
    done = import_lines(line(), "x\n")
    assert done.error is None
    assert done.table["stored"] == 1


def test_limit_of_malformed_lines_may_be_set(import_lines):
    log = [line(), *["x\n"] * 9]
    assert import_lines(*log, max_malformed=89).error
    assert import_lines(*log, max_malformed=90).table["stored"] == 1
    assert import_lines(line("/b"), "x\n", max_malformed=0).error


def test_log_in_no_known_format_fails(import_lines):
    done = import_lines(*["hello world\n"] * 150)
    assert "none of its first 100 lines is in a format that is known" in done.error
    assert done.table == {**dict.fromkeys(done.table, 0), "read": 100, "malformed": 100}


def test_failing_log_ends_the_command_with_1(site, tmp_path, monkeypatch):
    path = tmp_path / "access.log"
    path.write_text("x\n")
    with pytest.raises(CommandError) as error:
        call_command("import_log", str(path), site=site.site_key)
    assert error.value.returncode == 1


def test_combined_line_that_was_cut_to_a_common_one_is_malformed(import_lines):
    done = import_lines(line(), line("/b"), COMMON)
    assert (done.table["stored"], done.table["malformed"]) == (2, 1)


# Several files


def test_several_logs_are_imported_each_in_its_format(site, tmp_path):
    paths = [tmp_path / name for name in ("a.log", "b.log.zst", "none", "c", "d")]
    paths[0].write_text(line("/a") + "x\n")
    paths[1].write_bytes(zstd.compress(f"example.com {line('/b')}".encode()))
    paths[3].write_text("x\n")
    paths[4].write_text(json.dumps({"log": line("/d")}))
    done = run_import(*paths, site=site)
    assert (done.table["read"], done.table["stored"]) == (5, 3)
    assert done.out.splitlines()[:3] == [
        f"{paths[0]}: combined",
        f"{paths[1]}: vhost-combined",
        f"{paths[4]}: combined after docker json-file",
    ]
    assert f"{paths[0]}, line 2: not in the format of the log" in done.err
    assert [error.split(": ")[0] for error in done.error.splitlines()] == [
        str(paths[2]),
        str(paths[3]),
    ]


def test_log_that_is_named_twice_is_counted_once(site, tmp_path):
    path = tmp_path / "a.log"
    path.write_text(line() * 2)
    table = run_import(path, path, site=site).table
    assert (table["stored"], table["duplicate"]) == (2, 2)


# Dry run


def test_dry_run_stores_nothing_and_shows_what_would_be(import_lines, site):
    import_lines(line("/old"))
    before = (Event.objects.count(), Context.objects.count(), SiteSalt.objects.count())
    salts.forget()
    later = "18/May/2015:10:05:03 +0000"
    done = import_lines(
        line("/old"),
        *[line("/a?utm_source=news", ip="193.99.144.80", time=later)] * 2,
        line("/logo.png?from=203.0.113.9&by=frank@example.com"),
        line(agent=CRAWLER),
        line()[:-2] + "\n",
        f"2001:db8::9 {line()}".replace("203.0.113.9", "dsl-203-0-113-9.example"),
        dry_run=True,
    )
    assert done.error is None
    after = (Event.objects.count(), Context.objects.count(), SiteSalt.objects.count())
    assert after == before
    assert done.table == {
        **dict.fromkeys(done.table, 0),
        **{"read": 7, "to store": 2, "duplicate": 1, "malformed": 2},
        **{"asset": 1, "crawler": 1},
    }
    shown = done.out[done.out.index("Nothing was stored") :].splitlines()
    assert "  2015-05-18T10:05:03Z /a news DE Desktop Firefox Linux" in shown
    assert "  line 4: GET /logo.png?from=[address]&by=[address] 200" in shown
    place = shown.index("malformed: a quote is never closed:")
    assert shown[place + 1].startswith("  line 6: [address] - - [17/May/2015:10:05:03 ")
    for trace in ("203.0.113", "203-0-113", "2001:db8", "frank@", "193.99.144"):
        assert trace not in done.out + done.err


def test_dry_run_shows_a_few_lines_of_each_reason(import_lines):
    done = import_lines(*[line("/a.png")] * 9, *[line("/b")] * 9, dry_run=True)
    assert done.out.count("  line ") == 3
    assert done.out.count("Z /b ") == 5


def test_odd_line_is_shown_as_text(import_lines):
    done = import_lines(line(), f"\x1b[2J\u202e{'y' * 500}\n", dry_run=True)
    shown = done.out.splitlines()[-1]
    assert shown.isprintable()
    assert len(shown) < 200


# Following


@pytest.fixture
def follow(site, tmp_path, monkeypatch):
    """Follow a log; each time that the command waits for more, the next step is done.

    A step gets the log's path. After the last one the command is told to end.
    """

    def run(*steps, start="", others=(), **options):
        path = tmp_path / "access.log"
        path.write_text(start)
        left = iter(steps)

        def wait(seconds):
            step = next(left, None)
            if step is None:
                os.kill(os.getpid(), signal.SIGTERM)
            else:
                step(path)

        monkeypatch.setattr(reading, "sleep", wait)
        return run_import(*others, path, site=site, follow=True, **options)

    return run


def appending(text):
    def step(path):
        with path.open("a") as log:
            log.write(text)

    return step


def stored(number):
    """A step that checks what is stored by then, and adds nothing."""

    def step(path):
        assert Event.objects.count() == number

    return step


def test_what_is_written_to_a_followed_log_is_stored_at_once(follow):
    done = follow(
        stored(1),
        appending(line("/1") + line("/2")),
        stored(3),
        appending(line("/3")[:90]),
        stored(3),
        appending(line("/3")[90:]),
        stored(4),
        start=line("/0"),
    )
    assert done.error is None
    assert (done.table["read"], done.table["stored"]) == (4, 4)


def test_empty_log_is_followed_from_its_first_line(follow):
    done = follow(stored(0), appending("x\n"), stored(0), appending(line()), stored(1))
    assert done.error is None
    assert (done.table["stored"], done.table["malformed"]) == (1, 1)


def test_log_is_followed_over_its_rotation(follow):
    def rotate(path):
        old = path.rename(path.with_suffix(".1"))
        appending(line("/late"))(old)
        # Its format may be another one.
        path.write_text(f"example.com {line('/new')}")

    done = follow(rotate, stored(3), start=line("/0"))
    assert done.table["stored"] == 3
    assert "vhost-combined" in done.out


def test_log_is_followed_when_it_is_gone_for_a_while(follow):
    def remove(path):
        path.unlink()

    done = follow(remove, stored(1), appending(line("/b")), stored(2), start=line("/a"))
    assert done.table["stored"] == 2


def test_log_that_was_copied_and_emptied_is_followed(follow):
    def empty(path):
        path.write_text(line("/b"))

    done = follow(empty, stored(3), start=line("/a") + line("/longer"))
    assert done.table["stored"] == 3


def test_rotated_log_imported_again_adds_nothing(follow, tmp_path, site):
    def rotate(path):
        path.rename(tmp_path / "old")
        path.write_text(line() * 2)

    follow(rotate, start=line() * 3)
    assert run_import(tmp_path / "old", site=site).table["duplicate"] == 3


def test_over_long_line_of_a_followed_log_is_one_malformed_line(follow):
    done = follow(
        appending("x" * 100_000),
        appending("y" * 100_000),
        appending("\n" + line("/b")),
        start=line("/a"),
    )
    assert (done.table["stored"], done.table["malformed"]) == (2, 1)


def test_others_are_imported_before_the_followed_log(follow, tmp_path):
    older = tmp_path / "older.gz"
    older.write_bytes(gzip.compress(line("/older").encode()))
    assert follow(start=line(), others=[older]).table["stored"] == 2


def test_followed_log_that_is_mostly_malformed_ends_the_command(follow):
    def rotate(path):
        path.rename(path.with_suffix(".1"))
        path.write_text("")

    done = follow(appending("x\n" * 9), rotate, start=line())
    assert "9 of 10 lines are malformed" in done.error


def test_only_a_plain_file_is_followed(site, tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b""))
    for name in ("-", path):
        assert "only a plain file" in run_import(name, site=site, follow=True).error
    assert "No such file" in run_import(tmp_path / "b", site=site, follow=True).error


def test_import_that_is_stopped_keeps_and_says_what_it_has(import_lines, monkeypatch):
    lines = reading.lines

    def stop_after_two(stream):
        for number, text in enumerate(lines(stream)):
            if number == 150:
                raise KeyboardInterrupt
            yield text

    monkeypatch.setattr(reading, "lines", stop_after_two)
    done = import_lines(*(line(f"/{n}") for n in range(200)))
    assert done.error == "Stopped before the end."
    assert done.table["stored"] == Event.objects.count() == 150


@pytest.mark.skipif(not REAL_LOG.exists(), reason="the log is not part of the project")
def test_real_log_gives_the_numbers_counted_by_hand(site, owner):
    """Counted with awk and grep over the same file: see docs/commands.md."""
    done = run_import(REAL_LOG, site=site)
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
    assert run_import(REAL_LOG, site=site).table["stored"] == 0

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
