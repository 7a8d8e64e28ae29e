"""In which country an address is: the order of sources, files of every maker."""

import logging
import os
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from io import StringIO
from ipaddress import ip_address, ip_network
from pathlib import Path
from random import Random
from threading import Barrier

import pytest
import time_machine
from django.core.management import CommandError, call_command
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from analytics.ingest import country
from analytics.models import Context

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
IN_GERMANY, IN_FRANCE, ELSEWHERE = "198.51.100.7", "203.0.113.7", "192.0.2.7"
ROWS = {"198.51.100.0/24": "DE", "203.0.113.0/24": "FR", "2001:db8:a::/48": "DE"}

# A record as each maker writes it.
SHAPES = {
    "GeoLite2-Country": lambda code: {
        "continent": {"code": "EU"},
        "country": {"iso_code": code, "names": {"en": "A name"}},
        "registered_country": {"iso_code": "US"},
    },
    "GeoLite2-City": lambda code: {
        "city": {"names": {"en": "Köln"}},
        "country": {"iso_code": code},
        "location": {"latitude": 50.9},
    },
    "DBIP-Country-Lite": lambda code: {
        "continent": {"code": "EU"},
        "country": {"iso_code": code, "is_in_european_union": True},
    },
    "ipinfo ipinfo_lite.mmdb": lambda code: {
        "asn": "AS64496",
        "country": "A name",
        "country_code": code,
        "continent_code": "EU",
    },
    "ipinfo country.mmdb": lambda code: {"country": code, "country_name": "A name"},
    "country ipvAll": lambda code: {"country_code": code},
}


def write(path, rows=ROWS, shape="GeoLite2-Country", *, version=6):
    """A file of this type; its networks and their codes."""
    writer = MMDBWriter(version, shape, ipv4_compatible=version == 6)
    for network, code in rows.items():
        writer.insert_network(IPSet([network]), SHAPES.get(shape, lambda c: c)(code))
    with time_machine.travel(NOW, tick=False):
        writer.to_db_file(str(path))
    return path


@pytest.fixture
def use(settings, tmp_path):
    """Make the file what the settings name, with these rows."""

    def use(*args, **options):
        path = write(tmp_path / "country.mmdb", *args, **options)
        settings.GEOIP_DATABASE = str(path)
        country.forget()
        return path

    return use


# The built-in table


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("8.8.8.8", "US"),
        ("::ffff:8.8.8.8", "US"),
        ("2001:4860:4860::8888", "US"),
        ("193.0.6.139", "NL"),
        ("127.0.0.1", ""),
        ("10.0.0.1", ""),
        ("192.0.2.1", ""),
        ("fe80::1%eth0", ""),
        ("::1", ""),
        ("", ""),
        ("x", ""),
        ("8.8.8.8:53", ""),
    ],
)
def test_registries_tell_a_country_or_nothing(address, code):
    assert country.of(address) == code


# Files


@pytest.mark.parametrize("shape", SHAPES)
def test_file_of_any_maker_tells_a_country(use, shape):
    use(shape=shape)
    assert country.of(IN_GERMANY) == "DE"
    assert country.of(f"::ffff:{IN_GERMANY}") == "DE"
    assert country.of("2001:db8:a::1") == "DE"
    assert country.of(IN_FRANCE) == "FR"
    assert country.of(ELSEWHERE) == ""
    assert country.of("8.8.8.8") == ""  # The built-in table is not asked.
    assert country.of("fe80::1%eth0") == ""
    assert country.of("x") == ""


def test_file_of_ipv4_alone_knows_no_country_of_ipv6(use):
    use({"198.51.100.0/24": "DE"}, version=4)
    assert country.of(IN_GERMANY) == "DE"
    assert country.of("2001:db8:a::1") == ""


@pytest.mark.parametrize(
    ("found", "code"),
    [
        *(("DE", "DE"), ("de", "DE"), ("XK", "XK")),
        *((unknown, "") for unknown in ("XX", "ZZ", "EU", "AP", "T1", "A1", "")),
        *(("Germany", ""), ("DEU", ""), ("D", ""), (7, ""), (["DE"], ""), ({}, "")),
    ],
)
def test_only_countries_are_countries(use, found, code):
    use({"198.51.100.0/24": found, "203.0.113.0/24": "FR"}, "country ipvAll")
    assert country.of(IN_GERMANY) == code


def test_record_without_a_country_is_unknown(use):
    use({"198.51.100.0/24": {"asn": 1}, "203.0.113.0/24": {"country": "FR"}}, "x")
    assert country.of(IN_GERMANY) == ""
    assert country.of(IN_FRANCE) == "FR"


