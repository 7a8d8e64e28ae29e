"""Referrer spam: the list, and which referrers match it. No database."""

import re
from pathlib import Path

import pytest

from analytics.ingest import referrer_spam


@pytest.mark.parametrize(
    ("referrer", "spam"),
    [
        ("https://semalt.com/", True),
        ("http://semalt.semalt.com/crawler.php?u=http://example.com", True),
        ("https://SEMALT.COM", True),
        ("https://semalt.com./", True),
        ("https://semalt.com:8080/x", True),
        ("https://user@semalt.com/x", True),
        ("https://notsemalt.com/", False),
        ("https://semalt.com.example/", False),
        ("https://blog.example/semalt.com", False),
        ("https://www.google.com/search?q=semalt.com", False),
        ("android-app://com.slack", False),
        ("semalt.com", False),  # A path.
        ("/", False),
        ("", False),
        ("https://com/", False),
    ],
)
def test_host_and_what_is_below_it_is_spam(referrer, spam):
    assert referrer_spam.is_spam(referrer) is spam


def test_list_is_hosts_with_source_date_and_licence():
    text = Path(referrer_spam.__file__).with_suffix(".txt").read_text()
    notes = "".join(line for line in text.splitlines(True) if line.startswith("#"))
    assert "Source: " in notes
    assert re.search(r"Commit: [0-9a-f]{40}, 20\d\d-\d\d-\d\d", notes)
    assert "Licence: CC0-1.0" in notes
    hosts = referrer_spam.hosts()
    assert len(hosts) > 2_000
    assert not [
        host for host in hosts if not re.fullmatch(r"[^\s./]+(\.[^\s./]+)+", host)
    ]


def test_list_has_no_host_that_people_come_from():
    """A bad line in a renewed list would lose a site's visitors."""
    for host in (
        *("google.com", "www.google.de", "bing.com", "duckduckgo.com", "t.co"),
        *("facebook.com", "l.facebook.com", "instagram.com", "reddit.com"),
        *("github.com", "youtube.com", "linkedin.com", "blogspot.com", "co.uk"),
        *("wordpress.com", "tumblr.com", "medium.com", "news.ycombinator.com"),
    ):
        assert not referrer_spam.is_spam(f"https://{host}/")
