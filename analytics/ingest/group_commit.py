"""Group commit: requests that wait share the next transaction.

Whoever comes while nobody writes becomes the leader: it takes all that is
pending, writes it in one go, wakes the others with their answers and hands
over to the first who came meanwhile. So the leader's own answer is never
delayed by later arrivals, a single request waits for nobody, and there is no
queue, thread or server of its own that could lose anything.

Pure threading: knows neither events nor databases.
"""

import threading
from collections import deque
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
        # Appended to by everyone, taken from by the leader alone; each step
        # is atomic, so that no request waits for a lock to be let in.
        self._pending: deque[_Ticket[_Item, _Answer]] = deque()
        self._leading = threading.Lock()

    def submit(self, item: _Item) -> _Answer:
        """The item's answer, once it is written. Raises Full, or its error."""
        if len(self._pending) >= self._max_pending:
            raise Full
        ticket: _Ticket[_Item, _Answer] = _Ticket(item)
        self._pending.append(ticket)
        if self._leading.acquire(blocking=False):
            self._lead()
        ticket.woken.acquire()
        if not ticket.is_settled:
            # Woken by a leader that is done, to go on.
            self._lead()
        if ticket.error is not None:
            raise ticket.error
        return ticket.answer  # type: ignore[return-value]

    def _lead(self) -> None:
        """Write what is pending, then pass the lead on."""
        waiting = min(len(self._pending), self._max_batch)
        batch = [self._pending.popleft() for _ in range(waiting)]
        try:
            self._settle(batch)
        finally:
            self._pass_on()
            for ticket in batch:
                if not ticket.is_settled:
                    ticket.fail(RuntimeError("the batch was interrupted"))
                ticket.woken.release()

    def _pass_on(self) -> None:
        while True:
            if self._pending:
                self._pending[0].woken.release()
                return
            self._leading.release()
            # Whoever came between the look and the release found a leader.
            if not self._pending or not self._leading.acquire(blocking=False):
                return

    def _settle(self, batch: list[_Ticket[_Item, _Answer]]) -> None:
        if not batch:
            return
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
