"""What strangers send is remembered by its size, not only by its number."""

from analytics.events import dictionaries
from analytics.ingest import pages, site_lookup
from analytics.sources import hosts
from krafter.front import http
from tests.factories import store
from tests.queries import captured_queries


def growth(cache, call):
    # One that is full would not grow.
    cache.cache_clear()
    call()
    return cache.cache_info().currsize


def test_long_addresses_are_not_remembered():
    for end in ("", "x" * 300):
        url = f"https://memory.example/{end}?utm_source=mail{end}"
        expected = 0 if end else 1
        assert growth(pages.parse, lambda url=url: pages.parse(url)) == expected
        query = pages.parse(url).query
        assert growth(pages.campaign, lambda q=query: pages.campaign(q)) == expected
    assert pages.campaign(query).source == f"mail{end}"[: pages.MAX_LABEL]
    long = "a." * 4_000 + "example"
    assert growth(hosts.normal, lambda: hosts.normal(long)) == 0


def test_site_keys_that_no_site_has_are_neither_read_nor_remembered(site):
    site_lookup.forget()
    with captured_queries() as found:
        assert site_lookup.by_key("sk_" + "x" * 5_000) is None
    assert not found
    assert not site_lookup._remembered
    assert site_lookup.by_key(site.site_key) == site


def test_ids_of_names_are_remembered_up_to_a_size(
    site, monkeypatch, django_capture_on_commit_callbacks
):
    dictionaries.forget()
    monkeypatch.setattr(dictionaries.NAMES, "_MAX_BYTES", 4_000)
    for number in range(20):
        with django_capture_on_commit_callbacks(execute=True):
            store(site, "event", "x" * 800 + str(number))
    kept = dictionaries.NAMES._remembered
    assert 1 <= len(kept) <= 4
    assert sum(len(text) for _, texts in kept for text in texts) < 4_000


def test_long_names_of_headers_are_not_remembered():
    name = b"x-" + b"a" * 5_000
    scope = {
        "method": "GET",
        "raw_path": b"/",
        "query_string": b"",
        "client": None,
        "headers": [(name, b"1"), (b"x-short", b"2")],
    }
    before = http._variable.cache_info().currsize
    found = http.environ(scope)
    assert http._variable.cache_info().currsize <= before + 1
    assert found["HTTP_X_" + "A" * 5_000] == "1"
    assert found["HTTP_X_SHORT"] == "2"
