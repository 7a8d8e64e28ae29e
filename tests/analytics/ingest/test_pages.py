"""What the addresses in an event say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.ingest import pages


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
        ("", ("", "", "")),
        ("utm_source=news&utm_medium=mail&utm_campaign=may", ("news", "mail", "may")),
        ("a=1&utm_source=x", ("x", "", "")),
        ("utm_source=spring%20sale", ("spring sale", "", "")),
        ("utm_source=spring+sale", ("spring sale", "", "")),
        ("utm_source=caf%C3%A9", ("café", "", "")),
        ("utm_source=", ("", "", "")),
        ("utm_source", ("", "", "")),
        ("UTM_SOURCE=x", ("", "", "")),
        ("utm_source=" + "x" * 300, ("x" * 255, "", "")),
        ("utm_source=%FF", ("\ufffd", "", "")),
        ("utm_source=a%00b", ("ab", "", "")),
        ("utm_source=%00", ("", "", "")),
        ("utm_source=%2500", ("%00", "", "")),
        ("utm_source=%%0000", ("%00", "", "")),
    ],
)
def test_campaign_is_read_from_the_query(query, expected):
    assert pages.campaign(query) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", ""),
        ("https://example.com/other", ""),
        ("https://news.example/a?b#c", "news.example"),
        ("https://www.news.example/", "news.example"),
        ("https://NEWS.example/", "news.example"),
        ("https://www.google.com/", "Google"),
        ("https://google.de/", "Google"),
        ("https://google.co.uk/search?q=x", "Google"),
        ("https://www.google.com.br/", "Google"),
        ("https://search.yahoo.co.jp/", "Yahoo"),
        ("https://yandex.com.tr/", "Yandex"),
        ("https://notgoogle.example/", "notgoogle.example"),
        ("https://google.com.evil.example/", "google.com.evil.example"),
        ("https://t.co/x", "X"),
        ("https://x.com/a", "X"),
        ("https://netflix.com/a", "netflix.com"),
        ("https://l.facebook.com/", "Facebook"),
        ("android-app://com.example.reader/", "com.example.reader"),
        ("/path", ""),
        ("https://" + "a" * 300 + ".example/", "a" * 253),
    ],
)
def test_referrer_is_a_site_or_a_name(url, expected):
    assert pages.referrer(url, "example.com") == expected
