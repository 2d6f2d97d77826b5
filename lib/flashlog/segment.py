# Segment files of an append-only log: their records, and how to find them. MIT license.
"""Record format of a segment: magic byte, kind, payload length, sequence number, payload and CRC-32, little-endian.

    offset  size  field
    0       1     0xF1
    1       1     kind, 0..255; 0 heads a segment and is not a record of the log
    2       2     length of the payload, at most MAX_PAYLOAD
    4       4     sequence number
    8       n     payload
    8 + n   4     CRC-32 of everything before it

Invalid bytes are skipped one by one, so only damaged records are lost and no later ones.
"""

import binascii
import os
import struct

from micropython import const

_MAGIC = const(0xF1)
_HEAD = "<BBHI"
_HEAD_BYTES = const(8)
_CRC_BYTES = const(4)

OVERHEAD = 12
MAX_PAYLOAD = 512
HEADER = 0  # kind of a segment's first record
NEW = ".new"  # suffix of a segment that is being rewritten

# A chunk holds at least one whole record of any length. Half the size would save 0.5 KB of RAM and take twice the time.
_CHUNK = const(1024)


def checked(payload):
    """Returns a payload as bytes. Raises TypeError if it is not bytes-like, ValueError if it is too long."""
    if not isinstance(payload, bytes):
        # MicroPython would append a str to bytes, counting characters instead of bytes.
        if not isinstance(payload, (bytearray, memoryview)):
            raise TypeError("payload must be bytes, not " + type(payload).__name__)
        payload = bytes(payload)  # a copy: the caller's buffer may change before it is written
    if len(payload) > MAX_PAYLOAD:
        raise ValueError("record too long")
    return payload


def encode(seq, kind, payload):
    """Returns the bytes of a record. Raises like checked()."""
    payload = checked(payload)
    body = struct.pack(_HEAD, _MAGIC, kind, len(payload), seq) + payload
    return body + struct.pack("<I", binascii.crc32(body))


def read_chunk(path, offset):
    """Reads the complete records that begin in the next kilobyte of a file.

    Returns (records, next offset, invalid bytes skipped, True at the end of the file); a record is a tuple
    (seq, kind, payload). Raises OSError.
    """
    with open(path, "rb") as f:
        f.seek(offset)
        data = f.read(_CHUNK)
    end = len(data) < _CHUNK
    records = []
    at = skipped = 0
    while at < len(data):
        size = _size(data, at)
        if size is not None and at + size > len(data):
            if not end:
                break  # incomplete in this chunk
            size = None
        if size is not None and _intact(data, at, size):
            _, kind, _, seq = struct.unpack_from(_HEAD, data, at)
            records.append((seq, kind, data[at + _HEAD_BYTES : at + size - _CRC_BYTES]))
            at += size
        else:
            following = data.find(b"\xf1", at + 1)
            following = len(data) if following < 0 else following
            skipped += following - at
            at = following
    return records, offset + at, skipped, end


def scan(path, base):
    """Returns (last sequence number or base - 1, file size, invalid bytes) of a segment. Raises OSError."""
    last = base - 1
    offset = garbage = 0
    end = False
    while not end:
        records, offset, skipped, end = read_chunk(path, offset)
        garbage += skipped
        for seq, kind, _ in records:
            if kind != HEADER:
                last = max(last, seq)
    return last, offset, garbage


def rewrite(path, limit, keep):
    """Drops the records of a segment from number `limit` on, and those for which keep(seq, kind, payload) is false.

    Returns (bytes before, bytes afterwards). All or nothing; raises OSError when there is no space for the copy.
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
            pass  # it was not created
        raise
    os.rename(path + NEW, path)
    return before, after


def _size(data, at):
    """Returns the size in bytes of the record at `at` (at least), None when no record can begin there."""
    if data[at] != _MAGIC:
        return None
    if at + _HEAD_BYTES > len(data):
        return OVERHEAD
    length = data[at + 2] | data[at + 3] << 8
    return OVERHEAD + length if length <= MAX_PAYLOAD else None


def _intact(data, at, size):
    end = at + size - _CRC_BYTES
    return binascii.crc32(data[at:end]) == struct.unpack_from("<I", data, end)[0]
