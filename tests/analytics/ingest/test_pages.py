"""What the addresses in an event say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.ingest import pages
from analytics.models import Context
from analytics.sources.click_ids import CLICK_IDS


@pytest.mark.parametrize(
    ("url", "host", "path", "query"),
    [
        ("https://example.com/pricing", "example.com", "/pricing", ""),
        ("https://example.com/pricing/", "example.com", "/pricing/", ""),
        ("https://example.com", "example.com", "/", ""),
        ("https://example.com?a=1", "example.com", "/", "a=1"),
        ("https://example.com#top", "example.com", "/", ""),
        ("https://example.com/a?b=1#c?d", "example.com", "/a", "b=1"),
        ("https://example.com/a#c?d=1", "example.com", "/a", ""),
        ("https://example.com/a?b?c=/d", "example.com", "/a", "b?c=/d"),
        ("HTTPS://Example.COM/Pricing", "example.com", "/Pricing", ""),
        ("https://example.com:8443/a", "example.com", "/a", ""),
        ("https://user:pass@example.com/a", "example.com", "/a", ""),
        ("http://[2001:db8::1]:80/a", "[2001:db8::1]", "/a", ""),
        ("https://example.com/caf%C3%A9%2F", "example.com", "/caf%C3%A9%2F", ""),
        ("https://example.com/café", "example.com", "/café", ""),
        ("https://example.com/a b", "example.com", "/a b", ""),
        ("https://example.com//a//b", "example.com", "//a//b", ""),
        ("https://example.com/a/../b/./c", "example.com", "/a/../b/./c", ""),
        ("https://example.com/a;v=1", "example.com", "/a;v=1", ""),
        ("app://shop/cart", "shop", "/cart", ""),
        ("/pricing?x=1", "", "/pricing", "x=1"),
        ("pricing", "", "pricing", ""),
        ("?x=1", "", "/", "x=1"),
        ("#x", "", "/", ""),
        ("", "", "/", ""),
    ],
)
def test_url_is_taken_apart_and_kept_as_sent(url, host, path, query):
    assert pages.parse(url) == (host, path, query)


@given(st.text())
def test_any_text_is_a_page(text):
    page = pages.parse(text)
    assert page.path
    assert page.path == "/" or page.path in text
    assert not {"?", "#"} & set(page.path)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {}),
        (
            "utm_source=news&utm_medium=mail&utm_campaign=may",
            {"source": "news", "medium": "mail", "campaign": "may"},
        ),
        ("utm_term=red+shoes&utm_content=b", {"term": "red shoes", "content": "b"}),
        ("a=1&utm_source=x", {"source": "x"}),
        ("utm_source=spring%20sale", {"source": "spring sale"}),
        ("utm_source=spring+sale", {"source": "spring sale"}),
        ("utm_source=caf%C3%A9", {"source": "café"}),
        ("utm_source=", {}),
        ("utm_source", {}),
        ("UTM_SOURCE=News", {"source": "News"}),
        ("Utm_Source=x&uTm_MeDiUm=y", {"source": "x", "medium": "y"}),
        ("utm%5Fsource=x", {"source": "x"}),
        ("utm_source=a&amp;utm_medium=b", {"source": "a", "medium": "b"}),
        ("utm_source=a&AMP;utm_medium=b", {"source": "a", "medium": "b"}),
        ("utm_source=a&amp;amp;utm_medium=b", {"source": "a", "medium": "b"}),
        ("utm_source=%20a%20&utm_medium=+%09b%0A", {"source": "a", "medium": "b"}),
        ("utm_source=%C2%A0a%E2%80%83", {"source": "a"}),
        ("utm_source=+&source=x", {"source": "x"}),
        ("utm_source=&utm_source=b", {"source": "b"}),
        ("utm_source=a&utm_source=b", {"source": "a"}),
        ("utm_source=" + "x" * 300, {"source": "x" * 255}),
        ("utm_source=" + "x" * 254 + "+y", {"source": "x" * 254}),
        ("utm_source=%FF", {"source": "\ufffd"}),
        ("utm_source=a%00b", {"source": "ab"}),
        ("utm_source=%00", {}),
        ("utm_source=%2500", {"source": "%00"}),
        ("utm_source=%%0000", {"source": "%00"}),
        ("ref=hn", {"source": "hn"}),
        ("source=a&ref=b", {"source": "a"}),
        ("REF=hn", {"source": "hn"}),
        ("utm_source=a&source=b&ref=c", {"source": "a"}),
        ("referrer=x&resource=y&utm_sources=z", {}),
        ("gclid=Cj0KCQ", {"click_id": "gclid"}),
        ("GCLID=Cj0KCQ", {"click_id": "gclid"}),
        ("ScCid=1", {"click_id": "sccid"}),
        ("gclid=", {}),
        ("fbclid=1&gclid=2", {"click_id": "gclid"}),
        ("utm_source=fb&amp;fbclid=1", {"source": "fb", "click_id": "fbclid"}),
    ],
)
def test_campaign_is_read_from_the_query(query, expected):
    assert pages.campaign(query) == pages.Campaign(**expected)


@pytest.mark.parametrize("name", CLICK_IDS)
def test_of_a_click_id_only_is_kept_which_it_was(name):
    found = pages.campaign(f"{name}=secret")
    assert found == pages.Campaign(click_id=name)
    Context._meta.get_field("click_id").run_validators(name)


def test_links_within_the_site_use_ref_for_themselves():
    assert pages.campaign("ref=nav&source=x", is_link_of_own=True) == pages.Campaign()
    found = pages.campaign("ref=nav&utm_source=x", is_link_of_own=True)
    assert found == pages.Campaign("x")


@given(st.text())
def test_any_query_is_read(query):
    assert all(len(text) <= 255 for text in pages.campaign(query))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", ""),
        ("https://news.example/a?b#c", "news.example"),
        ("https://www.news.example/", "www.news.example"),
        ("https://NEWS.example/", "news.example"),
        ("https://news.example./a", "news.example"),
        ("https://user@news.example:8443/a", "news.example"),
        ("https://bücher.example/", "xn--bcher-kva.example"),
        ("https://BÜCHER.example/", "xn--bcher-kva.example"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example"),
        ("https://straße.example/", "xn--strae-oqa.example"),
        ("https://bücher。example/", "xn--bcher-kva.example"),
        ("https://under_score.example/", "under_score.example"),
        ("https://☃☃-.example/", "☃☃-.example"),
        ("http://[2001:db8::1]:80/a", "[2001:db8::1]"),
        ("http://localhost:3000/", "localhost"),
        ("android-app://com.example.Reader/", "android-app://com.example.reader"),
        ("android-app://com.slack/https/x?y", "android-app://com.slack"),
        ("android-app://", ""),
        ("/path", ""),
        ("news.example", ""),
        ("https://" + "a" * 300 + ".example/", "a" * 253),
    ],
)
def test_referrer_is_the_host_as_it_was_sent(url, expected):
    assert pages.referrer(url) == expected


@given(st.text())
def test_any_referrer_fits_its_column(text):
    assert len(pages.referrer(f"https://{text}/")) <= 253
    assert len(pages.referrer(f"android-app://{text}/")) <= 253
