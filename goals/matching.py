"""Whether the rule of a goal matches an event. Pure.

This is the only implementation of matching. Regular expressions use RE2, whose
matching time is linear in the input; Python's `re` needs exponential time for
patterns such as `(a+)+$`.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import compress
from typing import NamedTuple

import re2

# Goal types and the event types that they count.
EVENT_TYPES = {"pageview": "pageview", "event": "event", "custom": "goal"}

# The memory limit of one compiled pattern of a goal. It bounds the work for each
# character of a name too: a pattern compiles to at most 2,048 instructions, and
# the costliest takes some 15 ms for a name of 1,024 characters.
MAX_MEMORY = 1 << 17
# Goals stored before that bound existed may have larger ones.
_MAX_STORED_MEMORY = 1 << 20
# The memory limit of the automaton of one set of rules, and the rules per set.
_SET_MEMORY = 1 << 22
_SET_RULES = 64
# Up to this many comparisons, matching one by one is faster than compiling a set.
_FEW = 200


class PatternError(ValueError):
    """A pattern that RE2 rejects, with the reason that RE2 gives."""


def exact_names(rules: Iterable["Rule"]) -> set[tuple[str, str]]:
    """Return the (event type, name) pairs that the exact rules count."""
    return {
        (rule.event_type, rule.match_value)
        for rule in rules
        if rule.match_type == "exact"
    }


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
        """Return a predicate over names of events of the rule's type. Raises
        PatternError.
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

    @property
    def pattern(self) -> str:
        """Return the rule as a pattern to search for."""
        match self.match_type:
            case "exact":
                return rf"\A{re2.escape(self.match_value)}\z"
            case "contains":
                return str(re2.escape(self.match_value))
        return self.match_value

    def explain(self, event_type: str, name: str) -> tuple[bool, str]:
        """Return whether an event matches, and a sentence with the reason. Raises
        PatternError.
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


class RuleSet:
    """Rules of one event type, all matched against a name in one pass."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._parts = [
            _RulesOfOneSet(rules[start : start + _SET_RULES])
            for start in range(0, len(rules), _SET_RULES)
        ]

    def flags(self, name: str) -> bytes:
        """Return a byte for each rule, 0 if it does not match the name."""
        return b"".join([part.flags(name) for part in self._parts])


class _RulesOfOneSet:
    def __init__(self, rules: Sequence[Rule]) -> None:
        self._matchers = [rule.matcher() for rule in rules]
        self._set = _compiled_set(rules)
        # The first of a set matches everything, see `_compiled_set`.
        self._all = bytes(range(1, len(rules) + 1))

    def flags(self, name: str) -> bytes:
        positions = self._set.Match(name) if self._set is not None else []
        if not positions:
            return bytes(matches(name) for matches in self._matchers)
        # Without a loop, which would take longer than the matching.
        absent = self._all.translate(None, bytes(positions))
        return self._all.translate(bytes.maketrans(absent, bytes(len(absent))))


def matching_rules(
    rules: Sequence[Rule],
    names: Sequence[str],
    compile: Callable[[Sequence[Rule]], RuleSet] = RuleSet,
) -> Iterator[tuple[int, list[int]]]:
    """Return the positions of the matching names, by the position of the rule.

    All rules have the same event type. `compile` may return a set that was used before.
    """
    is_plain = all(rule.match_type != "regex" for rule in rules) and len(rules) <= 8
    if is_plain or len(rules) * len(names) <= _FEW:
        for position, rule in enumerate(rules):
            matches = rule.matcher()
            yield position, [n for n, name in enumerate(names) if matches(name)]
        return
    together = compile(tuple(rules))
    rows = [together.flags(name) for name in names]
    for position, flags in enumerate(zip(*rows, strict=True)):
        yield position, list(compress(range(len(names)), flags))


def check_pattern(pattern: str) -> None:
    """Raise PatternError for a pattern that RE2 refuses or that takes too long."""
    _compile(pattern, MAX_MEMORY)


@lru_cache(maxsize=512)
def compile_pattern(pattern: str) -> "re2._Regexp[str]":
    """Raises PatternError."""
    try:
        return _compile(pattern, MAX_MEMORY)
    except PatternError:
        return _compile(pattern, _MAX_STORED_MEMORY)


def _compile(pattern: str, max_memory: int) -> "re2._Regexp[str]":
    try:
        return re2.compile(pattern, _options(max_memory))
    except re2.error as error:
        (reason,) = error.args
        text = reason.decode() if isinstance(reason, bytes) else str(reason)
        raise PatternError(text) from None


def _options(max_memory: int) -> re2.Options:
    options = re2.Options()
    options.max_mem = max_memory
    options.log_errors = False
    return options


def _compiled_set(rules: Sequence[Rule]) -> "re2.Set | None":
    """Return a set of these rules, preceded by one that matches everything.

    None if it is too large. A set that runs out of memory reports no matches; the first
    rule distinguishes this from a set without matches.
    """
    together = re2.Set.SearchSet(_options(_SET_MEMORY))
    together.Add("")
    for rule in rules:
        together.Add(rule.pattern)
    try:
        together.Compile()
    except re2.error:
        return None
    return together