@pytest.fixture
def later(monkeypatch):
    """Move the clock that decides when to check the file, by seconds."""
    passed = [0.0]
    monkeypatch.setattr(country, "monotonic", lambda: passed[0])

    def later(seconds):
        passed[0] += seconds

    return later


def test_file_that_is_replaced_is_read_anew(use, later, tmp_path):
    path = use({"198.51.100.0/24": "DE"})
    assert country.of(IN_GERMANY) == "DE"
    write(tmp_path / "new", {"198.51.100.0/24": "AT"})
    os.replace(tmp_path / "new", path)
    later(country.CHECK_SECONDS - 1)
    assert country.of(IN_GERMANY) == "DE"
    later(1)
    assert country.of(IN_GERMANY) == "AT"


def test_file_that_is_overwritten_in_place_harms_nobody(use, later, tmp_path):
    """Without a private copy the lookups would kill the process (SIGBUS)."""
    path = use({f"198.51.{n}.0/24": "DE" for n in range(200)})
    new = write(tmp_path / "new", {"198.51.100.0/24": "AT"}).read_bytes()
    assert country.of(IN_GERMANY) == "DE"
    with path.open("wb") as file:
        assert {country.of(f"198.51.{n}.1") for n in range(200)} == {"DE"}
        file.write(new)
    later(country.CHECK_SECONDS)
    assert country.of(IN_GERMANY) == "AT"


def test_file_that_is_lost_or_broken_leaves_the_last_one(use, later, caplog):
    caplog.set_level(logging.INFO)
    path = use()
    good = path.read_bytes()
    assert country.of(IN_GERMANY) == "DE"
    for fault, said in (
        (path.unlink, "No such file"),
        (lambda: path.write_bytes(good[:-40]), "not a MaxMind DB file"),
    ):
        caplog.clear()
        fault()
        for _ in range(3):
            later(country.CHECK_SECONDS)
            assert country.of(IN_GERMANY) == "DE"
        [line] = [r for r in caplog.records if r.name == country.__name__]
        assert said in line.message
        assert "still using the previous file" in line.message
    path.write_bytes(good.replace(b"BDE", b"BAT"))
    later(country.CHECK_SECONDS)
    assert country.of(IN_GERMANY) == "AT"


def test_file_that_appears_after_the_start_is_taken(settings, later, tmp_path, caplog):
    path = tmp_path / "country.mmdb"
    settings.GEOIP_DATABASE = str(path)
    assert country.of(IN_GERMANY) == ""
    assert "No such file or directory; all unknown" in caplog.text
    write(path)
    later(country.CHECK_SECONDS)
    assert country.of(IN_GERMANY) == "DE"


def test_damage_within_a_file_is_logged_once_and_is_no_failure(use, caplog):
    path = use(shape="country ipvAll")
    data = path.read_bytes()
    assert data.count(b"BFR") == 1
    # In place of a text of two letters a pointer past the end.
    path.write_bytes(data.replace(b"BFR", b"\x27\xffR"))
    country.forget()
    for _ in range(3):
        assert country.of(IN_GERMANY) == "DE"
        assert country.of(IN_FRANCE) == ""
    assert caplog.text.count(f"Countries: {path} is damaged") == 1
    assert "198.51" not in caplog.text


def test_no_address_is_remembered_or_logged(use, caplog, later):
    caplog.set_level(logging.DEBUG)
    path = use()
    country.of(IN_GERMANY)
    path.unlink()
    later(country.CHECK_SECONDS)
    country.of(IN_GERMANY)
    assert caplog.text
    assert IN_GERMANY not in caplog.text
    cached = {name for name, it in vars(country).items() if hasattr(it, "cache_info")}
    assert not cached


def test_process_opens_the_file_once_for_all_threads(use, monkeypatch):
    use()
    opened, together, really = [], Barrier(16), country._open

    def slowly(path):
        opened.append(path)
        return really(path)

    monkeypatch.setattr(country, "_open", slowly)

    def ask(_):
        together.wait(10)
        return country.of(IN_GERMANY)

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(ask, range(16))) == {"DE"}
    assert len(opened) == 1


# Headers


