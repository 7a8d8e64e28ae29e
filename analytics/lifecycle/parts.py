"""Registry of the data of a site or team besides events, for export and import.

Apps that build on this one register theirs, as goals do.
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
    """A part of a site's configuration, as JSON values.

    New values are appended to the order of the old ones. `dump` yields the values;
    `load` creates those that a new site does not have yet.
    """

    kind: str
    dump: Callable[[Site], Iterable[Values]]
    load: Callable[[Site, list[Values]], None]


class CommonPart(NamedTuple):
    """Data that sites share, from a day on. `load` adds what is missing."""

    kind: str
    dump: Callable[[date], Iterable[Values]]
    load: Callable[[list[Values]], None]


class Keeper(NamedTuple):
    """Counts of closed days.

    `keep` stores missing counts, `lacks` tells whether any are missing, and `seal`
    stores counts that are final only at the moment of sealing, within the locks.
    """

    keep: Callable[[Site, Days, Callable[[int], object]], None]
    lacks: Callable[[Site, Days], bool]
    seal: Callable[[Site, Days], None] = lambda site, days: None


of_sites: list[SitePart] = []
keepers: list[Keeper] = []
common: list[CommonPart] = []
# Tables that are not exported as they are: they are rebuilt on import, or
# exported with positions in the stream instead of ids.
local: set[type[OfOneSite]] = {NameDay, ReservedName}


def derived() -> list[type[models.Model]]:
    """Return the tables of counts whose rows mean the same in any installation."""
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
    """Return the columns of a row as JSON values, without `id`."""
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
    """Return the values of a model's columns from JSON values.

    Raises ValueError for a column that the model does not have.
    """
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
