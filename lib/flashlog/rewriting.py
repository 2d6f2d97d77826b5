# Dropping records out of the middle of an append-only log. MIT license.
"""What a log needs only where room is short."""

import os

from flashlog import NEW
from flashlog.segment import HEADER, encode, read_chunk


def rewrite(path, limit, keep):
    """Drops the records of a segment from the number `limit` on, and those for which keep(seq, kind, payload) is false.

    Returns (bytes before, bytes afterwards). All or nothing; raises OSError when there is no room for the copy.
    """
    before = os.stat(path)[6]
    after = 0
    try:
        with open(path + NEW, "wb") as f:
            offset = 0
            end = False
            while not end:
                records, offset, _, end = read_chunk(path, offset)
                for record in records:
                    if record[0] < limit and (record[1] == HEADER or keep(*record)):
                        after += f.write(encode(*record))
    except OSError:
        try:
            os.remove(path + NEW)
        except OSError:
            pass  # it was never made
        raise
    os.rename(path + NEW, path)
    return before, after
