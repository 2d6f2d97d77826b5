# What hangs on the console of the simulated board. MIT license.
"""A console that holds the writer: "slow" is a UART of 115 200 baud, "stuck" a USB host that does not read."""

import select

from micropython import const

_FIFO = const(128)
_CHARACTER_US = const(87)
_STALL_US = const(500_000)


class Terminal:
    """A text stream; `clock` is the BoardClock, `show(line)` gets what was written."""

    def __init__(self, kind, clock, show):
        self._stuck = kind == "stuck"
        self._clock = clock
        self._show = show
        self._empty_us = 0  # when all that was written has left
        self._line = ""

    def write(self, text):
        if self._stuck:
            self._clock.spend(_STALL_US)
            return len(text)
        now_us = self._clock.us()
        self._empty_us = max(self._empty_us, now_us) + len(text) * _CHARACTER_US
        too_much_us = self._empty_us - now_us - _FIFO * _CHARACTER_US
        if too_much_us > 0:
            self._clock.spend(too_much_us)
        lines = (self._line + text).split("\n")
        self._line = lines.pop()
        for line in lines:
            self._show(line)
        return len(text)


class Always:
    """select.poll() of a stream that says that it is ready, as the console of an ESP32 does."""

    def register(self, stream, events=select.POLLOUT):
        self._ready = [(stream, select.POLLOUT)]

    def poll(self, timeout):
        return self._ready
