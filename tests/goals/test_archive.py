"""prune --archive and restore: whoever prunes with an archive loses nothing."""

import io
import json
import re
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import transaction

from analytics import events
from analytics.events import Labels, NewRefund, removal
from analytics.lifecycle import archive, prune
from analytics.models import Adjustment, Event, Seal
from tests.factories import GoalFactory, new_event, store

DOCS = Path(__file__).parents[2] / "docs"
NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
BORDER = date(2026, 2, 1)


@pytest.fixture(autouse=True)
def _times(monkeypatch):
    monkeypatch.setattr(prune, "GRACE_SECONDS", 0)
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def goal(site):
    """200 events, one a day, with everything that an event may have."""
    site.retention_months = 3
    site.save()
    facts = []
    for number in range(200):
        at = NOW - timedelta(days=number, microseconds=number)
        event = new_event(
            site,
            "goal",
            f"buy \t{number % 3}",
            at=at,
            visitor=-(2**63) + number,
            amount=10_0001 + number,
            currency="EUR" if number % 2 else None,
            event_id=f"order {number}",
            page=f"/p\\{number % 4}",
            props={"a": [1.5, "ä", None][number % 3]},
            labels=Labels(country="DE", utm_source=f"s{number % 2}"),
        )
        facts.append(event)
    events.append(facts)
    at = NOW - timedelta(days=150)
    refund = NewRefund(at.date(), at, "order 160", 1_0000, event_id="r")
    assert events.refund(site.pk, [refund])[0].is_new
    return GoalFactory.create(
        site=site, type="custom", match_type="contains", match_value="buy"
    )


def facts():
    """Everything of every row, ids included."""
    return [
        list(model.objects.order_by("pk").values()) for model in (Event, Adjustment)
    ]


def prune_into(folder, site, **options):
    call_command(
        "prune",
        "--site",
        site.site_key,
        "--archive",
        str(folder),
        stdout=io.StringIO(),
        **options,
    )
    site.refresh_from_db()


def restored(folder, *arguments):
    out = io.StringIO()
    call_command("restore", str(folder), *arguments, stdout=out)
    return out.getvalue()


def test_what_is_archived_comes_back_as_it_was(site, goal, owner, tmp_path):
    before = facts()
    path = f"/sites/{site.site_key}/goals/{goal.pk}/stats?period=12mo"
    said = [owner("GET", f"{path}{more}").json() for more in ("", "&country=DE")]
    prune_into(tmp_path, site)
    assert Event.objects.count() < 200
    # Kept by the label, and so sealed; never by pages.
    assert owner("GET", f"{path}&country=DE").json() == said[1]
    assert owner("GET", f"{path}&path=/pricing").status_code == 422
    text = restored(tmp_path)
    assert "back, nothing is sealed" in text
    assert "the next prune deletes them again" in text
    site.refresh_from_db()
    assert site.sealed_before is None
    assert not Seal.objects.exists()
    assert facts() == before
    assert said == [
        owner("GET", f"{path}{more}").json() for more in ("", "&country=DE")
    ]
    # Late events are accepted and counted again; ids go on above all others.
    store(site, "goal", "buy late", at=datetime(2026, 1, 5, tzinfo=UTC))
    assert Event.objects.latest("pk").pk > max(row["id"] for row in before[0])
    more = owner("GET", path).json()["data"]["conversions"]
    assert more == said[0]["data"]["conversions"] + 1
    # Once more: nothing is doubled.
    assert "  0 events and refunds back" in restored(tmp_path)


BOUGHT = datetime(2025, 12, 30, 12, tzinfo=UTC)


@pytest.fixture
def sales(site):
    """The goal of a site with a visitor from Google, shortly before BOUGHT."""
    site.retention_months = 3
    site.save()
    google = Labels("google.com", country="DE")
    store(site, "pageview", "/", at=BOUGHT - timedelta(minutes=9), labels=google)
    return GoalFactory.create(
        site=site, type="custom", match_value="buy", currency="EUR"
    )


def sell_and_refund(site, refunded):
    """The visitor buys, and gets a part back at that time."""
    sale = {"amount": 10_0000, "currency": "EUR", "event_id": "o"}
    store(site, "goal", "buy", at=BOUGHT, labels=Labels(country="DE"), **sale)
    new = NewRefund(refunded.date(), refunded, "o", 4_0000, event_id="r")
    assert events.refund(site.pk, [new])[0].is_new


