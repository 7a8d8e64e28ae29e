"""Deadlines: what is overdue ends, in order, and nothing else."""

import asyncio

import pytest

from krafter.front.deadlines import Deadlines

SECONDS = 0.05


@pytest.fixture
def ended():
    return []


@pytest.fixture
def deadlines(ended):
    return Deadlines(SECONDS, ended.append)


def test_what_is_not_removed_ends_in_its_order(deadlines, ended):
    async def wait():
        deadlines.add("first")
        await asyncio.sleep(SECONDS / 2)
        deadlines.add("second")
        await asyncio.sleep(SECONDS * 3 / 4)
        assert ended == ["first"]
        await asyncio.sleep(SECONDS)

    asyncio.run(wait())
    assert ended == ["first", "second"]


def test_what_is_removed_in_time_does_not_end(deadlines, ended):
    async def wait():
        for name in ("removed", "kept"):
            deadlines.add(name)
        deadlines.remove("removed")
        await asyncio.sleep(SECONDS * 2)

    asyncio.run(wait())
    assert ended == ["kept"]


def test_removing_what_has_ended_does_nothing(deadlines, ended):
    async def wait():
        deadlines.add("late")
        await asyncio.sleep(SECONDS * 2)
        deadlines.remove("late")

    asyncio.run(wait())
    assert ended == ["late"]


def test_pause_without_anything_waiting_moves_no_deadline(deadlines, ended):
    async def wait():
        deadlines.add("removed")
        deadlines.remove("removed")
        await asyncio.sleep(SECONDS / 2)
        deadlines.add("kept")
        await asyncio.sleep(SECONDS * 3 / 4)
        assert ended == []
        await asyncio.sleep(SECONDS)

    asyncio.run(wait())
    assert ended == ["kept"]


def test_each_event_loop_has_its_own_timer(deadlines, ended):
    async def leave():
        deadlines.add("left")
        deadlines.remove("left")

    async def wait():
        deadlines.add("kept")
        await asyncio.sleep(SECONDS * 2)

    asyncio.run(leave())
    asyncio.run(wait())
    assert ended == ["kept"]
