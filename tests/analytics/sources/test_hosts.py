"""Hosts: one spelling for each, and whether a list covers one. No database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.sources import hosts


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("Acme.Example", "acme.example"),
        ("acme.example.", "acme.example"),
        (" acme.example ", "acme.example"),
        ("münchen.example", "xn--mnchen-3ya.example"),
        ("MÜNCHEN.example.", "xn--mnchen-3ya.example"),
        ("mu\u0308nchen.example", "xn--mnchen-3ya.example"),
        ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
        ("пример.example", "xn--e1afmkfd.example"),
        ("例え。example", "xn--r8jz45g.example"),
        ("-ü-.example", "-ü-.example"),
        ("", ""),
    ],
)
def test_each_host_has_one_spelling(host, expected):
    assert hosts.normal(host) == expected


@given(st.text())
def test_normal_spelling_fits_its_column_and_stays(text):
    once = hosts.normal(text)
    assert len(once) <= hosts.MAX_LENGTH


def test_readable_is_the_way_back():
    assert hosts.readable("xn--mnchen-3ya.example") == "münchen.example"
    assert hosts.readable("acme.example") == "acme.example"
    assert hosts.readable("xn--a-.example") == "xn--a-.example"


@pytest.mark.parametrize(
    ("domain", "allowed", "host", "is_own"),
    [
        ("acme.example", [], "acme.example", True),
        ("acme.example", [], "www.acme.example", True),
        ("acme.example", [], "shop.eu.acme.example", True),
        ("www.acme.example", [], "acme.example", True),
        ("www.acme.example", [], "www.acme.example", True),
        ("www.acme.example", [], "shop.acme.example", True),
        ("shop.acme.example", [], "acme.example", False),
        ("shop.acme.example", [], "www.acme.example", False),
        ("acme.example", [], "notacme.example", False),
        ("acme.example", [], "acme.example.evil.example", False),
        ("acme.example", [], "example", False),
        ("acme.example", [], "", False),
        ("acme.example.", [], "acme.example", True),
        ("münchen.example", [], "www.xn--mnchen-3ya.example", True),
        ("xn--mnchen-3ya.example", [], hosts.normal("münchen.example"), True),
        ("acme.example", ["acme.shop"], "pay.acme.shop", True),
        ("acme.example", ["www.acme.shop"], "acme.shop", True),
        ("acme.example", ["Bücher.example"], "xn--bcher-kva.example", True),
        ("localhost", [], "localhost", True),
    ],
)
def test_own_hosts(domain, allowed, host, is_own):
    assert hosts.own(domain, allowed).covers(host) is is_own


@pytest.mark.parametrize(
    ("host", "is_covered"),
    [
        ("accounts.google.com", True),
        ("accounts.google.co.uk", True),
        ("accounts.google.de", True),
        ("x.accounts.google.com.br", True),
        ("accounts.google.evil.example", False),
        ("google.com", False),
    ],
)
def test_ending_of_any_country(host, is_covered):
    assert hosts.Hosts(["accounts.google.*"]).covers(host) is is_covered
