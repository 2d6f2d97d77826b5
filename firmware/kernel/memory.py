"""Garbage collection: when to collect. The rest of the code does not think about the collector.

A collection holds Python up for 15 to 70 ms where code and data lie in PSRAM, which is longer than a control period. So
while a contactor is closed there is none until the reserve is used up; then it begins right after a control step, and
the connectors are stepped again at once. While all contactors are open the interpreter collects as it likes.
"""

import gc
import struct

from micropython import const

# While no contactor is closed: after so many bytes. Short pauses, and room for TLS outside Python's heap.
OFTEN = const(32_768)

# Bytes of garbage that a closed contactor may see before it has to be collected: ten minutes and more.
_RESERVE = const(2_097_152)
_LEAST_CLAIM = const(524_288)  # smaller heaps are in internal RAM, which Wi-Fi and TLS need

# To see how much is used is half as long as to collect: it is looked at each time that half of the rest may be gone.
_LEFT = const(16)  # with a 16th of the reserve left it counts as used up
_FIRST_LOOK_MS = const(10_000)
_SOONEST_LOOK_MS = const(1_000)
_LATEST_LOOK_MS = const(60_000)


class Memory:
    """To be asked after each control step. `collector` is the module gc.

    collections   since power-on that were begun while a contactor was closed
    longest_ms    the longest of them
    reserve       bytes of garbage that may come together while a contactor is closed
    """

    def __init__(self, clock, collector=gc, most=_RESERVE):
        self._clock = clock
        self._gc = collector
        self.collections = 0
        self.longest_ms = 0
        self._claimed = claim(most)
        self.reserve = min(most, collector.mem_free() // 2)
        self._closed = False
        self._before = 0  # bytes that were allocated when the reserve was whole
        self._since_ms = 0
        self._look_ms = 0  # when the reserve is looked at next
        collector.threshold(OFTEN)

    def after_step(self, closed):
        """Does what is due right after a control step; `closed`: a contactor is. Returns True when it took its time."""
        if closed != self._closed:
            self._closed = closed
            if closed:
                self._gc.threshold(-1)  # none but ours, unless the heap is full
                self._begin()
            else:
                self._gc.threshold(OFTEN)
                self._gc.collect()
            return True
        if not closed or self._clock.ms() < self._look_ms:
            return False
        self._look()
        return True

    def _begin(self):
        self._before = self._gc.mem_alloc()
        self._since_ms = self._clock.ms()
        self._look_ms = self._since_ms + _FIRST_LOOK_MS

    def _look(self):
        now = self._clock.ms()
        used = max(1, self._gc.mem_alloc() - self._before)
        left = self.reserve - used
        if left > self.reserve // _LEFT:
            half_ms = left * (now - self._since_ms) // (2 * used)  # at the speed of until now
            self._look_ms = now + min(max(half_ms, _SOONEST_LOOK_MS), _LATEST_LOOK_MS)
            return
        self._gc.collect()
        self.collections += 1
        self.longest_ms = max(self.longest_ms, self._clock.ms() - now)
        self._begin()


def claim(most):
    """Makes the heap grow by up to `most` bytes where it can; returns what has to be kept for it to stay so.

    The heap of an ESP32 with PSRAM grows only when a collection has not helped, and an area in which nothing lives is
    given back. A list is the one thing that can be cut down where it lies.
    """
    size = most
    while size >= _LEAST_CLAIM:
        try:
            kept = [None] * (size // struct.calcsize("P"))
        except MemoryError:
            size //= 2
            continue
        del kept[32:]
        while kept:
            kept.pop()  # halves what is allocated
        return kept
    return None
