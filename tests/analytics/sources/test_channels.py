"""The channel of an arrival. No database."""

import pytest

from analytics.sources.channels import CHANNELS, Arrival, Rule, channel
from analytics.sources.click_ids import CLICK_IDS


@pytest.mark.parametrize(
    ("arrival", "expected"),
    [
        ({}, "Direct"),
        ({"referrer": "www.google.de"}, "Search"),
        ({"referrer": "Google"}, "Search"),
        ({"referrer": "www.facebook.com"}, "Social"),
        ({"referrer": "www.youtube.com"}, "Video"),
        ({"referrer": "www.amazon.de"}, "Shopping"),
        ({"referrer": "mail.google.com"}, "Email"),
        ({"referrer": "chatgpt.com"}, "AI assistants"),
        ({"referrer": "android-app://com.whatsapp"}, "Messengers"),
        ({"referrer": "tpc.googlesyndication.com"}, "Display"),
        ({"referrer": "www.awin1.com"}, "Affiliates"),
        ({"referrer": "partner.example"}, "Referral"),
        ({"referrer": "en.wikipedia.org"}, "Referral"),
        ({"utm_source": "google", "utm_medium": "cpc"}, "Paid search"),
        ({"utm_source": "Google", "utm_medium": "CPC"}, "Paid search"),
        ({"utm_source": "bing", "utm_medium": "ppc"}, "Paid search"),
        ({"utm_source": "google", "utm_medium": "organic"}, "Search"),
        ({"utm_source": "google"}, "Search"),
        ({"utm_source": "facebook", "utm_medium": "cpc"}, "Paid social"),
        ({"utm_source": "fb", "utm_medium": "paid"}, "Paid social"),
        ({"utm_source": "ig", "utm_medium": "paid_social"}, "Paid social"),
        ({"utm_source": "any", "utm_medium": "paid-social"}, "Paid social"),
        ({"utm_source": "any", "utm_medium": "paidsearch"}, "Paid search"),
        ({"utm_source": "linkedin.com", "utm_medium": "social"}, "Social"),
        ({"utm_source": "any", "utm_medium": "social-media"}, "Social"),
        ({"utm_source": "youtube", "utm_medium": "cpv"}, "Video"),
        ({"utm_source": "any", "utm_medium": "video"}, "Video"),
        ({"utm_source": "any", "utm_medium": "email"}, "Email"),
        ({"utm_source": "any", "utm_medium": "E-Mail"}, "Email"),
        ({"utm_source": "newsletter"}, "Email"),
        ({"utm_source": "newsletter", "utm_medium": "link"}, "Email"),
        ({"utm_source": "any", "utm_medium": "affiliate"}, "Affiliates"),
        ({"utm_source": "google", "utm_medium": "display"}, "Display"),
        ({"utm_source": "any", "utm_medium": "banner"}, "Display"),
        ({"utm_source": "any", "utm_medium": "cpm"}, "Display"),
        ({"utm_source": "any", "utm_medium": "sms"}, "Messengers"),
        ({"utm_source": "chatgpt.com"}, "AI assistants"),
        ({"utm_source": "perplexity"}, "AI assistants"),
        ({"utm_source": "any", "utm_medium": "referral"}, "Referral"),
        ({"utm_source": "youtube", "utm_medium": "link"}, "Video"),
        (
            {"utm_source": "any", "utm_medium": "cpc", "utm_campaign": "summer_shop"},
            "Shopping",
        ),
        ({"utm_source": "any", "utm_campaign": "workshop"}, "Other campaign"),
        ({"utm_source": "any", "utm_medium": "cpc"}, "Other campaign"),
        ({"utm_source": "any", "utm_medium": "any"}, "Other campaign"),
        ({"utm_campaign": "spring"}, "Other campaign"),
        ({"utm_campaign": "spring", "referrer": "t.co"}, "Social"),
        ({"utm_source": "any", "referrer": "t.co"}, "Other campaign"),
        ({"click_id": "gclid"}, "Paid search"),
        ({"click_id": "gclid", "referrer": "www.google.com"}, "Paid search"),
        ({"click_id": "gclid", "referrer": "m.youtube.com"}, "Video"),
        ({"click_id": "msclkid", "referrer": "www.bing.com"}, "Paid search"),
        ({"click_id": "gclid", "utm_source": "google"}, "Paid search"),
        ({"click_id": "gclid", "utm_source": "any"}, "Paid search"),
        ({"click_id": "gclid", "utm_medium": "email"}, "Email"),
        ({"click_id": "dclid"}, "Display"),
        ({"click_id": "ttclid"}, "Paid social"),
        ({"click_id": "awc"}, "Affiliates"),
        ({"click_id": "fbclid"}, "Social"),
        ({"click_id": "fbclid", "referrer": "m.facebook.com"}, "Social"),
        ({"click_id": "fbclid", "utm_medium": "cpc"}, "Paid social"),
        ({"click_id": "fbclid", "utm_source": "newsletter"}, "Email"),
        ({"click_id": "mc_eid"}, "Email"),
    ],
)
def test_table(arrival, expected):
    assert channel(Arrival(**arrival)) == expected
    assert expected in CHANNELS


@pytest.mark.parametrize("name", CLICK_IDS)
def test_every_click_id_is_of_a_channel(name):
    assert channel(Arrival(click_id=name)) not in {"Direct", "Other campaign"}


@pytest.mark.parametrize(
    ("rule", "arrival", "fits"),
    [
        ({"referrer": "Google"}, {"referrer": "www.google.de"}, True),
        ({"referrer": "google"}, {"referrer": "www.google.de"}, True),
        ({"referrer": "www.google.de"}, {"referrer": "www.google.de"}, True),
        ({"referrer": "partner*"}, {"referrer": "www.partner.example"}, True),
        ({"referrer": "partner"}, {"referrer": "www.partner.example"}, False),
        ({"referrer": "partner*"}, {}, False),
        ({"utm_source": "Partner"}, {"utm_source": "partner"}, True),
        ({"utm_medium": "q*"}, {"utm_medium": "QR code"}, True),
        ({"utm_campaign": "q"}, {"utm_campaign": "qq"}, False),
        (
            {"utm_source": "a", "utm_medium": "b"},
            {"utm_source": "a", "utm_medium": "c"},
            False,
        ),
    ],
)
def test_rules_of_a_site_come_first(rule, arrival, fits):
    own = [Rule("Partners", **rule)]
    assert (channel(Arrival(**arrival), own) == "Partners") is fits


def test_first_rule_that_fits_counts():
    own = [Rule("A", utm_source="x", utm_medium="y"), Rule("B", utm_source="x")]
    assert channel(Arrival(utm_source="x", utm_medium="y"), own) == "A"
    assert channel(Arrival(utm_source="x"), own) == "B"
