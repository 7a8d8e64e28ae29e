"""Archive events in Parquet files, one per site and month.

`prune` writes them before it deletes the events. A row has all data of an event: names
and labels as texts, and its id, so that `restore` stores it as it was. `manifest.json`
has the number of rows and the hash of each file. A file is never overwritten: events of
its month that come later go to another file.
"""

import hashlib
import json
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from django.db import IntegrityError, transaction

from analytics.access import audit
from analytics.events import (
    Selection,
    copies,
    months,
    refund_origins,
    removal,
    seals,
    traffic_by_day,
)
from analytics.events.copies import Row
from analytics.events.months import month_of
from analytics.events.planner import look_at_tables
from analytics.events.writing import lock_sites
from analytics.lifecycle.parts import Wrong
from analytics.models import Adjustment, Event, Fact, Site, SiteMonth
from analytics.questions.labels import Labels
from analytics.traffic.site_months import as_stored

FORMAT = "krafter-archive"
VERSION = 1
_MANIFEST = "manifest.json"
_ROWS = 20_000  # of a row group, and of one read from the database
_BATCH = 2_000

_text = pa.dictionary(pa.int32(), pa.string())
# The source of a refund whose event was deleted (see `Adjustment`). Older files
# lack these columns.
_SOURCES = ("last_arrival", "first_arrival")
_arrival = pa.struct([(label, pa.string()) for label in Labels._fields])
SCHEMA = pa.schema(
    [
        ("kind", _text),
        ("id", pa.int64()),
        ("day", pa.date32()),
        ("at", pa.timestamp("us", tz="UTC")),
        ("type", _text),
        ("name", _text),
        ("page", _text),
        ("visitor", pa.int64()),
        ("amount", pa.int64()),
        ("currency", _text),
        ("props", pa.string()),
        ("event_id", pa.string()),
        ("refund_of", pa.string()),
        *((label, _text) for label in Labels._fields),
        *((source, _arrival) for source in _SOURCES),
        ("entry_path", _text),
    ]
)
_KINDS: dict[str, type[Fact]] = {"event": Event, "refund": Adjustment}

Progress = Callable[[int], object]


class File(NamedTuple):
    """A file of the manifest. `path` is relative to the archive's folder."""

    path: str
    site: str
    month: str
    rows: int
    bytes: int
    sha256: str


