"""The contexts of a site: values of their labels, and those that pass filters.

Labels are compared in the few distinct contexts, never in events. Contexts are only
added, with ascending ids, so a process can cache those it has read.
"""

import threading
from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Sequence
from sys import getsizeof
from typing import Any, NamedTuple

from django.db import connection

from analytics.models import Context
from analytics.questions.labels import ENTRY_PATH, OWN, Labels, Where
from analytics.recent import Recent
from analytics.sources import DIRECT as NO_SOURCE
from analytics.sources import Rules, Source

# Not the id of a context: the source of a visitor without an arrival.
DIRECT = 0
# The memory for all sites together, and the size of a context without its texts.
_MAX_BYTES = 60_000_000
_CONTEXT_BYTES = 100
# The size of a distinct text's entries in dictionaries, without the text.
_TEXT_BYTES = 300
# Rows that are in memory at once: a site may have 100,000 contexts.
_CHUNK = 10_000
# With the kind of the campaign, all that a channel depends on.
_DECISIVE = ("referrer", "utm_source", "utm_medium", "click_id")


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


_DIRECT = Named(*NO_SOURCE, *[""] * len(OWN))


class _Texts(dict[str, int]):
    """The distinct texts of a site by number, in the order they were seen. 0: `""`."""

    def __init__(self) -> None:
        super().__init__({"": 0})
        self.list = [""]
        # The number of each text without case.
        self.folded = array("I", [0])
        self.size = 0

    def __missing__(self, text: str) -> int:
        number = self[text] = len(self.list)
        self.list.append(text)
        self.folded.append(number)
        self.size += _TEXT_BYTES + getsizeof(text)
        if (folded := text.casefold()) != text:
            self.folded[number] = self[folded]
        return number


class _Named:
    """The cached contexts of a site, by number of their texts, under some settings.

    `sources` are what the settings make of `labels`, by field of `Source`. They may be
    of fewer contexts than `labels`, whose end other queries extend.
    """

    def __init__(
        self, ids: "array[int]", texts: _Texts, labels: "dict[str, array[int]]"
    ) -> None:
        self.ids, self.texts, self.labels = ids, texts, labels
        self.sources = {field: array("I") for field in Source._fields}
        # The labels that some context does not have.
        self.lacking: set[str] = set()
        # The referrers, and whether each is from outside the site.
        self.outside: dict[int, bool] = {}
        # By number of a text without case: the spelling that was seen first.
        self._spellings: dict[str, dict[int, int]] = {each: {} for each in self.sources}

    def __len__(self) -> int:
        *_, last = self.sources.values()
        return len(last)

    def column(self, label: str) -> "array[int]":
        return self.labels[label] if label in OWN else self.sources[label]

    def position(self, pk: int) -> int | None:
        """The place of a context in the columns."""
        place = bisect_left(self.ids, pk, hi=len(self))
        return place if place < len(self) and self.ids[place] == pk else None

    def extend(self, rules: Rules) -> None:
        """Name the contexts that were added."""
        start, end = len(self), len(self.ids)
        new = {field: column[start:end] for field, column in self.labels.items()}
        for number in set(new["referrer"]) - self.outside.keys():
            self.outside[number] = rules.outside(self.texts.list[number])
        new["referrer"], new["channel"] = self._channels(new, rules)
        for field, spellings in self._spellings.items():
            fold = self.texts.folded
            spelled = (spellings.setdefault(fold[n], n) for n in new[field])
            new[field] = array("I", spelled)
        self.lacking.update(label for label in Named._fields if 0 in new[label])
        # Last, since other threads read them.
        for field, column in self.sources.items():
            column.extend(new[field])

    def _channels(
        self, new: "dict[str, array[int]]", rules: Rules
    ) -> "tuple[array[int], array[int]]":
        """The names of referrers, and the channels.

        There may be as many campaigns as contexts, but few kinds of them.
        """
        texts = self.texts.list
        campaigns = new["utm_campaign"]
        kinds = {n: rules.campaign_kind(texts[n]) for n in set(campaigns)}
        found: dict[tuple[Any, ...], tuple[int, int]] = {}
        referrers, channels = array("I"), array("I")
        for place, (campaign, *others) in enumerate(
            zip(campaigns, *(new[field] for field in _DECISIVE), strict=True)
        ):
            key = kinds[campaign], *others
            if key not in found:
                own = Labels(*(texts[new[field][place]] for field in Labels._fields))
                source = rules.source(own)
                found[key] = self.texts[source.referrer], self.texts[source.channel]
            referrer, channel = found[key]
            referrers.append(referrer)
            channels.append(channel)
        return referrers, channels


