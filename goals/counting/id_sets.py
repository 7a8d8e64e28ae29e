"""Sets of ids in as little memory as they allow. Pure."""

from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, compress, count
from typing import Any

# The bits of each byte, the lowest first.
_BITS = [bytes(byte >> place & 1 for place in range(8)) for byte in range(256)]
_ONE = ord("1")
_DIGITS = [bytes(b"01"[bit] for bit in bits) for bits in _BITS]
# With this many numbers between them for each id, bits take as much as the ids. A set
# changes to bits at half of that, so that it does not change with each id.
_SPARSE = 64


class IdSet(Collection[int]):
    """Ids that are added in ascending order: 8 bytes each, or a bit for each number
    between the first and the last if that is less.
    """

    def __init__(self) -> None:
        self._ids: array[int] | _Bits = array("q")

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[int]:
        return iter(self._ids)

    def __contains__(self, id: Any) -> bool:
        ids = self._ids
        if isinstance(ids, _Bits):
            return ids.has(id)
        position = bisect_left(ids, id)
        return position < len(ids) and bool(ids[position] == id)

    @property
    def size(self) -> int:
        """How many ids of 8 bytes take the same memory."""
        ids = self._ids
        return len(ids.bits) // 8 if isinstance(ids, _Bits) else len(ids)

    def digits(self, ids: Sequence[int]) -> bytes:
        """A digit for each of some ascending ids: 1 if it is in the set."""
        if isinstance(self._ids, _Bits):
            return self._ids.digits(ids)
        known = set(self._ids)
        return bytes(map(b"01".__getitem__, map(known.__contains__, ids)))

    def among(self, ids: Sequence[int]) -> list[int]:
        """Those of some ascending ids that are in the set."""
        return list(compress(ids, map(_ONE.__eq__, self.digits(ids))))

    def number_of(self, ids: Sequence[int]) -> int:
        """How many of some ascending ids are in the set."""
        return self.digits(ids).count(_ONE)

    def extend(self, more: Iterable[int]) -> None:
        """Add ids above all others, in ascending order."""
        new = array("q", more)
        if not new:
            return
        ids = self._ids
        is_bits = isinstance(ids, _Bits)
        limit = _SPARSE if is_bits else _SPARSE // 2
        first, number = next(iter(ids), new[0]), len(ids) + len(new)
        is_dense = new[-1] - first < limit * number
        if is_bits != is_dense:
            new = array("q", chain(ids, new))
            ids = _Bits(first) if is_dense else array("q")
        ids.extend(new)
        self._ids = ids


class _Bits:
    """A bit for each number from the first id on."""

    def __init__(self, first: int) -> None:
        self._first = first - first % 8
        self._number = 0
        self.bits = bytearray()

    def __len__(self) -> int:
        return self._number

    def __iter__(self) -> Iterator[int]:
        flags = chain.from_iterable(map(_BITS.__getitem__, self.bits))
        return compress(count(self._first), flags)

    def has(self, id: int) -> bool:
        byte, place = divmod(id - self._first, 8)
        return 0 <= byte < len(self.bits) and bool(self.bits[byte] >> place & 1)

    def digits(self, ids: Sequence[int]) -> bytes:
        low = bisect_left(ids, self._first)
        high = bisect_left(ids, self._first + 8 * len(self.bits))
        digits = b"".join(map(_DIGITS.__getitem__, self.bits))
        some = ids[low:high]
        if some and some[-1] - some[0] == len(some) - 1:
            own = digits[some[0] - self._first : some[-1] + 1 - self._first]
        else:
            own = bytes([digits[id - self._first] for id in some])
        return b"0" * low + own + b"0" * (len(ids) - high)

    def extend(self, ids: Sequence[int]) -> None:
        start = (ids[0] - self._first) // 8
        offset = self._first + 8 * start
        # Through a text of digits: setting single bits takes eight times as long.
        digits = bytearray(b"0") * (ids[-1] - offset + 1)
        for id in ids:
            digits[id - offset] = _ONE
        bits = int(digits[::-1], 2)
        if start < len(self.bits):
            bits |= self.bits[start]
        self.bits.extend(bytes(max(start - len(self.bits), 0)))
        # In one step: others may read it.
        self.bits[start:] = bits.to_bytes((len(digits) + 7) // 8, "little")
        self._number += len(ids)