def test_refund_keeps_what_its_event_came_from(site, sales, owner, tmp_path):
    """Its event is pruned without an archive, and itself with one a month later."""
    campaign = Labels("", "News", "email", country="DE")
    at = BOUGHT - timedelta(minutes=5)
    store(site, "pageview", "/sale", at=at, labels=campaign)
    sell_and_refund(site, datetime(2026, 1, 20, tzinfo=UTC))
    path = f"/sites/{site.site_key}/goals/{sales.pk}/breakdown?period=custom"
    period = "from=2026-01-01&to=2026-01-31"
    questions = [
        f"{path}&{period}&dimension={dimension}&attribution={attribution}"
        for dimension in ("referrer", "utm_source", "entry_path", "country")
        for attribution in ("last", "first", "event")
    ]

    def rows():
        return [owner("GET", query).json()["data"]["breakdown"] for query in questions]

    before = rows()
    assert [before[0][0]["value"], before[1][0]["value"]] == [None, "Google"]
    assert [before[3][0]["value"], before[6][0]["value"]] == ["News", "/"]
    with time_machine.travel(NOW - timedelta(days=31), tick=False):
        call_command("prune", stdout=io.StringIO())
    assert rows() == before
    (kept,) = Adjustment.objects.values()
    assert None not in (kept["last_context_id"], kept["entry_id"])
    prune_into(tmp_path, site)
    assert not Adjustment.objects.exists()
    restored(tmp_path)
    site.refresh_from_db()
    assert site.sealed_before == date(2026, 1, 1)
    assert not Event.objects.exists()
    assert list(Adjustment.objects.values()) == [kept]
    assert rows() == before


def test_files_without_what_refunds_come_from_are_taken(
    site, goal, tmp_path, monkeypatch
):
    before = facts()
    late = archive.SCHEMA.names[-3:]
    assert late == ["last_arrival", "first_arrival", "entry_path"]
    names = archive.SCHEMA.names[:-3]
    earlier = pa.schema([archive.SCHEMA.field(name) for name in names])
    monkeypatch.setattr(archive, "SCHEMA", earlier)
    prune_into(tmp_path, site)
    assert pq.ParquetFile(next(tmp_path.glob("*/*.parquet"))).schema_arrow == earlier
    restored(tmp_path)
    assert facts() == before


def test_the_files_are_what_the_docs_say(site, goal, tmp_path):
    prune_into(tmp_path, site)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    months = [file["month"] for file in manifest["files"]]
    assert months == ["2025-11", "2025-12", "2026-01"]
    for file in manifest["files"]:
        path = tmp_path / file["path"]
        assert path == tmp_path / site.site_key / f"{file['month']}.parquet"
        opened = pq.ParquetFile(path)
        assert opened.metadata.num_rows == file["rows"]
        assert opened.metadata.row_group(0).column(0).compression == "ZSTD"
        assert path.stat().st_size == file["bytes"]
    columns = (DOCS / "data.md").read_text().partition("| Column |")[2]
    documented = re.findall(r"`(\w+)`", columns.partition("SELECT day")[0])
    assert {*pq.read_schema(path).names} - {*Labels._fields} <= {*documented}
    january = pq.read_table(path).to_pylist()
    assert len(january) == 31
    assert january[0]["name"].startswith("buy \t")
    assert january[0]["country"] == "DE"
    assert january[0]["day"] == date(2026, 1, 1)


def test_what_was_interrupted_goes_on(site, goal, tmp_path, monkeypatch):
    before = facts()
    real = removal.delete_day
    calls = []

    def dies(*args, **options):
        calls.append(args)
        if len(calls) % 20 == 0:
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(removal, "delete_day", dies)
    for _ in range(20):
        try:
            prune_into(tmp_path, site)
            break
        except KeyboardInterrupt:
            assert Event.objects.filter(day__lt=BORDER).exists()
    assert not Event.objects.filter(day__lt=BORDER).exists()
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert [file["month"][-2:] for file in manifest["files"]] == ["11", "12", "01"]
    monkeypatch.setattr(archive, "_BATCH", 10)
    real_rows = archive._restore_rows
    parts = []

    def dies_too(*args):
        parts.append(args)
        if len(parts) % 4 == 0:
            raise KeyboardInterrupt
        return real_rows(*args)

    monkeypatch.setattr(archive, "_restore_rows", dies_too)
    with pytest.raises(KeyboardInterrupt):
        restored(tmp_path)
    site.refresh_from_db()
    # What is not whole stays sealed.
    assert site.sealed_before == BORDER
    monkeypatch.setattr(archive, "_restore_rows", real_rows)
    restored(tmp_path)
    assert facts() == before


