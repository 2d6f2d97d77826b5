# One file of pages of records in the order of their keys' hashes. MIT license.
"""The form of a file, read with one page for a key and written as a whole.

    pages     CRC-32 of the rest, number of records, records in ascending order of the CRC-32 of their keys
    table     the first three bytes of the hash of each page's first record
    footer    63 bytes: magic, sizes, counts, CRC-32 of the table, the owner's data, CRC-32

The table is all that is kept in RAM. Hashes are spread evenly, so that three bytes of one tell the page whatever the
keys look like: records that share these bytes go into the same page, or fill pages of their own.

Pages do not cross the borders of flash blocks. LittleFS begins each block of a file but the first with a few pointers
to earlier ones, which look-ups go along: a page in two blocks would be twice the way. Elsewhere it does no harm.
"""

import binascii
import os
import struct

from micropython import const

_NEW = ".new"
_MAGIC = b"SRT2"
_FOOTER = "<4sBHBIIIB38s"
_FOOTER_BYTES = const(59)  # without its CRC
_PAGE_HEAD = const(5)  # CRC-32, number of records
_PREFIX = const(3)
_MOST_META = const(38)

_BLOCK = const(4096)
_BLOCK_POINTERS = const(64)  # room for those of files of up to 128 MiB

HASH_BYTES = 4


def stored_form(record, key_bytes):
    """Returns a record behind the hash of its key: bytes that sort as the file does."""
    # Big-endian, so that the order of the bytes is the order of the numbers.
    return struct.pack(">I", binascii.crc32(record[:key_bytes])) + record


