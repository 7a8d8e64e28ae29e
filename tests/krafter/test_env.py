"""Settings from the environment: read exactly, or refused by name."""

import ipaddress

import pytest
from django.core.exceptions import ImproperlyConfigured

from krafter import env


@pytest.fixture
def variable(monkeypatch):
    """Set the variable VALUE, or with None unset it."""

    def variable(value):
        if value is None:
            monkeypatch.delenv("VALUE", raising=False)
        else:
            monkeypatch.setenv("VALUE", value)

    return variable


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1", True),
        ("true", True),
        ("Yes", True),
        (" on ", True),
        ("0", False),
        ("FALSE", False),
        ("no", False),
        ("off", False),
    ],
)
def test_flag_is_read(variable, value, expected):
    variable(value)
    assert env.flag("VALUE", default=not expected) is expected


@pytest.mark.parametrize("value", [None, "", " "])
def test_flag_that_is_not_set_has_its_default(variable, value):
    variable(value)
    assert env.flag("VALUE") is False
    assert env.flag("VALUE", default=True) is True


@pytest.mark.parametrize("value", ["2", "y", "ture", "None", "-1"])
def test_other_flag_is_refused_by_name(variable, value):
    variable(value)
    with pytest.raises(ImproperlyConfigured, match="VALUE must be 1 or 0"):
        env.flag("VALUE")


def test_integer_is_read(variable):
    variable("250")
    assert env.integer("VALUE", 100) == 250
    variable("0")
    assert env.integer("VALUE", 100) == 0


@pytest.mark.parametrize("value", [None, ""])
def test_integer_that_is_not_set_has_its_default(variable, value):
    variable(value)
    assert env.integer("VALUE", 100) == 100


@pytest.mark.parametrize("value", ["ten", "1.5", "1e3", "0x10", "100/m", "-"])
def test_other_integer_is_refused_by_name(variable, value):
    variable(value)
    with pytest.raises(ImproperlyConfigured, match="VALUE must be a whole number"):
        env.integer("VALUE", 100)


def test_integer_below_its_minimum_is_refused(variable):
    variable("-1")
    with pytest.raises(ImproperlyConfigured, match="VALUE must be at least 0"):
        env.integer("VALUE", 100)


@pytest.mark.parametrize("value", ["1000000001", str(2**63)])
def test_integer_that_nothing_could_hold_is_refused(variable, value):
    variable(value)
    with pytest.raises(ImproperlyConfigured, match="at most 1000000000, not"):
        env.integer("VALUE", 100)


def test_integer_above_its_maximum_is_refused(variable):
    variable("61")
    with pytest.raises(ImproperlyConfigured, match="VALUE must be at most 60, not 61"):
        env.integer("VALUE", 20, maximum=60)


def test_required_is_refused_when_empty(variable):
    variable("x")
    assert env.required("VALUE") == "x"
    for value in (None, ""):
        variable(value)
        with pytest.raises(ImproperlyConfigured, match="VALUE must be set"):
            env.required("VALUE")


def test_listing_leaves_blanks_out(variable):
    variable(" a.example, ,b.example,")
    assert env.listing("VALUE") == ["a.example", "b.example"]
    variable(None)
    assert env.listing("VALUE") == []
    assert env.listing("VALUE", "x,y") == ["x", "y"]


def test_networks_are_addresses_or_cidr(variable):
    variable("10.0.0.0/8, 192.0.2.1, 2001:db8::/32")
    assert env.networks("VALUE") == [
        ipaddress.ip_network("10.0.0.0/8"),
        ipaddress.ip_network("192.0.2.1/32"),
        ipaddress.ip_network("2001:db8::/32"),
    ]


@pytest.mark.parametrize("value", ["localhost", "10.0.0.1/8", "10.0.0.0/33", "*"])
def test_other_network_is_refused_by_name(variable, value):
    variable(value)
    with pytest.raises(ImproperlyConfigured, match="VALUE: "):
        env.networks("VALUE")
