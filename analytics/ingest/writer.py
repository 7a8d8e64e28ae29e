"""What requests store one by one: those that wait share the next transaction.

An event, or that one was dropped, and with the tracker's a use of a limit. A
batch commits by itself: it has little to gain, and the others would wait for it.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from django.conf import settings
from django.db import (
    InterfaceError,
    OperationalError,
    close_old_connections,
    transaction,
)

from analytics import events
from analytics.access import throttling
from analytics.ingest import drops
from analytics.ingest.group_commit import GroupCommit
from analytics.ingest.pipeline import Dropped


class Work(NamedTuple):
    """What one request adds; without a caller it uses no limit."""

    outcome: events.NewEvent | Dropped | None
    caller: str | None = None
    minute: int = 0


class Stored(NamedTuple):
    """`used`: how much of the caller's limit is used with it."""

    used: int = 0
    is_new: bool = False


def store(work: Work) -> Stored:
    """Return once it is committed. Raises Full, and what the database raises."""
    # A connection must not wait with the request: whoever writes may need one.
    close_old_connections()
    return _committer.submit(work)


def _write(works: Sequence[Work]) -> list[Stored]:
    """Store a batch.

    One transaction for the counts and the events: a request that is over its
    limit stores nothing, and one that is not stored uses nothing. Every batch
    locks limits, then sites, then drops, so that no two wait for each other.
    """
    try:
        with transaction.atomic():
            used = _count_uses(works)
            limit = settings.RATE_LIMIT_COLLECT
            outcomes = [
                work.outcome if not work.caller or uses <= limit else None
                for work, uses in zip(works, used, strict=True)
            ]
            are_new = iter(
                events.append([o for o in outcomes if isinstance(o, events.NewEvent)])
            )
            drops.count([o for o in outcomes if isinstance(o, Dropped)])
        return [
            Stored(uses, isinstance(outcome, events.NewEvent) and next(are_new))
            for outcome, uses in zip(outcomes, used, strict=True)
        ]
    finally:
        # Gives the connection back to the pool, and drops a broken one.
        close_old_connections()


def _count_uses(works: Sequence[Work]) -> list[int]:
    uses = Counter((work.caller, work.minute) for work in works if work.caller)
    before = throttling.spend_all(uses)
    for key, amount in uses.items():
        before[key] -= amount
    used = []
    for work in works:
        if work.caller:
            before[work.caller, work.minute] += 1
        used.append(before[work.caller, work.minute] if work.caller else 0)
    return used


_committer = GroupCommit[Work, Stored](
    _write,
    is_shared=lambda error: isinstance(error, OperationalError | InterfaceError),
    # Some seconds of work: what waits longer is better told to come back.
    max_pending=10_000,
    max_batch=1_000,
)
