# One file of pages of records in the order of their keys' hashes. MIT license.
"""Format of one file (pages, table, footer): reads one page for a look-up, writes the whole file.

    pages     CRC-32 of the rest, number of records, records in ascending order of the CRC-32 of their keys
    table     the first three bytes of the hash of each page's first record
    footer    63 bytes: magic, sizes, counts, CRC-32 of the table, the owner's data, CRC-32

Only the table is kept in RAM. Hashes are evenly distributed, so three bytes identify the page for any keys: records
that share these bytes go into the same page, or fill pages of their own.

Pages do not cross the boundaries of flash blocks. LittleFS begins each block of a file except the first with pointers
to earlier blocks, which are followed for each look-up: a page in two blocks would take twice as long.
"""

import binascii
import os
import struct

from micropython import const

NEW = ".new"
HASH_BYTES = const(4)
PAGE_HEAD = const(5)  # CRC-32, number of records
PREFIX = const(3)
COUNTS = "<IIIB38s"  # after the head of the footer: records, pages, CRC-32 of the table, length of the owner's data

_MAGIC = b"SRT2"
_FOOTER_BYTES = const(59)  # without its CRC
_HEAD_BYTES = const(8)

_BLOCK = const(4096)
_BLOCK_POINTERS = const(64)  # space for those of files up to 128 MiB


def stored_form(record, key_bytes):
    """Returns the hash of the key followed by the record: bytes that sort in the order of the file."""
    # Big-endian: the order of the bytes is the order of the numbers.
    return struct.pack(">I", binascii.crc32(record[:key_bytes])) + record


def check_bytes(data):
    """Raises TypeError unless bytes-like: MicroPython would append a str to bytes, counting characters."""
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError("must be bytes, not " + type(data).__name__)


class PageFile:
    """The file at `path`, which need not exist, with `per_page` (1 to 255) records per page. It stays open.

    `exists`: there is a file; `readable`: its footer is intact and begins with `head`; `damaged`: a damaged part was
    read. `count`, `pages` and `meta` are valid if readable. `handle` is the open file, a new one after each change.
    """

    def __init__(self, path, key_bytes, record_bytes, per_page):
        self.path = path
        self._key_bytes = key_bytes
        self._record_bytes = record_bytes
        self.per_page = per_page
        self.page_bytes = PAGE_HEAD + per_page * record_bytes
        self.head = struct.pack("<4sBHB", _MAGIC, key_bytes, record_bytes, per_page)
        self.handle = None
        self.damaged = False
        remove(path + NEW)
        self._open()

    @property
    def exists(self):
        return self.handle is not None

    def get(self, key):
        """Returns the record of `key` or None. Raises OSError."""
        for number in self._pages_of(stored_form(key, self._key_bytes)[:PREFIX]):
            for record in self.records(number):
                if record.startswith(key):
                    return record
        return None

    def records(self, number):
        """Yields the records of a page; none if its CRC is wrong, which sets `damaged`. Raises OSError."""
        size = self._record_bytes
        self.handle.seek(self.offset(number))
        page = self.handle.read(self.page_bytes)
        if len(page) < self.page_bytes or page[:4] != crc(page[4:]):
            self.damaged = True
            return
        for at in range(PAGE_HEAD, PAGE_HEAD + page[4] * size, size):
            yield page[at : at + size]

    def offset(self, number):
        """Returns the offset of a page in the file."""
        block, place = divmod(number, max(1, (_BLOCK - _BLOCK_POINTERS) // self.page_bytes))
        offset = block * _BLOCK + place * self.page_bytes
        if block:
            # Block n of LittleFS has one pointer of 4 bytes more than n has trailing zero bits.
            offset -= 4 * (2 * (block - 1) - bin(block - 1).count("1"))
        return offset

    def adopt(self, path):
        """Replaces the file by the one at `path` (renames it). Raises OSError; the old file then stays."""
        self.close()
        try:
            os.rename(path, self.path)
            self.damaged = False
        finally:
            self._open()

    def remove(self):
        """Removes the file, if it exists. Raises OSError; it may then exist again at the next start."""
        existed = self.exists
        self.close()
        self._forget()
        self.damaged = False
        if existed:
            os.remove(self.path)

    def close(self):
        """Closes the file."""
        if self.handle:
            self.handle.close()
            self.handle = None

    # -- inside

    def _forget(self):
        self.count = self.pages = 0
        self.meta = self._table = b""
        self.readable = False

    def _open(self):
        self._forget()
        try:
            self.handle = open(self.path, "rb")
        except OSError:
            return
        self.readable = self._read_footer()
        if not self.readable:
            self.damaged = True

    def _read_footer(self):
        size = self.handle.seek(0, 2)
        self.handle.seek(max(0, size - _FOOTER_BYTES - 4))
        footer = self.handle.read(_FOOTER_BYTES + 4)
        if footer[_FOOTER_BYTES:] != crc(footer[:_FOOTER_BYTES]) or not footer.startswith(self.head):
            return False
        self.count, self.pages, check, used, meta = struct.unpack_from(COUNTS, footer, _HEAD_BYTES)
        self.meta = meta[:used]
        self.handle.seek(size - _FOOTER_BYTES - 4 - PREFIX * self.pages)
        self._table = self.handle.read(PREFIX * self.pages)
        if binascii.crc32(self._table) != check:
            self._table = None  # every look-up then reads the whole file
            self.damaged = True
        return True

    def _pages_of(self, prefix):
        """Returns the range of pages that may contain records whose hash begins with `prefix`."""
        if self._table is None:
            return range(self.pages)
        low, last = 0, self.pages
        while low < last:  # search for the end of the pages that begin with `prefix` or less
            middle = (low + last) // 2
            if self._entry(middle) <= prefix:
                low = middle + 1
            else:
                last = middle
        first = last
        while first > 0 and self._entry(first - 1) == prefix:
            first -= 1
        if first == last and first > 0 and self.per_page > 1:
            first -= 1  # no page begins with `prefix`: it is inside this one
        return range(first, last)

    def _entry(self, number):
        return self._table[PREFIX * number : PREFIX * number + PREFIX]


def crc(data):
    return struct.pack("<I", binascii.crc32(data))


def remove(path):
    """Removes a file if it exists."""
    try:
        os.remove(path)
    except OSError:
        pass  # it did not exist
