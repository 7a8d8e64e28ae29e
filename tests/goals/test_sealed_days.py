"""Retention: events are deleted, numbers stay. Section 8 of the contract."""

import io
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import transaction

from analytics import events
from analytics.events import NewRefund, removal, seals, writing
from analytics.lifecycle import erasure, prune
from analytics.models import Adjustment, Event, LateDay, Role, Seal, SiteMonth
from analytics.questions.periods import Days
from goals.counting import ahead, rule_months
from goals.counting.rule_months import RuleMonths
from goals.models import Goal, GoalMonth
from tests.factories import GoalFactory, new_event, store
from tests.goals.pages.browsing import member, text

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
# Three months before the month of NOW.
BORDER = date(2026, 2, 1)


@pytest.fixture(autouse=True)
def _times(monkeypatch):
    monkeypatch.setattr(prune, "GRACE_SECONDS", 0)
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def goals(site):
    """Events from October to May on every third day; a refund of one in January."""
    site.retention_months = 3
    site.save()
    facts = []
    for number in range(70):
        at = NOW - timedelta(days=3 * number)
        facts += [
            new_event(site, "pageview", "/", at=at, visitor=number % 2),
            new_event(site, "event", "signup", at=at, visitor=number % 5),
            new_event(
                site,
                "goal",
                "buy",
                at=at,
                visitor=number,
                amount=10_0000 + number,
                currency="EUR",
                event_id=f"order {number}",
            ),
        ]
    events.append(facts)
    refund(site, "order 40")
    return [
        GoalFactory.create(site=site),
        GoalFactory.create(
            site=site, name="Buy", type="custom", match_value="buy", currency="EUR"
        ),
    ]


def refund(site, order, at=datetime(2026, 1, 25, tzinfo=UTC)):
    [outcome] = events.refund(site.pk, [NewRefund(at.date(), at, order, 1_0000)])
    return outcome


def pruned(site, **options):
    site.refresh_from_db()
    out = io.StringIO()
    call_command("prune", "--site", site.site_key, stdout=out, **options)
    site.refresh_from_db()
    return out.getvalue()


@pytest.fixture
def ask(owner, site):
    def ask(question, /, status=200, **query):
        answer = owner("GET", f"/sites/{site.site_key}{question}?{urlencode(query)}")
        assert answer.status_code == status, answer.content
        return answer.json()["data"] if status == 200 else answer.json()

    return ask


def everything(ask, goals):
    """What is kept of all periods."""
    said = []
    for period in (
        {"period": "12mo"},
        {"period": "30d"},
        {"period": "custom", "from": "2025-11-03", "to": "2026-03-02"},
    ):
        said.append(ask("/stats", **period))
        said.append(ask("/goals/stats", **period))
        for goal in goals:
            said.append(ask(f"/goals/{goal.pk}/stats", **period))
            said.append(ask(f"/goals/{goal.pk}/timeseries", **period))
            said.append(ask(f"/goals/{goal.pk}/rate", **period))
    return said


def test_pruning_changes_no_number(site, goals, ask):
    before = everything(ask, goals)
    text = pruned(site)
    assert f"before {BORDER} deleted" in text
    assert site.sealed_before == BORDER
    assert not Event.objects.filter(site_id=site.pk, day__lt=BORDER).exists()
    assert not Adjustment.objects.filter(site_id=site.pk, day__lt=BORDER).exists()
    assert everything(ask, goals) == before
    # Nor does a second time, or counting ahead, or the wish to count anew.
    assert " 0 events and refunds" in pruned(site)
    ahead.count_ahead(site, ahead.last_days(366))
    call_command("rollup", stdout=io.StringIO())
    call_command("verify", "--repair", stdout=io.StringIO())
    assert everything(ask, goals) == before


def test_a_dry_run_deletes_nothing(site, goals):
    text = pruned(site, dry_run=True)
    number = Event.objects.filter(day__lt=BORDER).count() + 1
    assert f"{number} events and refunds before {BORDER} would be deleted" in text
    assert Event.objects.filter(day__lt=BORDER).exists()
    assert not Seal.objects.exists()


