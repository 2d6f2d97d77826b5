# Read-mostly file of fixed-size records, found by key. MIT license.
"""Records found by their key with few reads of flash and little RAM; changed all or nothing at any loss of power.

    cards = SortedFile("/data/cards", key_bytes=8, record_bytes=20, is_removal=lambda record: record[8] == 255)
    cards.replace(records, b"version 1")
    cards.get(b"12345678")

`pages` is the form of one file, `sorting` orders more records than fit into RAM. There are two files: PATH has nearly
all, PATH.changes the changes since then, so that a small update writes a small file. Only when too many have come
together is PATH written anew. Both are replaced by renaming, which flash file systems and POSIX do atomically; PATH
has a random name in its footer that PATH.changes repeats, so that changes of an earlier PATH are known as such.
"""

import os
import struct

from micropython import const

from sortedfile.pages import HASH_BYTES, PageFile, stored_form
from sortedfile.sorting import Sorter

_RUNS = ".runs"
_CHANGES = ".changes"
_NO_NAME = b"\x00\x00\x00\x00"
_NAME_BYTES = const(4)
_COUNT = "<I"
_PAGE_BYTES = const(500)
_MOST_CHANGES = const(1024)

MAX_META = 30


class SortedFile:
    """Records of `record_bytes` at `path` whose first `key_bytes` are their key.

    `is_removal(record)` tells a record that removes its key, for update(). Up to `most_changes` are kept in the second
    file. In RAM are 3 bytes for each page of ten records or so, and 3 for each change.

    `replacing()` and `updating()` do their work step by step as generators that yield nothing: whoever has something
    else to do does it in between. A step takes no more than about one write of a page. Until the last one `busy` is
    True, and the old content is there and can be read. They raise ValueError for what cannot be taken, OSError when the
    flash refuses; the old content then stays, as it does when they are closed early.
    """

    def __init__(self, path, key_bytes, record_bytes, is_removal=None, most_changes=_MOST_CHANGES):
        self._runs = path + _RUNS
        self._key_bytes = key_bytes
        self._record_bytes = record_bytes
        self._is_removal = is_removal or _never
        self._most_changes = most_changes
        self.busy = False
        _remove(self._runs)
        per_page = max(1, min(255, _PAGE_BYTES // record_bytes))
        self._base = PageFile(path, key_bytes, record_bytes, per_page)
        # With one record in a page the table in RAM knows every key, and what was not changed costs no read.
        self._changes = PageFile(path + _CHANGES, key_bytes, record_bytes, 1)
        sound = self._changes.readable and (self._base.readable or not self._base.exists)
        if sound and self._changes.meta[:_NAME_BYTES] != self._name():
            self._forget_changes()  # the power went before this could be done

    # -- reading

    @property
    def count(self):
        """Number of records."""
        if self._changes.meta:
            return struct.unpack(_COUNT, self._changes.meta[_NAME_BYTES : 2 * _NAME_BYTES])[0]
        return self._base.count

    @property
    def meta(self):
        """Up to 30 bytes that the owner gave with the content."""
        return self._changes.meta[2 * _NAME_BYTES :] if self._changes.meta else self._base.meta[_NAME_BYTES:]

    @property
    def damaged(self):
        """True when something was read that is not what was written; records in other pages are still found."""
        return self._base.damaged or self._changes.damaged

    def get(self, key):
        """Returns the record of `key` (bytes of the right length) or None. Raises OSError."""
        record = self._changes.get(key)
        if record is None:
            return self._base.get(key)
        return None if self._is_removal(record) else record

    def records(self):
        """Yields all records in the order of the file. Raises ValueError when that is changed meanwhile."""
        for stored in self._current():
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
        sorter = self._begin(meta)
        try:
            if ordered:
                stored = self._breathing(records)
            else:
                yield from sorter.take(self._stored(records))
                stored = sorter.ordered()
            yield from self._rebase(self._distinct(stored), lambda: meta, most)
        finally:
            self._end(sorter)

    def updating(self, changes, meta=b"", most=None):
        """update() step by step. A damaged file is not updated: what was in it is not known."""

        def sound_meta():
            if self.damaged:
                raise ValueError("file is damaged")
            return meta

        sorter = self._begin(meta)
        try:
            yield from sorter.take(self._stored(changes))
            ordered = self._distinct(sorter.ordered())
            if self._changes.count + sorter.count > self._most_changes:
                everything = overlaid(self._current(), ordered, self._key_end)
                yield from self._rebase(self._without_removed(everything), sound_meta, most)
            else:
                yield from self._add_changes(ordered, sound_meta, most)
        finally:
            self._end(sorter)

    def adopt(self, path):
        """Takes over the content of a closed SortedFile that was written by one replace(), which is gone then.

        All or nothing. Raises OSError, and ValueError while the file is `busy`; the old content then stays.
        """
        if self.busy:
            raise ValueError("file is being changed")
        self._base.adopt(path)
        self._forget_changes()

    def remove(self):
        """Removes the content. Raises OSError."""
        # In this order: changes without their base are known as such at the next start, a base alone is not.
        self._base.remove()
        self._changes.remove()

    def close(self):
        """Closes the files; the object must not be used any more."""
        self._base.close()
        self._changes.close()

    # -- inside

    @property
    def _key_end(self):
        return HASH_BYTES + self._key_bytes

    def _name(self):
        return self._base.meta[:_NAME_BYTES] or _NO_NAME

    def _begin(self, meta):
        if len(meta) > MAX_META:
            raise ValueError("too much owner's data")
        if self.busy:
            raise ValueError("file is being changed")
        self.busy = True
        return Sorter(self._runs, HASH_BYTES + self._record_bytes)

    def _end(self, sorter):
        self.busy = False
        sorter.close()

    def _rebase(self, ordered, meta, most):
        """Writes PATH anew, by which the changes have become void."""
        name = os.urandom(_NAME_BYTES)
        yield from self._base.writing(ordered, lambda: name + meta(), most)
        self._forget_changes()

    def _forget_changes(self):
        try:
            self._changes.remove()
        except OSError:
            pass  # they are void all the same

    def _add_changes(self, ordered, meta, most):
        count = [self.count]

        def counted():
            for change in ordered:
                if change is not None:
                    known = self.get(change[HASH_BYTES : self._key_end]) is not None
                    count[0] += (not self._is_removal(change[HASH_BYTES:])) - known
                yield change

        def named_meta():
            if most is not None and count[0] > most:
                raise ValueError("too many records")
            return self._name() + struct.pack(_COUNT, count[0]) + meta()

        changes = overlaid(self._changes.stored(), counted(), self._key_end)
        yield from self._changes.writing(changes, named_meta)

    def _current(self):
        """Yields what is in both files, in order, with a None where a caller may take a breath."""
        return self._without_removed(overlaid(self._base.stored(), self._changes.stored(), self._key_end))

    def _without_removed(self, ordered):
        for stored in ordered:
            if stored is None or not self._is_removal(stored[HASH_BYTES:]):
                yield stored

    def _stored(self, records):
        for record in records:
            if len(record) != self._record_bytes:
                raise ValueError("record of the wrong size")
            yield stored_form(record, self._key_bytes)

    def _breathing(self, records):
        for stored in self._stored(records):
            yield stored
            yield None

    def _distinct(self, ordered):
        last = b""
        for stored in ordered:
            if stored is not None:
                key = stored[: self._key_end]
                if key <= last:
                    raise ValueError("key twice" if key == last else "records are not in order")
                last = key
            yield stored


def overlaid(below, above, key_end):
    """Merges two generators of ordered records; where both have a key (up to `key_end`), that of `above` counts.

    None in either of them, a place to take a breath, is passed on.
    """
    upper = None  # the next one of `above`; b"" when there are no more
    for lower in below:
        if lower is None:
            yield None
            continue
        key = lower[:key_end]
        while True:
            while upper is None:
                upper = next(above, b"")
                if upper is None:
                    yield None
            if not upper or upper[:key_end] >= key:
                break
            yield upper
            upper = None
        if upper[:key_end] != key:
            yield lower
    if upper:
        yield upper
    if upper != b"":
        yield from above


def _never(record):
    return False


def _remove(path):
    try:
        os.remove(path)
    except OSError:
        pass  # it was not there
