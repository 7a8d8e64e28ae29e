"""Who is the same visitor: for a day, on a site, and never longer."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_network

import pytest
import time_machine
from django.db import transaction
from django.db.models import QuerySet

from analytics import housekeeping
from analytics.ingest import client_address, salts, user_agents, visitors
from analytics.models import Event, SiteSalt
from tests.conftest import BROWSER
from tests.factories import SiteFactory
from tests.queries import assert_queries

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 2, 18, 12, tzinfo=UTC)
TODAY = NOW.date()


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


def visitor(site, day=TODAY, *, address="192.0.2.1", user_agent=BROWSER):
    return visitors.visitor(site, day, address=address, user_agent=user_agent)


def values():
    """All salts that exist, in the table and in this process."""
    stored = {bytes(salt.value) for salt in SiteSalt.objects.all()}
    return stored | {salt.value for salt in salts._known.values()}


# The same, and not the same


def test_same_day_is_the_same_visitor(site, clock):
    first = visitor(site)
    clock.shift(timedelta(hours=11))
    assert visitor(site) == first


def test_next_day_is_another_visitor(site):
    assert visitor(site) != visitor(site, TODAY + timedelta(days=1))


def test_other_site_is_another_visitor(site):
    assert visitor(site) != visitor(SiteFactory.create(team=site.team))


@pytest.mark.parametrize(
    "change", [{"address": "192.0.2.2"}, {"user_agent": f"{BROWSER} "}]
)
def test_other_address_or_browser_is_another_visitor(site, change):
    assert visitor(site) != visitor(site, **change)


@pytest.mark.parametrize(
    ("one", "other"),
    [("192.0.2.1", "::ffff:192.0.2.1"), ("2001:db8::a", "2001:0DB8:0:0:0:0:0:A")],
)
def test_address_spelled_otherwise_is_the_same_visitor(site, one, other):
    assert visitor(site, address=one) == visitor(site, address=other)


def test_address_and_browser_do_not_run_together(site):
    one = visitor(site, address="192.0.2.1", user_agent="1x")
    other = visitor(site, address="192.0.2.11", user_agent="x")
    assert one != other


def test_visitor_fits_the_column(site):
    ids = [visitor(site, address=f"192.0.2.{n}") for n in range(64)]
    assert len(set(ids)) == 64
    assert all(-(2**63) <= number < 2**63 for number in ids)
    assert min(ids) < 0 < max(ids)


def test_visitor_by_the_senders_name_is_of_one_day_and_site(site, settings):
    def known(place=site, day=TODAY, name="customer-1"):
        return visitors.known_visitor(place, day, name)

    other = SiteFactory.create(team=site.team)
    assert known() == known()
    assert (
        len({known(), known(other), known(day=date(2026, 2, 17)), known(name="x")}) == 4
    )
    before = known()
    settings.SECRET_KEY = "another"
    assert known() == before
    settings.DATA_KEY = "another"
    assert known() != before


def test_visitor_changes_at_midnight_of_the_site(track, site, clock):
    site.timezone = "Europe/Berlin"
    site.save()
    for at in ("2026-02-18T22:59:59Z", "2026-02-18T23:00:00Z", "2026-02-19T22:59:59Z"):
        clock.move_to(datetime.fromisoformat(at))
        track({"type": "event", "name": "x"})
    first, second, third = Event.objects.order_by("id").values_list(
        "visitor", flat=True
    )
    assert first != second
    assert second == third


# Salts


def test_salt_is_made_on_first_use_of_the_day(site):
    assert not SiteSalt.objects.exists()
    visitor(site)
    salt = SiteSalt.objects.get()
    ends_at = datetime(2026, 2, 19, 23, tzinfo=UTC)
    assert (salt.site_id, salt.day, salt.ends_at) == (site.pk, TODAY, ends_at)
    assert len(bytes(salt.value)) == 16
    with assert_queries(0):
        visitor(site)


def test_salts_are_random_and_a_sites_own(site):
    for _ in range(50):
        visitor(SiteFactory.create(team=site.team))
    assert len(values()) == 50


def test_processes_agree_on_a_salt(site):
    first = visitor(site)
    salts.forget()
    assert visitor(site) == first
    assert SiteSalt.objects.count() == 1


def test_of_two_that_make_a_salt_at_once_one_wins(site, monkeypatch):
    """Another process makes it between this one's look and its insert."""
    get = QuerySet.get
    theirs = {"value": b"t" * 16, "ipv6_prefix": 64, "ends_at": NOW + timedelta(1)}

    def look_before_theirs(rows, **wanted):
        try:
            return get(rows, **wanted)
        except SiteSalt.DoesNotExist:
            SiteSalt.objects.create(**theirs, **wanted)
            raise

    monkeypatch.setattr(QuerySet, "get", look_before_theirs)
    ours = visitor(site)
    assert bytes(SiteSalt.objects.get().value) == b"t" * 16
    salts.forget()
    assert visitor(site) == ours


