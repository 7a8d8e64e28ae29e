"""The sources and visits of single facts."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import NamedTuple

from analytics.events.attribution import Attributed
from analytics.events.contexts import Named
from analytics.questions.labels import ENTRY_PATH, Labels

_VISIT = ("visit_number", "visit_began")


class Visit(NamedTuple):
    """`number`: 1 for the visitor's first visit of the day.

    `at`: the time of its first event, in whole seconds.
    """

    number: int
    at: datetime


class Source(NamedTuple):
    """`entry_path`: the path of the first page view of the visit, None without one.

    `visit`: None for a refund whose event was deleted.
    """

    labels: Labels
    channel: str
    entry_path: str | None
    visit: Visit | None


def columns_of(attributed: Attributed) -> list[str]:
    """The columns from which sources are made."""
    columns = [attributed.column(label) for label in (*Named._fields, ENTRY_PATH)]
    return list(dict.fromkeys(columns))


def sources_of(attributed: Attributed, day_of: Mapping[int, date]) -> dict[int, Source]:
    """The sources of some events, by their ids and days, in two statements."""
    if not day_of:
        return {}
    return told(
        attributed, attributed.numbers_of(day_of, [*columns_of(attributed), *_VISIT])
    )


def told(
    attributed: Attributed, numbers: Mapping[int, Mapping[str, int]]
) -> dict[int, Source]:
    """Sources from their columns, with or without those of the visit."""
    if not numbers:
        return {}
    entries = attributed.values(
        ENTRY_PATH, (columns[ENTRY_PATH] for columns in numbers.values())
    )
    return {
        key: Source(
            *_labels(attributed, columns),
            entries[columns[ENTRY_PATH]] or None,
            _visit(columns),
        )
        for key, columns in numbers.items()
    }


def _labels(attributed: Attributed, columns: Mapping[str, int]) -> tuple[Labels, str]:
    contexts = attributed.contexts
    context_of = {label: columns[attributed.column(label)] for label in Named._fields}
    texts = {label: contexts.value(label, pk) for label, pk in context_of.items()}
    channel = texts.pop("channel")
    click_id = contexts.click_id(context_of["referrer"])
    return Labels(**texts, click_id=click_id), channel


def _visit(columns: Mapping[str, int]) -> Visit | None:
    if not columns.keys() >= {*_VISIT}:
        return None
    number, began = (columns[name] for name in _VISIT)
    return Visit(number, datetime.fromtimestamp(began, UTC))
