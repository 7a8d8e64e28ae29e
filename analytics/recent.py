"""A memory of a process with a bound: what was asked for last. Pure."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sized
from typing import Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value", bound=Sized)


class Recent(Generic[_Key, _Value]):
    """The values asked for last, as many as their lengths together allow.

    Values may grow after they were handed out; their lengths are looked at
    again each time.
    """

    def __init__(self, max_length: int, make: Callable[[_Key], _Value]) -> None:
        self.max_length = max_length
        self._make = make
        self._values: OrderedDict[_Key, _Value] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return sum(map(len, list(self._values.values())))

    def recall(self, keys: Iterable[_Key]) -> dict[_Key, _Value]:
        """The value of each key, made where there is none.

        The values asked for longest ago are dropped, never those of these keys.
        """
        with self._lock:
            found = {}
            for key in keys:
                if key not in self._values:
                    self._values[key] = self._make(key)
                self._values.move_to_end(key)
                found[key] = self._values[key]
            total = len(self)
            while total > self.max_length and len(self._values) > len(found):
                total -= len(self._values.popitem(last=False)[1])
            return found

    def forget(self) -> None:
        with self._lock:
            self._values.clear()
