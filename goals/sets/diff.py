"""The difference between the goals of a site and a list of goals. Pure.

Goals are identified by name, so a renamed goal is a deletion and a creation.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

_Id = TypeVar("_Id", bound=Hashable)


class Definition(NamedTuple):
    """The editable fields of a goal."""

    name: str
    type: str
    match_type: str
    match_value: str
    currency: str | None = None


class Plan(NamedTuple, Generic[_Id]):
    """Lists in the order of the goals from which they were created."""

    create: list[Definition]
    change: list[tuple[_Id, Definition]]
    delete: list[_Id]
    keep: list[_Id]


def plan(
    present: Mapping[_Id, Definition],
    wanted: Sequence[Definition],
    *,
    delete_missing: bool,
) -> Plan[_Id]:
    """Names must be unique in `present` and in `wanted`."""
    ids = {definition.name: id for id, definition in present.items()}
    by_name = {definition.name: definition for definition in wanted}
    known = [(ids[new.name], new) for new in wanted if new.name in ids]
    missing = [id for id, old in present.items() if old.name not in by_name]
    kept = {id for id, new in known if present[id] == new}
    return Plan(
        create=[new for new in wanted if new.name not in ids],
        change=[(id, new) for id, new in known if id not in kept],
        delete=missing if delete_missing else [],
        keep=[
            id for id in present if id in kept or (id in missing and not delete_missing)
        ],
    )


def repeated(names: Iterable[str]) -> list[str]:
    """Return the names that occur more than once."""
    return [name for name, times in Counter(names).items() if times > 1]
