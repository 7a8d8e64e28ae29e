"""What a process remembers of contexts has a bound, and rules do not mix."""

import tracemalloc
from pathlib import Path
from random import Random

import pytest

from analytics.events import contexts
from analytics.models import Context
from analytics.questions.labels import OWN, Labels, Where
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
    labels = dict.fromkeys(Labels._fields, "") | {"referrer": "another.example"}
    first = Context.objects.create(site=site, digest=b"1" * 16, **labels)
    before = contexts.Contexts(site.pk, rules_of(site))
    site.domain = "another.example"
    second = Context.objects.create(site=site, digest=b"2" * 16, **labels)
    after = contexts.Contexts(site.pk, rules_of(site))
    assert before.value("referrer", first.pk) == "another.example"
    assert before.value("channel", first.pk) == "Referral"
    assert len(before.passing(())) == 2
    for context in (first, second):
        assert after.value("referrer", context.pk) == ""
        assert after.value("channel", context.pk) == "Direct"
    assert len(after.passing(())) == 3
    # Added later, and asked for all the same.
    assert before.value("referrer", second.pk) == "another.example"


TEXTS = ["", "Shop", "shop sale", "SPRING", "spring", "cpc", "email", "Google", "x.com"]
CHANNELS = [
    {"channel": "Own", "utm_campaign": "spring*"},
    {"channel": "Also own", "utm_source": "google", "utm_campaign": "shop"},
]


@pytest.mark.parametrize("own", [[], CHANNELS])
def test_contexts_that_share_a_kind_are_named_as_each_by_itself(db, own):
    site = SiteFactory.create(channels=own)
    rules, random = rules_of(site), Random(7)
    rows = [
        Context(
            site=site,
            digest=place.to_bytes(16, "big"),
            **{
                field: random.choice(["", "DE"] if field in OWN else TEXTS)
                for field in Labels._fields
            },
        )
        for place in range(500)
    ]
    # In two parts, which share their spellings.
    for part in (rows[:200], rows[200:]):
        Context.objects.bulk_create(part)
        found = contexts.Contexts(site.pk, rules)
    seen: dict[tuple[str, str], str] = {}
    for row in Context.objects.order_by("pk"):
        labels = Labels(*(getattr(row, field) for field in Labels._fields))
        for label, text in rules.source(labels)._asdict().items():
            first = seen.setdefault((label, text.casefold()), text)
            assert found.value(label, row.pk) == first
        assert found.value("country", row.pk) == row.country
        assert found.click_id(row.pk) == row.click_id
    spring = found.passing([Where("utm_campaign", ("Spring",))])
    assert spring == [row.pk for row in rows if row.utm_campaign.casefold() == "spring"]
