"""export_team and import_team: a team moves, and every answer stays as it was."""

import io
import json
import random
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection

from analytics import events
from analytics.events import NewRefund, copies
from analytics.lifecycle import erasure, export, imports, prune
from analytics.lifecycle.parts import Refused
from analytics.models import Adjustment, Context, Event, EventName, Site, Team
from goals.models import Goal
from tests.analytics.lifecycle.places import postgres_place, sqlite_place
from tests.factories import GoalFactory, SiteFactory
from tests.halves import on_postgresql, on_sqlite

AT = datetime(2026, 2, 1, 12, tzinfo=UTC)


@on_sqlite
@pytest.mark.parametrize(
    ("place_before", "place_after"),
    [(sqlite_place, postgres_place), (postgres_place, sqlite_place)],
)
def test_a_team_that_moved_has_the_same_answers(tmp_path, place_before, place_after):
    """A pruned site too."""
    with ExitStack() as stack:
        before = stack.enter_context(place_before(tmp_path / "before"))
        after = stack.enter_context(place_after(tmp_path / "after"))
        before.make_history(seed=random.randrange(1_000))
        said = before.answers()
        assert sum(len(answer) > 0 for answer in said.values()) > 50
        there, again = str(tmp_path / "there"), str(tmp_path / "again")
        # The first answers made a key, and the team there is new.
        before.manage("export_team", there)
        after.manage("import_team", there)
        assert after.answers() == said
        # Nothing was lost: the streams differ in ids and moments only.
        after.manage("export_team", again)
        ends = [Path(path).read_text().splitlines()[-1] for path in (there, again)]
        counts = [json.loads(end)["end"]["counts"] for end in ends]
        assert counts[0] == counts[1]


@pytest.fixture
def team(site):
    """A site with 5,000 events, two goals (one deleted), a refund."""
    made = [
        events.NewEvent(
            site_id=site.pk,
            day=(AT + timedelta(days=number % 3)).date(),
            at=AT + timedelta(days=number % 3),
            type="event",
            name=f"name {number % 7}",
            visitor=number,
            amount=10_0000 if number == 0 else None,
            event_id=str(number) if number < 10 else None,
        )
        for number in range(5_000)
    ]
    events.append(made)
    day = AT.date() + timedelta(days=5)
    events.refund(site.pk, [NewRefund(day, AT + timedelta(days=5), "0", 5_0000)])
    GoalFactory.create(site=site)
    GoalFactory.create(site=site, name="Gone", deleted_at=AT)
    return site.team


def exported(team, tmp_path, name="file"):
    path = tmp_path / name
    export.to_file(team, path)
    return path


def load(path, **options):
    with path.open("rb") as file:
        return imports.load(file, **options)


def facts(site):
    """Without what an installation chooses by itself."""
    columns = ("day", "at", "name__name", "visitor", "amount", "event_id")
    return [
        list(model.objects.filter(site_id=site.pk).order_by("pk").values_list(*columns))
        for model in (Event, Adjustment)
    ]


def erase(site):
    """As if it had never been here."""
    for model in (Event, Adjustment, EventName, Context):
        model.objects.filter(site_id=site.pk).delete()
    site.delete()
    events.forget()


def test_a_key_that_exists_is_refused(team, tmp_path, site):
    path = exported(team, tmp_path)
    with pytest.raises(Refused, match=f"the keys {site.site_key}"):
        load(path, team=team.name)
    with pytest.raises(Refused, match="There is a team called"):
        load(path, new_keys=True)
    assert Site.objects.count() == 1