@pytest.mark.parametrize(
    ("zone", "ends_at"),
    [
        ("UTC", "2026-02-19T23:00:00Z"),
        ("Pacific/Kiritimati", "2026-02-19T09:00:00Z"),
        ("Pacific/Honolulu", "2026-02-20T09:00:00Z"),
        # The day has 23 hours there, the promise 48.
        ("America/New_York", "2026-02-20T04:00:00Z"),
    ],
)
def test_salt_lives_47_hours_from_when_its_day_began(site, clock, zone, ends_at):
    site.timezone = zone
    before, end = visitor(site), datetime.fromisoformat(ends_at)
    clock.move_to(end - timedelta(seconds=1))
    assert salts.destroy() == 0
    salts.forget()
    assert visitor(site) == before
    clock.move_to(end)
    assert salts.destroy() == 1
    assert values() == set()


def test_salt_in_memory_is_not_used_after_its_time(site, clock):
    before = visitor(site)
    clock.move_to(datetime(2026, 2, 19, 23, tzinfo=UTC))
    assert visitor(site) != before


def test_day_that_is_over_gets_no_salt_again(site):
    """Not even if the day's was never made."""
    day = TODAY - timedelta(days=2)
    assert visitor(site, day) != visitor(site, day)
    with salts.borrowing():
        assert visitor(site, day) == visitor(site, day)
        once = visitor(site, day)
    assert visitor(site, day) != once
    assert values() == set()


def test_yesterday_has_a_salt_for_as_long_as_it_may(site):
    yesterday = TODAY - timedelta(days=1)
    assert visitor(site, yesterday) == visitor(site, yesterday)
    assert SiteSalt.objects.get().day == yesterday
    salt = SiteSalt.objects.get()
    assert salt.ends_at == datetime(2026, 2, 18, 23, tzinfo=UTC)


def test_other_sites_events_do_not_age_a_salt(site, clock):
    """A server of another site names times before and after, in every zone."""
    before = visitor(site)
    for zone in ("Pacific/Kiritimati", "Pacific/Honolulu", "UTC"):
        other = SiteFactory.create(timezone=zone)
        for days in range(-40, 2):
            visitor(other, TODAY + timedelta(days=days))
    clock.move_to(datetime(2026, 2, 19, 22, 59, tzinfo=UTC))
    salts.destroy()
    salts.forget()
    assert visitor(site) == before


def test_batch_of_a_day_that_is_over_counts_its_visitors(writer, site, clock):
    event = {"type": "event", "name": "x", "timestamp": "2026-02-01T12:00:00Z"}
    clients = [{"ip": f"192.0.2.{n}", "user_agent": "a"} for n in (1, 2, 1, 2, 1)]
    path = f"/sites/{site.site_key}/events"
    for _ in range(2):
        writer("POST", path, {"events": [{**event, **client} for client in clients]})
    found = list(Event.objects.order_by("id").values_list("visitor", flat=True))
    assert found[0] == found[2] == found[4] != found[1] == found[3]
    assert not set(found[:5]) & set(found[5:])
    assert not SiteSalt.objects.exists()


def test_another_prefix_holds_from_the_sites_next_day(site, settings, clock):
    one, other = "2001:db8:1:2::1", "2001:db8:1:3::1"
    assert visitor(site, address=one) != visitor(site, address=other)
    before = visitor(site, address=one)
    settings.IPV6_PREFIX = 48
    salts.forget()
    assert visitor(site, address=one) == before != visitor(site, address=other)
    clock.shift(timedelta(days=1))
    tomorrow = TODAY + timedelta(days=1)
    assert visitor(site, tomorrow, address=one) == visitor(
        site, tomorrow, address=other
    )


