"""Memories of a process with a bound: what was asked for last. Pure."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sized
from functools import lru_cache, wraps
from typing import Concatenate, Generic, ParamSpec, TypeVar, cast

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value", bound=Sized)
_Result = TypeVar("_Result")
_Options = ParamSpec("_Options")
_OfText = Callable[Concatenate[str, _Options], _Result]

# An empty value takes memory too.
_EMPTY = 64


class Recent(Generic[_Key, _Value]):
    """The values asked for last, as many as their sizes together allow.

    Values grow after they were handed out: `settle` tells that they did, and
    drops those asked for longest ago.
    """

    def __init__(
        self,
        max_length: int,
        make: Callable[[_Key], _Value],
        size: Callable[[_Value], int] = len,
    ) -> None:
        self.max_length = max_length
        self._size = size
        self.length = 0
        self._make = make
        self._values: OrderedDict[_Key, tuple[_Value, int]] = OrderedDict()
        self._lock = threading.Lock()

    def recall(self, keys: Iterable[_Key]) -> dict[_Key, _Value]:
        """The value of each key, made where there is none."""
        with self._lock:
            found = {}
            for key in keys:
                if key in self._values:
                    self._values.move_to_end(key)
                else:
                    self._values[key] = (self._make(key), _EMPTY)
                    self.length += _EMPTY
                found[key] = self._values[key][0]
            return found

    def settle(self, keys: Iterable[_Key]) -> None:
        """Measure these again, then drop the oldest values until all fit."""
        with self._lock:
            for key in keys:
                if key in self._values:
                    value, before = self._values[key]
                    size = _EMPTY + self._size(value)
                    self._values[key] = (value, size)
                    self.length += size - before
            while self.length > self.max_length:
                self.length -= self._values.popitem(last=False)[1][1]

    def forget(self) -> None:
        with self._lock:
            self._values.clear()
            self.length = 0


def remember_short(
    number: int, longest: int
) -> Callable[[_OfText[_Options, _Result]], _OfText[_Options, _Result]]:
    """`lru_cache` for functions of a text that strangers choose.

    What a text of more than `longest` characters gives is not remembered: without
    that the number of texts says nothing of their memory.
    """

    def decorate(function: _OfText[_Options, _Result]) -> _OfText[_Options, _Result]:
        remembered = lru_cache(number)(function)

        @wraps(function)
        def remembering(
            text: str, *args: _Options.args, **options: _Options.kwargs
        ) -> _Result:
            if len(text) > longest:
                return function(text, *args, **options)
            return remembered(text, *args, **options)  # type: ignore[arg-type]

        remembering.cache_info = remembered.cache_info  # type: ignore[attr-defined]
        remembering.cache_clear = remembered.cache_clear  # type: ignore[attr-defined]
        return cast(_OfText[_Options, _Result], remembering)

    return decorate
