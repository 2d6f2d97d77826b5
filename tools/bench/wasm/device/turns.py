# Virtual time and single steps for asyncio of the 32-bit build. MIT license.
"""Runs the tasks of this build turn by turn, with garbage collection in between.

Its asyncio belongs to a browser: JavaScript's timers run it, in real time. Here its own loop is called for one turn of
one task at a time, in a time that jumps to where the next task is due.
"""

import asyncio
import time
from asyncio import core

from micropython import const

_MASK = const((1 << 30) - 1)
_HALF = const(1 << 29)

# asyncio stamps tasks that are ready at once with the host's milliseconds; virtual time must be later than that.
_LATER_THAN_HOST_MS = const(10_000_000)


class Turns:
    """`us()` is the time since the start in microseconds. `turn()` runs one task and returns False when there is
    nothing left to do until `until_ms`."""

    def __init__(self):
        self._ms = 0
        self._base = (time.ticks_ms() + _LATER_THAN_HOST_MS) & _MASK
        self._left = 0  # turns that the loop may still take
        self.until_ms = 0
        core.ticks = self._ticks
        core.ticks_diff = self._due_in
        core._schedule_run_iter = lambda delay_ms: None
        asyncio.StreamReader = _UartStream

    def us(self):
        return self._ms * 1000

    def wait(self, ms):
        """Lets turn() go on for `ms` from now."""
        self.until_ms = self._ms + ms

    def turn(self):
        task = core._task_queue.peek()
        delay_ms = _diff(task.ph_key, self._ticks()) if task else _HALF
        if self._ms + delay_ms > self.until_ms:
            self._ms = self.until_ms
            return False
        self._ms += max(0, delay_ms)
        self._left = 1
        core._run_iter()
        return True

    def _ticks(self):
        return (self._base + self._ms) & _MASK

    def _due_in(self, end, start):
        """What the loop asks to learn whether a task is due: the second one never is."""
        if not self._left:
            return 1
        self._left -= 1
        return _diff(end, start)


def _diff(end, start):
    return ((end - start + _HALF) & _MASK) - _HALF


class _UartStream:
    """asyncio's stream on a UART of the simulated board; the build has none."""

    def __init__(self, uart):
        self._uart = uart

    async def read(self, length=-1):
        while not self._uart.any():
            arrived = asyncio.Event()
            self._uart.line.on_data = arrived.set
            await arrived.wait()
        return self._uart.read(length)

    def write(self, data):
        self._uart.write(data)

    async def drain(self):
        await asyncio.sleep(0)
