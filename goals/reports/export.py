"""A goal's conversions one by one, as JSON, NDJSON and CSV."""

from typing import Annotated, Any, Unpack

import msgspec
from django.http import StreamingHttpResponse
from msgspec import Meta

from analytics import events
from analytics.access import audit
from analytics.ingest.answers import Second, second, shown, stored_event
from goals.reports import files
from goals.reports.files import CsvForm
from goals.reports.ledger import Ledger
from krafter import faults
from krafter.rendering import encode

ConversionAnswer = stored_event(
    "ConversionAnswer",
    "A conversion or, with `include=refunds`, the refund of a conversion.",
    refund_of=Annotated[
        str | None,
        Meta(
            description="The `id` of the refunded event. Null if this is not a refund."
        ),
    ],
    page=Annotated[str | None, Meta(description="The path of the page.")],
    entry_path=Annotated[
        str | None,
        Meta(
            description="Path of the first page view of the visit. Null without a"
            " page view."
        ),
    ],
    visit=Annotated[
        int | None,
        Meta(
            description="The number of the visit among the visitor's visits of that"
            " day, starting at 1. Null for a refund whose event was deleted."
        ),
    ],
    visit_started_at=Annotated[
        Second | None,
        Meta(description="Time of the first event of the visit, in UTC."),
    ],
    channel=str,
)
COLUMNS = ConversionAnswer.__struct_fields__


def conversion(row: events.LedgerEntry) -> msgspec.Struct:
    """Return a conversion with the same fields as an event of the site."""
    visit = row.source.visit
    return shown(
        row.entry,
        ConversionAnswer,
        refund_of=row.refund_of,
        page=row.entry.page,
        entry_path=row.source.entry_path,
        visit=visit and visit.number,
        visit_started_at=visit and second(visit.at),
        channel=row.source.channel,
    )


def file(
    ledger: Ledger, kind: files.Kind, **form: Unpack[CsvForm]
) -> StreamingHttpResponse:
    """Return all conversions of a goal as a file.

    The export is recorded in the audit trail. `form` applies to CSV only, where
    properties are JSON text.
    """
    first, last = ledger.selection.days
    name = f"conversions-{first}-{last}"
    with faults.unwritten():
        changes = {"file": [None, f"{name}.{kind}"]}
        audit.record("export.made", ledger.goal, changes=changes)
    if kind == "csv":
        blocks = files.as_csv(COLUMNS, map(_cells, ledger.rows()), **form)
    else:
        blocks = files.ndjson(map(conversion, ledger.rows()))
    return files.attachment(name, kind, blocks)


def _cells(row: events.LedgerEntry) -> list[Any]:
    cells = msgspec.structs.asdict(conversion(row))
    props = row.entry.props
    cells["props"] = None if props is None else encode(props).decode()
    return [cells[column] for column in COLUMNS]
