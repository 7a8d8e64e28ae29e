"""What belongs to a site or a team beyond events: how copies of it take it along.

Apps that build on this one add theirs, as goals do.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.apps import apps
from django.db import models

from analytics.models import (
    Context,
    EventName,
    Fact,
    LateDay,
    NameDay,
    OfOneSite,
    ReservedName,
    Seal,
    Site,
)
from analytics.questions.periods import Days

Values = dict[str, Any]


class Wrong(Exception):
    """An archive cannot be used, with the reason."""


class Refused(Exception):
    """A stream cannot be imported, with the reason."""


class SitePart(NamedTuple):
    """Configuration of a site, as values of JSON, in an order that only grows.

    `load` makes some of it for a new site, where it is not there yet.
    """

    kind: str
    dump: Callable[[Site], Iterable[Values]]
    load: Callable[[Site, list[Values]], None]


class CommonPart(NamedTuple):
    """What several sites share, from a day on; `load` adds what is missing."""

    kind: str
    dump: Callable[[date], Iterable[Values]]
    load: Callable[[list[Values]], None]


class Keeper(NamedTuple):
    """Counts of closed days: `keep` what is missing, and whether a day `lacks` any.

    `seal` keeps what is final in the moment of sealing only, within the locks.
    """

    keep: Callable[[Site, Days, Callable[[int], object]], None]
    lacks: Callable[[Site, Days], bool]
    seal: Callable[[Site, Days], None] = lambda site, days: None


of_sites: list[SitePart] = []
keepers: list[Keeper] = []
common: list[CommonPart] = []
# What is not taken along as it is: made anew there, or told with ids of the stream.
local: set[type[OfOneSite]] = {NameDay, ReservedName}


def derived() -> list[type[models.Model]]:
    """The tables of counts, of one site each, whose rows mean the same anywhere."""
    apart = {EventName, Context, LateDay, Seal, *local}
    return sorted(
        (
            model
            for model in apps.get_models()
            if issubclass(model, OfOneSite)
            and not issubclass(model, Fact)
            and model not in apart
        ),
        key=lambda model: model._meta.label,
    )


def values_of(row: models.Model, *, without: Iterable[str] = ()) -> Values:
    """The columns of a row as values of JSON."""
    left_out = {"id", *without}
    return {
        field.attname: _to_json(getattr(row, field.attname))
        for field in row._meta.concrete_fields
        if field.attname not in left_out
    }


def _to_json(value: Any) -> Any:
    match value:
        case bytes() | memoryview() | bytearray():
            return b64encode(bytes(value)).decode()
        case datetime() | date():
            return value.isoformat()
        case UUID():
            return str(value)
    return value


def from_json(model: type[models.Model], values: Mapping[str, Any]) -> Values:
    """Columns of a model. Raises ValueError for one that it does not have."""
    fields = {field.attname: field for field in model._meta.concrete_fields}
    if unknown := values.keys() - fields.keys():
        raise ValueError(f"{model._meta.label} has no {', '.join(sorted(unknown))}")
    return {name: _from_json(fields[name], value) for name, value in values.items()}


def _from_json(field: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(field, models.BinaryField):
        return b64decode(value, validate=True)
    return field.to_python(value)
