"""The contexts of a site: values of their labels, and those that pass filters.

Labels are compared in the few distinct contexts, never in events. Contexts are only
added, with ascending ids, so a process can cache those it has read.
"""

import threading
from collections.abc import Callable, Collection, Iterable
from itertools import islice
from sys import getsizeof
from typing import Any, NamedTuple

from django.db import connection

from analytics.models import Context
from analytics.questions.labels import ENTRY_PATH, OWN, Labels, Where
from analytics.recent import Recent
from analytics.sources import DIRECT as NO_SOURCE
from analytics.sources import Rules

# Not the id of a context: the source of a visitor without an arrival.
DIRECT = 0
# The memory for all sites together, and the size of a context without its texts.
_MAX_BYTES = 60_000_000
_CONTEXT_BYTES = 600
# The size of a distinct text's entries in dictionaries, without the text.
_TEXT_BYTES = 400


class Named(NamedTuple):
    """The displayed values of the labels of a context, `""` for none."""

    referrer: str
    channel: str
    utm_source: str
    utm_medium: str
    utm_campaign: str
    utm_term: str
    utm_content: str
    country: str
    device: str
    browser: str
    os: str


# Compared and grouped without case, in the spelling that was seen first.
_WITHOUT_CASE = tuple(n for n, field in enumerate(Named._fields) if field not in OWN)
_DIRECT = Named(*NO_SOURCE, *[""] * len(OWN))


class _Known(NamedTuple):
    """The cached contexts of a site by their ids, ascending, and their names."""

    labels: dict[int, Labels]
    named: dict[int, Named]
    # The labels that some context does not have.
    lacking: set[str]
    # The referrers, and whether each is from outside the site.
    outside: dict[str, bool]


class _Read:
    """The cached contexts of a site.

    They are named by the site's source settings of the latest query. Other settings
    create new dictionaries, so that queries that use the old ones are not affected.
    """

    def __init__(self) -> None:
        self.last = 0
        self.size = 0
        self._lock = threading.Lock()
        self._known = _Known({}, {}, set(), {})
        self._digest = b""
        self._texts: dict[str, str] = {}
        self._spellings: dict[tuple[int, str], str] = {}

    def __len__(self) -> int:
        """Its size in bytes."""
        return self.size

    def add(self, rows: Iterable[tuple[Any, ...]], rules: Rules) -> _Known:
        """Add all rows with higher ids, in the order of their ids."""
        with self._lock:
            for pk, *texts in rows:
                # Another thread may have read it meanwhile.
                if pk > self.last:
                    self._known.labels[pk] = Labels(*map(self._shared, texts))
                    self.last = pk
                    self.size += _CONTEXT_BYTES
            if self._digest != rules.digest:
                self._known = _Known(self._known.labels, {}, set(), {})
                self._spellings, self._digest = {}, rules.digest
            labels, all_named, lacking, outside = self._known
            for pk, of_context in islice(labels.items(), len(all_named), None):
                all_named[pk] = named = self._name(of_context, rules)
                referrer = of_context.referrer
                if referrer not in outside:
                    outside[referrer] = rules.outside(referrer)
                lacking.update(
                    label
                    for label, text in zip(Named._fields, named, strict=True)
                    if not text
                )
            return self._known

    def _name(self, labels: Labels, rules: Rules) -> Named:
        texts = [*rules.source(labels), *(getattr(labels, label) for label in OWN)]
        for place in _WITHOUT_CASE:
            key = place, self._shared(texts[place].casefold())
            texts[place] = self._spellings.setdefault(key, texts[place])
        return Named(*map(self._shared, texts))

    def _shared(self, text: str) -> str:
        """The same text, once for all contexts."""
        if text not in self._texts:
            self._texts[text] = text
            self.size += _TEXT_BYTES + getsizeof(text)
        return self._texts[text]


_AFTER_SQL = (
    f"SELECT id, {', '.join(Labels._fields)} FROM {Context._meta.db_table}"  # noqa: S608 - constants
    " WHERE site_id = %s AND id > %s ORDER BY id"
)
_read: Recent[int, _Read] = Recent(_MAX_BYTES, lambda site_id: _Read())


class Contexts:
    """All contexts of a site by their numbers, and DIRECT, which has no labels."""

    def __init__(self, site_id: int, rules: Rules) -> None:
        self.site_id, self.rules = site_id, rules
        read = _read.recall([site_id])[site_id]
        with connection.cursor() as cursor:
            # Django would take longer to compile the statement than it runs.
            cursor.execute(_AFTER_SQL, [site_id, read.last])
            rows = cursor.fetchall()
        self._known = read.add(rows, rules)
        _read.settle([site_id])

    def named(self, pk: int) -> Named:
        """The displayed values of the labels of a context, for its site."""
        if pk == DIRECT:
            return _DIRECT
        if pk not in self._known.named:
            # It was added with an event after the contexts were read.
            self._known = Contexts(self.site_id, self.rules)._known
        return self._known.named[pk]

    def value(self, label: str, pk: int) -> str:
        value: str = getattr(self.named(pk), label)
        return value

    def click_id(self, pk: int) -> str:
        self.named(pk)
        return "" if pk == DIRECT else self._known.labels[pk].click_id

    def lacks(self, label: str) -> bool:
        """Whether some context of the site lacks the label."""
        return label in self._known.lacking

    def passing(self, where: Collection[Where]) -> list[int]:
        """The contexts that pass all of the filters."""
        contexts = [(DIRECT, _DIRECT), *list(self._known.named.items())]
        for each in where:
            fold, place = _folded(each.label), Named._fields.index(each.label)
            wanted = each.folded(fold)
            # There are few distinct values, and each is compared once.
            values = {named[place] for _, named in contexts}
            passing = {value for value in values if wanted.passes(fold(value))}
            contexts = [
                (pk, named) for pk, named in contexts if named[place] in passing
            ]
        return [pk for pk, _ in contexts]

    @staticmethod
    def passer(where: Where) -> Callable[[str], bool]:
        """Whether a value passes a filter by its label."""
        fold = _folded(where.label)
        wanted = where.folded(fold)
        return lambda value: wanted.passes(fold(value))

    def inside(self) -> list[str]:
        """The site's own and excluded referrers among its contexts."""
        outside = dict(self._known.outside)
        return sorted(host for host, is_outside in outside.items() if not is_outside)


def _folded(label: str) -> Callable[[str], str]:
    return str if label in (*OWN, ENTRY_PATH) else str.casefold


def forget() -> None:
    """Clear the cache of this process."""
    _read.forget()
