"""In which country an address is.

A header of a trusted proxy says it (`COUNTRY_HEADER`), or else a table: the file
that `GEOIP_DATABASE` names, or without one what the address registries publish
(the iptocc package). Keeps no address, not even in a cache: a lookup takes three
microseconds.
"""

import ipaddress
import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import metadata, resources
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

from analytics.ingest import visitors

# How often a file is looked at, whether it has been replaced.
CHECK_SECONDS = 60
# A table of countries has about 10 MB, one with all cities about 130 MB.
MAX_BYTES = 512 << 20
# So many records tell whether a file knows countries: in real ones all but a few
# of them do. A table of networks or hosts has none.
_SAMPLE = 10_000

logger = logging.getLogger(__name__)


class Unusable(Exception):
    """Why a file cannot say countries, as a sentence."""


class About(NamedTuple):
    """What a table says about itself."""

    source: str
    type: str
    built: datetime


class Table(Protocol):
    def lookup(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
        """The code as the table has it; `""` where it knows none."""

    def about(self) -> About: ...


@cache
def _codes() -> frozenset[str]:
    """ISO 3166's codes, and XK: Kosovo has none of its own yet."""
    lines = (resources.files("tzdata") / "zoneinfo" / "iso3166.tab").read_text()
    rows = (line for line in lines.splitlines() if not line.startswith("#"))
    return frozenset(row.partition("\t")[0] for row in rows) | {"XK"}


def code(text: str) -> str:
    """The country that a text names, in capitals; `""` if it is no country.

    Tables and proxies also have codes for the unknown (XX, ZZ), for networks (T1)
    and for regions (EU, AP).
    """
    text = text.strip().upper()
    return text if text in _codes() else ""


def of_request(address: str, environ: Mapping[str, Any]) -> str:
    """The country of a client, by the header of a trusted proxy if there is one."""
    name = settings.COUNTRY_HEADER.upper().replace("-", "_")
    said = environ.get(f"HTTP_{name}", "") if name else ""
    # Anybody else may claim any country.
    peer = environ.get("REMOTE_ADDR", "")
    if said and visitors.is_within(peer, settings.TRUSTED_PROXIES):
        return code(said) or of(address)
    return of(address)


def of(address: str) -> str:
    """The country of an address by the table; `""` where unknown."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return code(table().lookup(getattr(parsed, "ipv4_mapped", None) or parsed))


_table: Table | None = None
_opening = threading.Lock()


def table() -> Table:
    """The process's only table, opened by whoever asks first."""
    global _table
    if _table is None:
        # Not once for each of the requests that come meanwhile.
        with _opening:
            if _table is None:
                path = settings.GEOIP_DATABASE
                _table = File(Path(path)) if path else Registries()
    return _table


def forget() -> None:
    """Close the table, so that the next lookup opens what the settings name."""
    global _table
    _table = None


def check(app_configs: Any, **options: Any) -> list[checks.CheckMessage]:
    """A Django check: the service does not start with a file that is of no use."""
    path = settings.GEOIP_DATABASE
    try:
        if path:
            _open(Path(path))
    except Unusable as error:
        return [checks.Error(f"GEOIP_DATABASE: {error}", id="analytics.E001")]
    return []


class Registries:
    """To whom the five address registries gave an address, by the iptocc package."""

    def lookup(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
        return iptocc.country_code(str(address)) or ""

    def about(self) -> About:
        package = metadata.distribution("iptocc")
        return About(
            f"iptocc {package.version}, from AFRINIC, APNIC, ARIN, LACNIC and RIPE NCC",
            "address registries",
            _built(package),
        )


def _built(package: metadata.Distribution) -> datetime:
    """When a package was made: the data in it has no date of its own."""
    [bill] = (file for file in package.files or () if file.name.endswith("dx.json"))
    made = msgspec.json.decode(bill.read_text())["metadata"]["timestamp"]
    return msgspec.convert(made, datetime)


class File:
    """A file in MaxMind's format, read anew when it has been replaced.

    While there is none that can be read, the last one serves, or else nothing is
    known: a running service does not end for it. Each fault is logged once.
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
        except ValueError:  # An IPv6 address, and a file of IPv4 alone.
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
        """Read the file if it is another than before."""
        # The others go on with what there is.
        if not self._looking.acquire(blocking=False):
            return
        try:
            # Before it is opened: what is changed meanwhile is read next time.
            found = _identity(self.path)
            if found != self._seen:
                self._seen, replaces = found, self._seen != ()
                self._reader, self._damaged = _open(self.path), False
                if replaces:
                    logger.info("Countries come from the new %s", self.path)
        except Unusable as error:
            kept = "the one before it serves on" if self._reader else "none is known"
            logger.error("Countries: %s; %s", error, kept)
        finally:
            self._next_look = monotonic() + CHECK_SECONDS
            self._looking.release()


def _identity(path: Path) -> object:
    """What changes when a file is replaced, written or made readable."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_ctime_ns


def _open(path: Path) -> maxminddb.Reader:
    """Map a file into memory, after a look into it. Raises Unusable."""
    try:
        # A copy that nobody else can reach, gone with the process. Mapped from the
        # file itself, a lookup while somebody overwrites it in place (cp, curl -o)
        # ends the process with SIGBUS.
        with path.open("rb") as file, NamedTemporaryFile(suffix=".mmdb") as copy:
            if path.stat().st_size > MAX_BYTES:
                raise Unusable(f"{path} is larger than {MAX_BYTES >> 20} MiB")
            copyfileobj(file, copy)
            copy.flush()
            # Walked through by the reader in Python: the one in C writes past its
            # memory where a damaged tree is too deep.
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
    except Exception:  # The reader meets damage with errors of a dozen kinds.
        raise Unusable(f"{path} is not a MaxMind DB file, or is damaged") from None


def _code_in(record: Any) -> str:
    """The code in a record of any maker.

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
