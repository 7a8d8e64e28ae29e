"""What requests store one by one: those that wait share the next transaction.

A request's events, that some were dropped, and with the tracker's a use of a
limit. A server's batch commits by itself: it has little to gain, and the others
would wait for it.

The lock of a site delays nobody but the site: it is taken without waiting, and
what is of a site whose lock somebody holds is left to a second thread.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import compress, islice
from time import monotonic
from typing import NamedTuple, Protocol

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
from analytics.ingest.group_commit import LATER, Busy, Full, GroupCommit, Later
from analytics.ingest.pipeline import Dropped

# How long a statement of a commit may take, and how long one waits for a lock.
# A site's lock is waited for by the second thread alone, so briefly that several
# busy sites take turns, and for all in all MAX_WAIT seconds.
STATEMENT_SECONDS = 5.0
LOCK_SECONDS = 2.0
SITE_LOCK_SECONDS = 0.1
MAX_WAIT = 3.0
# Of each kind of failure at most one line in so many seconds.
_SECONDS_BETWEEN_LINES = 6.0

# Raised when nothing was stored, and trying again may help.
UNAVAILABLE = (Full, Busy, OperationalError, InterfaceError)

logger = logging.getLogger(__name__)


class Work(NamedTuple):
    """What one request adds; without a caller it uses no limit."""

    outcomes: Sequence[events.NewEvent | Dropped] = ()
    caller: str | None = None
    minute: int = 0

    def work(self) -> "Work":
        return self

    @property
    def events(self) -> list[events.NewEvent]:
        return [o for o in self.outcomes if isinstance(o, events.NewEvent)]


class Submission(Protocol):
    """What a request submits: the writing thread makes work of it.

    Asked again when a batch is tried again.
    """

    def work(self) -> Work: ...


class Stored(NamedTuple):
    """`used`: how much of the caller's limit is used with it.

    `are_new`: of each event, whether it was. Over the limit none is stored.
    """

    used: int = 0
    are_new: Sequence[bool] = ()


def store(submission: Submission) -> Stored:
    """Return once it is committed. Raises UNAVAILABLE, and its own errors.

    Where no writing thread runs (a command, a test) it has its own transaction.
    """
    if not commits.is_running:
        [stored] = _store([submission], wait_seconds=MAX_WAIT)
        if isinstance(stored, Later):
            raise Busy
        return stored
    # A connection must not wait with the request: who writes may need one.
    close_old_connections()
    return commits.submit(submission)


def _store(
    submissions: Sequence[Submission], *, wait_seconds: float | None
) -> list[Stored | Later]:
    """Store a batch: LATER for what is of a site whose lock somebody holds.

    `wait_seconds`: how long to wait for the locks of all its sites; None: not at
    all, and without those of sites that are busy.

    One transaction for the counts and the events: a request that is over its
    limit stores nothing, and one that is not stored uses nothing. Nobody waits
    for a site's lock who holds anything else; limits are locked before drops,
    and both in order, so that no two batches wait for each other.
    """
    works = [submission.work() for submission in submissions]
    site_ids = sorted({e.site_id for work in works for e in work.events})
    try:
        with transaction.atomic():
            free = events.take_locks(
                site_ids,
                wait_seconds=wait_seconds,
                lock_seconds=LOCK_SECONDS,
                statement_seconds=STATEMENT_SECONDS,
            )
            are_free = [all(e.site_id in free for e in work.events) for work in works]
            stored = iter(_write(list(compress(works, are_free))))
    except BaseException:
        # Drops a connection that is broken, and gives a good one back.
        close_old_connections()
        raise
    return [next(stored) if is_free else LATER for is_free in are_free]


def _write(works: Sequence[Work]) -> list[Stored]:
    """Within a transaction that holds the locks of the sites."""
    used = _count_uses(works)
    limit = settings.RATE_LIMIT_COLLECT
    kept = [
        work if not work.caller or uses <= limit else Work()
        for work, uses in zip(works, used, strict=True)
    ]
    batch = [event for work in kept for event in work.events]
    are_new = iter(events.append(batch, is_locked=True))
    drops.count([o for work in kept for o in work.outcomes if isinstance(o, Dropped)])
    return [
        Stored(uses, tuple(islice(are_new, len(work.events))))
        for work, uses in zip(kept, used, strict=True)
    ]


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


def _apart(submissions: list[Submission]) -> list[list[Submission]]:
    """By site: neither waits for another's lock, nor fails with another."""
    parts: dict[frozenset[int], list[Submission]] = defaultdict(list)
    for submission in submissions:
        sites = frozenset(event.site_id for event in submission.work().events)
        parts[sites].append(submission)
    return list(parts.values())


def _divide(error: Exception, submissions: list[Submission]) -> list[list[Submission]]:
    """What to try again on its own after an error.

    What the database says of a statement concerns its own site alone, unless it
    says that it can serve nobody; so does what a text of an event provokes. Of one
    site's items all share what it says of locks and time, and the rest is traced
    to the item that causes it.
    """
    if not _concerns_all(error):
        if len(parts := _apart(submissions)) > 1:
            return parts
        if len(submissions) > 1 and not isinstance(error, UNAVAILABLE):
            half = len(submissions) // 2
            return [submissions[:half], submissions[half:]]
    if isinstance(error, UNAVAILABLE):
        _tell(error, len(submissions))
    return []


# A connection pooler, resources, an administrator's intervention, a read-only
# database. Not 08006: our own lost connection has no state, so this is another
# machine's, which a distributed PostgreSQL has for some of the sites.
_OF_ALL = ("08P", "53", "57P", "25006")


def _concerns_all(error: Exception) -> bool:
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    state = getattr(error.__cause__, "sqlstate", None)
    return state is None or state.startswith(_OF_ALL)


_told: dict[str, float] = {}


def _tell(error: Exception, number: int) -> None:
    """Log a failure of the store, unless its like was logged just now."""
    cause = str(error).partition("\n")[0] or type(error).__name__
    kind = getattr(error.__cause__, "sqlstate", None) or type(error).__name__
    if monotonic() - _told.get(kind, -_SECONDS_BETWEEN_LINES) >= _SECONDS_BETWEEN_LINES:
        _told[kind] = monotonic()
        logger.error("%d requests were not stored: %s", number, cause)


commits = GroupCommit[Submission, Stored](
    lambda submissions, wait: _store(
        submissions, wait_seconds=SITE_LOCK_SECONDS if wait else None
    ),
    apart=_apart,
    divide=_divide,
    # Gives the connection back to the pool.
    idle=lambda: close_old_connections(),
    # Some seconds of work: what waits longer is better told to come back.
    max_pending=10_000,
    max_batch=1_000,
    max_wait=MAX_WAIT,
)
