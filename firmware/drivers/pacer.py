"""Hardware timer that wakes the interpreter when the control task is due: asyncio alone wakes in steps of 10 ms.

On an ESP32 the interpreter sleeps in ticks of the operating system, and looks whether a task is due when it wakes. The
timer's interrupt wakes it, too. So the control task sleeps as any other task, and without the timer it runs up to 10 ms
late. A flag that the callback sets would do the same with 200 bytes of garbage for each wait, 10 KB/s.
"""

import time

import machine
from micropython import const

_TIMER = const(0)
_AFTER_US = const(300)  # the end of a millisecond and the timer differ by some microseconds


class Pacer:
    """Wakes the interpreter every `period_ms` from `start()` to `stop()`."""

    def __init__(self, clock, log):
        self._clock = clock
        self._log = log
        self._timer = None

    def start(self, period_ms):
        """Returns the ms of the clock from which on the periods count; the timer comes right after the end of each."""
        ms = self._clock.ms
        now = ms()
        while ms() == now:
            time.ticks_us()
        now = ms()
        begun_us = time.ticks_us()
        while time.ticks_diff(time.ticks_us(), begun_us) < _AFTER_US:
            pass
        try:
            self._timer = machine.Timer(_TIMER)
            self._timer.init(period=period_ms, mode=machine.Timer.PERIODIC, callback=_woken)
        except (OSError, ValueError) as exc:
            self._timer = None
            self._log.error("control", "no timer %d, each step is up to 10 ms late: %s", _TIMER, exc)
        return now

    def stop(self):
        if self._timer:
            self._timer.deinit()
            self._timer = None


def _woken(timer):
    pass  # waking the interpreter is all
