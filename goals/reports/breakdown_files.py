"""A breakdown as a file: CSV and NDJSON."""

from collections.abc import Iterator
from itertools import chain
from typing import Any, Unpack

import msgspec
from django.http import StreamingHttpResponse
from msgspec import UNSET

from analytics.questions.filters import LABELS, UNKNOWN
from goals.reports import files
from goals.reports.breakdown_answers import Breakdown, BreakdownRow, OtherValues, Value
from goals.reports.files import CsvForm
from krafter.rendering import encode

# Rows are held in memory while they are sorted. The rest becomes one row.
MOST_ROWS = 100_000
OTHER = "(other)"
_COUNTS = ("conversions", "unique_conversions", "revenue")
_RATES = ("visitors", "rate", "rate_low", "rate_high", "too_few_to_compare")


class OtherLine(msgspec.Struct):
    other: OtherValues


def file(
    rows: Breakdown, kind: files.Kind, **form: Unpack[CsvForm]
) -> StreamingHttpResponse:
    """Return the breakdown as a file.

    The last row has the sums of all values not shown. In CSV that row is called
    `(other)`, and the unknown value is `(none)`, as in filters.
    """
    period = rows.period
    # The key of a property may have characters that file names cannot have.
    dimension, _, _ = rows.dimension.partition(".")
    name = f"breakdown-{dimension}-{period.first}-{period.last}"
    if kind == "csv":
        # A label has these columns even if there are no rows.
        has_rates = rows.dimension in LABELS or any(
            row.visitors is not UNSET for row in rows.breakdown
        )
        columns = (rows.dimension, *_COUNTS, *(_RATES if has_rates else ()))
        return files.attachment(
            name, kind, files.as_csv(columns, _cells(rows, has_rates), **form)
        )
    last = [OtherLine(rows.other)] if rows.other else []
    return files.attachment(name, kind, files.ndjson(chain(rows.breakdown, last)))


def _cells(rows: Breakdown, has_rates: bool) -> Iterator[tuple[Any, ...]]:
    for row in rows.breakdown:
        own = (cell(row.value), row.conversions, row.unique_conversions, row.revenue)
        yield (*own, *_rates(row)) if has_rates else own
    if rows.other:
        left = (OTHER, rows.other.conversions, None, rows.other.revenue)
        yield (*left, *[None] * len(_RATES)) if has_rates else left


def cell(value: Value) -> str | int | float:
    """Return the value of a row as a cell of a CSV file, written as in filters."""
    if value is None:
        return UNKNOWN
    return encode(value).decode() if isinstance(value, bool) else value


def _rates(row: BreakdownRow) -> tuple[Any, ...]:
    too_few = row.too_few_to_compare
    told = None if too_few is UNSET else encode(too_few).decode()
    if not row.interval:
        return row.visitors or 0, None, None, None, told
    return row.visitors, row.rate, row.interval.low, row.interval.high, told