def test_without_retention_nothing_is_sealed(site, goals, ask):
    site.retention_months = None
    site.save()
    assert "for ever" in pruned(site)
    assert not Seal.objects.exists()
    out = io.StringIO()
    call_command("prune", stdout=out)
    assert out.getvalue() == ""


def test_the_border_never_goes_back(site, goals):
    pruned(site)
    site.retention_months = 12
    site.save()
    pruned(site)
    assert site.sealed_before == BORDER
    site.retention_months = None
    site.save()
    pruned(site)
    assert site.sealed_before == BORDER


def test_late_events_are_refused_with_the_reason(site, goals, owner):
    pruned(site)
    path = f"/sites/{site.site_key}/events"
    late = {
        "type": "event",
        "name": "signup",
        "visitor_id": "a",
        "timestamp": "2026-01-31T23:59:59Z",
    }
    answer = owner("POST", path, late)
    assert answer.status_code == 422
    [reason] = answer.json()["details"]["timestamp"]
    assert "before 2026-02-01 are sealed" in reason
    batch = {"events": [late, {**late, "timestamp": "2026-02-01T00:00:00Z"}]}
    [one, other] = owner("POST", path, batch).json()["data"]
    assert one["status"] == "rejected"
    assert one["details"]["timestamp"] == [reason]
    assert other["status"] == "accepted"


def test_late_refunds_are_refused_with_the_reason(site, goals):
    pruned(site)
    # The refund's own day is sealed; the event's is.
    outcome = refund(site, "order 1")
    assert "are sealed" in outcome.wrong["timestamp"][0]
    outcome = refund(site, "order 60", at=NOW)
    assert "No such event" in outcome.wrong["refund_of"][0]
    assert "are sealed" in outcome.wrong["refund_of"][1]
    assert refund(site, "order 1", at=NOW).is_new


def test_a_refund_of_an_event_that_is_about_to_be_deleted_is_refused(site, goals):
    """What it comes from would be kept no more."""
    site.refresh_from_db()
    prune.seal(site, Days(date(2025, 10, 25), BORDER - timedelta(days=1)))
    outcome = refund(site, "order 60", at=NOW)
    assert "are sealed" in outcome.wrong["refund_of"][1]
    assert refund(site, "order 1", at=NOW).is_new


def test_an_erasure_before_the_deletion_changes_no_sealed_number(site, goals, ask):
    before = everything(ask, goals)
    site.refresh_from_db()
    prune.seal(site, Days(date(2025, 10, 25), BORDER - timedelta(days=1)))
    site.refresh_from_db()
    assert erasure.events_with_ids(site, ["order 60", "order 61"]).events == 2
    assert everything(ask, goals) == before
    pruned(site)
    assert everything(ask, goals) == before


def test_a_log_is_not_imported_into_sealed_days(site, goals, tmp_path, ask):
    pruned(site)
    log = tmp_path / "log"
    browser = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    log.write_text(
        "".join(
            f"203.0.113.9 - - [{day}:10:00:00 +0000]"
            f' "GET /a HTTP/1.1" 200 5 "-" "{browser}"\n'
            for day in ("31/Jan/2026", "01/Feb/2026")
        )
    )
    for options in ({"dry_run": True}, {}):
        out = io.StringIO()
        call_command("import_log", str(log), site=site.site_key, stdout=out, **options)
        assert "sealed day" in out.getvalue()
    assert Event.objects.filter(day__lte=BORDER, name__name="/a").count() == 1
    rules = [drop["rule"] for drop in ask("/drops", period="12mo")["drops"]]
    assert rules[-1] == "sealed_day"


def test_an_event_that_was_judged_before_is_not_stored_behind(site, goals):
    pruned(site)
    versions = list(LateDay.objects.order_by("day").values_list("day", "version"))
    with pytest.raises(events.Sealed), transaction.atomic():
        store(site, "event", "signup", at=datetime(2026, 1, 5, tzinfo=UTC))
    assert versions == list(
        LateDay.objects.order_by("day").values_list("day", "version")
    )


