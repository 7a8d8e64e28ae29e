"""What requests store one by one: those that wait share the next transaction.

A request's events, that some were dropped, and with the tracker's a use of a
limit. A server's batch commits by itself: it has little to gain, and the others
would wait for it.

The lock of a site delays nobody but the site: it is taken without waiting, and
what is of a site whose lock somebody holds is left to a second thread.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import compress, islice
from time import monotonic
from typing import NamedTuple, Protocol

from django.conf import settings
from django.db import close_old_connections, transaction

from analytics import events
from analytics.access import throttling
from analytics.ingest import drops
from analytics.ingest.group_commit import LATER, Busy, Full, GroupCommit, Later
from analytics.ingest.pipeline import Dropped
from krafter import clock, faults, metrics

# How long a statement of a commit may take, and how long one waits for a lock.
# A site's lock is waited for by the second thread alone, so briefly that several
# busy sites take turns, and for all in all MAX_WAIT seconds.
STATEMENT_SECONDS = 2.5
LOCK_SECONDS = 1.5
SITE_LOCK_SECONDS = 0.1
MAX_WAIT = 2.5
# After that the answer is 503, whatever the database does.
MAX_ANSWER = 2.8


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
    """Return once it is committed. Raises what `is_unavailable` knows, among others.

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
    began = monotonic()
    try:
        works = [submission.work() for submission in submissions]
        site_ids = sorted({e.site_id for work in works for e in work.events})
        with transaction.atomic():
            free = events.take_locks(
                site_ids,
                wait_seconds=wait_seconds,
                lock_seconds=LOCK_SECONDS,
                statement_seconds=STATEMENT_SECONDS,
            )
            are_free = [all(e.site_id in free for e in work.events) for work in works]
            written = list(compress(works, are_free))
            answers = _write(written)
    except BaseException:
        # Drops a connection that is broken, and gives a good one back.
        close_old_connections()
        raise
    _note(written, answers, monotonic() - began)
    stored = iter(answers)
    return [next(stored) if is_free else LATER for is_free in are_free]


def _note(works: Sequence[Work], answers: Sequence[Stored], seconds: float) -> None:
    """Count what was committed, for a monitor."""
    if not works:
        return
    metrics.COMMIT_REQUESTS.observe(len(works))
    metrics.COMMIT_SECONDS.observe(seconds)
    metrics.LAST_COMMIT.set(clock.timestamp())
    are_new = [is_new for stored in answers for is_new in stored.are_new]
    metrics.ACCEPTED.inc(sum(are_new))
    metrics.DUPLICATES.inc(len(are_new) - sum(are_new))
    limit = settings.RATE_LIMIT_COLLECT
    rules = Counter(
        outcome.rule
        for work, stored in zip(works, answers, strict=True)
        if not work.caller or stored.used <= limit
        for outcome in work.outcomes
        if isinstance(outcome, Dropped)
    )
    for rule, number in rules.items():
        metrics.DROPPED.labels(rule).inc(number)


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
    if not faults.concerns_all(error):
        if len(parts := _apart(submissions)) > 1:
            return parts
        if len(submissions) > 1 and not is_unavailable(error):
            half = len(submissions) // 2
            return [submissions[:half], submissions[half:]]
    if faults.is_unavailable(error):
        faults.report(error)
    return []


def is_unavailable(error: BaseException) -> bool:
    """Whether nothing was stored, and trying again may help."""
    return isinstance(error, Full | Busy) or faults.is_unavailable(error)


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
    max_answer=MAX_ANSWER,
)