class Archive:
    """A folder of Parquet files with their manifest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: list[File] = []
        path = folder / _MANIFEST
        if path.exists():
            try:
                found = json.loads(path.read_text())
                if (found["format"], found["version"]) != (FORMAT, VERSION):
                    raise Wrong(f"{path} is not of this version.")
                self.files = [File(**file) for file in found["files"]]
            except (ValueError, KeyError, TypeError) as error:
                raise Wrong(f"{path} is no manifest: {error}") from None

    def of(self, site: Site) -> list[File]:
        return [file for file in self.files if file.site == site.site_key]

    def add(self, site: Site, before: date, *, progress: Progress) -> None:
        """Write the site's events before that day that no file has yet."""
        days = {day for _, day in removal.days_before(site.pk, before)}
        for month, of_month in groupby(sorted(days), month_of):
            self._add_month(site, month, list(of_month), progress)

    def _add_month(
        self, site: Site, month: date, days: list[date], progress: Progress
    ) -> None:
        known = self._ids(site, month)
        rows = (
            (kind, pk, row)
            for day in days
            for kind, facts in _KINDS.items()
            for pk, row in copies.rows(facts, site.pk, day, last=_ALL)
            if not known[kind].has(pk)
        )
        first = next(rows, None)
        if first is None:
            return
        number = sum(file.month == f"{month:%Y-%m}" for file in self.of(site))
        again = f".{number + 1}" if number else ""
        name = f"{month:%Y-%m}{again}.parquet"
        path = self.folder / site.site_key / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{name}.part")
        count = 0
        with pq.ParquetWriter(part, SCHEMA, compression="zstd") as writer:
            for batch in _batches(chain([first], rows), _ROWS):
                writer.write_table(_table(site.pk, batch))
                count += len(batch)
                progress(len(batch))
        part.replace(path)
        self.files.append(
            File(
                path=f"{site.site_key}/{name}",
                site=site.site_key,
                month=f"{month:%Y-%m}",
                rows=count,
                bytes=path.stat().st_size,
                sha256=_sha256(path),
            )
        )
        self._save()

    def restore(self, site: Site, *, progress: Progress) -> "Restored":
        """Store a site's archived events again, with their ids, and unseal their days.

        Days are unsealed from the border back to the first month some of whose events
        are not in the archive. Can be repeated: existing events stay. Raises Wrong.
        """
        files = self.of(site)
        if not files:
            raise Wrong(f"The archive has nothing of {site.site_key}.")
        added = 0
        for file in files:
            for batch in self.read(file):
                rows = batch.to_pylist()
                added += _restore_rows(site.pk, rows)
                progress(len(rows))
        copies.skip_ids(site.pk)
        look_at_tables()
        before = site.sealed_before
        restored = Restored(added, _unseal(site, {file.month for file in files}))
        refund_origins.forget(site.pk, restored.before or date.min)
        changes: audit.Changes = {
            "facts": [0, added],
            "sealed_before": [before, restored.before],
        }
        audit.record("site.archive_restored", site, changes=changes)
        return restored

    def _ids(self, site: Site, month: date) -> dict[str, "_Ids"]:
        """Return the ids of events and refunds in the files of a month."""
        found = {kind: array("q") for kind in _KINDS}
        for file in self.of(site):
            if file.month == f"{month:%Y-%m}":
                for batch in self.read(file, columns=["kind", "id"]):
                    for kind, pk in zip(
                        batch["kind"].to_pylist(), batch["id"].to_pylist(), strict=True
                    ):
                        found[kind].append(pk)
        return {kind: _Ids(ids) for kind, ids in found.items()}

    def read(self, file: File, columns: list[str] | None = None) -> Iterator[Any]:
        """Yield the file in batches of rows. Raises Wrong if its hash differs."""
        path = self.folder / file.path
        if not path.exists():
            raise Wrong(f"{path} is missing.")
        if _sha256(path) != file.sha256:
            raise Wrong(f"{path} is not what was written: its hash differs.")
        with pq.ParquetFile(path) as opened:
            yield from opened.iter_batches(_BATCH, columns=columns)

    def _save(self) -> None:
        path = self.folder / _MANIFEST
        part = path.with_name(f"{_MANIFEST}.part")
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "files": [file._asdict() for file in self.files],
        }
        part.write_text(json.dumps(manifest, indent=1))
        part.replace(path)


# Higher than every id.
_ALL = 2**63 - 1


class _Ids:
    def __init__(self, ids: Iterable[int]) -> None:
        self._sorted = array("q", sorted(ids))

    def has(self, pk: int) -> bool:
        place = bisect_left(self._sorted, pk)
        return place < len(self._sorted) and self._sorted[place] == pk


_Fact = tuple[str, int, Row]


def _batches(rows: Iterator[Any], size: int) -> Iterator[list[Any]]:
    while batch := list(islice(rows, size)):
        yield batch


def _table(site_id: int, batch: list[_Fact]) -> Any:
    ids = {row.name_id for _, _, row in batch}
    ids |= {
        pk
        for _, _, row in batch
        for pk in (row.page_id, row.entry_id)
        if pk is not None
    }
    names = copies.texts_of_names(site_id, ids)
    ids = {row.context_id for _, _, row in batch}
    ids |= {
        pk for _, _, row in batch for pk in _arrivals(row).values() if pk is not None
    }
    contexts = copies.labels_of(site_id, ids)
    return pa.Table.from_pylist(
        [
            {
                "kind": kind,
                "id": pk,
                "day": row.day,
                "at": row.at,
                "type": names[row.name_id][0],
                "name": names[row.name_id][1],
                "page": None if row.page_id is None else names[row.page_id][1],
                "visitor": row.visitor,
                "amount": row.amount,
                "currency": row.currency,
                "props": None
                if row.props is None
                else msgspec.json.encode(row.props).decode(),
                "event_id": row.event_id,
                "refund_of": row.refund_of,
                **contexts[row.context_id]._asdict(),
                **{
                    source: None if pk is None else contexts[pk]._asdict()
                    for source, pk in _arrivals(row).items()
                },
                "entry_path": None if row.entry_id is None else names[row.entry_id][1],
            }
            for kind, pk, row in batch
        ],
        schema=SCHEMA,
    )


def _arrivals(row: Row) -> dict[str, int | None]:
    contexts = (row.last_context_id, row.first_context_id)
    return dict(zip(_SOURCES, contexts, strict=True))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Restored(NamedTuple):
    """`rows`: events and refunds added. `before`: the new border; None: none."""

    rows: int
    before: date | None


