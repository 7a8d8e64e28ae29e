"""From the body of a request to `/collect` to stored events and the response.

A body is one event, which is rejected as a whole if it is invalid, or the calls of a
page, of which each is valid or invalid by itself.
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
    """What a body adds, and a function that makes its response.

    `answer` gets, for each event in `outcomes`, whether it was new.
    """

    outcomes: tuple[Outcome, ...]
    answer: Callable[[Sequence[bool]], CollectedAnswer]


def take(
    body: bytes, environ: Mapping[str, Any], *, address: str, now: datetime
) -> Taken:
    """`address`: the client's. Raises Malformed, Rejected."""
    is_debug = "debug=1" in environ.get("QUERY_STRING", "").split("&")
    if (sent := calls.read(body)) is not None:
        is_debug = is_debug or sent.debug is not None
        return _take_calls(sent, environ, address=address, now=now, is_debug=is_debug)
    outcome = pipeline.from_tracker(body, environ, address=address, now=now)

    def answer(are_new: Sequence[bool]) -> CollectedAnswer:
        if not is_debug:
            return CollectedAnswer(ok=True)
        return CollectedAnswer(ok=True, dropped=_reason(outcome, iter(are_new)))

    return Taken((outcome,), answer)


def _take_calls(
    sent: calls.Sent,
    environ: Mapping[str, Any],
    *,
    address: str,
    now: datetime,
    is_debug: bool,
) -> Taken:
    outcomes: list[Outcome] = []
    # The outcome of each call, None if it is invalid, and its part of the response.
    found: list[tuple[Outcome | None, dict[str, Details]]] = []
    at = calls.times(sent, now)
    for call, called_at in zip(sent.calls, at, strict=True):
        try:
            event, left_out = calls.event(sent, call, called_at.date())
        except payloads.Rejected as rejected:
            found.append((None, {"details": rejected.details}))
            continue
        outcome = pipeline.judge(event, environ, address=address, at=called_at)
        outcomes.append(outcome)
        found.append((outcome, {"left_out": left_out} if left_out else {}))

    def answer(are_new: Sequence[bool]) -> CollectedAnswer:
        # The tracker sends it back with its next calls, which are dated after these.
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
