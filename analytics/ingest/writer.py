"""Writes the events of requests by group commit.

A transaction stores the events of all pending requests, the counts of dropped events
and the uses of rate limits. A batch from a server has a transaction of its own: it
would gain little, and would delay the others.

A lock on one site delays only that site: locks are taken without waiting, and events of
a site whose lock is held elsewhere are left to a second thread.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import chain, compress, islice
from time import monotonic
from typing import NamedTuple, Protocol

from django.conf import settings
from django.db import close_old_connections, connections, transaction

from analytics import events, write_turns
from analytics.access import throttling
from analytics.ingest import drops
from analytics.ingest.group_commit import LATER, Busy, Full, GroupCommit, Later
from analytics.ingest.pipeline import Dropped
from krafter import clock, faults, metrics, request_ids

# Limits for a statement of a commit, and for waiting for a lock. Only the second
# thread waits for the lock of a site: briefly, so that several busy sites take turns,
# and at most MAX_WAIT seconds in all.
STATEMENT_SECONDS = 2.5
LOCK_SECONDS = 1.5
SITE_LOCK_SECONDS = 0.1
MAX_WAIT = 2.5
# After this time the answer is 503 in any case.
MAX_ANSWER = 2.8


class Work(NamedTuple):
    """The outcomes of one request; without a caller it uses no rate limit."""

    outcomes: Sequence[events.NewEvent | Dropped] = ()
    caller: str | None = None
    minute: int = 0
    request_id: str = ""

    def work(self) -> "Work":
        return self

    @property
    def events(self) -> list[events.NewEvent]:
        return [o for o in self.outcomes if isinstance(o, events.NewEvent)]


class Submission(Protocol):
    """A submitted request: the writing thread decodes it with `work`.

    `work` is called again when a batch is retried.
    """

    @property
    def request_id(self) -> str: ...

    def work(self) -> Work: ...


class Stored(NamedTuple):
    """`used`: the uses of the caller's rate limit in this minute, with this one.

    `are_new`: whether each event was new. Over the limit none is stored.
    """

    used: int = 0
    are_new: Sequence[bool] = ()


def store(submission: Submission) -> Stored:
    """Store a request; returns after the commit. Raises the errors of `is_unavailable`.

    Without a writing thread (commands, tests) it is a transaction of its own.
    """
    if not commits.is_running:
        [stored] = _store([submission], wait_seconds=MAX_WAIT)
        if isinstance(stored, Later):
            raise Busy
        return stored
    # Returns this thread's connection to the pool: the writing thread may need it.
    close_old_connections()
    return commits.submit(submission)


def _store(
    submissions: Sequence[Submission], *, wait_seconds: float | None
) -> list[Stored | Later]:
    """Store a batch; LATER for requests to a site whose lock is held elsewhere.

    `wait_seconds`: how long to wait for the locks of the sites; None: do not wait, and
    leave out sites that are locked.

    Counts and events share a transaction: a request over its limit stores nothing, and
    one that is not stored uses nothing of the limit. The locks of sites are taken
    before any other; limits are locked before drops, and both in a fixed order, so
    that two batches cannot deadlock.
    """
    began = monotonic()
    try:
        works = [submission.work() for submission in submissions]
        sites = [{event.site_id for event in work.events} for work in works]
        site_ids = sorted(set().union(*sites))
        with write_turns.turn(), transaction.atomic():
            free = events.take_locks(
                site_ids,
                wait_seconds=wait_seconds,
                lock_seconds=LOCK_SECONDS,
                statement_seconds=STATEMENT_SECONDS,
            )
            are_free = [of_work.issubset(free) for of_work in sites]
            written = list(compress(works, are_free))
            answers = _write(written)
    except BaseException:
        # Closes a broken connection, and returns a good one to the pool.
        close_old_connections()
        raise
    _note(written, answers, monotonic() - began)
    stored = iter(answers)
    return [next(stored) if is_free else LATER for is_free in are_free]


def _note(works: Sequence[Work], answers: Sequence[Stored], seconds: float) -> None:
    """Count what was committed in the metrics."""
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
    """Call it in a transaction that holds the locks of the sites."""
    used = _count_uses(works)
    limit = settings.RATE_LIMIT_COLLECT
    kept = [
        work if not work.caller or uses <= limit else Work()
        for work, uses in zip(works, used, strict=True)
    ]
    added = [work.events for work in kept]
    are_new = iter(events.append([*chain(*added)], is_locked=True))
    drops.count([o for work in kept for o in work.outcomes if isinstance(o, Dropped)])
    return [
        Stored(uses, tuple(islice(are_new, len(of_work))))
        for of_work, uses in zip(added, used, strict=True)
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
    """Split by site, so that sites neither wait for each other nor fail together."""
    parts: dict[frozenset[int], list[Submission]] = defaultdict(list)
    for submission in submissions:
        sites = frozenset(event.site_id for event in submission.work().events)
        parts[sites].append(submission)
    return list(parts.values())


def _divide(error: Exception, submissions: list[Submission]) -> list[list[Submission]]:
    """The parts of a batch to retry separately after an error.

    Unless the database is unavailable for all, an error may be caused by one site or
    one event: the batch is split by site, then into halves until the item that causes
    the error is alone. Errors of locks and time limits are shared by a whole site.
    """
    if not faults.concerns_all(error):
        if len(parts := _apart(submissions)) > 1:
            return parts
        if len(submissions) > 1 and not is_unavailable(error):
            half = len(submissions) // 2
            return [submissions[:half], submissions[half:]]
    if faults.is_unavailable(error):
        # The writing thread is in no request. One line for all of a batch: its first.
        with request_ids.named(submissions[0].request_id):
            faults.report(error)
    return []


def is_unavailable(error: BaseException) -> bool:
    """Whether nothing was stored, and trying again may help."""
    return isinstance(error, Full | Busy | events.Sealed) or faults.is_unavailable(
        error
    )


commits = GroupCommit[Submission, Stored](
    lambda submissions, wait: _store(
        submissions, wait_seconds=SITE_LOCK_SECONDS if wait else None
    ),
    apart=_apart,
    divide=_divide,
    # Gives the connection back to the pool.
    idle=lambda: close_old_connections(),
    end=connections.close_all,
    # A few seconds of work; further requests get 503.
    max_pending=10_000,
    max_batch=1_000,
    max_wait=MAX_WAIT,
    max_answer=MAX_ANSWER,
)
