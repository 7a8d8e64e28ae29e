"""Group commit: requests that wait share the next transaction.

Whoever comes while nobody writes becomes the leader: it takes all that is
pending, writes it in one go, wakes the others with their answers and hands
over to the first who came meanwhile. So the leader's own answer is never
delayed by later arrivals, a single request waits for nobody, and there is no
queue, thread or server of its own that could lose anything.

Pure threading: knows neither events nor databases.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


class Full(Exception):
    """Too much is pending; nothing was taken."""


class _Ticket(Generic[_Item, _Answer]):
    __slots__ = ("answer", "error", "is_settled", "item", "woken")

    def __init__(self, item: _Item) -> None:
        self.item = item
        self.answer: _Answer | None = None
        self.error: BaseException | None = None
        self.is_settled = False
        # A bare lock, taken at once: half the cost of an Event.
        self.woken = threading.Lock()
        self.woken.acquire()

    def settle(self, answer: _Answer) -> None:
        self.answer = answer
        self.is_settled = True

    def fail(self, error: BaseException) -> None:
        self.error = error
        self.is_settled = True


class GroupCommit(Generic[_Item, _Answer]):
    """Let concurrent callers of `submit` share calls of `write`.

    `write` takes items and returns their answers in order, and stores either
    all of them or, when it raises, none. `is_shared(error)` says that an error
    concerns the whole batch (the store is away); any other is traced to the
    items that cause it, and the rest is written without them.
    """

    def __init__(
        self,
        write: Callable[[list[_Item]], Sequence[_Answer]],
        *,
        is_shared: Callable[[Exception], bool],
        max_pending: int,
        max_batch: int,
    ) -> None:
        self._write = write
        self._is_shared = is_shared
        self._max_pending = max_pending
        self._max_batch = max_batch
        self._lock = threading.Lock()
        self._pending: list[_Ticket[_Item, _Answer]] = []
        self._has_leader = False

    def submit(self, item: _Item) -> _Answer:
        """The item's answer, once it is written. Raises Full, or its error."""
        ticket = _Ticket[_Item, _Answer](item)
        with self._lock:
            if len(self._pending) >= self._max_pending:
                raise Full
            self._pending.append(ticket)
            leads = not self._has_leader
            self._has_leader = True
        if not leads:
            ticket.woken.acquire()
        if not ticket.is_settled:
            self._lead()
        if ticket.error is not None:
            raise ticket.error
        return ticket.answer  # type: ignore[return-value]

    def _lead(self) -> None:
        """Write what is pending, then pass the lead on."""
        with self._lock:
            batch = self._pending[: self._max_batch]
            del self._pending[: self._max_batch]
        try:
            self._settle(batch)
        finally:
            with self._lock:
                successor = self._pending[0] if self._pending else None
                self._has_leader = successor is not None
            if successor is not None:
                successor.woken.release()
            for ticket in batch:
                if not ticket.is_settled:
                    ticket.fail(RuntimeError("the batch was interrupted"))
                ticket.woken.release()

    def _settle(self, batch: list[_Ticket[_Item, _Answer]]) -> None:
        try:
            answers = self._write([ticket.item for ticket in batch])
        except Exception as error:
            if len(batch) == 1 or self._is_shared(error):
                for ticket in batch:
                    ticket.fail(error)
                return
            half = len(batch) // 2
            self._settle(batch[:half])
            self._settle(batch[half:])
            return
        for ticket, answer in zip(batch, answers, strict=True):
            ticket.settle(answer)