def test_a_new_rule_has_no_past_before_the_border(site, goals, owner, ask):
    pruned(site)
    goal = owner(
        "POST",
        f"/sites/{site.site_key}/goals",
        {"name": "New", "type": "event", "match_type": "contains", "match_value": "si"},
    ).json()["data"]
    path = f"/goals/{goal['id']}"
    found = ask(f"{path}/stats", period="12mo", detail="coverage")
    since = Event.objects.filter(
        day__gte=BORDER, day__lte=NOW.date(), name__name="signup"
    ).count()
    assert found["conversions"] == since
    assert found["coverage"] == {"from": "2026-02-01", "complete": False}
    assert ask(f"{path}/stats", period="12mo").keys() == {
        "conversions",
        "unique_conversions",
        "revenue",
    }
    series = ask(f"{path}/timeseries", period="12mo")["timeseries"]
    assert sum(point["conversions"] for point in series) == since
    whole = ask(f"{path}/stats", period="30d", detail="coverage")["coverage"]
    assert whole == {"from": "2026-04-20", "complete": True}
    custom = {"period": "custom", "from": "2026-01-31", "to": "2026-03-01"}
    for question in ("stats", "timeseries", "rate"):
        wrong = ask(f"{path}/{question}", status=422, **custom)
        assert "period=custom&from=2026-02-01" in wrong["details"]["from"][0]
        ask(f"{path}/{question}", **{**custom, "from": "2026-02-01"})
    rows = {row["id"]: row for row in ask("/goals/stats", period="12mo")["goals"]}
    assert rows[goal["id"]]["conversions"] == since
    ask("/goals/stats", status=422, **custom)


def test_a_rule_that_was_kept_from_a_later_border_on(site, goals, owner, ask):
    signups = Event.objects.filter(name__name="signup", day__month=2).count()
    pruned(site)
    goal = GoalFactory.create(site=site, name="New", match_value="signup", type="event")
    goal.match_type = "regex"
    goal.save()
    with time_machine.travel(NOW + timedelta(days=31), tick=False):
        pruned(site)
        assert site.sealed_before == date(2026, 3, 1)
        found = ask(f"/goals/{goal.pk}/stats", period="12mo", detail="coverage")
        assert found["coverage"] == {"from": "2026-02-01", "complete": False}
        period = {"period": "custom", "from": "2026-02-01", "to": "2026-02-28"}
        assert ask(f"/goals/{goal.pk}/stats", **period)["conversions"] == signups


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/goals/{goal}/stats", {"country": "DE", "os": "Linux"}),
        ("/goals/{goal}/stats", {"path": "/"}),
        ("/goals/{goal}/stats", {"detail": "money"}),
        ("/goals/{goal}/timeseries", {"name": "buy"}),
        ("/goals/{goal}/breakdown", {"dimension": "path"}),
        ("/goals/{goal}/breakdown", {"dimension": "country", "os": "Linux"}),
        ("/goals/{goal}/rate", {"props.k": "1"}),
        ("/goals/{goal}/conversions", {}),
        ("/goals/stats", {"country": "DE", "os": "Linux"}),
        ("/stats", {"country": "DE"}),
    ],
)
def test_what_was_not_kept_is_refused_across_the_border(site, goals, ask, path, query):
    pruned(site)
    path = path.format(goal=goals[1].pk)
    wrong = ask(path, status=422, period="12mo", **query)
    assert "from 2026-02-01 on" in wrong["details"]["period"][0]
    custom = {"period": "custom", "to": "2026-03-01", **query}
    wrong = ask(path, status=422, **custom, **{"from": "2026-01-31"})
    assert "from 2026-02-01 on" in wrong["details"]["from"][0]
    ask(path, **custom, **{"from": "2026-02-01"})
    ask(path, period="30d", **query)


