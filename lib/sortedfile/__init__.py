# Read-mostly file of fixed-size records, found by key. MIT license.
"""Records in the order of a hash of their keys, found with one read of a small page; replaced as a whole or not at all.

    pages     records, each behind the CRC-32 of its key, in ascending order; a page begins with its own CRC-32
    table     the first two bytes of each page's first record
    footer    64 bytes: magic, sizes, counts, CRC-32 of the table, the owner's data, CRC-32

The table is all that is kept in RAM: 2 bytes a page, 0.2 bytes a record. Hashes are spread evenly, so that two bytes of
one tell the page whatever the keys look like. A new content is written to PATH.new and renamed, which flash file
systems and POSIX do atomically.
"""

import binascii
import os
import struct

from micropython import const

from sortedfile.sorting import Sorter

_NEW = ".new"
_RUNS = ".runs"
_MAGIC = b"SRT1"
_FOOTER = "<4sBHHIIIB38s"
_FOOTER_BYTES = const(60)  # without its CRC
_HASH_BYTES = const(4)
_PAGE_HEAD = const(5)  # CRC-32, number of records
_PAGE_BYTES = const(512)

MAX_META = 38


class SortedFile:
    """Records of `record_bytes` at `path` whose first `key_bytes` are their key.

    `count` is the number of records, `meta` up to 38 bytes that the owner gave with them. `damaged` is True when
    something was read that is not what was written; records in other pages are still found. The file stays open.
    """

    def __init__(self, path, key_bytes, record_bytes):
        self._path = path
        self._key_bytes = key_bytes
        self._record_bytes = record_bytes
        self._stored_bytes = _HASH_BYTES + record_bytes
        self._per_page = (_PAGE_BYTES - _PAGE_HEAD) // self._stored_bytes
        self._file = None
        self.damaged = False
        _remove(path + _NEW)
        _remove(path + _RUNS)
        self._open()

    # -- reading

    def get(self, key):
        """Returns the record of `key` (bytes of the right length) or None. Raises OSError."""
        stored = _hash(key) + key
        first, last = self._pages_of(stored)
        for number in range(first, last):
            page = self._page(number)
            for at in range(0, len(page), self._stored_bytes):
                if page[at : at + len(stored)] == stored:
                    return page[at + _HASH_BYTES : at + self._stored_bytes]
        return None

    def records(self):
        """Yields all records in the order of the file. It must not be changed meanwhile."""
        for record in self._stored_records():
            yield record[_HASH_BYTES:]

    # -- writing

    def replace(self, records, meta=b"", most=None):
        """Replaces the content by `records`, an iterable in any order, all or nothing.

        Raises ValueError when a key is there twice or there are more than `most`, OSError when the flash refuses. The
        old content then stays.
        """
        with self._sorted(records) as ordered:
            self._replace(ordered, meta, most)

    def update(self, changes, is_removal, meta=b"", most=None):
        """Adds and replaces records by those of `changes`; one for which is_removal(record) holds removes its key.

        Otherwise as replace().
        """
        with self._sorted(changes) as ordered:
            self._replace(self._merged(ordered, is_removal), meta, most)

    def remove(self):
        """Removes the file and with it all records."""
        self.close()
        _remove(self._path)
        self._open()

    def close(self):
        """Closes the file; the object must not be used any more."""
        if self._file:
            self._file.close()
            self._file = None

    # -- inside

    def _open(self):
        self.count = 0
        self.meta = b""
        self._pages = 0
        self._table = b""
        try:
            self._file = open(self._path, "rb")
        except OSError:
            return
        if not self._read_footer():
            self.damaged = True

    def _read_footer(self):
        size = self._file.seek(0, 2)
        self._file.seek(max(0, size - _FOOTER_BYTES - 4))
        footer = self._file.read(_FOOTER_BYTES + 4)
        body = footer[:_FOOTER_BYTES]
        if footer[_FOOTER_BYTES:] != _crc(body):
            return False
        magic, key_bytes, record_bytes, page_bytes, count, pages, check, used, meta = struct.unpack(_FOOTER, body)
        if (magic, key_bytes, record_bytes, page_bytes) != (_MAGIC, self._key_bytes, self._record_bytes, _PAGE_BYTES):
            return False
        self.count, self._pages, self.meta = count, pages, meta[:used]
        self._file.seek(pages * _PAGE_BYTES)
        self._table = self._file.read(2 * pages)
        if binascii.crc32(self._table) != check:
            self._table = b""  # every look-up reads the whole file
            return False
        return True

    def _pages_of(self, stored):
        """Returns the range (first, behind last) of the pages that may hold a record that begins with `stored`."""
        if not self._table:
            return 0, self._pages
        prefix = stored[:2]
        last = _count_up_to(self._table, prefix)
        first = last
        # Records with the same two bytes may begin in the page before the first that begins with them.
        while first > 0 and self._table[2 * first - 2 : 2 * first] == prefix:
            first -= 1
        return max(0, first - 1), last

    def _stored_records(self):
        for number in range(self._pages):
            page = self._page(number)
            for at in range(0, len(page), self._stored_bytes):
                yield page[at : at + self._stored_bytes]

    def _page(self, number):
        """Returns the records of a page; b"" and `damaged` when its check fails."""
        self._file.seek(number * _PAGE_BYTES)
        page = self._file.read(_PAGE_BYTES)
        if len(page) == _PAGE_BYTES and page[:4] == _crc(page[4:]):
            return page[_PAGE_HEAD : _PAGE_HEAD + page[4] * self._stored_bytes]
        self.damaged = True
        return b""

    def _sorted(self, records):
        stored = (_hash(record[: self._key_bytes]) + record for record in records)
        return Sorter(self._path + _RUNS, stored, self._stored_bytes)

    def _merged(self, changes, is_removal):
        """Yields the stored records and the changes in order; a change takes the place of the record of its key."""
        end = _HASH_BYTES + self._key_bytes
        change = next(changes, None)
        for record in self._stored_records():
            while change is not None and change[:end] < record[:end]:
                if not is_removal(change[_HASH_BYTES:]):
                    yield change
                change = next(changes, None)
            # A change of this very key goes first in the next round, behind which it sorts.
            if change is None or change[:end] != record[:end]:
                yield record
        while change is not None:
            if not is_removal(change[_HASH_BYTES:]):
                yield change
            change = next(changes, None)

    def _replace(self, ordered, meta, most):
        if len(meta) > MAX_META:
            raise ValueError("too much owner's data")
        try:
            with open(self._path + _NEW, "wb") as f:
                self._write(f, ordered, meta, most)
        except (ValueError, OSError):
            _remove(self._path + _NEW)
            raise
        self.close()
        os.rename(self._path + _NEW, self._path)
        self.damaged = False
        self._open()

    def _write(self, f, ordered, meta, most):
        count = 0
        table = bytearray()
        page = bytearray()
        last = b""
        for record in ordered:
            key = record[: _HASH_BYTES + self._key_bytes]
            if key == last:
                raise ValueError("key twice")
            if count == most or len(record) != self._stored_bytes:
                raise ValueError("too many records, or one of the wrong size")
            last = key
            if count % self._per_page == 0:
                table.extend(record[:2])
            count += 1
            page.extend(record)
            if count % self._per_page == 0:
                _write_page(f, page, self._per_page)
                page = bytearray()
        if page:
            _write_page(f, page, count % self._per_page)
        f.write(table)
        body = struct.pack(
            _FOOTER,
            _MAGIC,
            self._key_bytes,
            self._record_bytes,
            _PAGE_BYTES,
            count,
            len(table) // 2,
            binascii.crc32(table),
            len(meta),
            meta,
        )
        f.write(body + _crc(body))


def _write_page(f, records, count):
    body = bytes((count,)) + records
    body += b"\x00" * (_PAGE_BYTES - 4 - len(body))
    f.write(_crc(body) + body)


def _crc(data):
    return struct.pack("<I", binascii.crc32(data))


def _hash(key):
    # Big-endian, so that the order of the bytes is the order of the numbers.
    return struct.pack(">I", binascii.crc32(key))


def _count_up_to(table, prefix):
    """Returns how many two-byte entries of the sorted table are <= `prefix`."""
    low, high = 0, len(table) // 2
    while low < high:
        middle = (low + high) // 2
        if table[2 * middle : 2 * middle + 2] <= prefix:
            low = middle + 1
        else:
            high = middle
    return low


def _remove(path):
    try:
        os.remove(path)
    except OSError:
        pass  # it was not there
