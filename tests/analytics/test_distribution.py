"""Facts spread by site: the keys that allow it, and what Citus is asked to do.

Citus itself is not here. Its functions are stood in for by SQL functions with its
parameters, which note their calls: so the statements and their order are tested,
not what Citus makes of them.
"""

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import IntegrityError, NotSupportedError, connection, transaction

from analytics import distribution, primary_keys
from analytics.models import EventName, OfOneSite
from tests import partitions
from tests.halves import on_postgresql

pytestmark = pytest.mark.django_db
OF_ONE_SITE = [m for m in apps.get_models() if issubclass(m, OfOneSite)]

STAND_INS = """
CREATE TABLE pg_dist_partition (logicalrelid regclass, partmethod char);
CREATE TABLE calls (number serial, call text);
CREATE FUNCTION create_distributed_table(
    table_name regclass, distribution_column text,
    colocate_with text DEFAULT 'default', shard_count int DEFAULT NULL
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO pg_dist_partition VALUES (table_name, 'h');
    INSERT INTO calls (call) VALUES (
        concat_ws(' ', table_name, distribution_column, colocate_with, shard_count)
    );
$$;
CREATE FUNCTION citus_add_local_table_to_metadata(table_name regclass)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO pg_dist_partition VALUES (table_name, 'n');
    INSERT INTO calls (call) VALUES ('local ' || table_name);
$$;
CREATE FUNCTION truncate_local_data_after_distributing_table(table_name regclass)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO calls (call) VALUES ('truncate ' || table_name);
$$;
CREATE FUNCTION isolate_tenant_to_new_shard(
    table_name regclass, tenant_id anyelement, cascade_option text
) RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO calls (call) VALUES (
        concat_ws(' ', 'isolate', table_name, tenant_id, cascade_option)
    );
    SELECT 102040::bigint;
$$;
CREATE FUNCTION citus_rebalance_start(rebalance_strategy name)
RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO calls (call) VALUES ('rebalance ' || rebalance_strategy);
    SELECT 7::bigint;
$$;
"""


@pytest.fixture
def stand_ins(db):
    """Functions of the names of Citus's; the calls they noted."""
    with connection.cursor() as cursor:
        cursor.execute(STAND_INS)

    def calls():
        with connection.cursor() as cursor:
            cursor.execute("SELECT call FROM calls ORDER BY number")
            return [call for (call,) in cursor.fetchall()]

    return calls


def test_every_row_of_a_site_is_known_to_belong_to_one():
    """A new table with a site is one of facts, or of configuration."""
    configuration = {
        "analytics.ApiToken_sites",
        "analytics.ImportedSite",
        "analytics.SiteSalt",
        "goals.Annotation",
        "goals.Goal",
        "goals.SavedFunnel",
    }
    with_site = {
        model._meta.label
        for model in apps.get_models(include_auto_created=True)
        if "site_id" in {field.attname for field in model._meta.concrete_fields}
    }
    assert with_site - {m._meta.label for m in OF_ONE_SITE} == configuration


@on_postgresql
@pytest.mark.parametrize("model", OF_ONE_SITE)
def test_every_unique_key_of_facts_holds_the_site(model):
    table = model._meta.db_table
    assert primary_keys.current(connection, table) == list(model.key)
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, table)
    unique = [c["columns"] for c in constraints.values() if c["unique"]]
    assert all("site_id" in columns for columns in unique)


@on_postgresql
def test_no_foreign_key_leads_to_facts_or_away_from_them():
    tables = [model._meta.db_table for model in OF_ONE_SITE]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE contype = 'f' AND ("
            " conrelid = ANY(%s::regclass[]) OR confrelid = ANY(%s::regclass[]))",
            [tables, tables],
        )
        assert cursor.fetchall() == []


@on_postgresql
def test_ids_of_all_sites_ascend(site, strangers_site):
    rows = [
        EventName.objects.create(site=owner, type="event", name="x", digest=bytes([n]))
        for n, owner in enumerate([site, strangers_site] * 3)
    ]
    ids = [row.pk for row in rows]
    assert ids == sorted(set(ids))


@on_postgresql
def test_partitions_by_site_refuse_a_unique_key_without_the_site(request):
    if not request.config.getoption("--partitioned"):
        partitions.rebuild()
    for model in OF_ONE_SITE:
        table = model._meta.db_table
        for statement in (
            f"CREATE UNIQUE INDEX no_site ON {table} (id)",
            f"ALTER TABLE {table} ADD CONSTRAINT no_site UNIQUE (id)",
        ):
            refused = pytest.raises(NotSupportedError, match='lacks column "site_id"')
            with refused, transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)


@on_postgresql
def test_partitions_keep_what_the_product_relies_on(site, request):
    if not request.config.getoption("--partitioned"):
        partitions.rebuild()
    values = {"site": site, "type": "event", "name": "x", "digest": b"1"}
    EventName.objects.create(**values)
    with pytest.raises(IntegrityError), transaction.atomic():
        EventName.objects.create(**values)


@pytest.mark.parametrize("option", [[], ["--check"], ["--isolate", "x"]])
def test_without_citus_it_is_said_what_is_missing(option):
    found = "citus" if connection.vendor == "postgresql" else "PostgreSQL"
    with pytest.raises(CommandError, match=f"{found} is not|not {found}"):
        call_command("distribute", *option)


@on_postgresql
def test_tables_are_cut_as_events_are(stand_ins):
    first, *others = distribution.tables()
    assert distribution.distribute(64) == [first, *others]
    assert stand_ins() == [
        "analytics_event site_id none 64",
        *(f"{table} site_id analytics_event" for table in others),
        "local analytics_idempotencykey",
        "local analytics_ratewindow",
        *(f"truncate {table}" for table in (first, *others)),
    ]


@on_postgresql
def test_tables_that_are_distributed_are_left_alone(stand_ins):
    distribution.distribute()
    before = stand_ins()
    assert distribution.distribute() == []
    # What is left of an interrupted run is removed.
    assert {call.split()[0] for call in stand_ins()[len(before) :]} == {"truncate"}


@on_postgresql
def test_a_site_is_isolated_in_all_tables_and_shards_are_moved(
    stand_ins, site, capsys, monkeypatch
):
    monkeypatch.setattr(distribution, "problems", list)
    call_command("distribute", "--isolate", site.site_key)
    call_command("distribute", "--rebalance")
    assert stand_ins() == [
        f"isolate analytics_event {site.pk} CASCADE",
        "rebalance by_disk_size",
    ]
    assert "shard 102040" in capsys.readouterr().out
    with pytest.raises(CommandError, match="No site has the key"):
        call_command("distribute", "--isolate", "sk_000000000000")


@on_postgresql
def test_what_the_database_refuses_is_said(stand_ins, monkeypatch):
    monkeypatch.setattr(distribution, "problems", list)
    with connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION citus_rebalance_start")
    with (
        pytest.raises(CommandError, match="citus_rebalance_start"),
        transaction.atomic(),
    ):
        call_command("distribute", "--rebalance")