def test_comparisons_and_drafts_are_refused_too(site, goals, ask, owner):
    pruned(site)
    path = f"/goals/{goals[0].pk}/stats"
    custom = {"period": "custom", "from": "2026-02-10", "to": "2026-03-10"}
    ask(path, **custom, compare="previous")
    ask(path, **custom, compare="previous", country="DE")
    wrong = ask(path, status=422, **custom, compare="previous", path="/")
    assert "from 2026-02-01 on" in wrong["details"]["compare"][0]
    draft = {"type": "event", "match_type": "exact", "match_value": "signup"}
    sent = {**draft, "period": "12mo"}
    answer = owner("POST", f"/sites/{site.site_key}/goals/preview", sent)
    assert answer.status_code == 422
    steps = [{"goal": str(goal.pk)} for goal in goals]
    answer = owner(
        "POST",
        f"/sites/{site.site_key}/funnels/query",
        {"steps": steps, "period": "12mo"},
    )
    assert answer.status_code == 422


def test_a_page_changes_a_rule_once_it_is_confirmed(site, goals):
    pruned(site)
    browser = member(site.team, role=Role.EDITOR)
    path = f"/sites/{site.site_key}/goals/{goals[0].pk}"
    changed = {
        "name": "Signup",
        "type": "event",
        "match_type": "contains",
        "match_value": "signup",
        "currency": "",
    }
    asked = browser.post(f"{path}/edit", changed)
    assert asked.status_code == 409
    assert "before 2026-02-01 are sealed" in text(asked)
    box = 'type="checkbox" name="confirm" value="sealed"'
    assert box in text(asked)
    assert box not in text(browser.get(f"{path}/edit"))
    goals[0].refresh_from_db()
    assert goals[0].match_type == "exact"
    done = browser.post(f"{path}/edit", {**changed, "confirm": "sealed"})
    assert done.headers["Location"] == path
    goals[0].refresh_from_db()
    assert goals[0].match_type == "contains"


def test_a_change_of_a_rule_needs_to_be_confirmed(site, goals, owner, ask):
    path = f"/sites/{site.site_key}/goals/{goals[0].pk}"
    changed = {"match_type": "contains"}
    assert owner("PATCH", path, changed).status_code == 200
    assert owner("PATCH", path, {"match_type": "exact"}).status_code == 200
    before = ask(f"/goals/{goals[0].pk}/stats", period="12mo")
    pruned(site)
    answer = owner("PATCH", path, changed)
    assert answer.status_code == 409
    assert "confirm=sealed" in answer.json()["error"]
    # Nothing else of a goal is in the way.
    assert owner("PATCH", path, {"name": "Other", "currency": "USD"}).status_code == 200
    assert (
        owner("PATCH", path, {"match_value": "signup", "name": "Signup"}).status_code
        == 200
    )
    assert owner("PATCH", f"{path}?confirm=x", changed).status_code == 422
    assert owner("PATCH", f"{path}?confirm=sealed", changed).status_code == 200
    covered = ask(f"/goals/{goals[0].pk}/stats", period="12mo", detail="coverage")
    assert covered["coverage"]["from"] == "2026-02-01"
    # What was kept is kept: the old rule has its past again.
    call_command("rollup", stdout=io.StringIO())
    back = {"match_type": "exact", "currency": None}
    assert owner("PATCH", f"{path}?confirm=sealed", back).status_code == 200
    assert ask(f"/goals/{goals[0].pk}/stats", period="12mo") == before


def test_a_list_of_goals_needs_to_be_confirmed(site, goals, owner):
    pruned(site)
    path = f"/sites/{site.site_key}/goals/apply"
    wanted = {
        "goals": [
            {
                "name": "Signup",
                "type": "event",
                "match_type": "regex",
                "match_value": "s",
            }
        ],
        "delete_missing": False,
    }
    assert owner("POST", f"{path}?dry_run=true", wanted).status_code == 200
    assert owner("POST", path, wanted).status_code == 409
    assert Goal.objects.get(name="Signup").match_type == "exact"
    assert owner("POST", f"{path}?confirm=sealed", wanted).status_code == 200


