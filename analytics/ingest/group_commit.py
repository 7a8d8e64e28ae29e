"""Group commit: items submitted during a commit are written by the next one.

One thread writes. It takes all pending items, writes them in one transaction and
delivers the answers: to coroutines by one call into their event loop for the whole
batch, to threads by a lock each. Items that must wait for a lock held elsewhere go to a
second thread, so that they do not delay others.

Pure threading: knows neither events nor databases.
"""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from time import monotonic, sleep
from typing import Any, Generic, TypeAlias, TypeVar, cast

from krafter.front.deadlines import Deadlines

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")

# Between two attempts at a batch when nothing of it could be written.
_PAUSE_SECONDS = 0.01
# After this long without work, `idle` is called.
_IDLE_SECONDS = 1.0


class Full(Exception):
    """Too many items are pending; the item was not accepted."""


class Busy(Exception):
    """The item needed a lock that was held elsewhere for longer than it may wait."""


class Later:
    """Returned by `write` instead of an answer: the item would have had to wait."""


LATER = Later()


class _Ticket(Generic[_Item, _Answer]):
    """An item and its waiter: the future of a coroutine or the lock of a thread."""

    __slots__ = ("answer", "error", "is_abandoned", "item", "since", "waiter")

    def __init__(self, item: _Item, waiter: Any) -> None:
        self.item = item
        self.waiter = waiter
        self.since = monotonic()
        # The waiter has given up.
        self.is_abandoned = False
        self.answer: _Answer | None = None
        self.error: BaseException | None = None

    @property
    def is_settled(self) -> bool:
        return self.answer is not None or self.error is not None


# None wakes the thread without work.
_Queue: TypeAlias = "SimpleQueue[_Ticket[_Item, _Answer] | None]"


