"""Who may be worked on now: so many, so many of each, and who waits in between."""

import asyncio

import pytest

from krafter.front.admission import Admission
from krafter.front.http import Client, Gone, Refusal


class Room:
    def __init__(self, **limits):
        self.admission = Admission(
            **{"total": 2, "each": 1, "each_open": 3, "wait_seconds": 0.2, **limits}
        )

    def ask(self, caller, *, leaves=False):
        async def receive():
            await asyncio.sleep(0.05 if leaves else 60)
            return {"type": "http.disconnect"}

        async def enter():
            client = Client(receive)
            try:
                return await self.admission.enter(caller, client)
            finally:
                client.forget()

        return asyncio.ensure_future(enter())


def run(test):
    async def limited():
        async with asyncio.timeout(10):
            await test()

    asyncio.run(limited())


def test_no_more_than_so_many_work_and_the_next_comes_when_one_ends():
    async def test():
        room = Room()
        first, _ = await room.ask("a"), await room.ask("b")
        third = room.ask("c")
        await asyncio.sleep(0.02)
        assert not third.done()
        first.end_work()
        await third

    run(test)


def test_who_waits_too_long_is_refused_and_leaves_nothing_behind():
    async def test():
        room = Room()
        places = [await room.ask("a"), await room.ask("b")]
        with pytest.raises(Refusal) as refusal:
            await room.ask("c")
        assert refusal.value.status == 503
        assert refusal.value.headers == {"Retry-After": "5"}
        for place in places:
            place.end_work()
            place.close()
            # Twice is once.
            place.end_work()
            place.close()
        assert not any(vars(room.admission)[name] for name in ("_working", "_open"))
        assert not room.admission._waiting

    run(test)


def test_one_caller_leaves_room_for_others():
    async def test():
        room = Room(each=2, total=3)
        await room.ask("a")
        await room.ask("a")
        waits = room.ask("a")
        await room.ask("b")
        with pytest.raises(Refusal):
            await waits

    run(test)


def test_who_has_fewest_at_work_comes_first():
    async def test():
        room = Room(total=2, each=2)
        first = await room.ask("a")
        await room.ask("a")
        again, other = room.ask("a"), room.ask("b")
        await asyncio.sleep(0.02)
        first.end_work()
        await other
        assert not again.done()

    run(test)


def test_unread_answers_of_a_caller_are_bounded_and_its_own():
    async def test():
        room = Room(total=9, each=9)
        places = [await room.ask("a") for _ in range(3)]
        for place in places:
            place.end_work()
        with pytest.raises(Refusal):
            await room.ask("a")
        await room.ask("b")
        places[0].close()
        await room.ask("a")

    run(test)


def test_client_that_leaves_gives_its_turn_away():
    async def test():
        room = Room(total=1, wait_seconds=5)
        place = await room.ask("a")
        gone = room.ask("b", leaves=True)
        waits = room.ask("c")
        with pytest.raises(Gone):
            await gone
        place.end_work()
        await waits

    run(test)


def test_request_that_is_cancelled_with_its_turn_gives_it_back():
    async def test():
        room = Room(total=1)
        place = await room.ask("a")
        waits = room.ask("b")
        await asyncio.sleep(0.02)
        place.end_work()
        waits.cancel()
        await asyncio.gather(waits, return_exceptions=True)
        await room.ask("c")

    run(test)
