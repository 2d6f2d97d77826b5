# Lets asyncio of the unix port live in the board's time. MIT license.
"""Event loop in virtual time: asyncio's sleep follows the board's clock; waits for emulated UARTs without polling.

Timers follow the board's clock, sockets stay in real time. Must be installed before the first task is made.

`wake_ms`: the board's operating system wakes the interpreter at multiples of that (10 ms on an ESP32) and by the
interrupt of a timer, and only then it is seen that a task is due or that a socket or UART has something. 0: at once.
"""

import select
from asyncio import core

import utime
from micropython import const

from tools.sim.world import timers

# asyncio queues ready tasks with the host's milliseconds; timers must never sort before those.
_LATER_THAN_HOST_MS = const(1 << 40)

# With a TLS stream among those to be looked at, the unix port's poll() takes a millisecond even if it is not to wait,
# which no board does. While there are tasks that are ready, looking may take one part of the time in so many + 1.
_SHARE = const(4)
_UNSEEN_US = const(4_000)


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


def install(clock, wake_ms=0):
    """Replaces clock and waiting of asyncio; `clock` is the BoardClock."""
    wake_us = wake_ms * 1000

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

        _again_us = utime.ticks_us()  # time of the next poll while tasks are ready

        def wait_io_event(self, dt):
            if dt:
                self._sleep(dt)
            else:
                timers.look(clock.us())
                self._poll(0)

        def _sleep(self, dt):
            """Waits for `dt` ms, or for ever (-1), at most until the next interrupt or tick."""
            now_us = clock.us()
            if timers.look(now_us):
                return
            left_us = timers.next_us() - now_us
            if wake_us:
                utime.sleep_us(clock.to_real_us(min(left_us, wake_us - now_us % wake_us)))
                self._poll(0)
            elif dt > 0:
                self._poll(clock.to_real_us(min(left_us, dt * 1000)))
            else:
                self._poll(-1)
            timers.look(clock.us())

        def _poll(self, real_us):
            begun_us = utime.ticks_us()
            if real_us == 0 and utime.ticks_diff(begun_us, self._again_us) < 0:
                return
            idle = 0 < real_us < 1000
            for stream, event in self.poller.ipoll(-1 if real_us < 0 else real_us // 1000):
                idle = False
                self.wake(stream, event)
            if idle:
                utime.sleep_us(real_us)  # shorter than poll() can wait
            if real_us == 0:
                now_us = utime.ticks_us()
                took_us = utime.ticks_diff(now_us, begun_us)
                self._again_us = utime.ticks_add(now_us, min(_SHARE * took_us, _UNSEEN_US))

        def wake(self, stream, event):
            """Makes tasks ready that wait for `event` of `stream`, in the order of time, not before all timers."""
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

    core.ticks = ticks
    core.ticks_add = lambda start, delta: start + delta
    core.ticks_diff = lambda end, start: end - start
    core.IOQueue = IOQueue
    core.new_event_loop()