def test_or_gets_another_with_new_keys(team, tmp_path, site):
    path = exported(team, tmp_path)
    Team.objects.create(name="Other")
    [copy] = load(path, team="Other", new_keys=True)
    assert copy.site_key != site.site_key
    assert copy.team.name == "Other"
    assert copy.domain == site.domain
    assert facts(copy)[1] == facts(site)[1]
    assert sorted(facts(copy)[0], key=str) == sorted(facts(site)[0], key=str)
    names = [(g.name, g.deleted_at) for g in copy.goals.order_by("created_at", "id")]
    assert names == [("Signup", None), ("Gone", AT)]
    assert Goal.objects.count() == 4
    # Once more: it is known, and adds nothing.
    assert load(path, team="Other", new_keys=True) == [copy]
    assert Event.objects.filter(site_id=copy.pk).count() == 5_000


def test_a_stream_that_another_team_has_is_refused_or_gets_new_keys(
    team, tmp_path, site
):
    path = exported(team, tmp_path)
    erase(site)
    for name in ("First", "Second"):
        Team.objects.create(name=name)
    [first] = load(path, team="First")
    assert first.site_key == site.site_key
    with pytest.raises(Refused, match=f"the keys {site.site_key} already exist"):
        load(path, team="Second")
    [second] = load(path, team="Second", new_keys=True)
    assert second.site_key != first.site_key
    assert len(facts(second)[0]) == len(facts(first)[0]) == 5_000


def test_an_import_that_was_killed_goes_on(team, tmp_path, site, monkeypatch):
    monkeypatch.setattr(export, "PAGE_BYTES", 100_000)
    path = exported(team, tmp_path)
    before = facts(site)
    key = site.site_key
    erase(site)
    batches = []

    def dies(site_id, rows):
        batches.append(len(rows))
        if len(batches) % 3 == 0:
            raise KeyboardInterrupt
        real(site_id, rows)

    real = copies.store_events
    monkeypatch.setattr(copies, "store_events", dies)
    monkeypatch.setattr(imports, "_BATCH", 700)
    copy = None
    while copy is None:
        try:
            [copy] = load(path, team=team.name)
        except KeyboardInterrupt:
            # Nobody sees a part of a site.
            assert not Site.objects.undeleted().exists()
    assert copy.site_key == key
    assert sum(batches) > 5_000
    assert [sorted(part, key=str) for part in facts(copy)] == [
        sorted(part, key=str) for part in before
    ]
    assert copy.goals.count() == 2


