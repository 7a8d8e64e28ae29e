"""Whether the rule of a goal matches an event. Pure.

This is the only implementation of matching. Regular expressions use RE2, whose
matching time is linear in the input; Python's `re` needs exponential time for
patterns such as `(a+)+$`.
"""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import re2

# Goal types and the event types that they count.
EVENT_TYPES = {"pageview": "pageview", "event": "event", "custom": "goal"}

# What one compiled pattern may take. It bounds the work for each character too:
# the costliest pattern takes 0.15 s for a name of 1,024 characters, and would take
# 1.5 s with the 8 MiB that RE2 allows by itself.
_MAX_MEMORY = 1 << 20


class PatternError(ValueError):
    """A pattern that RE2 rejects, with the reason that RE2 gives."""


class Rule(NamedTuple):
    """The fields of a goal that decide which events it counts."""

    type: str
    match_type: str
    match_value: str

    @property
    def event_type(self) -> str:
        return EVENT_TYPES[self.type]

    @property
    def digest(self) -> bytes:
        """A digest of 16 bytes that identifies the rule."""
        text = "\0".join(self)
        return hashlib.blake2b(text.encode(), digest_size=16).digest()

    def matches(self, event_type: str, name: str) -> bool:
        return event_type == self.event_type and self.matcher()(name)

    def matcher(self) -> Callable[[str], bool]:
        """A predicate over names of events of the type that the rule counts.

        Raises PatternError.
        """
        value = self.match_value
        match self.match_type:
            case "exact":
                return value.__eq__
            case "contains":
                return lambda name: value in name
            case "regex":
                search = compile_pattern(value).search
                return lambda name: search(name) is not None
        raise ValueError(f"no such match type: {self.match_type}")

    def explain(self, event_type: str, name: str) -> tuple[bool, str]:
        """Whether an event matches, and a sentence that says why or why not.

        Raises PatternError.
        """
        if event_type != self.event_type:
            differs = f"a {self.type} goal counts no {event_type} events"
            return False, f"type differs: {differs}"
        matches = self.matcher()(name)
        return matches, f"{self.match_type}: {self._reason(name, matches)}"

    def _reason(self, name: str, matches: bool) -> str:
        value = self.match_value
        match self.match_type, matches:
            case "exact", True:
                return f"is '{value}'"
            case "exact", False:
                return f"'{name}' is not '{value}'"
            case "contains", True:
                return f"'{value}' found at {name.index(value)}"
            case "contains", False:
                return f"'{value}' not found in '{name}'"
            case _, True:
                found = compile_pattern(value).search(name)
                return f"matched '{found.group()}' at {found.start()}"
        return f"'{value}' matches nothing in '{name}'"


@lru_cache(maxsize=512)
def compile_pattern(pattern: str) -> "re2._Regexp[str]":
    """Raises PatternError."""
    options = re2.Options()
    options.max_mem = _MAX_MEMORY
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        (reason,) = error.args
        text = reason.decode() if isinstance(reason, bytes) else str(reason)
        raise PatternError(text) from None
