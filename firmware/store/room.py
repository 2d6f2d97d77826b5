"""Room on the flash: what goes when the flash is full, and a reserve for what must not be refused.

Under pressure the middle samples are thinned, the 1st, 3rd, 5th ... of each transaction first, so that what is left
still spans the whole of it (OCPP 1.6 errata 3.14, 3.91); those outside a transaction likewise. Beginning and end of a
transaction with their samples, and security events, are never dropped.
"""

import os

from micropython import const

from firmware.store import records

ENOSPC = const(28)  # has no name in MicroPython's errno

_MIDDLE = ("periodic", "clock", "trigger")
_BLOCK = bytes(4096)


def free_bytes(path):
    """Returns how many bytes the file system of the file `path` has left. On LittleFS this reads all its pointers."""
    status = os.statvfs(path.rpartition("/")[0])
    return status[0] * status[4]


class Reserve:
    """A file that is there to be removed when the flash is full: the room for thinning, ends and events.

    `whole` is False while the flash has no room for all of it. `wear` (store.wear.Wear) counts what it costs.
    """

    def __init__(self, path, blocks, wear):
        self._path = path
        self._blocks = blocks
        self._wear = wear
        self.whole = False

    def fill(self):
        """Makes the file unless it is there; returns True when it is."""
        try:
            self.whole = os.stat(self._path)[6] == self._blocks * len(_BLOCK)
        except OSError:
            self.whole = False
        if self.whole:
            return True
        size = self._blocks * len(_BLOCK)
        if free_bytes(self._path) < size:
            self.give()
            return False  # without wearing the flash for nothing
        self._wear.wrote(size)
        try:
            with open(self._path, "wb") as f:
                for _ in range(self._blocks):
                    f.write(_BLOCK)
            self.whole = True
        except OSError:
            self.give()
        return self.whole

    def give(self):
        """Removes the file."""
        self.whole = False
        try:
            os.remove(self._path)
        except OSError:
            pass  # given already


class Thinning:
    """Thins the closed segments of a FlashLog in turn, oldest first; each round halves the middle samples."""

    def __init__(self, log):
        self._log = log
        self._last = 0  # segment that was thinned last

    def step(self):
        """Thins one segment; returns the bytes won, 0 when there is nothing left to win. Raises OSError."""
        closed = self._log.segments()[:-1]
        turn = [base for base in closed if base > self._last] + [base for base in closed if base <= self._last]
        for base in turn:
            self._last = base
            won = self._log.rewrite(base, _Sieve().keep) if self._has_middle(base) else 0
            if won > 0:
                return won
        return 0

    def _has_middle(self, base):
        """Tells whether rewriting would win anything: it costs as many erases as the segment has blocks."""
        limit = min([b for b in self._log.segments() if b > base])
        sieve = _Sieve()
        for item in self._log.read(base):
            if item[0] >= limit:
                return False
            if not sieve.keep(*item):
                return True
        return False


class _Sieve:
    """Lets every second middle sample of each series pass, and everything else.

    Series are counted apart, because they alternate: clock-aligned samples with periodic ones, and outside transactions
    those of connector 0 with the others. Counted together, all of one of them would go.
    """

    def __init__(self):
        self._seen = {}  # (transaction, connector, context) -> samples so far

    def keep(self, seq, kind, payload):
        if kind != records.SAMPLE:
            return True
        try:
            series = records.sample_series(payload)
        except ValueError:
            return True  # of a later version
        if series[2] not in _MIDDLE:
            return True
        count = self._seen.get(series, 0) + 1
        self._seen[series] = count
        return count % 2 == 0
