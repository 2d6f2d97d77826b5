# Counts garbage collections of the simulated board. MIT license.
"""Stands in for `gc`: what the firmware collects by itself is timed; what the interpreter collects of its own accord
(the threshold, a full heap) leaves a trace that is found later, so that its length is not known.

The trace is an unreferenced open file: a collection closes it.
"""

import gc
import os
import sys

import utime


class Collections:
    """A module `gc` with counters. `closed()`, if set, says whether a contactor is closed.

    collections, while_closed   how many there were, and how many of them with a closed contactor
    longest_ms                  of those that the firmware began
    """

    def __init__(self):
        self.collections = self.while_closed = self.longest_ms = 0
        self.closed = None
        self.host = ""  # where the host's file system is
        for name in ("mem_free", "mem_alloc", "threshold", "enable", "disable", "isenabled"):
            setattr(self, name, getattr(gc, name))
        self._collect = gc.collect
        self._leave_trace()

    def install(self):
        """Makes every later `import gc` find this."""
        sys.modules["gc"] = self
        return self

    def collect(self):
        self.look()
        began = utime.ticks_us()
        self._collect()
        self.longest_ms = max(self.longest_ms, (utime.ticks_diff(utime.ticks_us(), began) + 999) // 1000)
        self._count()
        self._leave_trace()

    def look(self):
        """Counts a collection that the interpreter has begun since the last look."""
        try:
            # Another file may have its number.
            there = os.stat(self._trace)[1:3] == os.stat(self.host + "/dev/null")[1:3]
        except OSError:
            there = False
        if not there:
            self._count()
            self._leave_trace()

    def figures(self):
        return {"collections": self.collections, "longest_ms": self.longest_ms, "while_closed": self.while_closed}

    def _count(self):
        self.collections += 1
        if self.closed and self.closed():
            self.while_closed += 1

    def _leave_trace(self):
        self._trace = self.host + "/proc/self/fd/%d" % open(self.host + "/dev/null").fileno()
