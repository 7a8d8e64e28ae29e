"""What a process remembers of contexts has a bound, and rules do not mix."""

import tracemalloc
from pathlib import Path

from analytics.events import contexts
from analytics.models import Context
from analytics.questions.labels import Labels
from analytics.sources import rules_of
from tests.factories import SiteFactory


def test_bound_is_the_documented_one():
    docs = Path(__file__).parents[3] / "docs" / "development.md"
    row = docs.read_text().partition("`analytics/events/contexts.py` | ")[2]
    assert row.startswith(f"{contexts._read.max_length:,} bytes")


def fill(site, number):
    """Contexts with long texts, each with others."""
    Context.objects.bulk_create(
        Context(
            site=site,
            digest=place.to_bytes(16, "big"),
            **dict.fromkeys(Labels._fields, "")
            | {"utm_source": f"S{place}" + "x" * 240, "utm_term": f"t{place}"},
        )
        for place in range(number)
    )


def test_memory_is_what_is_told_of_it(db):
    site = SiteFactory.create()
    fill(site, 300)
    contexts.forget()
    tracemalloc.start()
    contexts.Contexts(site.pk, rules_of(site))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    told = contexts._read.length
    # Without the rows as they are read, and Django's statement.
    assert 0.5 * told < taken < told + 500_000
    assert told > 300 * (2 * 240 + 600)


def test_memory_keeps_its_bound_with_long_texts(db, monkeypatch):
    monkeypatch.setattr(contexts._read, "max_length", 500_000)
    contexts.forget()
    for _ in range(5):
        site = SiteFactory.create()
        fill(site, 100)
        all_of_site = contexts.Contexts(site.pk, rules_of(site))
        assert len(all_of_site.passing(())) == 101
        assert contexts._read.length <= 500_000
    assert contexts._read.length > 250_000


def test_settings_that_change_leave_those_who_read_alone(db):
    site = SiteFactory.create()
    Context.objects.create(
        site=site, digest=b"1" * 16, **dict.fromkeys(Labels._fields, "")
    )
    before = contexts.Contexts(site.pk, rules_of(site))
    names = dict(before._known.named)
    site.domain = "another.example"
    after = contexts.Contexts(site.pk, rules_of(site))
    assert after._known.named is not before._known.named
    assert before._known.named == names == after._known.named
