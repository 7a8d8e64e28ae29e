"""From the body of a request to `/collect` to what is stored and what is told.

A body is one event, whose sender is told what is wrong with it, or the calls of a
page, of which one that is wrong costs no other.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from analytics.ingest import calls, payloads, pipeline
from analytics.ingest.answers import CallOutcome, CollectedAnswer
from analytics.ingest.pipeline import Dropped, Outcome
from krafter.errors import Details

REPEATED = "repeated_id"
INVALID = "invalid"


class Taken(NamedTuple):
    """What a body adds, and its answer once it is known which events were new.

    `answer` takes that of each event among the outcomes, in their order.
    """

    outcomes: tuple[Outcome, ...]
    answer: Callable[[Sequence[bool]], CollectedAnswer]


def take(body: bytes, environ: Mapping[str, Any], *, now: datetime) -> Taken:
    """Raises Malformed, Rejected."""
    is_debug = "debug=1" in environ.get("QUERY_STRING", "").split("&")
    if (sent := calls.read(body)) is not None:
        return _take_calls(
            sent, environ, now=now, is_debug=is_debug or sent.debug is not None
        )
    outcome = pipeline.from_tracker(body, environ, now=now)

    def answer(are_new: Sequence[bool]) -> CollectedAnswer:
        if not is_debug:
            return CollectedAnswer(ok=True)
        return CollectedAnswer(ok=True, dropped=_reason(outcome, iter(are_new)))

    return Taken((outcome,), answer)


def _take_calls(
    sent: calls.Sent, environ: Mapping[str, Any], *, now: datetime, is_debug: bool
) -> Taken:
    outcomes: list[Outcome] = []
    # For each call its outcome, None if it is wrong, and what is told of it.
    found: list[tuple[Outcome | None, dict[str, Details]]] = []
    at = calls.times(sent, now)
    for call, called_at in zip(sent.calls, at, strict=True):
        try:
            event, left_out = calls.event(sent, call, called_at.date())
        except payloads.Rejected as rejected:
            found.append((None, {"details": rejected.details}))
            continue
        outcome = pipeline.judge(event, environ, at=called_at)
        outcomes.append(outcome)
        found.append((outcome, {"left_out": left_out} if left_out else {}))

    def answer(are_new: Sequence[bool]) -> CollectedAnswer:
        # Sent back by the tracker with its next calls, which come after these.
        told_at = math.ceil(at[-1].timestamp() * 1_000)
        if not is_debug:
            return CollectedAnswer(ok=True, at=told_at)
        each = iter(are_new)
        became = [
            CallOutcome(_reason(outcome, each), **more) for outcome, more in found
        ]
        return CollectedAnswer(ok=True, at=told_at, calls=became)

    return Taken(tuple(outcomes), answer)


def _reason(outcome: Outcome | None, are_new: Iterator[bool]) -> str | None:
    match outcome:
        case None:
            return INVALID
        case Dropped():
            return outcome.rule
    return None if next(are_new) else REPEATED
