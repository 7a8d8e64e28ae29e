"""The time zones that a site may have: a list that is the same on every machine.

It is that of the package `tzdata`, which is pinned, and not what the machine has:
`localtime` there is the machine's own zone, and may be missing on the next one.
"""

from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

# The zone of a machine that nobody has set up.
_NO_PLACE = "Factory"


@cache
def names() -> tuple[str, ...]:
    """IANA names in alphabetical order. Each of them has data everywhere."""
    listed = files("tzdata").joinpath("zones").read_text().split()
    return tuple(sorted(set(listed) - {_NO_PLACE}))


def zone(name: str) -> ZoneInfo:
    """Raises ValueError for what is not in the list."""
    if name not in names():
        raise ValueError(f"there is no time zone {name}")
    return ZoneInfo(name)