def _restore_rows(site_id: int, rows: list[dict[str, Any]]) -> int:
    """Add missing rows; return how many were added. Raises Wrong."""
    facts_of = _facts_of(site_id, rows)
    added = 0
    with transaction.atomic():
        lock_sites([site_id])
        for kind, facts in _KINDS.items():
            own = facts_of[kind]
            there = copies.ids_there(facts, site_id, [(row.day, pk) for pk, row in own])
            missing = [(pk, row) for pk, row in own if pk not in there]
            try:
                copies.store_with_ids(facts, site_id, missing)
            except IntegrityError:
                raise Wrong(
                    "Other events have ids of the archive: it was not made from this"
                    " database, or an event with the same `id` came since."
                ) from None
            added += len(missing)
    return added


def _facts_of(
    site_id: int, rows: list[dict[str, Any]]
) -> dict[str, list[tuple[int, Row]]]:
    """Return the archived rows by kind, with ids of names and labels."""
    keys = [(row["type"], row["name"]) for row in rows]
    keys += [
        ("pageview", path)
        for row in rows
        for path in (row["page"], row.get("entry_path"))
        if path is not None
    ]
    names = dict(zip(keys, copies.ids_of_names(site_id, keys), strict=True))
    pages = {path: pk for (type, path), pk in names.items() if type == "pageview"}
    labels = [_labels(row) for row in rows]
    labels += [_labels(row[s]) for row in rows for s in _SOURCES if row.get(s)]
    contexts = dict(zip(labels, copies.ids_of_contexts(site_id, labels), strict=True))

    def arrival(row: dict[str, Any], source: str) -> int | None:
        return contexts[_labels(row[source])] if row.get(source) else None

    facts_of: dict[str, list[tuple[int, Row]]] = {kind: [] for kind in _KINDS}
    for row in rows:
        props = row["props"]
        fact = Row(
            day=row["day"],
            at=row["at"],
            name_id=names[row["type"], row["name"]],
            visitor=row["visitor"],
            context_id=contexts[_labels(row)],
            page_id=pages.get(row["page"]),
            amount=row["amount"],
            currency=row["currency"],
            props=None if props is None else msgspec.json.decode(props),
            event_id=row["event_id"],
            refund_of=row["refund_of"],
            last_context_id=arrival(row, "last_arrival"),
            first_context_id=arrival(row, "first_arrival"),
            entry_id=pages.get(row.get("entry_path")),
        )
        facts_of[row["kind"]].append((row["id"], fact))
    return facts_of


def _labels(row: dict[str, Any]) -> Labels:
    return Labels(*(row[label] for label in Labels._fields))


def _unseal(site: Site, archived: set[str]) -> date | None:
    rows = SiteMonth.objects.filter(site_id=site.pk)
    # Before the locks: nothing is stored in sealed days meanwhile.
    lacking = {
        row.month
        for row in rows
        if (days := _traffic(row))
        and (f"{row.month:%Y-%m}" not in archived or not _are_there(site.pk, days))
    }
    with transaction.atomic():
        lock_sites([site.pk])
        seals.lock(site.pk)
        border = seals.border(site.pk)
        if border is None:
            return None
        first = month_of(border.first)
        before = border.before
        while before > first:
            month = _previous(before)
            if month in lacking:
                break
            before = month
        sealed_before = before if before > first else None
        if sealed_before is None:
            seals.remove(site.pk)
        else:
            seals.move(site.pk, first=border.first, before=sealed_before)
        Site.objects.filter(pk=site.pk).update(sealed_before=sealed_before)
    site.sealed_before = sealed_before
    return sealed_before


def _traffic(row: SiteMonth) -> dict[date, list[int]]:
    """Return the stored numbers of the days of a sealed month that had events."""
    return {
        row.month.replace(day=number): numbers
        for number, (_, *numbers) in months.all_days(bytes(row.days)).items()
        if any(numbers)
    }


def _are_there(site_id: int, stored: dict[date, list[int]]) -> bool:
    """Whether the events of these days have the stored numbers.

    They do not if an interrupted prune without the archive had deleted some of them.
    """
    found = traffic_by_day(Selection(site_id, min(stored), max(stored)))
    return all(
        day in found and numbers == as_stored(found[day], numbers)
        for day, numbers in stored.items()
    )


def _previous(month: date) -> date:
    return month_of(date.fromordinal(month.toordinal() - 1))
