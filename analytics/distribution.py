"""Distributing the tables of facts by site over the machines of a Citus cluster.

All tables are cut into shards by the site in the same way, so that a site is on one
machine, which answers the questions about it (see docs/scaling.md). Configuration
stays on the coordinator. All statements go through the coordinator.
"""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import connection, transaction

from analytics.models import Event, IdempotencyKey, OfOneSite, RateWindow

# The other tables are cut in the same way.
_FIRST = Event._meta.db_table
# Written in the transaction of an event. As Citus knows them, it commits both or
# neither.
_ON_COORDINATOR = [model._meta.db_table for model in (IdempotencyKey, RateWindow)]
# Each setting, its values, and what is wrong with others. Of every machine.
_SETTINGS = (
    ("wal_level", {"logical"}, "a site can be moved only while nobody writes to it"),
    ("jit", {"off"}, "compiling takes longer than most questions"),
)


def tables() -> list[str]:
    """The tables that are distributed, events first."""
    found = {
        model._meta.db_table
        for model in apps.get_models()
        if issubclass(model, OfOneSite)
    }
    return [_FIRST, *sorted(found - {_FIRST})]


def problems() -> list[str]:
    """What stands in the way of distributing, each with what helps."""
    if connection.vendor != "postgresql":
        return ["The database is not PostgreSQL: set DATABASE_URL."]
    if not _rows("SELECT 1 FROM pg_extension WHERE extname = 'citus'"):
        return [
            "The extension citus is not there: CREATE EXTENSION citus in this"
            " database, on every machine."
        ]
    if _rows("SELECT groupid FROM pg_dist_local_group") != [(0,)]:
        return ["This machine is a worker: connect to the coordinator."]
    return [*_problems_of_machines(), *_problems_of_settings()]


def _problems_of_machines() -> Iterator[str]:
    if not _rows("SELECT 1 FROM pg_dist_node WHERE groupid = 0"):
        yield (
            "The coordinator does not know its own name:"
            " SELECT citus_set_coordinator_host('…')."
        )
    if not _rows(
        "SELECT 1 FROM pg_dist_node"
        " WHERE isactive AND shouldhaveshards AND noderole = 'primary'"
    ):
        yield "No machine takes shards: SELECT citus_add_node('…', 5432)."


def _problems_of_settings() -> Iterator[str]:
    for name, wanted, reason in _SETTINGS:
        answers = _rows(
            "SELECT nodename, nodeport, success, result"
            " FROM run_command_on_all_nodes(%s) JOIN pg_dist_node USING (nodeid)",
            [f"SHOW {name}"],
        )
        for host, port, is_answered, value in answers:
            if not is_answered:
                yield f"{host}:{port} does not answer: {value}"
            elif value not in wanted:
                yield f"{name} is {value} on {host}:{port}: {reason}."


def distribute(shards: int | None = None) -> list[str]:
    """Distribute the tables that are not yet; their names.

    In one transaction, since events and names on different machines cannot be joined.
    Writers wait until it ends. Can be repeated, also after an interruption.
    """
    wanted = tables()
    with transaction.atomic(), connection.cursor() as cursor:
        # Citus refuses to copy tables in parallel in one transaction.
        cursor.execute("SET LOCAL citus.multi_shard_modify_mode TO 'sequential'")
        missing = [table for table in wanted if table not in _distributed()]
        for table in missing:
            if table == _FIRST:
                cursor.execute(
                    "SELECT create_distributed_table(%s::regclass, 'site_id',"
                    " colocate_with => 'none', shard_count => %s)",
                    [table, shards],
                )
            else:
                cursor.execute(
                    "SELECT create_distributed_table(%s::regclass, 'site_id',"
                    " colocate_with => %s)",
                    [table, _FIRST],
                )
    known = {name for (name,) in _rows(_KNOWN)}
    for table in _ON_COORDINATOR:
        if table not in known:
            _rows("SELECT citus_add_local_table_to_metadata(%s::regclass)", [table])
    for table in wanted:
        # The copied rows are still on the coordinator, where no query sees them.
        _rows(
            "SELECT truncate_local_data_after_distributing_table(%s::regclass)",
            [table],
        )
    return missing


def isolate(site_id: int) -> int:
    """Give a site a shard of its own, in every table; the number of its events'."""
    ((shard,),) = _rows(
        "SELECT isolate_tenant_to_new_shard(%s::regclass, %s::bigint, 'CASCADE')",
        [_FIRST, site_id],
    )
    return int(shard)


def rebalance() -> int:
    """Begin to move shards until all machines hold as much; the job's number."""
    ((job,),) = _rows(
        "SELECT citus_rebalance_start(rebalance_strategy => 'by_disk_size')"
    )
    return int(job)


_KNOWN = "SELECT logicalrelid::regclass::text FROM pg_dist_partition"


def _distributed() -> set[str]:
    return {name for (name,) in _rows(f"{_KNOWN} WHERE partmethod = 'h'")}


def _rows(sql: str, params: list[Any] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())
