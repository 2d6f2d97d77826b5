# Append-only log of small records for flash file systems. MIT license.
"""Append-only log: records in segment files of one directory, in order, safe at power losses and damage.

Records are durable when append() or flush() returns. A record is never changed; old ones are removed in whole segments.
A segment begins with a header record whose payload comes from the owner (`opening`), so that a reader can start there.
"""

import os

from flashlog.segment import HEADER, MAX_PAYLOAD, NEW, OVERHEAD, checked, encode, read_chunk, rewrite, scan

__all__ = ("FlashLog", "MAX_PAYLOAD", "OVERHEAD")

_SUFFIX = ".log"
_EEXIST = 17
_ENOENT = 2
_ENOSPC = 28
_READ_TRIES = 3  # attempts to read a file

# Cache of the last read: segment, records, number of the last record, offset after it.
_NOTHING_READ = (0, (), 0, 0)

# Maximum bytes of RAM for records that wait for flush().
_MAX_PENDING = 4096


class FlashLog:
    """The log in the directory `path` (created if missing).

    A segment is closed when it would grow beyond `segment_bytes`. Sequence numbers begin at 1, increase strictly and
    are never reused; `next_seq_floor` is the lowest number to use next, when records were read before they were
    durable. `opening()` returns the payload for the header of a new segment; `flushing()` is called before waiting
    records are written, `wrote(count, before)` after writing `count` bytes behind `before` others.

    `damaged` has the numbers of the segments in which invalid bytes were found.
    """

    def __init__(self, path, segment_bytes=16384, next_seq_floor=0, opening=None, flushing=None, wrote=None):
        self._path = path
        self._segment_bytes = segment_bytes
        self._opening = opening
        self._flushing = flushing
        self._wrote = wrote
        self._pending = []  # records not on flash yet
        self._pending_bytes = 0
        self._chunk = _NOTHING_READ
        # First sequence number of each segment (also its file name), ascending; and bytes in the last one.
        self._segments, next_seq, self._tail, damaged = _opened(path)
        self.next_seq = max(next_seq, next_seq_floor)
        self.damaged = set()
        if damaged:
            self._tail = None  # nothing may be appended
            self.damaged.add(self._segments[-1])

    # -- writing

    def append(self, kind, payload, durable=True):
        """Adds a record (kind 1..255, payload up to MAX_PAYLOAD bytes) and returns its sequence number.

        A durable record, and all that waited before it, is on flash when this returns; others wait for flush(). Raises
        TypeError for a payload that is not bytes-like, ValueError, or OSError when it cannot be written; the record
        then does not exist.
        """
        payload = checked(payload)
        if not isinstance(kind, int):
            raise TypeError("kind must be an int")
        if not 0 < kind < 256:
            raise ValueError("kind must be 1 to 255")
        seq = self.next_seq
        self.next_seq = seq + 1
        self._pending.append((seq, kind, payload))
        self._pending_bytes += OVERHEAD + len(payload)
        if durable or self._pending_bytes > _MAX_PENDING:
            try:
                self.flush()
            except OSError:
                if not self._pending:
                    return seq  # it was written all the same
                self._pending.pop()
                self._pending_bytes -= OVERHEAD + len(payload)
                raise
        return seq

    def flush(self):
        """Writes all waiting records with one commit. Raises OSError; records that were not written still wait."""
        if not self._pending:
            return
        if self._flushing:
            self._flushing()
        data = b"".join([encode(*record) for record in self._pending])
        fresh = self._tail is None or self._tail + len(data) > self._segment_bytes
        if fresh:
            base = self._pending[0][0]
            data = self._header(base) + data
        else:
            base = self._segments[-1]
        try:
            with open(self._file(base), "wb" if fresh else "ab") as f:
                f.write(data)
        except Exception as exc:
            self._after_failure(base, fresh)
            if fresh or not isinstance(exc, OSError) or exc.errno == _ENOSPC:
                raise
            # If this file cannot be written to, for example because of a bad block, the log goes on in a new one.
            self._tail = None
            return self.flush()
        if fresh:
            self._segments.append(base)
            self._tail = 0
        before = self._tail
        self._tail += len(data)
        self._pending = []
        self._pending_bytes = 0
        if self._wrote:
            self._wrote(len(data), before)

    def skip_to(self, seq):
        """Makes the next record's sequence number at least `seq`."""
        self.next_seq = max(self.next_seq, seq)

    # -- reading

    def read(self, seq=0):
        """Yields (seq, kind, payload) of every record from `seq` on, including those that wait for flush().

        Records may be added, flushed and released meanwhile; no file stays open between two records.
        """
        while True:
            records = self._load(seq)
            if not records:
                return
            for record in records:
                yield record
            seq = records[-1][0] + 1

    def header(self, seq):
        """Returns (first sequence number, payload of the header) of the segment that contains `seq`.

        The payload is None when the header is damaged or no segment contains `seq`.
        """
        base = self._base_of(seq)
        if base is None:
            return 0, None
        records = read_chunk(self._file(base), 0)[0]
        if records and records[0][0] == base and records[0][1] == HEADER:
            return base, records[0][2]
        return base, None

    def is_durable(self, seq):
        """Returns True when the record `seq` (or the next one after it) is on flash."""
        return not self._pending or seq < self._pending[0][0]

    @property
    def pending(self):
        """Number of records that wait for flush()."""
        return len(self._pending)

    def segments(self):
        """Returns the first sequence numbers of all segments, oldest first."""
        return tuple(self._segments)

    def size(self):
        """Returns the bytes in all segment files."""
        return sum([os.stat(self._file(base))[6] for base in self._segments])

    # -- making room

    def release(self, seq):
        """Removes the segments with only records before `seq`; the last segment stays."""
        while len(self._segments) > 1 and self._segments[1] <= seq:
            base = self._segments.pop(0)
            os.remove(self._file(base))
            self.damaged.discard(base)

    def rotate(self):
        """Begins a new segment, so that release() can remove all existing records. Raises OSError."""
        self.flush()
        base = self.next_seq
        if base in self._segments:
            return
        data = self._header(base)
        with open(self._file(base), "wb") as f:
            f.write(data)
        self._segments.append(base)
        self._tail = len(data)

    def rewrite(self, base, keep):
        """Drops the records of a closed segment for which keep(seq, kind, payload) is false; all or nothing.

        Returns the bytes freed. Raises ValueError for the last segment, OSError when there is no space for the copy.
        """
        limit = self._after(base)
        if limit is None:
            raise ValueError("the last segment cannot be rewritten")
        before, after = rewrite(self._file(base), limit, keep)
        if self._wrote:
            self._wrote(after, 0)
        self._chunk = _NOTHING_READ
        self.damaged.discard(base)
        return before - after

    # -- inside

    def _header(self, base):
        return encode(base, HEADER, self._opening() if self._opening else b"")

    def _file(self, base):
        return "%s/%08x%s" % (self._path, base, _SUFFIX)

    def _after_failure(self, base, fresh):
        """Finds out how much of a failed flush() was written, and makes the files consistent."""
        try:
            last, size, garbage = scan(self._file(base), base)
        except OSError:
            if not fresh:
                self._tail = None
            return
        waiting = [record for record in self._pending if record[0] > last]
        if fresh and len(waiting) == len(self._pending):
            os.remove(self._file(base))
            return
        if fresh:
            self._segments.append(base)
        self._tail = None if garbage else size
        self._pending = waiting
        self._pending_bytes = sum([OVERHEAD + len(record[2]) for record in waiting])

    def _base_of(self, seq):
        found = None
        for base in self._segments:
            if found is not None and base > seq:
                break
            found = base
        return found

    def _load(self, seq):
        """Returns the next few records from `seq` on; an empty list at the end."""
        base, records, last, offset = self._chunk
        if seq > last:
            self._chunk = (base, (), last, offset)
        elif records and records[0][0] <= seq:
            return [record for record in records if record[0] >= seq]
        if self._pending and seq >= self._pending[0][0]:
            return [record for record in self._pending if record[0] >= seq]
        base = self._base_of(seq)
        while base is not None:
            records = self._load_from(base, seq)
            if records:
                return records
            base = self._after(base)
        return list(self._pending)

    def _load_from(self, base, seq):
        """Returns the next few records from `seq` on in one segment, [] if it has none."""
        known, _, last, offset = self._chunk
        if known != base or last >= seq:
            offset = 0
        limit = self._after(base) or self.next_seq
        end = False
        while not end:
            chunk = self._chunk_of(base, offset)
            if chunk is None:
                return []
            records, offset, skipped, end = chunk
            if skipped:
                self.damaged.add(base)
            # A number outside the segment's range is left over from an old file: not a record of this log.
            records = [record for record in records if record[1] != HEADER and base <= record[0] < limit]
            if records and records[-1][0] >= seq:
                self._chunk = (base, records, records[-1][0], offset)
                return [record for record in records if record[0] >= seq]
        return []

    def _chunk_of(self, base, offset):
        """Returns read_chunk() of a segment; None when it was released meanwhile, or cannot be read repeatedly."""
        for _ in range(_READ_TRIES):
            try:
                return read_chunk(self._file(base), offset)
            except OSError as exc:
                if exc.errno == _ENOENT:
                    return None
        self.damaged.add(base)
        return None

    def _after(self, base):
        for following in self._segments:
            if following > base:
                return following
        return None


def _opened(path):
    """Creates or reads the directory `path`; removes empty segments and files of an interrupted rewrite().

    Returns (first sequence numbers of all segments, first unused number, bytes in the last segment, True when that
    contains invalid bytes).
    """
    segments = _list(path)
    next_seq, tail, damaged = 1, None, False
    while segments and not tail:
        last, tail, garbage = scan("%s/%08x%s" % (path, segments[-1], _SUFFIX), segments[-1])
        # The invalid bytes may have been records: their possible numbers are not used again.
        next_seq = max(next_seq, last + 1 + -(-garbage // OVERHEAD))
        damaged = garbage > 0
        if not tail:
            os.remove("%s/%08x%s" % (path, segments.pop(), _SUFFIX))
    return segments, next_seq, tail or None, damaged


def _list(path):
    try:
        os.mkdir(path)
    except OSError as exc:
        if exc.args[0] != _EEXIST:
            raise
    segments = []
    for name in os.listdir(path):
        if name.endswith(NEW):
            os.remove(path + "/" + name)
        elif len(name) == 8 + len(_SUFFIX) and name.endswith(_SUFFIX):
            try:
                segments.append(int(name[:8], 16))
            except ValueError:
                pass  # not a segment
    segments.sort()
    return segments