class _Read:
    """The cached contexts of a site.

    They are named by the site's source settings of the latest query. Other settings
    create new columns, so that queries that use the old ones are not affected.
    """

    def __init__(self) -> None:
        self.last = 0
        self._lock = threading.Lock()
        labels = {field: array("I") for field in Labels._fields}
        self._named = _Named(array("q"), _Texts(), labels)
        self._digest = b""

    def __len__(self) -> int:
        """Its size in bytes."""
        return self._named.texts.size + _CONTEXT_BYTES * len(self._named.ids)

    def add(self, rows: Sequence[tuple[Any, ...]], rules: Rules) -> _Named:
        """Add all rows with higher ids, in the order of their ids."""
        with self._lock:
            known = self._named
            # Another thread may have read some meanwhile.
            if new := [row for row in rows if row[0] > self.last]:
                pks, *columns = zip(*new, strict=True)
                added = [array("I", map(known.texts.__getitem__, of)) for of in columns]
                for label, column in zip(known.labels.values(), added, strict=True):
                    label.extend(column)
                known.ids.extend(pks)
                self.last = pks[-1]
            if self._digest != rules.digest:
                self._named = _Named(known.ids, known.texts, known.labels)
                self._digest = rules.digest
            self._named.extend(rules)
            return self._named


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
            while len(rows := cursor.fetchmany(_CHUNK)) == _CHUNK:
                read.add(rows, rules)
        self._named = read.add(rows, rules)
        _read.settle([site_id])

    def value(self, label: str, pk: int) -> str:
        """The displayed value of a label of a context."""
        if pk == DIRECT:
            value: str = getattr(_DIRECT, label)
            return value
        place = self._place(pk)
        return self._named.texts.list[self._named.column(label)[place]]

    def click_id(self, pk: int) -> str:
        if pk == DIRECT:
            return ""
        place = self._place(pk)
        return self._named.texts.list[self._named.labels["click_id"][place]]

    def _place(self, pk: int) -> int:
        place = self._named.position(pk)
        if place is None:
            # It was added with an event after the contexts were read.
            self._named = Contexts(self.site_id, self.rules)._named
            place = self._named.position(pk)
        if place is None:
            raise KeyError(pk)
        return place

    def lacks(self, label: str) -> bool:
        """Whether some context of the site lacks the label."""
        return label in self._named.lacking

    def passing(self, where: Collection[Where]) -> list[int]:
        """The contexts that pass all of the filters."""
        ids, texts = self._named.ids, self._named.texts.list
        places: Sequence[int] = range(len(self._named))
        passes_direct = True
        for each in where:
            passes = self.passer(each)
            passes_direct = passes_direct and passes(getattr(_DIRECT, each.label))
            column = self._named.column(each.label)
            # There are few distinct values, and each is compared once.
            passing = {number for number in set(column) if passes(texts[number])}
            places = [place for place in places if column[place] in passing]
        return [*[DIRECT][:passes_direct], *(ids[place] for place in places)]

    @staticmethod
    def passer(where: Where) -> Callable[[str], bool]:
        """Whether a value passes a filter by its label."""
        fold = _folded(where.label)
        wanted = where.folded(fold)
        return lambda value: wanted.passes(fold(value))

    def inside(self) -> list[str]:
        """The site's own and excluded referrers among its contexts."""
        outside, texts = dict(self._named.outside), self._named.texts.list
        return sorted(texts[n] for n, is_outside in outside.items() if not is_outside)


def _folded(label: str) -> Callable[[str], str]:
    return str if label in (*OWN, ENTRY_PATH) else str.casefold


def forget() -> None:
    """Clear the cache of this process."""
    _read.forget()
