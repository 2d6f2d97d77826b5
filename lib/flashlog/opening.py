# What is there of an append-only log. MIT license.
"""What a log needs when it is opened, and after a write that failed."""

import os

from flashlog import NEW, SUFFIX
from flashlog.segment import HEADER, OVERHEAD, read_chunk

_EEXIST = 17


def opened(path):
    """Makes the directory `path` or reads it; removes empty segments and what an interrupted rewrite() left.

    Returns (first sequence numbers of all segments, first unused number, bytes in the last one, True when something
    in that is no record).
    """
    segments = _list(path)
    next_seq, tail, damaged = 1, None, False
    while segments and not tail:
        last, tail, garbage = scan("%s/%08x%s" % (path, segments[-1], SUFFIX), segments[-1])
        # Whatever the garbage was, the numbers that it may have held are not given out again.
        next_seq = max(next_seq, last + 1 + -(-garbage // OVERHEAD))
        damaged = garbage > 0
        if not tail:
            os.remove("%s/%08x%s" % (path, segments.pop(), SUFFIX))
    return segments, next_seq, tail or None, damaged


def scan(path, base):
    """Returns (last sequence number or base - 1, file size, bytes of garbage) of a segment. Raises OSError."""
    last = base - 1
    offset = garbage = 0
    end = False
    while not end:
        records, offset, skipped, end = read_chunk(path, offset)
        garbage += skipped
        for seq, kind, _ in records:
            if kind != HEADER:
                last = max(last, seq)
    return last, offset, garbage


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
        elif len(name) == 8 + len(SUFFIX) and name.endswith(SUFFIX):
            try:
                segments.append(int(name[:8], 16))
            except ValueError:
                pass  # not ours
    segments.sort()
    return segments