def test_what_comes_after_a_restore_is_archived_too(site, goal, tmp_path):
    prune_into(tmp_path, site)
    restored(tmp_path)
    store(site, "goal", "buy late", at=datetime(2026, 1, 5, tzinfo=UTC))
    before = facts()
    prune_into(tmp_path, site)
    assert (tmp_path / site.site_key / "2026-01.2.parquet").exists()
    restored(tmp_path)
    assert facts() == before


def test_months_that_are_not_in_the_archive_stay_sealed(site, goal, tmp_path):
    with time_machine.travel(NOW - timedelta(days=31), tick=False):
        call_command("prune", stdout=io.StringIO())
    prune_into(tmp_path, site)
    assert "sealed before 2026-01-01" in restored(tmp_path)
    site.refresh_from_db()
    assert site.sealed_before == date(2026, 1, 1)
    assert Event.objects.filter(day__lt=BORDER).count() == 31


def test_months_that_are_partly_in_the_archive_stay_sealed(
    site, goal, owner, tmp_path, monkeypatch
):
    stats = f"/goals/{goal.pk}/stats?period=12mo"
    before = owner("GET", stats).json()
    delete_day = removal.delete_day
    left = iter(range(40))

    def dies(*args, **options):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return delete_day(*args, **options)

    monkeypatch.setattr(removal, "delete_day", dies)
    with pytest.raises(KeyboardInterrupt):
        call_command("prune", stdout=io.StringIO())
    monkeypatch.setattr(removal, "delete_day", delete_day)
    prune_into(tmp_path, site)
    months = [file.month for file in archive.Archive(tmp_path).of(site)]
    assert months == ["2025-12", "2026-01"]
    # December lacks the days that were deleted without the archive.
    assert "sealed before 2026-01-01" in restored(tmp_path)
    assert owner("GET", stats).json() == before


def test_a_refund_keeps_its_source_while_its_event_is_back_but_sealed(
    site, sales, owner, tmp_path
):
    """A month between is not in the archive: the event will be deleted again."""
    sell_and_refund(site, datetime(2026, 2, 20, tzinfo=UTC))
    store(site, "pageview", "/", at=datetime(2026, 1, 10, tzinfo=UTC))
    path = f"/sites/{site.site_key}/goals/{sales.pk}/breakdown?period=custom"
    period = "from=2026-02-01&to=2026-02-28&dimension=referrer"

    def rows():
        return owner("GET", f"{path}&{period}").json()["data"]["breakdown"]

    before = rows()
    assert [row["value"] for row in before] == ["Google"]
    with time_machine.travel(NOW - timedelta(days=31), tick=False):
        prune_into(tmp_path, site)
    call_command("prune", stdout=io.StringIO())
    assert rows() == before
    restored(tmp_path)
    site.refresh_from_db()
    assert site.sealed_before == BORDER
    assert Event.objects.filter(event_id="o").exists()
    assert rows() == before
    call_command("prune", stdout=io.StringIO())
    assert not Event.objects.filter(event_id="o").exists()
    assert rows() == before


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda folder, file: file.unlink(), "is missing"),
        (lambda folder, file: file.write_bytes(b"x"), "hash differs"),
        (
            lambda folder, file: (folder / "manifest.json").write_text("{}"),
            "is no manifest",
        ),
        (
            lambda folder, file: (folder / "manifest.json").unlink(),
            "has no archive",
        ),
    ],
)
def test_a_spoilt_archive_is_refused(site, goal, tmp_path, spoil, reason):
    prune_into(tmp_path, site)
    spoil(tmp_path, tmp_path / site.site_key / "2025-11.parquet")
    number = Event.objects.count()
    with pytest.raises(CommandError, match=reason):
        restored(tmp_path)
    assert Event.objects.count() == number
    site.refresh_from_db()
    assert site.sealed_before == BORDER


def test_an_id_that_came_again_is_told(site, goal, tmp_path):
    prune_into(tmp_path, site)
    # Nothing knows any more that it was there.
    store(site, "goal", "buy", at=NOW, event_id="order 150")
    with pytest.raises(CommandError, match="same `id`"), transaction.atomic():
        restored(tmp_path)


def test_unknown_sites_are_named(site, goal, tmp_path, strangers_site):
    prune_into(tmp_path, site)
    with pytest.raises(CommandError, match="No site here has the key sk_x"):
        restored(tmp_path, "--site", "sk_x")
    with pytest.raises(CommandError, match="has nothing of"):
        restored(tmp_path, "--site", strangers_site.site_key)


def test_without_the_extra_it_says_what_to_install(site, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "analytics.lifecycle.archive")
    monkeypatch.delattr("analytics.lifecycle.archive")
    with pytest.raises(CommandError, match=r"krafter\[archive\]"):
        prune_into(tmp_path, site)
