"""The API's responses about events: stored events, and the outcome of sent ones."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType

from analytics import events
from krafter.answers import Whole
from krafter.errors import Details

Outcome = Literal["accepted", "duplicate", "rejected"]
OUTCOMES = get_args(Outcome)


class CallOutcome(msgspec.Struct):
    """The outcome of one of the tracker's calls."""

    dropped: Annotated[
        str | None,
        Meta(
            description="The rule that dropped the event, or `invalid` if the call"
            " is not a valid event."
        ),
    ]
    left_out: Annotated[
        Details | UnsetType,
        Meta(
            description="Messages about parts of the call that were left out of the"
            " event, by name."
        ),
    ] = UNSET
    details: Annotated[
        Details | UnsetType,
        Meta(description="Messages about an invalid call, by field."),
    ] = UNSET


class CollectedAnswer(Whole):
    ok: bool
    dropped: Annotated[
        str | UnsetType | None,
        Meta(
            description="Only with `debug=1`: the rule that dropped the event, if"
            " any, or `repeated_id`."
        ),
    ] = UNSET
    at: Annotated[
        int | UnsetType,
        Meta(
            description="Only for the tracker's compact format: the time of the last"
            " call, in milliseconds since 1970."
        ),
    ] = UNSET
    calls: Annotated[
        list[CallOutcome] | UnsetType,
        Meta(
            description="Only for the tracker's compact format with `debug=1`: the"
            " outcome of each call."
        ),
    ] = UNSET


class EventOutcome(msgspec.Struct):
    """The outcome of one event."""

    status: Outcome
    details: Annotated[
        Details | UnsetType,
        Meta(description="Messages about a rejected item, by field."),
    ] = UNSET


def stored_event(name: str, doc: str, **more: Any) -> type[msgspec.Struct]:
    """The struct of a stored event, with more fields before its revenue.

    Generated, because the fields of the labels are those of the model and come last.
    """
    return msgspec.defstruct(
        name,
        [
            ("id", str | None),
            ("type", Literal["pageview", "event", "goal"]),
            ("name", str),
            ("timestamp", Second),
            ("visitor", _Visitor),
            *more.items(),
            ("revenue", Decimal | None),
            ("currency", Annotated[str, Meta(max_length=3)] | None),
            ("props", dict[str, Any] | None),
            *((label, _Label) for label in events.Labels._fields),
        ],
        namespace={"__doc__": doc},
    )


Second = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
_Visitor = Annotated[
    str,
    Meta(description="A number that identifies the visitor within one day."),
]
_Label = Annotated[str | None, Meta(description="Null if unknown.")]

EventAnswer = stored_event(
    "EventAnswer", "A stored event, with the names and values that were sent."
)


def shown(
    entry: events.Entry, answer: type[msgspec.Struct], **more: Any
) -> msgspec.Struct:
    """The event as a struct of `stored_event`; `more` has its additional fields."""
    return answer(
        id=entry.event_id,
        type=entry.type,
        name=entry.name,
        timestamp=second(entry.at),
        visitor=events.visitor_text(entry.visitor),
        revenue=None if entry.amount is None else events.from_amount(entry.amount),
        currency=entry.currency,
        props=entry.props,
        **more,
        **{name: text or None for name, text in entry.labels._asdict().items()},
    )


def second(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def shown_event(entry: events.Entry) -> msgspec.Struct:
    return shown(entry, EventAnswer)
