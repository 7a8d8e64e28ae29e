"""A table of a page as a CSV file."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.http import StreamingHttpResponse

from analytics.questions.periods import Days
from goals.reports import files
from krafter.fields import ChoiceField, Fields, StrictSerializer


class CsvQuerySerializer(StrictSerializer):
    """`as=csv`: the page's table as a file."""

    def get_fields(self) -> Fields:
        # `as` is a keyword of Python.
        own = {"as": ChoiceField(("page", "csv"), default="page")}
        return {**super().get_fields(), **own}


def csv_file(
    name: str,
    period: Days | None,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
) -> StreamingHttpResponse:
    """Return a CSV file, named for the period if there is one."""
    name = f"{name}-{period.first}-{period.last}" if period else name
    return files.attachment(name, "csv", files.as_csv(columns, rows))