def test_an_export_that_was_cut_off_goes_on(team, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "PAGE_BYTES", 50_000)
    whole = exported(team, tmp_path).read_bytes()
    told = [line for line in whole.splitlines() if not line.startswith(PAGES)]
    for length in (0, 5, 300, 50_500, len(whole) // 2, len(whole) - 1):
        part = tmp_path / "again.part"
        part.write_bytes(whole[:length])
        again = exported(team, tmp_path, "again")
        with again.open("rb") as file:
            manifest, counts = imports.check(file)
        found = again.read_bytes().splitlines()
        assert [line for line in found if not line.startswith(PAGES)][1:] == told[1:]
        assert counts["event"] == 5_000
        assert counts["refund"] == 1
        assert manifest.sites
        again.unlink()


PAGES = (b'{"page"', b'{"next"', b'{"end"')


@on_postgresql
def test_no_cursor_stays_open_after_a_page(team, monkeypatch):
    """Whoever asks for no further page leaves none to the garbage collector."""
    monkeypatch.setattr(export, "PAGE_BYTES", 50_000)
    stream = export.Stream(team)
    kinds = {next(iter(json.loads(line))) for line in stream.page()}
    assert "event" in kinds
    assert not stream.is_complete
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM pg_cursors")
        assert cursor.fetchone() == (0,)


def test_a_file_of_no_export_is_not_gone_on_with(team, tmp_path, monkeypatch):
    (tmp_path / "again.part").write_bytes(b'{"next":{"cursor":"x","sha256":""}}\n')
    with pytest.raises(export.Changed, match="Not a position"):
        exported(team, tmp_path, "again")


def cut_off(team, tmp_path, monkeypatch):
    """An export that has told of half of the events."""
    monkeypatch.setattr(export, "PAGE_BYTES", 50_000)
    whole = exported(team, tmp_path).read_bytes()
    (tmp_path / "again.part").write_bytes(whole[: len(whole) // 2])


def test_a_team_whose_sites_changed_is_exported_anew(team, tmp_path, monkeypatch):
    cut_off(team, tmp_path, monkeypatch)
    SiteFactory.create(team=team)
    with pytest.raises(CommandError, match="have changed since"):
        call_command("export_team", str(tmp_path / "again"), "--team", team.name)


def test_events_that_were_erased_meanwhile_are_noticed(
    team, tmp_path, monkeypatch, site
):
    cut_off(team, tmp_path, monkeypatch)
    assert erasure.events_with_ids(site, ["nothing"]).events == 0
    assert exported(team, tmp_path, "again").exists()
    cut_off(team, tmp_path, monkeypatch)
    assert erasure.events_with_ids(site, ["3"]).events == 1
    with pytest.raises(export.Changed, match=f"days of {site.site_key} were"):
        exported(team, tmp_path, "again")


def test_a_prune_while_it_tells_is_noticed(team, tmp_path, monkeypatch, site):
    monkeypatch.setattr(export, "PAGE_BYTES", 50_000)
    monkeypatch.setattr(prune, "GRACE_SECONDS", 0)
    site.retention_months = 3
    site.save()
    stream = export.Stream(team)
    told = [*stream.page()]
    assert sum(line.startswith(b'{"event"') for line in told) > 100
    with time_machine.travel(AT + timedelta(days=200), tick=False):
        assert prune.prune(site).deleted == 5_001
        with pytest.raises(export.Changed, match="were sealed"):
            for _ in stream.page():
                pass
        # Anew it is what there is.
        [site_line] = [
            json.loads(line)["site"]
            for line in export.Stream(team).page()
            if line.startswith(b'{"site"')
        ]
        assert site_line["sealed"] == ["2026-02-01", "2026-05-01"]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda text: text[:-40], "not an export|no end"),
        (lambda text: text.replace(b"name 3", b"name 4"), "The hash of the export"),
        (lambda text: text + b"{}\n", "after its end line"),
        (lambda text: b"", "no end"),
        (lambda text: text.split(b"\n")[-2] + b"\n", "no end"),
        (lambda text: b"hello\n" + text, "not an export"),
        (lambda text: b'{"manifest": 1}\n' + text, "not an export"),
        (lambda text: text.replace(b'"version":1', b'"version":2'), "newer version"),
    ],
)
def test_a_stream_that_is_not_whole_changes_nothing(
    team, tmp_path, spoil, reason, site
):
    path = exported(team, tmp_path)
    path.write_bytes(spoil(path.read_bytes()))
    erase(site)
    with pytest.raises(Refused, match=reason):
        load(path, team=team.name)
    assert not Site.objects.exists()


def test_salts_are_left_out_and_said_to_be(team, tmp_path):
    text = exported(team, tmp_path).read_text()
    manifest = json.loads(text.splitlines()[0])["manifest"]
    assert "counted as two visitors" in manifest["notes"][0]
    assert '"salt' not in text


def test_the_commands_say_what_they_did(team, tmp_path, site):
    out = io.StringIO()
    path = str(tmp_path / "file")
    call_command("export_team", path, "--team", team.name, stdout=out)
    assert "5,000 event" in out.getvalue()
    with pytest.raises(CommandError, match="exists"):
        call_command("export_team", path, "--team", team.name)
    with pytest.raises(CommandError, match="no team called 'x'"):
        call_command("export_team", f"{path}2", "--team", "x")
    Team.objects.create(name="Other")
    out = io.StringIO()
    call_command("import_team", path, "--team", "Other", "--new-keys", stdout=out)
    assert f", was {site.site_key}  {site.domain}: 5,000 events, 1 refunds" in (
        out.getvalue()
    )
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_team", f"{path}x")
