"""One imported site of a stream, hidden until it is complete."""

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import msgspec
from django.db import IntegrityError, models, transaction
from django.utils import timezone

from analytics.access import audit
from analytics.events import copies, months, seals
from analytics.events.copies import Places, Row
from analytics.events.writing import lock_sites
from analytics.ingest import site_lookup
from analytics.lifecycle import parts
from analytics.lifecycle.parts import Refused, Values
from analytics.models import (
    Context,
    EventName,
    Import,
    ImportedSite,
    KeptMonth,
    LateDay,
    NameDay,
    Site,
    new_site_key,
)
from analytics.questions.labels import Labels
from analytics.sites.changes import lacks_room
from analytics.sites.serializers import SiteSerializer, SiteSettingsSerializer
from krafter import names
from krafter.errors import Unavailable

_KEY = re.compile(r"sk_[a-z0-9]{12}")
# Fields from the other installation; the others are set here.
_SETTINGS = {
    *("uuid", "site_key", "domain", "name", "public_stats", "created_at"),
    *SiteSettingsSerializer.Meta.fields,
}
# Higher than every id.
_ALL = 2**63 - 1


class _First(msgspec.Struct):
    """The first line of a site."""

    settings: Values
    versions: list[tuple[date, int]]
    sealed: tuple[date, date] | None


