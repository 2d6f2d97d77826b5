# Lets asyncio of the unix port live in the board's time. MIT license.
"""Makes asyncio sleep in virtual time, and wait for emulated UARTs without polling them.

Timers follow the board's clock, sockets stay in real time. Must be installed before the first task is made.
"""

import select
from asyncio import core

import utime
from micropython import const

# asyncio stamps tasks that are ready at once with the host's milliseconds; timers must never sort before those.
_LATER_THAN_HOST_MS = const(1 << 40)


class _Parked:
    """A task that waits for bytes of an emulated UART; asyncio calls remove() when the task is cancelled."""

    def __init__(self, line, task):
        self._task = task
        self._line = line
        line.on_data = self._wake
        task.data = self

    def remove(self, task):
        self._line.on_data = None

    def _wake(self):
        self._line.on_data = None
        core._task_queue.push(self._task, core.ticks())


def install(clock):
    """Replaces the clock and the waiting of asyncio; `clock` is the BoardClock."""

    def ticks():
        return clock.ms() + _LATER_THAN_HOST_MS

    class IOQueue(core.IOQueue):
        def queue_read(self, stream):
            line = getattr(stream, "line", None)  # of machine.UART
            if line is None or line.is_tty:
                super().queue_read(stream)
            elif line.any():
                core._task_queue.push(core.cur_task, ticks())
            else:
                _Parked(line, core.cur_task)

        def wait_io_event(self, dt):
            real_us = clock.to_real_us(dt * 1000) if dt > 0 else dt
            idle = 0 < real_us < 1000
            for stream, event in self.poller.ipoll(-1 if dt < 0 else real_us // 1000):
                idle = False
                self.wake(stream, event)
            if idle:
                utime.sleep_us(real_us)  # shorter than poll() can wait

        def wake(self, stream, event):
            """Makes the tasks ready that wait for `event` of `stream`; in the order of time, not before all timers."""
            waiting = self.map[id(stream)]
            now = ticks()
            if event & ~select.POLLOUT and waiting[0] is not None:
                core._task_queue.push(waiting[0], now)
                waiting[0] = None
            if event & ~select.POLLIN and waiting[1] is not None:
                core._task_queue.push(waiting[1], now)
                waiting[1] = None
            if waiting[0] is None and waiting[1] is None:
                self._dequeue(stream)
            else:
                self.poller.modify(stream, select.POLLOUT if waiting[0] is None else select.POLLIN)

        def wake_all(self):
            """Makes every task ready that waits for a stream: each finds out by itself what became of it."""
            for stream in [waiting[2] for waiting in self.map.values()]:
                self.wake(stream, select.POLLERR)

    core.ticks = ticks
    core.ticks_add = lambda start, delta: start + delta
    core.ticks_diff = lambda end, start: end - start
    core.IOQueue = IOQueue
    core.new_event_loop()
