# Read-mostly file of sorted fixed-size records. MIT license.
"""A file of records sorted by key, found with few reads and constant RAM, replaced as a whole or not at all.

    leaf pages    records in ascending order of their keys, filled one after the other
    index pages   first keys of the pages of the level below; level over level, the last one is a single page
    footer        64 bytes: magic, sizes, counts, the owner's data, CRC-32

A page begins with its CRC-32 and the number of its items. A new content is written to PATH.new and renamed, which flash
file systems and POSIX do atomically.
"""

import binascii
import os
import struct

from micropython import const

_NEW = ".new"
_MAGIC = b"SRT1"
_FOOTER = "<4sBHHIIB42s"
_FOOTER_BYTES = const(60)  # without its CRC
_PAGE_HEAD = const(6)

MAX_META = 42


class SortedFile:
    """Records of `record_bytes` at `path` whose first `key_bytes` are their key.

    `count` is the number of records, `meta` up to 42 bytes that the owner gave with them. `damaged` is True when
    something was read that is not what was written; records elsewhere in the file are still found.
    """

    def __init__(self, path, key_bytes, record_bytes, page_bytes=4096):
        self._path = path
        self._key_bytes = key_bytes
        self._record_bytes = record_bytes
        self._page_bytes = page_bytes
        self._per_leaf = (page_bytes - _PAGE_HEAD) // record_bytes
        self._per_index = (page_bytes - _PAGE_HEAD) // key_bytes
        self.damaged = False
        _remove(path + _NEW)
        self._open()

    # -- reading

    def get(self, key):
        """Returns the record of `key` (bytes of the right length) or None. Raises OSError."""
        if not self._leaves:
            return None
        with open(self._path, "rb") as f:
            leaf = self._find_leaf(f, key)
            if leaf is not None:
                return self._search(self._page(f, leaf), key)
            for leaf in range(self._leaves):  # the index is damaged: look everywhere
                record = self._search(self._page(f, leaf), key)
                if record is not None:
                    return record
        return None

    def records(self):
        """Yields all records in ascending order of their keys. The file must not be replaced meanwhile."""
        for leaf in range(self._leaves):
            with open(self._path, "rb") as f:
                page = self._page(f, leaf)
            for at in range(0, len(page), self._record_bytes):
                yield page[at : at + self._record_bytes]

    # -- writing

    def replace(self, records, meta=b"", most=None):
        """Replaces the content by `records` (an iterable in strictly ascending order of the keys), all or nothing.

        Raises ValueError when they are not in order, one is there twice, or there are more than `most`; OSError when
        the flash refuses. The old content then stays.
        """
        if len(meta) > MAX_META:
            raise ValueError("too much owner's data")
        try:
            with open(self._path + _NEW, "wb") as f:
                count, leaves = self._write_leaves(f, records, most)
            if leaves > 1:
                self._append_index(leaves)
            footer = struct.pack(
                _FOOTER, _MAGIC, self._key_bytes, self._record_bytes, self._page_bytes, count, leaves, len(meta), meta
            )
            with open(self._path + _NEW, "ab") as f:
                f.write(footer + struct.pack("<I", binascii.crc32(footer)))
        except (ValueError, OSError):
            _remove(self._path + _NEW)
            raise
        os.rename(self._path + _NEW, self._path)
        self.damaged = False
        self._open()

    def remove(self):
        """Removes the file and with it all records."""
        _remove(self._path)
        self._open()

    # -- inside

    def _open(self):
        self.count = 0
        self.meta = b""
        self._leaves = 0
        try:
            with open(self._path, "rb") as f:
                size = f.seek(0, 2)
                f.seek(max(0, size - _FOOTER_BYTES - 4))
                footer = f.read()
        except OSError:
            return
        body = footer[:-4]
        if len(body) != _FOOTER_BYTES or binascii.crc32(body) != struct.unpack("<I", footer[-4:])[0]:
            self.damaged = True
            return
        magic, key_bytes, record_bytes, page_bytes, count, leaves, used, meta = struct.unpack(_FOOTER, body)
        if (magic, key_bytes, record_bytes, page_bytes) != (
            _MAGIC,
            self._key_bytes,
            self._record_bytes,
            self._page_bytes,
        ):
            self.damaged = True
            return
        self.count = count
        self.meta = meta[:used]
        self._leaves = leaves

    def _levels(self, leaves):
        """Returns [(first page, pages)] of every level, the leaves first, the single top page last."""
        levels = [(0, leaves)]
        while levels[-1][1] > 1:
            first, pages = levels[-1]
            levels.append((first + pages, -(-pages // self._per_index)))
        return levels

    def _find_leaf(self, f, key):
        """Returns the number of the leaf page that `key` would be in, None when a page on the way is damaged."""
        below = 0  # page within the level below
        levels = self._levels(self._leaves)
        for level in range(len(levels) - 1, 0, -1):
            keys = self._page(f, levels[level][0] + below)
            if not keys:
                return None
            below = below * self._per_index + max(0, _position(keys, key, self._key_bytes) - 1)
        return below

    def _search(self, page, key):
        at = _position(page, key, self._record_bytes) - 1
        record = page[at * self._record_bytes : (at + 1) * self._record_bytes] if at >= 0 else b""
        return record if record[: self._key_bytes] == key and record else None

    def _page(self, f, number):
        """Returns the items of a page without its head; b"" and `damaged` when its check fails."""
        f.seek(number * self._page_bytes)
        page = f.read(self._page_bytes)
        if len(page) == self._page_bytes and binascii.crc32(page[4:]) == struct.unpack_from("<I", page, 0)[0]:
            return page[_PAGE_HEAD : _PAGE_HEAD + struct.unpack_from("<H", page, 4)[0]]
        self.damaged = True
        return b""

    def _write_page(self, f, items):
        """Writes a page of `items` (bytes)."""
        body = struct.pack("<H", len(items)) + items
        body += b"\x00" * (self._page_bytes - 4 - len(body))
        f.write(struct.pack("<I", binascii.crc32(body)))
        f.write(body)

    def _write_leaves(self, f, records, most):
        """Returns (number of records, number of pages)."""
        count = leaves = 0
        items = bytearray()
        last = None
        for record in records:
            key = bytes(record[: self._key_bytes])
            if last is not None and key <= last:
                raise ValueError("key twice or out of order")
            if len(record) != self._record_bytes or count == most:
                raise ValueError("too many records, or one of the wrong size")
            last = key
            count += 1
            items.extend(record)
            if count % self._per_leaf == 0:
                self._write_page(f, items)
                leaves += 1
                items = bytearray()
        if items:
            self._write_page(f, items)
            leaves += 1
        return count, leaves

    def _append_index(self, leaves):
        """Reads the pages back, so that the first keys of all of them need not be kept in RAM."""
        levels = self._levels(leaves)
        for below in range(len(levels) - 1):
            first, pages = levels[below]
            for start in range(0, pages, self._per_index):
                keys = bytearray()
                for page in range(start, min(start + self._per_index, pages)):
                    with open(self._path + _NEW, "rb") as f:
                        f.seek((first + page) * self._page_bytes + _PAGE_HEAD)
                        keys.extend(f.read(self._key_bytes))
                with open(self._path + _NEW, "ab") as f:
                    self._write_page(f, keys)


def _position(items, key, size):
    """Returns how many of the sorted `items` of `size` bytes begin with a key <= `key`."""
    low, high = 0, len(items) // size
    while low < high:
        middle = (low + high) // 2
        if items[middle * size : middle * size + len(key)] <= key:
            low = middle + 1
        else:
            high = middle
    return low


def _remove(path):
    try:
        os.remove(path)
    except OSError:
        pass  # it was not there
