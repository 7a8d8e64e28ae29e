"""Labels that are counted together, by pairs of values. Pure.

A joint label is named `country,referrer`; its value joins the values of its parts.
"""

from collections.abc import Callable, Iterable, Sequence

from analytics.events.contexts import Contexts
from analytics.questions.filters import LABELS
from analytics.questions.labels import Where

# Labels counted together at most: more would have nearly as many values as events.
_MOST = 2
# No text in the database contains it.
_BETWEEN = "\0"


def joint(labels: Iterable[str]) -> str | None:
    """The label, single or joint, that covers these; None if none is stored."""
    wanted = set(labels)
    if not wanted <= set(LABELS) or not 0 < len(wanted) <= _MOST:
        return None
    return ",".join(label for label in LABELS if label in wanted)


def labels_of(label: str) -> list[str]:
    return label.split(",")


def joined(values: Iterable[str]) -> str:
    return _BETWEEN.join(values)


def passer(label: str, wheres: Sequence[Where]) -> Callable[[str], bool]:
    """A test whether a value of a label that covers all filters passes them."""
    places = [labels_of(label).index(where.label) for where in wheres]
    passers = list(zip(places, map(Contexts.passer, wheres), strict=True))

    def passes(value: str) -> bool:
        parts = value.split(_BETWEEN)
        return all(passes(parts[place]) for place, passes in passers)

    return passes


def shower(label: str, part: str) -> Callable[[str], str]:
    """A function from a value of a joint label to the value of one part."""
    place = labels_of(label).index(part)
    return lambda value: value.split(_BETWEEN)[place]
