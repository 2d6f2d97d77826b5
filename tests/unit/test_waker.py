"""Waits of the link's tasks."""

import asyncio

from firmware.ocpp.waker import Waker


class BoardClock:
    """Sleeps no longer than the board's ticks reach, as its asyncio."""

    slept = None

    async def sleep_ms(self, ms):
        if ms >= 2**29:
            raise OverflowError("ticks interval overflow")
        self.slept = ms


async def test_a_wait_beyond_the_reach_of_ticks_ends_early():
    """O10: HeartbeatInterval 604800 is taken, and 7 days are more than the board's asyncio can sleep."""
    clock = BoardClock()
    waker = Waker(clock)
    await asyncio.wait_for(waker.wait(604_800_000), 1)
    assert clock.slept == 86_400_000
    await asyncio.wait_for(waker.wait(300), 1)
    assert clock.slept == 300
