"""The country of an address.

Sources, in this order: a header of a trusted proxy (`COUNTRY_HEADER`), then a
table: the file named by `GEOIP_DATABASE`, or the package iptocc, built from the
statistics of the address registries. No address is kept, not even in a cache: a
lookup takes three microseconds.
"""

import ipaddress
import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from itertools import islice
from pathlib import Path
from shutil import copyfileobj
from tempfile import NamedTemporaryFile
from time import monotonic
from typing import Any, NamedTuple, Protocol

import iptocc
import maxminddb
import msgspec
from django.conf import settings
from django.core import checks

from analytics import countries
from analytics.ingest import client_address

# How often each process checks whether the file has changed.
CHECK_SECONDS = 60
# Country databases have about 10 MB, city databases about 130 MB.
MAX_BYTES = 512 << 20
# A file whose first records have no country is refused, such as an ASN database. In
# country databases nearly every record has one.
_SAMPLE = 10_000

logger = logging.getLogger(__name__)


class Unusable(Exception):
    """The file cannot be used; the message gives its path and the reason."""


class About(NamedTuple):
    """Where a table comes from, its type, and when it was built (UTC)."""

    source: str
    type: str
    built: datetime


class Table(Protocol):
    def lookup(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
        """The code as written in the table, `""` if there is none."""

    def about(self) -> About: ...


def code(text: str) -> str:
    """The code in capitals, `""` if it is not a country's.

    Tables and proxies also use XX and ZZ for unknown, T1 for Tor, and EU and AP
    for regions.
    """
    text = text.strip().upper()
    return text if text in countries.codes() else ""


def of_request(address: str, environ: Mapping[str, Any]) -> str:
    """The country of a client, from the header of a trusted proxy if there is one."""
    header = settings.COUNTRY_HEADER
    if not header:
        return of(address)
    said = environ.get(f"HTTP_{header.upper().replace('-', '_')}", "")
    # From any other peer the header is the client's own claim.
    is_told = said and client_address.is_trusted(environ.get("REMOTE_ADDR", ""))
    return (is_told and code(said)) or of(address)


def of(address: str) -> str:
    """The country of an address from the table, `""` if unknown or no address."""
    parsed = client_address.parse(address)
    return "" if parsed is None else code(table().lookup(parsed))


_table: Table | None = None
_opening = threading.Lock()


def table() -> Table:
    """The table of this process, opened at the first call."""
    global _table
    if _table is None:
        # Requests that arrive meanwhile wait instead of opening it too.
        with _opening:
            if _table is None:
                path = settings.GEOIP_DATABASE
                _table = File(Path(path)) if path else Registries()
    return _table


def forget() -> None:
    """Drop the table; the next lookup opens the one in the settings. For tests."""
    global _table
    _table = None


def check(app_configs: Any, **options: Any) -> list[checks.CheckMessage]:
    """Django system check: refuse to start with a file that cannot be used."""
    path = settings.GEOIP_DATABASE
    try:
        if path:
            _open(Path(path))
    except Unusable as error:
        return [checks.Error(f"GEOIP_DATABASE: {error}", id="analytics.E001")]
    return []


class Registries:
    """The table in the package iptocc: where each network is registered."""

    def lookup(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
        return iptocc.country_code(client_address.spelled(address)) or ""

    def about(self) -> About:
        package = metadata.distribution("iptocc")
        return About(
            f"iptocc {package.version}, from AFRINIC, APNIC, ARIN, LACNIC and RIPE NCC",
            "address registries",
            _built(package),
        )


def _built(package: metadata.Distribution) -> datetime:
    """Build time of the package; the data in it has no date of its own."""
    [bill] = (file for file in package.files or () if file.name.endswith("dx.json"))
    made = msgspec.json.decode(bill.read_text())["metadata"]["timestamp"]
    return msgspec.convert(made, datetime)


class File:
    """A MaxMind DB file, loaded again when it changes.

    If the file cannot be read, the table loaded before stays in use; without one
    all countries are unknown. Each failure is logged once.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader: maxminddb.Reader | None = None
        self._damaged = False
        self._seen: object = ()
        self._next_look = 0.0
        self._looking = threading.Lock()
        self._look()

    def lookup(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
        if monotonic() >= self._next_look:
            self._look()
        try:
            return _code_in(self._reader.get(address)) if self._reader else ""
        except ValueError:  # An IPv6 address in a file with IPv4 only.
            return ""
        except maxminddb.InvalidDatabaseError as error:
            if not self._damaged:
                self._damaged = True
                logger.error("Countries: %s is damaged: %s", self.path, error)
            return ""

    def about(self) -> About:
        """Raises Unusable."""
        about = _open(self.path).metadata()
        built = datetime.fromtimestamp(about.build_epoch, UTC)
        return About(str(self.path), about.database_type, built)

    def _look(self) -> None:
        """Load the file if it has changed."""
        # Other threads use the current table meanwhile.
        if not self._looking.acquire(blocking=False):
            return
        try:
            # Taken before opening: a change in between is loaded next time.
            found = _identity(self.path)
            if found != self._seen:
                self._seen, replaces = found, self._seen != ()
                self._reader, self._damaged = _open(self.path), False
                if replaces:
                    logger.info("Countries: loaded the new %s", self.path)
        except Unusable as error:
            kept = "still using the previous file" if self._reader else "all unknown"
            logger.error("Countries: %s; %s", error, kept)
        finally:
            self._next_look = monotonic() + CHECK_SECONDS
            self._looking.release()


def _identity(path: Path) -> object:
    """A value that changes when the file is replaced, written or chmod-ed."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_ctime_ns


def _open(path: Path) -> maxminddb.Reader:
    """Check a file and map it into memory. Raises Unusable."""
    try:
        # A private copy: if the file itself were mapped, overwriting it in place (cp,
        # curl -o) would kill the process with SIGBUS at the next lookup. The copy is
        # unlinked right away; the mapping stays.
        with path.open("rb") as file, NamedTemporaryFile(suffix=".mmdb") as copy:
            if path.stat().st_size > MAX_BYTES:
                raise Unusable(f"{path} is larger than {MAX_BYTES >> 20} MiB")
            copyfileobj(file, copy)
            copy.flush()
            # Iterating with the C reader corrupts memory if the tree of a damaged
            # file is too deep, so use the one in Python.
            with maxminddb.open_database(copy.name, maxminddb.MODE_MMAP) as walked:
                records = (record for _, record in islice(walked, _SAMPLE))
                if not any(map(_code_in, records)):
                    kind = walked.metadata().database_type
                    raise Unusable(f"{path} holds no countries, it is a {kind}")
            return maxminddb.open_database(copy.name)
    except Unusable:
        raise
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror or error}") from None
    except Exception:  # Damaged files raise errors of many types.
        raise Unusable(f"{path} is not a MaxMind DB file, or is damaged") from None


def _code_in(record: Any) -> str:
    """The country code in a record.

    `{"country": {"iso_code": "DE"}}`: MaxMind, DB-IP, IP2Location.
    `{"country_code": "DE"}`: IPinfo Lite (whose `country` is a name), IPLocate,
    ip-location-db. `{"country": "DE"}`: IPinfo.
    """
    if not isinstance(record, dict):
        return ""
    country = record.get("country")
    if isinstance(country, dict):
        return _text(country.get("iso_code"))
    return _text(record.get("country_code")) or _text(country)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