def test_goals_that_are_deleted_are_kept_too(site, goals, owner, ask):
    path = f"/goals/{goals[1].pk}/stats"
    before = ask(path, period="12mo")
    Goal.objects.filter(pk=goals[1].pk).update(deleted_at=NOW)
    pruned(site)
    Goal.objects.filter(pk=goals[1].pk).update(deleted_at=None)
    assert ask(path, period="12mo") == before


def test_late_events_while_it_counts_are_counted(site, goals, ask, monkeypatch):
    days = iter([date(2026, 1, 3), date(2026, 1, 4)])
    real = writing.lock_sites

    def late(site_ids):
        # One more event before the lock is taken: what was kept is out of date.
        for day in days:
            at = datetime(day.year, day.month, day.day, tzinfo=UTC)
            store(site, "event", "signup", at=at, visitor=77)
            break
        real(site_ids)

    path = f"/goals/{goals[0].pk}/stats"
    before = ask(path, period="12mo")["conversions"]
    monkeypatch.setattr("analytics.lifecycle.prune.lock_sites", late)
    pruned(site)
    assert ask(path, period="12mo")["conversions"] == before + 2


def test_it_gives_up_where_late_events_never_end(site, goals, monkeypatch):
    real = writing.lock_sites

    def late(site_ids):
        store(site, "event", "signup", at=datetime(2026, 1, 3, tzinfo=UTC))
        real(site_ids)

    monkeypatch.setattr("analytics.lifecycle.prune.lock_sites", late)
    with pytest.raises(CommandError, match=f"later for {site.site_key}"):
        pruned(site)
    assert not Seal.objects.exists()


def test_who_counted_before_keeps_nothing_behind(site, goals):
    """A slow reader counted a month, which is sealed before it keeps it."""
    ahead.count_ahead(site, ahead.last_days(366))
    rows = {
        (bytes(row.rule), row.month): (row.counted, row.conversions)
        for row in GoalMonth.objects.all()
    }
    january = Days(date(2026, 1, 1), date(2026, 1, 31))
    past = RuleMonths(site.pk, [goals[0].rule], january)
    GoalMonth.objects.all().delete()
    past.read(events.standing(site.pk, closed=january, kept=past.statement()))
    pruned(site)
    added = past.add(Days(date(2026, 1, 5), date(2026, 1, 6)), {goals[0].rule: {}})
    with seals.keeping(site.pk) as sealed_before:
        rule_months.keep(added, sealed_before=sealed_before)
    kept = GoalMonth.objects.filter(month__lt=BORDER)
    assert {(bytes(r.rule), r.month): (r.counted, r.conversions) for r in kept} == {
        key: days for key, days in rows.items() if key[1] < BORDER
    }


def test_pruning_that_was_killed_goes_on(site, goals, ask, monkeypatch):
    before = everything(ask, goals)
    monkeypatch.setattr(removal, "BATCH", 2)
    real = removal.delete_day
    calls = []

    def dies(*args, **options):
        calls.append(args)
        if len(calls) % 7 == 0:
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(removal, "delete_day", dies)
    for _ in range(50):
        try:
            pruned(site)
        except KeyboardInterrupt:
            assert everything(ask, goals) == before
        else:
            break
    assert len(calls) > 20
    assert not Event.objects.filter(day__lt=BORDER).exists()
    assert everything(ask, goals) == before
    assert SiteMonth.objects.filter(month__lt=BORDER).exists()


def test_the_setting(site, owner):
    path = f"/sites/{site.site_key}/settings"
    assert owner("GET", path).json()["data"]["retention_months"] is None
    answer = owner("PATCH", path, {"retention_months": 24})
    assert answer.json()["data"]["retention_months"] == 24
    for wrong in (0, -1, 1_201, "a", 1.5):
        assert owner("PATCH", path, {"retention_months": wrong}).status_code == 422
    assert owner("PATCH", path, {"retention_months": None}).status_code == 200