def test_salt_that_a_crash_took_from_the_table_is_put_back(
    site, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        before = visitor(site)
    SiteSalt.objects.all().delete()
    salts.destroy()
    salts.forget()
    assert visitor(site) == before


def test_salt_that_others_made_meanwhile_is_followed(
    site, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        before = visitor(site)
    SiteSalt.objects.update(value=b"o" * 16)
    assert visitor(site) == before
    salts.destroy()
    after = visitor(site)
    salts.forget()
    assert visitor(site) == after != before


def test_clients_are_forgotten_by_every_round_of_housekeeping(track):
    track({"type": "event", "name": "x"}, REMOTE_ADDR="198.51.100.77")
    caches = (
        visitors.caller,
        client_address.parse,
        client_address.network_of,
        user_agents._parse,
    )
    assert [cache.cache_info().currsize > 0 for cache in caches[1:]] == [True] * 3
    housekeeping.tidy()
    assert [cache.cache_info().currsize for cache in caches] == [0] * 4


# Addresses


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        # Whoever is not trusted may claim what he likes.
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9,10.0.0.3,10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "  198.51.100.7  ", "198.51.100.7"),
        # A proxy's name for a client tells clients apart; its address would not.
        ("10.0.0.1", "x", "x"),
        ("10.0.0.1", "198.51.100.7, x", "x"),
        ("10.0.0.1", "x, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", ",,,", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7:443", "198.51.100.7"),
        ("10.0.0.1", '"198.51.100.7:443"', "198.51.100.7"),
        ("10.0.0.1", "[2001:db8::7]:443", "2001:db8::7"),
        ("10.0.0.1", "[2001:db8::7]", "2001:db8::7"),
        ("10.0.0.1", "198.51.100.7:443, 10.0.0.2:51", "198.51.100.7"),
        ("10.0.0.1", "198.51.100.7,", "198.51.100.7"),
        ("10.0.0.1", "2001:db8::7", "2001:db8::7"),
        ("::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("", "198.51.100.7", ""),
    ],
)
def test_forwarded_address_is_taken_from_trusted_proxies_only(
    settings, peer, forwarded, client
):
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8")]
    environ = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded}
    assert client_address.client_address(environ) == client


def test_forwarded_address_is_nothing_without_proxies(settings):
    settings.TRUSTED_PROXIES = []
    environ = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "198.51.100.7"}
    assert client_address.client_address(environ) == "10.0.0.1"


def test_caller_of_a_limit_cannot_be_told_again_next_minute():
    one = visitors.caller("192.0.2.1", 1)
    assert one == visitors.caller("192.0.2.1", 1)
    assert one != visitors.caller("192.0.2.1", 2)
    assert one != visitors.caller("192.0.2.2", 1)
    assert "192.0.2.1" not in one
    assert len(one) <= 64


def test_salt_that_is_rolled_back_is_not_remembered(site, db):
    with suppress(ZeroDivisionError), transaction.atomic():
        first = visitor(site)
        assert visitor(site) == first
        1 / 0  # noqa: B018 - so that it is rolled back
    assert values() == set()
    again = visitor(site)
    assert again != first
    # What another process reads from the table is the same.
    salts.forget()
    assert visitor(site) == again


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
    ],
)
def test_network_of_an_ipv6_address_is_one_client(db, site, one, other, is_same):
    ids = {
        visitors.visitor(site, TODAY, address=a, user_agent="x") for a in (one, other)
    }
    assert (len(ids) == 1) == is_same
    assert (visitors.caller(one, 1) == visitors.caller(other, 1)) == is_same


@pytest.mark.parametrize(
    ("written", "spelled"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("2001:db8:0:1:0:0:2:3", "2001:db8:0:1::2:3"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
        # What is no address stays as it is.
        ("192.0.2.01", "192.0.2.01"),
        ("192.0.2.1\0", "192.0.2.1\0"),
        ("192.0.2.1 ", "192.0.2.1 "),
        ("2001:db8::/32", "2001:db8::/32"),
        ("_hidden", "_hidden"),
    ],
)
def test_address_has_one_spelling(settings, written, spelled):
    settings.IPV6_PREFIX = 128
    assert client_address.household(written) == spelled


def test_size_of_a_clients_network_is_a_setting(settings):
    settings.IPV6_PREFIX = 48
    assert client_address.household("2001:db8:1:2::1") == "2001:db8:1::"


@pytest.mark.parametrize(
    ("header", "client"),
    [
        ("for=198.51.100.7", "198.51.100.7"),
        ('for="198.51.100.7:443";proto=https', "198.51.100.7"),
        ('For="[2001:db8::1]:443"', "2001:db8::1"),
        ("for=203.0.113.9, for=198.51.100.7;by=10.0.0.1", "198.51.100.7"),
        ("for=198.51.100.7, for=10.0.0.2", "198.51.100.7"),
        ("for=_hidden", "_hidden"),
        ("proto=https", "10.0.0.1"),
    ],
)
def test_forwarded_is_read_where_the_other_header_is_missing(settings, header, client):
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8")]
    environ = {"REMOTE_ADDR": "10.0.0.1", "HTTP_FORWARDED": header}
    assert client_address.client_address(environ) == client
    environ["HTTP_X_FORWARDED_FOR"] = "203.0.113.1"
    assert client_address.client_address(environ) == "203.0.113.1"


def test_hop_that_is_no_address_is_told_once_of_each_proxy(settings, caplog):
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8")]
    client_address._tell.cache_clear()
    for hop in ("secret-1", "secret-2"):
        environ = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": hop}
        client_address.client_address(environ)
    [record] = caplog.records
    assert "10.0.0.1" in record.message
    assert "secret" not in record.message
