"""Threads that write to SQLite wait in their order."""

import threading
import time

from analytics.write_turns import _Turns


def test_turns_come_in_the_order_of_waiting():
    turns, order = _Turns(), []
    assert turns.take(1)

    def wait(name):
        assert turns.take(10)
        order.append(name)
        turns.leave()

    threads = []
    for name in range(5):
        threads.append(threading.Thread(target=wait, args=(name,)))
        threads[-1].start()
        while len(turns._waiting) <= name:
            time.sleep(0.001)
    turns.leave()
    for thread in threads:
        thread.join(10)
    assert order == [0, 1, 2, 3, 4]
    assert turns.take(0)


def test_whoever_leaves_and_comes_again_is_behind_those_who_wait():
    turns = _Turns()
    stop = threading.Event()

    def hold_again_and_again():
        while not stop.is_set():
            assert turns.take(10)
            time.sleep(0.001)
            turns.leave()

    holder = threading.Thread(target=hold_again_and_again)
    holder.start()
    for _ in range(50):
        assert turns.take(10)
        turns.leave()
    stop.set()
    holder.join(10)
    assert turns.take(0)


def test_nobody_waits_for_ever():
    turns = _Turns()
    assert turns.take(1)
    assert not turns.take(0.01)
    assert not turns._waiting
    turns.leave()
    assert turns.take(0)
