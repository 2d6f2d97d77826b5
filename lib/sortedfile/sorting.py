# Sorting more records than fit into RAM. MIT license.
"""External merge sort: sorted runs in one file, then one merge over all of them."""

import os

_RUN = 128  # records sorted in RAM at a time
_LOOK_AHEAD = 4  # records of each run held while merging


class Sorter:
    """Yields `records` (bytes of `record_bytes`) in ascending order; `path` names the file for runs.

    Use as `with Sorter(...) as ordered: for record in ordered: ...`, so that the file goes whatever happens.
    """

    def __init__(self, path, records, record_bytes):
        self._path = path
        self._records = records
        self._record_bytes = record_bytes

    def __enter__(self):
        try:
            os.remove(self._path)
        except OSError:
            pass  # no interrupted sorting before
        return self._ordered()

    def __exit__(self, kind, value, trace):
        try:
            os.remove(self._path)
        except OSError:
            pass  # everything fitted into RAM

    def _ordered(self):
        runs = []  # number of records in each run on file
        run = []
        for record in self._records:
            if len(run) == _RUN:
                self._write(run)
                runs.append(len(run))
                run = []
            run.append(record)
        if not runs:
            run.sort()
            for record in run:
                yield record
            return
        self._write(run)
        runs.append(len(run))
        del run
        heads = [_Run(self, i * _RUN, count) for i, count in enumerate(runs)]
        for head in heads:
            head.fill()
        while heads:
            smallest = min(heads, key=_head_of)
            yield smallest.waiting.pop(0)
            if not smallest.waiting and not smallest.fill():
                heads.remove(smallest)

    def _write(self, run):
        run.sort()
        with open(self._path, "ab") as f:
            f.write(b"".join(run))

    def read(self, first, count):
        """Returns `count` records of the file of runs."""
        size = self._record_bytes
        with open(self._path, "rb") as f:
            f.seek(first * size)
            data = f.read(count * size)
        return [data[i : i + size] for i in range(0, len(data), size)]


class _Run:
    """One sorted run while it is merged."""

    def __init__(self, sorter, first, count):
        self._sorter = sorter
        self._next = first
        self._end = first + count
        self.waiting = []

    def fill(self):
        """Reads the next records; returns False at the end of the run."""
        count = min(_LOOK_AHEAD, self._end - self._next)
        if count:
            self.waiting = self._sorter.read(self._next, count)
            self._next += count
        return count > 0


def _head_of(run):
    return run.waiting[0]
