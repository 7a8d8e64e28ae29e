"""Group commit: who shares a write, who waits, who fails. No database."""

import asyncio
import threading
import time

import pytest

from analytics.ingest.group_commit import LATER, Busy, Full, GroupCommit


class Store:
    """Writes numbers; `broken` ones fail their batch, `locked` ones must wait."""

    def __init__(self, **options):
        self.batches = []
        self.broken = set()
        self.locked = set()
        self.is_free = threading.Event()
        self.is_free.set()
        self.ended: list[str] = []
        values = {
            "max_pending": 100,
            "max_batch": 10,
            "max_wait": 0.3,
            "max_answer": 10.0,
        } | options
        self.commits = GroupCommit(
            self.write,
            apart=lambda items: [[item] for item in items],
            divide=self.divide,
            idle=lambda: None,
            end=lambda: self.ended.append(threading.current_thread().name),
            **values,
        )

    def write(self, items, wait):
        self.is_free.wait()
        self.batches.append(items)
        if self.broken & set(items):
            raise ValueError
        return [LATER if item in self.locked else item * 2 for item in items]

    def divide(self, error, items):
        half = len(items) // 2
        return [items[:half], items[half:]] if half else []


def test_each_thread_ends_what_it_has_opened():
    store = Store()
    store.commits.start()
    assert store.ended == []
    store.commits.stop()
    assert store.ended == ["writer", "patient writer"]


@pytest.fixture
def start():
    stores = []

    def start(**options):
        store = Store(**options)
        store.commits.start()
        stores.append(store)
        return store

    yield start
    for store in stores:
        store.is_free.set()
        store.commits.stop()


async def gather(store, items):
    futures = [store.commits.post(item) for item in items]
    return await asyncio.gather(*futures, return_exceptions=True)


def test_thread_gets_the_answer_of_its_item(start):
    assert start().commits.submit(4) == 8


def test_coroutines_get_the_answers_of_their_items(start):
    assert asyncio.run(gather(start(), range(50))) == list(range(0, 100, 2))


def test_what_is_submitted_meanwhile_shares_the_next_write(start):
    store = start()

    async def submit():
        store.is_free.clear()
        first = asyncio.ensure_future(store.commits.post(0))
        await asyncio.sleep(0.1)
        others = gather(store, range(1, 26))
        store.is_free.set()
        return await first, await others

    asyncio.run(submit())
    assert [len(batch) for batch in store.batches] == [1, 10, 10, 5]


def test_item_that_breaks_a_write_fails_alone(start):
    store = start()
    store.broken = {3}
    answers = asyncio.run(gather(store, range(8)))
    assert isinstance(answers.pop(3), ValueError)
    assert answers == [0, 2, 4, 8, 10, 12, 14]


def test_item_that_has_to_wait_delays_no_other(start):
    store = start(max_wait=5)
    store.locked = {1}

    async def submit():
        waiting = store.commits.post(1)
        begun = time.monotonic()
        assert await gather(store, [2, 3]) == [4, 6]
        assert time.monotonic() - begun < 0.2
        assert not waiting.done()
        store.locked = set()
        return await waiting

    assert asyncio.run(submit()) == 2


def test_item_that_waits_too_long_is_busy(start):
    store = start()
    store.locked = {1}
    begun = time.monotonic()
    with pytest.raises(Busy):
        store.commits.submit(1)
    assert 0.25 < time.monotonic() - begun < 2


def test_more_than_may_be_pending_is_full(start):
    store = start(max_pending=2, max_batch=1)
    store.is_free.clear()

    async def submit():
        first = store.commits.post(0)
        await asyncio.sleep(0.1)
        waiting = [store.commits.post(number) for number in (1, 2)]
        with pytest.raises(Full):
            store.commits.post(3)
        store.is_free.set()
        return await asyncio.gather(first, *waiting)

    assert asyncio.run(submit()) == [0, 2, 4]


def test_stop_answers_what_was_submitted_before():
    store = Store(max_wait=0.2)
    store.locked = {5}
    store.commits.start()

    async def submit():
        futures = [store.commits.post(number) for number in range(30)]
        await asyncio.to_thread(store.commits.stop)
        return await asyncio.gather(*futures, return_exceptions=True)

    answers = asyncio.run(submit())
    assert isinstance(answers.pop(5), Busy)
    assert len(answers) == 29
    assert not any(isinstance(answer, Exception) for answer in answers)


def test_answer_of_one_who_left_harms_nobody(start):
    store = start()

    async def submit():
        store.is_free.clear()
        left = store.commits.post(1)
        left.cancel()
        other = store.commits.post(2)
        store.is_free.set()
        return await other

    assert asyncio.run(submit()) == 4
