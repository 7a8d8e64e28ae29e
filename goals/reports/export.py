"""A goal's conversions one by one, as JSON, NDJSON and CSV."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from analytics import events
from analytics.ingest.answers import shown, stored_event
from krafter.rendering import encode

# A block of a stream; large enough that sending it outweighs making it.
_BLOCK = 64 * 1024

ConversionAnswer = stored_event(
    "ConversionAnswer",
    "An event that was a conversion.",
    page=Annotated[str | None, Meta(description="Null for a page view.")],
)
COLUMNS = ConversionAnswer.__struct_fields__


def conversion(entry: events.Entry) -> msgspec.Struct:
    """In the words of the site's events."""
    return shown(entry, ConversionAnswer, page=entry.page)


def ndjson(entries: Iterable[events.Entry]) -> Iterator[bytes]:
    """A JSON object a line."""
    block = bytearray()
    for entry in entries:
        block += encode(conversion(entry)) + b"\n"
        if len(block) >= _BLOCK:
            yield bytes(block)
            block.clear()
    yield bytes(block)


def as_csv(entries: Iterable[events.Entry]) -> Iterator[bytes]:
    """RFC 4180 with a header, in UTF-8; properties as JSON."""
    block = io.StringIO(newline="")
    writer = csv.writer(block)
    writer.writerow(COLUMNS)
    for entry in entries:
        writer.writerow(_cells(entry))
        if block.tell() >= _BLOCK:
            yield block.getvalue().encode()
            block.seek(0)
            block.truncate()
    yield block.getvalue().encode()


def _cells(entry: events.Entry) -> list[str]:
    cells = msgspec.structs.asdict(conversion(entry))
    cells["props"] = None if entry.props is None else encode(entry.props).decode()
    return [_harmless(cells[column]) for column in COLUMNS]


def _harmless(cell: Any) -> str:
    """With an apostrophe before what a spreadsheet would run as a formula.

    Anyone may send events: `=HYPERLINK(...)` as a name would carry the other
    cells away once the owner of the site opens the file.
    """
    if cell is None:
        return ""
    if isinstance(cell, str) and cell.startswith(_FORMULAS):
        return f"'{cell}"
    return str(cell)


# Excel's, LibreOffice's and Google's; the full-width ones count in Japanese Excel.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - meant
