# Pages of records, one after the other: a whole file read or written. MIT license.
"""Writing of a page file: streams records into a new file that replaces the old one."""

import binascii
import struct

from sortedfile.pages import COUNTS, HASH_BYTES, NEW, PREFIX, crc, remove, stored_form


def stored(file, key_bytes):
    """Yields all records of a PageFile in stored form, and None after each page. ValueError if the file is replaced."""
    handle = file.handle
    for number in range(file.pages):
        if file.handle is not handle:
            raise ValueError("file was replaced while it was read")
        for record in file.records(number):
            yield stored_form(record, key_bytes)
        yield None


def writing(file, ordered, meta, most=None):
    """Replaces a PageFile step by step by the records of `ordered`, in stored form and order.

    A generator that yields None after each page and for each None in `ordered`. `meta()` is called when all records
    have been read. Raises ValueError for more than `most` records, the exceptions of `ordered` and `meta`, and OSError;
    the old file then stays.
    """
    path = file.path + NEW
    written = False
    try:
        with open(path, "wb") as f:
            yield from _write(f, file, ordered, meta, most)
        written = True
    finally:
        if not written:
            remove(path)
    file.adopt(path)


def _write(f, file, ordered, meta, most):
    count = 0
    table = bytearray()
    page = []
    for record in ordered:
        if record is None:
            yield
            continue
        if count == most:
            raise ValueError("too many records")
        count += 1
        if len(page) == file.per_page:
            full = _together(page, record)
            _write_page(f, file, page[:full], table)
            page = page[full:]
            yield
        page.append(record)
    if page:
        _write_page(f, file, page, table)
    f.write(table)
    owner = meta()
    counts = struct.pack(COUNTS, count, len(table) // PREFIX, binascii.crc32(table), len(owner), owner)
    f.write(file.head + counts + crc(file.head + counts))


def _together(page, following):
    """Returns how many records of a full page stay in it: those with the same prefix as the next one do not,
    unless they fill it."""
    prefix = following[:PREFIX]
    count = len(page)
    while count and page[count - 1][:PREFIX] == prefix:
        count -= 1
    return count or len(page)


def _write_page(f, file, page, table):
    gap = file.offset(len(table) // PREFIX) - f.tell()
    if gap:
        f.write(bytes(gap))
    table.extend(page[0][:PREFIX])
    body = bytes((len(page),)) + b"".join([record[HASH_BYTES:] for record in page])
    body += bytes(file.page_bytes - 4 - len(body))
    f.write(crc(body) + body)
