"""What stored labels mean for a site. No database."""

import tomllib
from typing import Any

import pytest

from analytics.models import Site
from analytics.questions.labels import Labels
from analytics.sources import DIRECT, normal, rules, rules_of


def made(**settings):
    return rules_of(Site(**{"domain": "www.acme.example", **settings}))


@pytest.mark.parametrize(
    ("host", "is_outside"),
    [
        ("", False),
        ("acme.example", False),
        ("www.acme.example", False),
        ("shop.acme.example", False),
        ("acme.shop", False),
        ("www.google.com", True),
        ("Google", True),
        ("www.paypal.com", False),
        ("accounts.google.de", False),
        ("3ds.bank.example", False),
        ("bank.example", True),
        ("checkout.stripe.com", False),
        ("stripe.com", True),
        ("dashboard.klarna.com", True),
        ("www.klarna.com", True),
        ("android-app://com.example.app", True),
    ],
)
def test_who_came_from_elsewhere(host, is_outside):
    site = made(
        allowed_hosts=["acme.shop"],
        excluded_referrers=["3DS.bank.example", "!klarna.com"],
    )
    assert site.outside(host) is is_outside


def test_excluded_hosts_are_in_their_normal_spelling_and_once():
    table = tomllib.loads(rules.EXCLUDED.read_text(encoding="utf-8"))
    hosts = [host for each in table.values() for host in each]
    assert len(hosts) == len(set(hosts))
    assert [normal(host) for host in hosts] == hosts


@pytest.mark.parametrize(
    ("labels", "is_arrival"),
    [
        ({}, False),
        ({"country": "DE", "device": "Mobile"}, False),
        ({"referrer": "acme.example"}, False),
        ({"referrer": "www.paypal.com"}, False),
        ({"referrer": "news.example"}, True),
        ({"utm_source": "x"}, True),
        ({"utm_medium": "x"}, True),
        ({"utm_campaign": "x"}, True),
        ({"utm_term": "x"}, True),
        ({"utm_content": "x"}, True),
        ({"click_id": "gclid"}, True),
        ({"referrer": "acme.example", "utm_source": "x"}, True),
    ],
)
def test_arrival(labels, is_arrival):
    assert made().is_arrival(Labels(**labels)) is is_arrival


def test_source_is_named_and_has_its_channel():
    labels = Labels(
        referrer="www.google.de", utm_source="News", utm_medium="email", utm_term="t"
    )
    source = made().source(labels)
    assert source == ("Google", "Email", "News", "email", "", "t", "")


def test_own_and_excluded_referrers_are_no_source():
    for host in ("shop.acme.example", "www.paypal.com", ""):
        assert made().source(Labels(referrer=host, country="DE")) == DIRECT


def test_own_channels_come_first_and_are_listed():
    own = [{"channel": "Partners", "referrer": "partner.example"}]
    site = made(channels=own)
    source = site.source(Labels(referrer="www.partner.example"))
    assert source == ("partner.example", "Partners", "", "", "", "", "")
    assert site.channels[0] == "Partners"
    assert {"Search", "Direct"} < set(site.channels)
    assert len(site.channels) == len(set(site.channels))


def test_digest_changes_with_every_setting_and_with_nothing_else():
    settings: list[dict[str, Any]] = [
        {},
        {"domain": "other.example"},
        {"allowed_hosts": ["acme.shop"]},
        {"excluded_referrers": ["bank.example"]},
        {"channels": [{"channel": "A", "utm_source": "x"}]},
        {"channels": [{"channel": "A", "utm_medium": "x"}]},
        {"channels": [{"channel": "B", "utm_source": "x"}]},
    ]
    assert len({made(**each).digest for each in settings}) == len(settings)
    assert made(name="A", timezone="Europe/Berlin").digest == made().digest
    assert len(made().digest) == 16
