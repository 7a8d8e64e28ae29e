"""Answers as CSV and NDJSON files, sent in blocks."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, TypedDict, Unpack

import msgspec
from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

from krafter.rendering import encode

Kind = Literal["csv", "ndjson"]
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}
_MEDIA_TYPES = {"csv": "text/csv", "ndjson": "application/x-ndjson"}
# Bytes in a block: large enough that a block costs little per row.
_BLOCK = 64 * 1024


class CsvForm(TypedDict, total=False):
    """The format of CSV. `delimiter`: a key of DELIMITERS.

    `bom`: begin with a byte order mark.
    """

    delimiter: str
    bom: bool


def attachment(name: str, kind: Kind, blocks: Iterable[bytes]) -> StreamingHttpResponse:
    # A domain may have letters of any script, which need encoding here.
    disposition = content_disposition_header(True, f"{name}.{kind}") or ""
    return StreamingHttpResponse(
        blocks,
        content_type=f"{_MEDIA_TYPES[kind]}; charset=utf-8",
        headers={"Content-Disposition": disposition},
    )


def ndjson(rows: Iterable[msgspec.Struct]) -> Iterator[bytes]:
    """Yield blocks of NDJSON, with one JSON object per line."""
    block = bytearray()
    for row in rows:
        block += encode(row) + b"\n"
        if len(block) >= _BLOCK:
            yield bytes(block)
            block.clear()
    yield bytes(block)


def as_csv(
    columns: Sequence[str], rows: Iterable[Iterable[Any]], **form: Unpack[CsvForm]
) -> Iterator[bytes]:
    """Yield blocks of CSV (RFC 4180) with a header line, in UTF-8."""
    block = io.StringIO(newline="")
    block.write("\ufeff" if form.get("bom") else "")
    writer = csv.writer(block, delimiter=DELIMITERS[form.get("delimiter", "comma")])
    writer.writerow(map(harmless, columns))
    for row in rows:
        writer.writerow(map(harmless, row))
        if block.tell() >= _BLOCK:
            yield block.getvalue().encode()
            block.seek(0)
            block.truncate()
    yield block.getvalue().encode()


def harmless(cell: Any) -> str:
    """Return a cell as text, with an apostrophe before any formula.

    A spreadsheet would run the formula, and anyone may send events: with
    `=HYPERLINK(...)` as a name, the other cells would be sent to a stranger when the
    owner of the site opens the file.
    """
    if cell is None:
        return ""
    if not isinstance(cell, str):
        return str(cell)
    guarded = _AFTER_SEPARATOR.sub(r"\1'", cell)
    return f"'{guarded}" if cell.startswith(_FORMULAS) else guarded


# Formula characters of Excel, LibreOffice and Google Sheets; Japanese Excel accepts
# the full-width ones. A spreadsheet may split a line at any of these separators,
# whatever the file was written with.
_AFTER_SEPARATOR = re.compile(r"""([,;|\t\r\n][\s"']*)(?=[=+\-@＝＋－＠])""")  # noqa: RUF001 - meant
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - meant
