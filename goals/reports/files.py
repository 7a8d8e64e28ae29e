"""Answers as files: CSV and NDJSON, in blocks."""

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
# A block of a stream; large enough that sending it outweighs making it.
_BLOCK = 64 * 1024


class CsvForm(TypedDict, total=False):
    """How CSV is written. `delimiter`: a key of DELIMITERS.

    `bom`: begin with a byte order mark.
    """

    delimiter: str
    bom: bool


def attachment(name: str, kind: Kind, blocks: Iterable[bytes]) -> StreamingHttpResponse:
    # A domain may have letters of any script.
    disposition = content_disposition_header(True, f"{name}.{kind}") or ""
    return StreamingHttpResponse(
        blocks,
        content_type=f"{_MEDIA_TYPES[kind]}; charset=utf-8",
        headers={"Content-Disposition": disposition},
    )


def ndjson(rows: Iterable[msgspec.Struct]) -> Iterator[bytes]:
    """A JSON object a line."""
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
    """RFC 4180 with a header, in UTF-8."""
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
    """With an apostrophe before what a spreadsheet would run as a formula.

    Anyone may send events: `=HYPERLINK(...)` as a name would carry the other
    cells away once the owner of the site opens the file.
    """
    if cell is None:
        return ""
    if not isinstance(cell, str):
        return str(cell)
    guarded = _AFTER_SEPARATOR.sub(r"\1'", cell)
    return f"'{guarded}" if cell.startswith(_FORMULAS) else guarded


# Excel's, LibreOffice's and Google's; the full-width ones count in Japanese Excel.
# Whatever the file was written with, a spreadsheet may split it at any of these.
_AFTER_SEPARATOR = re.compile(r"""([,;|\t\r\n][\s"']*)(?=[=+\-@＝＋－＠])""")  # noqa: RUF001 - meant
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - meant
