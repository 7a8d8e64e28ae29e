"""A table of a page as a CSV file."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.http import HttpResponse

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
) -> HttpResponse:
    """RFC 4180 with a header, in UTF-8; nothing that a spreadsheet would run."""
    file = f"{name}-{period.first}-{period.last}.csv" if period else f"{name}.csv"
    return HttpResponse(
        b"".join(files.as_csv(columns, rows)),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{file}"'},
    )
