"""Decide which requests of a log are page views, without site and visitor."""

import re

from analytics.ingest import pages
from analytics.ingest.access_log.requests import Line

MAX_PATH = 1_024

# Files that a browser loads for a page, and downloads, in which the tracker could
# not run. It is a list of exclusions, because pages can have any ending
# (`/blog/v1.2`, `/domains/example.org`).
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
# ?flav=atom. Feed readers fetch them all day and are not visitors.
_FEED_PATH = re.compile(r"/(?:feed|rss|atom)/?$")
_FEED_QUERY = re.compile(
    r"(?:^|&)(?:feed|flav|format|type)=(?:atom|rdf|rss)[0-9.]*(?:&|$)"
)
# A path, or an absolute URL, as in a request to a proxy.
_TARGET = re.compile(r"/|https?://[^/?#]", re.IGNORECASE)


def why_no_page(line: Line) -> str | None:
    """Return why a request is not a page view; None if it is one."""
    if line.method != "GET":
        return "not GET"
    if not (200 <= line.status < 300 or line.status == 304):
        return "status"
    if not _TARGET.match(line.target):
        return "no path"
    page = pages.parse(line.target)
    name = page.path.rpartition("/")[2]
    if "." in name and name.rpartition(".")[2].lower() in ASSETS:
        return "asset"
    if _FEED_PATH.search(page.path) or _FEED_QUERY.search(page.query):
        return "feed"
    return "too long" if len(page.path) > MAX_PATH else None
