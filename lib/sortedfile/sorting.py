# Sorting more records than fit into RAM. MIT license.
"""External merge sort: sorted runs in one file, then one merge over all of them."""

import os
from heapq import heappop, heappush

from micropython import const

_RUN = const(128)  # records sorted in RAM at a time
_WRITTEN = const(16)  # records of a run written in one step
_BUFFER = const(8192)  # bytes for all runs together while they are merged


class Sorter:
    """Sorts records (bytes of `record_bytes`); sorted runs that do not fit into RAM are written to a file at `path`.

    Run take() to its end, then ordered(); close() removes the file. Sorting 10 000 records of 50 bytes needs about 20
    KB of RAM. `count` is the number of records.
    """

    def __init__(self, path, record_bytes):
        self._path = path
        self._record_bytes = record_bytes
        self._run = []
        self._runs = 0  # number of runs in the file
        self._file = None
        self.count = 0

    def take(self, records):
        """Takes records. A generator that yields None for each record and each piece written."""
        for record in records:
            if len(self._run) == _RUN:
                yield from self._write_run()
            self._run.append(record)
            self.count += 1
            yield
        if self._runs:
            yield from self._write_run()
            self._file.close()
        self._run.sort()

    def ordered(self):
        """Yields the records in ascending order."""
        if not self._runs:
            for record in self._run:
                yield record
            return
        self._file = open(self._path, "rb")
        merge = _Merge(self._file, self._record_bytes, self.count)
        size = self._record_bytes
        heads = []  # next record of each run, followed by the number of the run
        for run in range(self._runs):
            heappush(heads, merge.next(run))
        while heads:
            head = heappop(heads)
            yield head[:size]
            head = merge.next(head[size] << 8 | head[size + 1])
            if head:
                heappush(heads, head)

    def close(self):
        """Removes the file of runs."""
        if self._file:
            self._file.close()
            try:
                os.remove(self._path)
            except OSError:
                pass  # the next one replaces it

    def _write_run(self):
        if not self._file:
            self._file = open(self._path, "wb")
        self._run.sort()
        for i in range(0, len(self._run), _WRITTEN):
            self._file.write(b"".join(self._run[i : i + _WRITTEN]))
            yield
        self._run = []
        self._runs += 1


class _Merge:
    """Reads all runs of a file in parallel, each through its part of one buffer."""

    def __init__(self, file, record_bytes, count):
        self._file = file
        self._size = record_bytes
        runs = (count + _RUN - 1) // _RUN
        self._ahead = max(1, min(_RUN, _BUFFER // (runs * record_bytes)))  # buffered records per run
        self._buffer = memoryview(bytearray(runs * self._ahead * record_bytes))
        self._next = [0] * runs  # index of the next record of each run
        self._left = [_RUN] * runs
        self._left[-1] = count - _RUN * (runs - 1)

    def next(self, run):
        """Returns the next record of a run, followed by the number of the run in two bytes; b"" at its end."""
        if not self._left[run]:
            return b""
        place = self._next[run] % self._ahead
        begin = run * self._ahead * self._size
        if place == 0:
            self._fill(run, begin)
        self._next[run] += 1
        self._left[run] -= 1
        begin += place * self._size
        return bytes(self._buffer[begin : begin + self._size]) + bytes((run >> 8, run & 255))

    def _fill(self, run, begin):
        room = min(self._ahead, self._left[run]) * self._size
        self._file.seek((run * _RUN + self._next[run]) * self._size)
        if self._file.readinto(self._buffer[begin : begin + room]) != room:
            raise OSError(5)  # EIO
