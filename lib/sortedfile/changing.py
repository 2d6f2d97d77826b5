# Replacing and updating the content of a sorted file. MIT license.
"""Replacing and updating, step by step: sorts, merges with the old content, writes a file that takes its place."""

import os
import struct

from micropython import const

from sortedfile.pages import HASH_BYTES, check_bytes, stored_form
from sortedfile.sorting import Sorter
from sortedfile.writing import stored, writing

RUNS = ".runs"

# In PATH.changes the owner's data follows the name of PATH and the number of records.
NAME_BYTES = const(4)
COUNT = "<I"

_MAX_META = const(30)


class Change:
    """A replacement or update of the SortedFile `file`, with owner's data `meta`; at most `most` records result."""

    def __init__(self, file, meta, most):
        check_bytes(meta)
        self._file = file
        self._meta = meta
        self._most = most
        self._key_end = HASH_BYTES + file.key_bytes

    def replacing(self, records, ordered):
        """A generator that yields nothing; see SortedFile.replacing()."""
        sorter = self._begin()
        try:
            if ordered:
                form = self._breathing(records)
            else:
                yield from sorter.take(self._stored(records))
                form = sorter.ordered()
            yield from self._rebase(self._distinct(form), lambda: self._meta)
        finally:
            self._end(sorter)

    def updating(self, changes):
        """A generator that yields nothing; see SortedFile.updating()."""
        file = self._file
        sorter = self._begin()
        try:
            yield from sorter.take(self._stored(changes))
            ordered = self._distinct(sorter.ordered())
            if file.changes.count + sorter.count > file.most_changes:
                everything = overlaid(current(file), ordered, self._key_end)
                yield from self._rebase(_without_removed(everything, file), self._sound_meta)
            else:
                yield from self._add_changes(ordered)
        finally:
            self._end(sorter)

    def _begin(self):
        if len(self._meta) > _MAX_META:
            raise ValueError("owner's data too long")
        if self._file.busy:
            raise ValueError("file is already being changed")
        self._file.busy = True
        return Sorter(self._file.path + RUNS, HASH_BYTES + self._file.record_bytes)

    def _end(self, sorter):
        self._file.busy = False
        sorter.close()

    def _sound_meta(self):
        if self._file.damaged:
            raise ValueError("file is damaged")
        return self._meta

    def _rebase(self, ordered, meta):
        """Writes PATH again, including the changes."""
        name = os.urandom(NAME_BYTES)
        yield from writing(self._file.base, ordered, lambda: name + meta(), self._most)
        self._file.forget_changes()

    def _add_changes(self, ordered):
        file = self._file
        count = [file.count]

        def counted():
            for change in ordered:
                if change is not None:
                    known = file.get(change[HASH_BYTES : self._key_end]) is not None
                    count[0] += (not file.is_removal(change[HASH_BYTES:])) - known
                yield change

        def named_meta():
            if self._most is not None and count[0] > self._most:
                raise ValueError("too many records")
            return file.name() + struct.pack(COUNT, count[0]) + self._sound_meta()

        changes = overlaid(stored(file.changes, file.key_bytes), counted(), self._key_end)
        yield from writing(file.changes, changes, named_meta)

    def _stored(self, records):
        for record in records:
            check_bytes(record)
            if len(record) != self._file.record_bytes:
                raise ValueError("record of the wrong size")
            yield stored_form(record, self._file.key_bytes)

    def _breathing(self, records):
        for form in self._stored(records):
            yield form
            yield None

    def _distinct(self, ordered):
        last = b""
        for form in ordered:
            if form is not None:
                key = form[: self._key_end]
                if key <= last:
                    raise ValueError("key occurs twice" if key == last else "records are not in order")
                last = key
            yield form


def current(file):
    """Yields the records of both files of a SortedFile in order, and None where the caller may pause."""
    base, changes = stored(file.base, file.key_bytes), stored(file.changes, file.key_bytes)
    return _without_removed(overlaid(base, changes, HASH_BYTES + file.key_bytes), file)


def _without_removed(ordered, file):
    for form in ordered:
        if form is None or not file.is_removal(form[HASH_BYTES:]):
            yield form


def overlaid(below, above, key_end):
    """Merges two generators of ordered records; if both have a key (up to `key_end`), the record of `above` is used.

    None from either of them (a place to pause) is passed on.
    """
    upper = None  # next record of `above`, b"" at its end
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
