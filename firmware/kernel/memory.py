"""Garbage collection: when to collect. The rest of the code does not think about the collector.

With code and data in PSRAM a collection blocks Python for 15 to 70 ms, longer than a control period. While a contactor
is closed, garbage is only collected when the reserve is used up, right after a control step, and the connectors are
stepped again at once. While all contactors are open the interpreter collects by itself.
"""

import gc
import struct

from micropython import const

# Bytes allocated between collections while no contactor is closed: short pauses, space for TLS outside Python's heap.
OFTEN = const(32_768)

# Bytes of garbage before a collection while a contactor is closed: ten minutes and more.
_RESERVE = const(2_097_152)
_LEAST_CLAIM = const(524_288)  # smaller heaps are in internal RAM, which Wi-Fi and TLS need

# Measuring the heap takes half as long as a collection, so it is done each time that half of the rest may be used.
_LEFT = const(16)  # used up when a 16th of the reserve is left
_FIRST_LOOK_MS = const(10_000)
_SOONEST_LOOK_MS = const(1_000)
_LATEST_LOOK_MS = const(60_000)


class Memory:
    """Collects garbage after control steps. `collector` is the module gc.

    collections   since power-on that began while a contactor was closed
    longest_ms    longest of these
    reserve       bytes of garbage allowed while a contactor is closed
    """

    def __init__(self, clock, collector=gc, most=_RESERVE):
        self._clock = clock
        self._gc = collector
        self.collections = 0
        self.longest_ms = 0
        self._claimed = claim(most)
        self.reserve = min(most, collector.mem_free() // 2)
        self._closed = False
        self._before = 0  # bytes allocated when the reserve was last whole
        self._since_ms = 0
        self._look_ms = 0  # time of the next measurement
        collector.threshold(OFTEN)

    def after_step(self, closed):
        """Call it right after each control step; `closed`: a contactor is closed. Returns True if it took long."""
        if closed != self._closed:
            self._closed = closed
            if closed:
                self._gc.threshold(-1)  # only ours, unless the heap is full
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
            half_ms = left * (now - self._since_ms) // (2 * used)  # at the present rate
            self._look_ms = now + min(max(half_ms, _SOONEST_LOOK_MS), _LATEST_LOOK_MS)
            return
        self._gc.collect()
        self.collections += 1
        self.longest_ms = max(self.longest_ms, self._clock.ms() - now)
        self._begin()


def claim(most):
    """Makes the heap grow by up to `most` bytes if possible; returns an object to keep so that it does not shrink.

    The heap of an ESP32 with PSRAM grows only after a collection has not freed enough, and an empty area is returned
    to the system. A list can be shortened in place, so a short one keeps the area.
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
