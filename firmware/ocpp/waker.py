"""Waker: lets a task wait for an event or a deadline, whichever comes first, on the station's clock."""

import asyncio

from micropython import const

_LONGEST_MS = const(86_400_000)  # the board's ticks, and so asyncio.sleep(), are limited to 2**29 ms: 6.2 days


class Waker:
    """An event for one waiting task, with a deadline on the station's clock (asyncio's timeouts use another one)."""

    def __init__(self, clock):
        self.clock = clock
        self._event = asyncio.Event()

    def wake(self):
        """Ends the present wait, or the next one if none is going on."""
        self._event.set()

    async def wait(self, ms=None):
        """Returns after wake() or after `ms` milliseconds (None: only after wake()). Waits a day at most.

        A caller that waits for longer checks the clock and waits again.
        """
        alarm = None
        if ms is not None:
            alarm = asyncio.create_task(self._ring(min(ms, _LONGEST_MS)))
        try:
            await self._event.wait()
        finally:
            if alarm:
                alarm.cancel()
        self._event.clear()

    async def _ring(self, ms):
        await self.clock.sleep_ms(ms)
        self._event.set()