class _Name(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    type: str
    name: str


class _NameDay(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    day: date
    name: int
    events: int
    visitors: int


class _Fact(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """Names and contexts are positions in the order of the stream."""

    day: date
    at: datetime
    name: int
    visitor: int
    context: int
    page: int | None
    amount: int | None
    currency: str | None
    props: dict[str, Any] | None
    event_id: str | None
    refund_of: str | None = None
    last_context: int | None = None
    first_context: int | None = None
    entry: int | None = None


class SiteLoader:
    """Stores the lines of one site."""

    def __init__(self, source: Import, key: str, told: dict[str, int]) -> None:
        """`told`: how many events and refunds came in earlier pages. Raises Refused."""
        found = source.sites.select_related("site").filter(key=key).first()
        if found is None:
            raise Refused(f"{key} was erased in the meantime. Start again with page 0.")
        self._imported = found
        self._skipped = {
            "event": found.events - told.get("event", 0),
            "refund": found.refunds - told.get("refund", 0),
        }
        self._names: Places | None = None
        self._contexts: Places | None = None

    @classmethod
    def begin(cls, source: Import, value: Any) -> "SiteLoader":
        """Create the site of this line, unless it exists."""
        first = msgspec.convert(value, _First)
        key = str(first.settings["site_key"])
        if not source.sites.filter(key=key).exists():
            with transaction.atomic():
                source.sites.create(key=key, site=_made(source, first))
        return cls(source, key, {})

    def take(self, kind: str, values: list[Any]) -> None:
        """Store lines of one kind. Raises Refused for an unknown kind."""
        if self._imported.finished_at is not None:
            return
        match kind:
            case "name":
                names = msgspec.convert(values, list[_Name])
                wanted = [(each.type, each.name) for each in names]
                copies.ids_of_names(self._site_id, wanted)
                self._names = None
            case "context":
                labels = [Labels(**_texts(each)) for each in values]
                copies.ids_of_contexts(self._site_id, labels)
                self._contexts = None
            case "name_day":
                self._take_name_days(msgspec.convert(values, list[_NameDay]))
            case "row":
                self._take_rows(values)
            case "event" | "refund":
                self._take_facts(kind, values)
            case _:
                self._take_part(kind, values)

    @property
    def _site_id(self) -> int:
        return self._imported.site_id

    def _take_part(self, kind: str, values: list[Any]) -> None:
        part = next((part for part in parts.of_sites if part.kind == kind), None)
        if part is None:
            raise Refused(
                "The export was made by another version: it has lines of the unknown"
                f" kind {kind!r}."
            )
        with transaction.atomic():
            part.load(self._imported.site, values)

    def _take_name_days(self, days: list[_NameDay]) -> None:
        NameDay.objects.bulk_create(
            (
                NameDay(
                    site_id=self._site_id,
                    day=each.day,
                    name_id=self._name(each.name),
                    events=each.events,
                    visitors=each.visitors,
                )
                for each in days
            ),
            ignore_conflicts=True,
        )

    def _take_rows(self, values: list[Any]) -> None:
        by_model: dict[str, list[Values]] = {}
        for label, row in values:
            by_model.setdefault(label, []).append(row)
        for label, rows in by_model.items():
            model = _model(label)
            made = [_row(model, self._site_id, row) for row in rows]
            model._default_manager.bulk_create(made, ignore_conflicts=True)

    def _take_facts(self, kind: str, values: list[Any]) -> None:
        store: Callable[[int, list[Row]], None] = (
            copies.store_events if kind == "event" else copies.store_refunds
        )
        known = min(len(values), self._skipped[kind])
        self._skipped[kind] -= known
        facts = msgspec.convert(values[known:], list[_Fact])
        if not facts:
            return
        rows = [self._fact(fact) for fact in facts]
        field = f"{kind}s"
        number = getattr(self._imported, field)
        with transaction.atomic():
            lock_sites([self._site_id])
            own = ImportedSite.objects.filter(pk=self._imported.pk, **{field: number})
            if not own.update(**{field: number + len(rows)}):
                raise Unavailable("Another request is importing this page; retry")
            store(self._site_id, rows)
        setattr(self._imported, field, number + len(rows))

    def _fact(self, fact: _Fact) -> Row:
        return Row(
            fact.day,
            fact.at,
            self._name(fact.name),
            fact.visitor,
            self._context(fact.context),
            self._name_or_none(fact.page),
            *(fact.amount, fact.currency, fact.props),
            *(fact.event_id, fact.refund_of),
            self._context_or_none(fact.last_context),
            self._context_or_none(fact.first_context),
            self._name_or_none(fact.entry),
        )

    def _name_or_none(self, place: int | None) -> int | None:
        return None if place is None else self._name(place)

    def _context_or_none(self, place: int | None) -> int | None:
        return None if place is None else self._context(place)

    def _name(self, place: int) -> int:
        if self._names is None:
            self._names = Places(EventName, self._site_id, last=_ALL)
        return self._names.at(place)

    def _context(self, place: int) -> int:
        if self._contexts is None:
            self._contexts = Places(Context, self._site_id, last=_ALL)
        return self._contexts.at(place)

    def finish(self) -> None:
        """Make the site visible.

        Raises Refused if the team has a site with the same domain, or no room for
        another.
        """
        done = self._imported
        if done.finished_at is not None:
            return
        done.finished_at, done.site.deleted_at = timezone.now(), None
        try:
            with transaction.atomic():
                if refusal := lacks_room(done.site.team):
                    raise Refused(f"{refusal} Delete one, then import again.")
                done.site.save(update_fields=["deleted_at"])
                done.save(update_fields=["finished_at"])
                changes = audit.made({"events": done.events, "refunds": done.refunds})
                audit.record("site.imported", done.site, changes=changes)
        except IntegrityError:
            raise Refused(
                f"The team has a site with the domain {done.site.domain}. Delete or"
                " rename it, then import again."
            ) from None
        site_lookup.forget()


def _made(source: Import, first: _First) -> Site:
    told = {name: first.settings[name] for name in first.settings.keys() & _SETTINGS}
    known = told.keys() & set(SiteSettingsSerializer.Meta.fields)
    checked = SiteSettingsSerializer(data={n: told[n] for n in known}, partial=True)
    checked.is_valid(raise_exception=True)
    values = parts.from_json(Site, told)
    values["name"] = names.as_name(values["name"])
    SiteSerializer().fields["domain"].run_validators(values["domain"])
    key = values["site_key"]
    if not _KEY.fullmatch(key):
        raise Refused(f"{key!r} is not a site key.")
    if source.new_keys and Site.objects.filter(site_key=key).exists():
        values["site_key"] = new_site_key()
    if Site.objects.filter(uuid=values["uuid"]).exists():
        del values["uuid"]
    if first.sealed is not None:
        _, values["sealed_before"] = first.sealed
    # Marked as deleted until it is complete: it is neither shown nor counted.
    site = Site.objects.create(team=source.team, deleted_at=timezone.now(), **values)
    if first.sealed is not None:
        seals.move(site.pk, first=first.sealed[0], before=first.sealed[1])
    LateDay.objects.bulk_create(
        LateDay(site_id=site.pk, day=day, version=version)
        for day, version in first.versions
    )
    return site


def _texts(values: Any) -> dict[str, str]:
    return msgspec.convert(values, dict[str, str])


def _model(label: str) -> Any:
    known = {model._meta.label_lower: model for model in parts.derived()}
    if label not in known:
        raise Refused(
            f"The export was made by another version: there is no table {label}."
        )
    return known[label]


def _row(model: type[models.Model], site_id: int, values: Values) -> models.Model:
    if not values.keys().isdisjoint({"id", "site_id"}):
        raise Refused("A row of stored counts has an id.")
    row = model(site_id=site_id, **parts.from_json(model, values))
    if isinstance(row, KeptMonth):
        months.all_days(bytes(row.days))
    return row
