"""Commands that move, prune and bring back data are in the audit trail."""

import io
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.management import call_command

from analytics.lifecycle import prune
from analytics.models import AuditEntry, Team
from tests.factories import store

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)


def run(*arguments, **options):
    call_command(*map(str, arguments), stdout=io.StringIO(), **options)


def deeds():
    rows = AuditEntry.objects.order_by("pk")
    return [(row.action, row.team_id, row.changes) for row in rows]


def test_moving_a_team_is_recorded(site, tmp_path):
    store(site, "event", "signup")
    other, file = Team.objects.create(name="Other"), tmp_path / "team.ndjson"
    run("export_team", "--team", site.team.name, file)
    assert deeds() == [("team.exported", site.team_id, {})]
    run("import_team", file, "--team", "Other", "--new-keys")
    assert deeds()[1:] == [
        ("site.imported", other.pk, {"events": [None, 1], "refunds": [None, 0]})
    ]


def test_a_team_that_an_import_makes_is_recorded(site, tmp_path):
    file = tmp_path / "team.ndjson"
    site.team.name = "Old\u202e"
    site.team.save()
    run("export_team", file)
    site.team.name = "Other"
    site.team.save()
    run("import_team", file, "--new-keys")
    made = Team.objects.get(name=r"Old\u202e")
    assert deeds()[1] == ("team.created", made.pk, {"name": [None, made.name]})


def test_pruning_and_bringing_back_are_recorded(site, tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(prune, "GRACE_SECONDS", 0)
    with time_machine.travel(NOW, tick=False):
        store(site, "event", "signup", at=NOW - timedelta(days=150))
        site.retention_months = 3
        site.save()
        run("prune", "--archive", tmp_path)
        run("restore", tmp_path)
    team = site.team_id
    assert deeds() == [
        ("site.sealed", team, {"sealed_before": [None, "2026-02-01"]}),
        ("site.pruned", team, {"facts": [1, 0]}),
        (
            "site.archive_restored",
            team,
            {"facts": [0, 1], "sealed_before": ["2026-02-01", None]},
        ),
    ]
