"""What a line of a web server's access log says, and whether it is a page view.

Pure. Knows the "common" and "combined" formats as Apache and nginx write them;
fields that a log appends to the combined ones are ignored. Decides nothing that
needs a site: whose visit it was, and whether that visitor counts.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import BinaryIO, NamedTuple

from analytics.ingest import pages

MAX_PATH = 1_024
# Servers cut a request at 8 KiB; three such fields and their escapes fit.
_MAX_LINE = 1 << 16

# Linear in the line: no two neighbours can match the same character.
_QUOTED = r'"([^"\\]*(?:\\.[^"\\]*)*)"'
_LINE = re.compile(
    rf"(\S+) [^\[]*\[([^\]]+)\] {_QUOTED} (\d{{3}}) (\d+|-)"
    rf"(?: {_QUOTED} {_QUOTED}(?: .*)?)?\s*"
)
_UNESCAPED_QUOTE = re.compile(r'(?<!\\)(?:\\\\)*"')
_TIME = re.compile(
    r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)"
)
# Names as every server writes them; strptime would ask the machine's locale.
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"
_ODD = re.compile(r'\\x([0-9A-Fa-f]{2})|\\([bnrtv"\\])|[^\x21-\x7e]|\\')
_ESCAPES = dict(zip('bnrtv"\\', '\b\n\r\t\v"\\', strict=True))

# What a browser fetches for a page, and what people download from it: nothing
# that the tracker could run in. A list of what is left out, since pages end in
# anything (`/blog/v1.2`, `/domains/example.org`).
ASSETS = frozenset(
    """
    avif bmp cur gif heic ico jfif jpeg jpg png psd svg svgz tif tiff webp
    css less scss xsl xslt
    cjs js jsm map mjs ts wasm
    eot otf ttc ttf woff woff2
    atom rdf rss
    appcache cer conf config crt csv geojson ini json jsonld key log manifest
    md5 pem sha1 sha256 sig sql txt vcf vtt webmanifest xml yaml yml
    doc docx epub ics mobi odp ods odt pdf pps ppt pptx ps rtf tex xls xlsx
    7z apk bin bz2 cab deb dmg exe gem gz img iso jar msi pkg rar rpm tar tbz
    tgz war whl xpi xz z zip zst
    3gp aac avi flac flv m3u8 m4a m4v mid mkv mov mp3 mp4 mpeg mpg oga ogg ogv
    opus swf wav weba webm wma wmv
    c cc cpp cs diff go h hpp java lua patch py pyc rb rs sh
    """.split()  # noqa: SIM905 - a list of 140 quoted words is harder to read
)
# Feeds without an extension: WordPress's /feed/ and ?feed=rss2, Blosxom's
# ?flav=atom. Their readers fetch them all day and are no visitors.
_FEED_PATH = re.compile(r"/(?:feed|rss|atom)/?$")
_FEED_QUERY = re.compile(
    r"(?:^|&)(?:feed|flav|format|type)=(?:atom|rdf|rss)[0-9.]*(?:&|$)"
)


class Malformed(ValueError):
    """A line in neither format. The message never quotes the line."""


class Line(NamedTuple):
    """A request and its answer.

    `target` and `referrer` are printable ASCII: bytes that no browser sends
    unencoded are percent-encoded, as the address bar would show them.
    `user_agent` is None where the format has no room for it, `""` where the
    visitor sent none. `identity` is what tells this request from others, as
    logged, without whose it was.
    """

    address: str
    at: datetime
    method: str
    target: str
    status: int
    referrer: str
    user_agent: str | None
    identity: str


def lines(stream: BinaryIO) -> Iterator[str]:
    """The lines of a log, one character a byte, so that none fails to decode.

    An over-long line is cut: a file without line ends must not fill the memory.
    """
    for raw in iter(partial(stream.readline, _MAX_LINE), b""):
        yield raw.decode("latin-1")
        while len(raw) == _MAX_LINE and not raw.endswith(b"\n"):
            raw = stream.readline(_MAX_LINE)


def parse(text: str) -> Line:
    """Raises Malformed."""
    matched = _LINE.fullmatch(text)
    if matched is None or "\0" in text:
        raise Malformed(_explain(text))
    address, time, request, status, size, referrer, user_agent = matched.groups("-")
    method, target = _split(request)
    return Line(
        address=address,
        at=_parse_time(time),
        method=method,
        target=_to_url(target),
        status=int(status),
        referrer="" if referrer == "-" else _to_url(referrer),
        user_agent=_absent(user_agent) if matched[7] is not None else None,
        identity="\0".join((time, request, status, size, referrer)),
    )


def _explain(text: str) -> str:
    if "\0" in text:
        return "a null character"
    if len(_UNESCAPED_QUOTE.findall(text)) % 2:
        return "a quote is never closed"
    return "neither the common nor the combined format"


def _absent(text: str) -> str:
    return "" if text == "-" else text


def _split(request: str) -> tuple[str, str]:
    """Method and target of a request line, which may be anything at all."""
    method, _, rest = request.partition(" ")
    target, space, protocol = rest.rpartition(" ")
    return method, target if space and protocol.startswith("HTTP/") else rest


# A busy server logs many requests a second.
@lru_cache(maxsize=1_024)
def _parse_time(text: str) -> datetime:
    matched = _TIME.fullmatch(text)
    try:
        if matched is None:
            raise ValueError
        day, month, year, hour, minute, second, sign, hours, minutes = matched.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        local = datetime(
            int(year),
            _MONTHS.index(month) // 3 + 1,
            int(day),
            int(hour),
            int(minute),
            int(second),
            tzinfo=UTC,
        )
        return local + offset if sign == "-" else local - offset
    except (ValueError, OverflowError):
        raise Malformed("no such time") from None


def _to_url(text: str) -> str:
    """Undo the server's escapes, and percent-encode what is no URL character."""
    if text.isascii() and text.isprintable() and not ("\\" in text or " " in text):
        return text
    return _ODD.sub(_percent_encode, text)


def _percent_encode(matched: re.Match[str]) -> str:
    byte, escaped = matched.groups()
    if byte:
        code = int(byte, 16)
        return chr(code) if 0x21 <= code <= 0x7E else f"%{code:02X}"
    return f"%{ord(_ESCAPES[escaped] if escaped else matched[0]):02X}"


def why_no_page(line: Line) -> str | None:
    """Why a request is no view of a page; None if it is one."""
    if line.method != "GET":
        return "not GET"
    if not (200 <= line.status < 300 or line.status == 304):
        return "status"
    page = pages.parse(line.target)
    name = page.path.rpartition("/")[2]
    if "." in name and name.rpartition(".")[2].lower() in ASSETS:
        return "asset"
    if _FEED_PATH.search(page.path) or _FEED_QUERY.search(page.query):
        return "feed"
    return "too long" if len(page.path) > MAX_PATH else None