class PageFile:
    """The file at `path`, which need not exist, with `per_page` (1 to 255) records in a page. It stays open.

    `exists` tells whether there is one, `readable` whether its footer is what was written, `damaged` whether anything
    that was read so far is not. `count` and `meta` are those of a readable one.
    """

    def __init__(self, path, key_bytes, record_bytes, per_page):
        self._path = path
        self._key_bytes = key_bytes
        self._record_bytes = record_bytes
        self._per_page = per_page
        self._page_bytes = _PAGE_HEAD + per_page * record_bytes
        self._per_block = max(1, (_BLOCK - _BLOCK_POINTERS) // self._page_bytes)
        self._file = None
        self.damaged = False
        _remove(path + _NEW)
        self._open()

    @property
    def exists(self):
        return self._file is not None

    def get(self, key):
        """Returns the record of `key` or None. Raises OSError."""
        size = self._record_bytes
        for number in self._pages_of(stored_form(key, self._key_bytes)[:_PREFIX]):
            page = self._page(number)
            for at in range(0, len(page), size):
                if page[at : at + self._key_bytes] == key:
                    return page[at : at + size]
        return None

    def stored(self):
        """Yields all records in their stored form, and None after each page. Raises ValueError once it was replaced."""
        size = self._record_bytes
        file = self._file
        for number in range(self._pages):
            if self._file is not file:
                raise ValueError("file was replaced while it was read")
            page = self._page(number)
            for at in range(0, len(page), size):
                yield stored_form(page[at : at + size], self._key_bytes)
            yield None

    def writing(self, ordered, meta, most=None):
        """Replaces the file step by step by the records of `ordered`, which come in stored form and order.

        A generator that yields nothing: after each page, and for each None in `ordered`. `meta()` is called when all
        records have been taken. Raises ValueError for more than `most` of them, and whatever `ordered`, `meta` and the
        flash raise; the old file then stays.
        """
        written = False
        try:
            with open(self._path + _NEW, "wb") as f:
                yield from self._write(f, ordered, meta, most)
            written = True
        finally:
            if not written:
                _remove(self._path + _NEW)
        self.adopt(self._path + _NEW)

    def adopt(self, path):
        """Replaces the file by the one at `path`, which is gone then. Raises OSError; the old file then stays."""
        self.close()
        try:
            os.rename(path, self._path)
            self.damaged = False
        finally:
            self._open()

    def remove(self):
        """Removes the file, if there is one. Raises OSError; it then may be there again at the next start."""
        existed = self.exists
        self.close()
        self._forget()
        self.damaged = False
        if existed:
            os.remove(self._path)

    def close(self):
        """Closes the file."""
        if self._file:
            self._file.close()
            self._file = None

    # -- reading

    def _forget(self):
        self.count = 0
        self.meta = b""
        self._pages = 0
        self._table = b""
        self.readable = False

    def _open(self):
        self._forget()
        try:
            self._file = open(self._path, "rb")
        except OSError:
            return
        self.readable = self._read_footer()
        if not self.readable:
            self.damaged = True

    def _read_footer(self):
        size = self._file.seek(0, 2)
        self._file.seek(max(0, size - _FOOTER_BYTES - 4))
        footer = self._file.read(_FOOTER_BYTES + 4)
        body = footer[:_FOOTER_BYTES]
        if footer[_FOOTER_BYTES:] != _crc(body):
            return False
        magic, key_bytes, record_bytes, per_page, count, pages, check, used, meta = struct.unpack(_FOOTER, body)
        if (magic, key_bytes, record_bytes, per_page) != (
            _MAGIC,
            self._key_bytes,
            self._record_bytes,
            self._per_page,
        ):
            return False
        self.count, self._pages, self.meta = count, pages, meta[:used]
        self._file.seek(size - _FOOTER_BYTES - 4 - _PREFIX * pages)
        self._table = self._file.read(_PREFIX * pages)
        if binascii.crc32(self._table) != check:
            self._table = None  # every look-up reads the whole file
            self.damaged = True
        return True

    def _pages_of(self, prefix):
        """Returns the range of the pages that may hold records whose hashes begin with `prefix`."""
        if self._table is None:
            return range(self._pages)
        last = self._count_up_to(prefix)
        first = last
        while first > 0 and self._entry(first - 1) == prefix:
            first -= 1
        if first == last and first > 0 and self._per_page > 1:
            first -= 1  # no page begins with them: they are within one
        return range(first, last)

    def _entry(self, number):
        return self._table[_PREFIX * number : _PREFIX * number + _PREFIX]

    def _count_up_to(self, prefix):
        """Returns how many pages begin with `prefix` or less."""
        low, high = 0, self._pages
        while low < high:
            middle = (low + high) // 2
            if self._entry(middle) <= prefix:
                low = middle + 1
            else:
                high = middle
        return low

    def _page(self, number):
        """Returns the records of a page; b"" and `damaged` when its check fails."""
        self._file.seek(self._offset(number))
        page = self._file.read(self._page_bytes)
        if len(page) == self._page_bytes and page[:4] == _crc(page[4:]):
            return page[_PAGE_HEAD : _PAGE_HEAD + page[4] * self._record_bytes]
        self.damaged = True
        return b""

    def _offset(self, number):
        """Returns where in the file a page begins."""
        block, place = divmod(number, self._per_block)
        offset = block * _BLOCK + place * self._page_bytes
        if block:
            # Block n of LittleFS has as many pointers of 4 bytes as n has zeros at its end, and one more.
            offset -= 4 * (2 * (block - 1) - bin(block - 1).count("1"))
        return offset

    # -- writing

    def _write(self, f, ordered, meta, most):
        count = 0
        table = bytearray()
        page = []
        for stored in ordered:
            if stored is None:
                yield
                continue
            if count == most:
                raise ValueError("too many records")
            count += 1
            if len(page) == self._per_page:
                full = self._together(page, stored)
                self._write_page(f, page[:full], table)
                page = page[full:]
                yield
            page.append(stored)
        if page:
            self._write_page(f, page, table)
        f.write(table)
        owner = meta()
        body = struct.pack(
            _FOOTER,
            _MAGIC,
            self._key_bytes,
            self._record_bytes,
            self._per_page,
            count,
            len(table) // _PREFIX,
            binascii.crc32(table),
            len(owner),
            owner,
        )
        f.write(body + _crc(body))

    def _together(self, page, following):
        """Returns how many records of a full page stay in it: those that share their prefix with the next one do not,
        unless they fill it."""
        prefix = following[:_PREFIX]
        count = len(page)
        while count and page[count - 1][:_PREFIX] == prefix:
            count -= 1
        return count or len(page)

    def _write_page(self, f, page, table):
        gap = self._offset(len(table) // _PREFIX) - f.tell()
        if gap:
            f.write(bytes(gap))
        table.extend(page[0][:_PREFIX])
        body = bytes((len(page),)) + b"".join([stored[HASH_BYTES:] for stored in page])
        body += bytes(self._page_bytes - 4 - len(body))
        f.write(_crc(body) + body)


def _crc(data):
    return struct.pack("<I", binascii.crc32(data))


def _remove(path):
    try:
        os.remove(path)
    except OSError:
        pass  # it was not there
