# The two files of a sorted file as one. MIT license.
"""SortedFile: look-ups and iteration over the content and its changes. Code that changes it is in `changing`."""

import struct

from micropython import const

from sortedfile.changing import COUNT, NAME_BYTES, RUNS, Change, current
from sortedfile.pages import HASH_BYTES, PageFile, remove

_CHANGES = ".changes"
_NO_NAME = b"\x00\x00\x00\x00"
_PAGE_BYTES = const(500)
_MOST_CHANGES = const(1024)


class SortedFile:
    """Records of `record_bytes` at `path` whose first `key_bytes` are their key.

    `is_removal(record)` returns True for a record that removes its key, for update(). Up to `most_changes` are kept in
    the second file. RAM: 3 bytes per page of about ten records, and 3 per change.

    `replacing()` and `updating()` are generators that yield None after each step, so that other work can be done in
    between. A step takes about as long as writing a page. Until the last one `busy` is True and the old content can be
    read. They raise TypeError for records that are not bytes-like, ValueError for invalid ones, OSError when they
    cannot be written; the old content then stays, also when the generator is closed early.
    """

    def __init__(self, path, key_bytes, record_bytes, is_removal=None, most_changes=_MOST_CHANGES):
        self.path = path
        self.key_bytes = key_bytes
        self.record_bytes = record_bytes
        self.is_removal = is_removal or _never
        self.most_changes = most_changes
        self.busy = False
        remove(path + RUNS)
        per_page = max(1, min(255, _PAGE_BYTES // record_bytes))
        self.base = PageFile(path, key_bytes, record_bytes, per_page)
        # One record per page: the table in RAM has every key, so a key without a change costs no read.
        self.changes = PageFile(path + _CHANGES, key_bytes, record_bytes, 1)
        sound = self.changes.readable and (self.base.readable or not self.base.exists)
        if sound and self.changes.meta[:NAME_BYTES] != self.name():
            self.forget_changes()  # interrupted by a power loss

    # -- reading

    @property
    def count(self):
        """Number of records."""
        if self.changes.meta:
            return struct.unpack(COUNT, self.changes.meta[NAME_BYTES : 2 * NAME_BYTES])[0]
        return self.base.count

    @property
    def meta(self):
        """Up to 30 bytes that the owner stored with the content."""
        return self.changes.meta[2 * NAME_BYTES :] if self.changes.meta else self.base.meta[NAME_BYTES:]

    @property
    def damaged(self):
        """True when a damaged page was read; records in other pages are still found."""
        return self.base.damaged or self.changes.damaged

    def get(self, key):
        """Returns the record of `key` (bytes, `key_bytes` long) or None. Raises OSError."""
        record = self.changes.get(key)
        if record is None:
            return self.base.get(key)
        return None if self.is_removal(record) else record

    def records(self):
        """Yields all records in the order of the file. Raises ValueError when the file is changed meanwhile."""
        for stored in current(self):
            if stored is not None:
                yield stored[HASH_BYTES:]

    # -- writing

    def replace(self, records, meta=b"", most=None):
        """Replaces the content by `records`, an iterable in any order, of at most `most` records."""
        for _ in self.replacing(records, meta, most):
            pass

    def update(self, changes, meta=b"", most=None):
        """Adds, replaces and removes records by `changes`; at most `most` records may result."""
        for _ in self.updating(changes, meta, most):
            pass

    def replacing(self, records, meta=b"", most=None, ordered=False):
        """replace() step by step; needs half the space if the records are `ordered` as in records()."""
        return self._change(meta, most).replacing(records, ordered)

    def updating(self, changes, meta=b"", most=None):
        """update() step by step. Raises ValueError for a damaged file, whose content is not known."""
        return self._change(meta, most).updating(changes)

    def adopt(self, path):
        """Takes over the file of a closed SortedFile that was written by one replace(); that file is then gone.

        All or nothing. Raises OSError, and ValueError while the file is `busy`; the old content then stays.
        """
        if self.busy:
            raise ValueError("file is being changed")
        self.base.adopt(path)
        self.forget_changes()

    def remove(self):
        """Removes the content. Raises OSError."""
        # In this order: changes without their base are recognised at the next start, a base alone would be valid.
        self.base.remove()
        self.changes.remove()

    def close(self):
        """Closes the files; the object cannot be used any more."""
        self.base.close()
        self.changes.close()

    # -- for changes

    def name(self):
        """Returns the name of this content, for PATH.changes."""
        return self.base.meta[:NAME_BYTES] or _NO_NAME

    def forget_changes(self):
        """Removes the changes, which no longer apply."""
        try:
            self.changes.remove()
        except OSError:
            pass  # they do not apply in any case

    def _change(self, meta, most):
        return Change(self, meta, most)


def _never(record):
    return False