@pytest.mark.parametrize(
    ("peer", "said", "code"),
    [
        ("10.0.0.1", "FR", "FR"),
        ("10.0.0.1", " fr ", "FR"),
        ("::ffff:10.0.0.1", "FR", "FR"),
        # Not a country: the table is asked.
        *(("10.0.0.1", said, "DE") for said in ("XX", "T1", "", "France", "F\0", "1")),
        # Not sent by a trusted proxy.
        ("192.0.2.1", "FR", "DE"),
        ("", "FR", "DE"),
    ],
)
def test_header_wins_over_the_table_if_a_trusted_proxy_sends_it(
    use, settings, peer, said, code
):
    use()
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8")]
    settings.COUNTRY_HEADER = "CF-IPCountry"
    environ = {"REMOTE_ADDR": peer, "HTTP_CF_IPCOUNTRY": said}
    assert country.of_request(IN_GERMANY, environ) == code


def test_header_is_nothing_unless_it_is_named(use, settings):
    use()
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8")]
    environ = {"REMOTE_ADDR": "10.0.0.1", "HTTP_CF_IPCOUNTRY": "FR", "HTTP_": "FR"}
    assert country.of_request(IN_GERMANY, environ) == "DE"


@pytest.mark.django_db
def test_country_of_the_proxys_header_is_stored(track, settings):
    settings.TRUSTED_PROXIES = [ip_network("127.0.0.0/8")]
    settings.COUNTRY_HEADER = "X-Country"
    headers = {"X-Country": "FR", "X-Forwarded-For": "8.8.8.8"}
    track({"type": "event", "name": "x"}, headers)
    assert Context.objects.get().country == "FR"


# The start, and the command


def garbage(path):
    path.write_bytes(os.urandom(4_096))


def networks(path):
    write(
        path, {"198.51.100.0/24": {"autonomous_system_number": 64496}}, "GeoLite2-ASN"
    )


def empty(path):
    path.touch()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "No such file or directory"),
        (Path.mkdir, "Is a directory"),
        (garbage, "is not a MaxMind DB file, or is damaged"),
        (empty, "is not a MaxMind DB file, or is damaged"),
        (networks, "holds no countries, it is a GeoLite2-ASN"),
    ],
)
def test_file_of_no_use_stops_the_start(settings, tmp_path, make, said):
    path = tmp_path / "x.mmdb"
    make(path)
    settings.GEOIP_DATABASE = str(path)
    [error] = country.check(None)
    assert error.id == "analytics.E001"
    assert str(error.msg).startswith(f"GEOIP_DATABASE: {path}")
    assert said in error.msg
    with pytest.raises(CommandError, match=re.escape(f"GEOIP_DATABASE: {path}")):
        call_command("check")
    with pytest.raises(CommandError, match=said):
        call_command("geoip")


def test_damage_anywhere_in_a_file_is_no_crash(tmp_path):
    """Bytes changed at random: refused, or read with what is left of it."""
    good, chance = write(tmp_path / "good").read_bytes(), Random(1)
    outcomes: Counter[str] = Counter()
    for _ in range(300):
        damaged = bytearray(good)
        for _ in range(chance.choice([1, 3, 20])):
            damaged[chance.randrange(len(good))] = chance.randrange(256)
        path = tmp_path / "damaged"
        whole = chance.random() < 0.8
        end = len(good) if whole else chance.randrange(len(good))
        path.write_bytes(damaged[:end])
        file = country.File(path)
        for address in (IN_GERMANY, IN_FRANCE, "2001:db8:a::1", "8.8.8.8"):
            outcomes[file.lookup(ip_address(address))] += 1
    assert outcomes["DE"] > 100
    assert outcomes[""] > 100


def test_file_that_is_too_large_is_refused(use, monkeypatch):
    use()
    monkeypatch.setattr(country, "MAX_BYTES", 100)
    [error] = country.check(None)
    assert "is larger than" in error.msg


def test_good_file_and_none_pass_the_check(use, settings):
    use()
    assert country.check(None) == []
    settings.GEOIP_DATABASE = ""
    assert country.check(None) == []


def told(*options):
    out = StringIO()
    call_command("geoip", *options, stdout=out)
    return out.getvalue().splitlines()


def test_command_tells_source_type_and_age_of_a_file(use):
    path = use(shape="DBIP-Country-Lite")
    with time_machine.travel(datetime(2026, 4, 1, tzinfo=UTC), tick=False):
        assert told() == [
            f"source  {path}",
            "type    DBIP-Country-Lite",
            "built   2026-03-10",
            "age     21 days",
        ]
        assert told("--max-age", "21")
        with pytest.raises(CommandError, match="older than 20 days"):
            told("--max-age", "20")


def test_command_tells_of_what_comes_with_the_packages():
    source, kind, built, _ = told()
    assert re.fullmatch(r"source  iptocc [0-9.]+, from AFRINIC, .* RIPE NCC", source)
    assert kind == "type    address registries"
    assert re.fullmatch(r"built   20\d\d-\d\d-\d\d", built)