class GroupCommit(Generic[_Item, _Answer]):
    """Batches submitted items into calls of `write`.

    `write(items, wait)` returns an answer for each item, in order. It stores all
    items that it answers or, if it raises, none. With `wait` false it returns LATER
    for items that would have to wait for a lock; with `wait` true it may wait briefly.

    `apart(items)` splits items into parts that need different locks.
    `divide(error, items)` splits a failed batch into the parts to retry separately; if
    it returns none, the error is the answer to all items. `idle()` is called in the
    writing thread when there is no work, `end()` before the thread ends.

    `max_wait`: how long an item may be postponed, in seconds. `max_answer`: after this
    many seconds the waiter gets Busy in any case; if `write` has begun by then, it is
    unknown whether the item was stored.
    """

    def __init__(
        self,
        write: Callable[[list[_Item], bool], Sequence[_Answer | Later]],
        *,
        apart: Callable[[list[_Item]], list[list[_Item]]],
        divide: Callable[[Exception, list[_Item]], list[list[_Item]]],
        idle: Callable[[], None],
        end: Callable[[], None],
        max_pending: int,
        max_batch: int,
        max_wait: float,
        max_answer: float,
    ) -> None:
        self._write = write
        self._apart = apart
        self._divide = divide
        self._idle = idle
        self._end = end
        self._max_pending = max_pending
        self._max_batch = max_batch
        self._max_wait = max_wait
        self._max_answer = max_answer
        self._deadlines = Deadlines[_Ticket[_Item, _Answer]](max_answer, _give_up)
        self._pending: _Queue[_Item, _Answer] = SimpleQueue()
        self._waiting: _Queue[_Item, _Answer] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._is_stopping = False

    @property
    def is_running(self) -> bool:
        return bool(self._threads)

    def start(self) -> None:
        self._is_stopping = False
        self._threads = [
            threading.Thread(target=self._run, args=arguments, name=name, daemon=True)
            for name, arguments in (
                ("writer", (self._pending, False)),
                ("patient writer", (self._waiting, True)),
            )
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Returns when all items submitted before are answered."""
        self._is_stopping = True
        # In this order: the first thread passes items on to the second.
        for queue, thread in zip(
            (self._pending, self._waiting), self._threads, strict=True
        ):
            queue.put(None)
            thread.join()
        self._threads = []

    def submit(self, item: _Item) -> _Answer:
        """For threads: the item's answer. Raises Full, Busy, or its error."""
        woken = threading.Lock()
        # A bare lock costs half of an Event.
        woken.acquire()
        ticket = self._put(item, woken)
        if not woken.acquire(timeout=self._max_answer):
            ticket.is_abandoned = True
            raise Busy
        if ticket.error is not None:
            raise ticket.error
        return ticket.answer  # type: ignore[return-value]

    def post(self, item: _Item) -> "asyncio.Future[_Answer]":
        """For coroutines: a future of the item's answer, or Busy. Raises Full."""
        future: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._deadlines.add(self._put(item, future))
        return future

    def _put(self, item: _Item, waiter: Any) -> _Ticket[_Item, _Answer]:
        if self._pending.qsize() >= self._max_pending:
            raise Full
        ticket: _Ticket[_Item, _Answer] = _Ticket(item, waiter)
        self._pending.put(ticket)
        return ticket

    # In the writing threads

    def _run(self, queue: "_Queue[_Item, _Answer]", wait: bool) -> None:
        while not (self._is_stopping and queue.empty()):
            if batch := self._take(queue):
                self._write_and_answer(batch, wait)
        self._end()

    def _take(self, queue: "_Queue[_Item, _Answer]") -> list[_Ticket[_Item, _Answer]]:
        """The pending items, at most a batch; empty when the thread must stop."""
        try:
            ticket = queue.get(timeout=_IDLE_SECONDS)
        except Empty:
            self._idle()
            ticket = queue.get()
        batch: list[_Ticket[_Item, _Answer]] = []
        while ticket is not None:
            # The client was told that it was not stored, and may send it again.
            if not ticket.is_abandoned:
                batch.append(ticket)
            if len(batch) >= self._max_batch:
                break
            try:
                ticket = queue.get_nowait()
            except Empty:
                break
        return batch

    def _write_and_answer(
        self, batch: list[_Ticket[_Item, _Answer]], wait: bool
    ) -> None:
        later: list[_Ticket[_Item, _Answer]] = []
        try:
            if wait:
                parts = self._apart([ticket.item for ticket in batch])
                self._settle_parts(parts, batch, wait, later)
            else:
                self._settle(batch, wait, later)
        except BaseException as error:
            # A bug in this module or in `apart`. Every waiter must get an answer.
            for ticket in batch:
                if not ticket.is_settled:
                    ticket.error = error
            later.clear()
        overdue = monotonic() - self._max_wait
        for ticket in later:
            if self._waiting.qsize() >= self._max_pending:
                ticket.error = Full()
            elif wait and ticket.since < overdue:
                ticket.error = Busy()
            else:
                self._waiting.put(ticket)
        self._wake([ticket for ticket in batch if ticket.is_settled])
        if wait and len(later) == len(batch):
            sleep(_PAUSE_SECONDS)

    def _settle(
        self,
        batch: list[_Ticket[_Item, _Answer]],
        wait: bool,
        later: list[_Ticket[_Item, _Answer]],
    ) -> None:
        items = [ticket.item for ticket in batch]
        try:
            answers = self._write(items, wait)
        except Exception as error:
            parts = self._divide(error, items)
            self._settle_parts(parts, batch, wait, later)
            if not parts:
                for ticket in batch:
                    ticket.error = error
            return
        for ticket, answer in zip(batch, answers, strict=True):
            if isinstance(answer, Later):
                later.append(ticket)
            else:
                ticket.answer = answer

    def _settle_parts(
        self,
        parts: list[list[_Item]],
        batch: list[_Ticket[_Item, _Answer]],
        wait: bool,
        later: list[_Ticket[_Item, _Answer]],
    ) -> None:
        tickets = {id(ticket.item): ticket for ticket in batch}
        for part in parts:
            self._settle([tickets[id(item)] for item in part], wait, later)

    def _wake(self, tickets: list[_Ticket[_Item, _Answer]]) -> None:
        """Deliver answers: to all coroutines of an event loop by one call into it."""
        by_loop = defaultdict(list)
        for ticket in tickets:
            if isinstance(ticket.waiter, asyncio.Future):
                by_loop[ticket.waiter.get_loop()].append(ticket)
            else:
                ticket.waiter.release()
        for loop, of_it in by_loop.items():
            # The loop may be closed already; then nothing waits for the answers.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._resolve, of_it)

    # In the event loop

    def _resolve(self, tickets: list[_Ticket[_Item, _Answer]]) -> None:
        for ticket in tickets:
            self._deadlines.remove(ticket)
            future: asyncio.Future[_Answer] = ticket.waiter
            # The coroutine may have been cancelled.
            if future.done():
                continue
            if ticket.error is not None:
                future.set_exception(ticket.error)
            else:
                future.set_result(cast(_Answer, ticket.answer))


def _give_up(ticket: _Ticket[Any, Any]) -> None:
    if not ticket.waiter.done():
        ticket.is_abandoned = True
        ticket.waiter.set_exception(Busy())
