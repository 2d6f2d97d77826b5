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

    `is_removal(record)` tells a record that removes its key, for update(). Up to `most_changes` are kept in the second
    file. In RAM are 3 bytes for each page of ten records or so, and 3 for each change.

    `replacing()` and `updating()` do their work step by step as generators that yield nothing: whoever has something
    else to do does it in between. A step takes no more than about one write of a page. Until the last one `busy` is
    True, and the old content is there and can be read. They raise TypeError for what is not bytes-like, ValueError for
    what cannot be taken, OSError when the flash refuses; the old content then stays, as it does when they are closed
    early.
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
        # With one record in a page the table in RAM knows every key, and what was not changed costs no read.
        self.changes = PageFile(path + _CHANGES, key_bytes, record_bytes, 1)
        sound = self.changes.readable and (self.base.readable or not self.base.exists)
        if sound and self.changes.meta[:NAME_BYTES] != self.name():
            self.forget_changes()  # the power went before this could be done

    # -- reading

    @property
    def count(self):
        """Number of records."""
        if self.changes.meta:
            return struct.unpack(COUNT, self.changes.meta[NAME_BYTES : 2 * NAME_BYTES])[0]
        return self.base.count

    @property
    def meta(self):
        """Up to 30 bytes that the owner gave with the content."""
        return self.changes.meta[2 * NAME_BYTES :] if self.changes.meta else self.base.meta[NAME_BYTES:]

    @property
    def damaged(self):
        """True when something was read that is not what was written; records in other pages are still found."""
        return self.base.damaged or self.changes.damaged

    def get(self, key):
        """Returns the record of `key` (bytes of the right length) or None. Raises OSError."""
        record = self.changes.get(key)
        if record is None:
            return self.base.get(key)
        return None if self.is_removal(record) else record

    def records(self):
        """Yields all records in the order of the file. Raises ValueError when that is changed meanwhile."""
        for stored in current(self):
            if stored is not None:
                yield stored[HASH_BYTES:]

    # -- writing

    def replace(self, records, meta=b"", most=None):
        """Replaces the content by `records`, an iterable in any order, with not more than `most` in it."""
        for _ in self.replacing(records, meta, most):
            pass

    def update(self, changes, meta=b"", most=None):
        """Adds and replaces records by those of `changes`, and removes keys, with not more than `most` in the end."""
        for _ in self.updating(changes, meta, most):
            pass

    def replacing(self, records, meta=b"", most=None, ordered=False):
        """replace() step by step; if they come `ordered` like records() gives them, in half the room."""
        return self._change(meta, most).replacing(records, ordered)

    def updating(self, changes, meta=b"", most=None):
        """update() step by step. A damaged file is not updated: what was in it is not known."""
        return self._change(meta, most).updating(changes)

    def adopt(self, path):
        """Takes over the content of a closed SortedFile that was written by one replace(), which is gone then.

        All or nothing. Raises OSError, and ValueError while the file is `busy`; the old content then stays.
        """
        if self.busy:
            raise ValueError("file is being changed")
        self.base.adopt(path)
        self.forget_changes()

    def remove(self):
        """Removes the content. Raises OSError."""
        # In this order: changes without their base are known as such at the next start, a base alone is not.
        self.base.remove()
        self.changes.remove()

    def close(self):
        """Closes the files; the object must not be used any more."""
        self.base.close()
        self.changes.close()

    # -- of a change

    def name(self):
        """Returns the name that changes of this content repeat."""
        return self.base.meta[:NAME_BYTES] or _NO_NAME

    def forget_changes(self):
        """Removes the changes, which are void."""
        try:
            self.changes.remove()
        except OSError:
            pass  # they are void all the same

    def _change(self, meta, most):
        return Change(self, meta, most)


def _never(record):
    return False
