# PN532 host frames. MIT license.
"""PN532 frames (UM0701-02 §6.2.1), ACK and NACK: 00 00 FF LEN LCS TFI data... DCS 00."""

from micropython import const

ACK = b"\x00\x00\xff\x00\xff\x00"
NACK = b"\x00\x00\xff\xff\x00\x00"

TO_CHIP = const(0xD4)  # frame identifiers (TFI)
FROM_CHIP = const(0xD5)
ERROR = const(0x7F)

# What Inbox.next() finds.
IS_ACK = const(1)
IS_NACK = const(2)
ERROR_FRAME = const(3)
DATA = const(4)

_START = b"\x00\xff"
_HEADER = const(4)  # start code, LEN, LCS
_MAX_DATA = const(254)  # LEN is one byte and counts the TFI
_MAX_FRAME = const(260)
_CHUNK = const(64)


def encode(data):
    """Returns the frame that carries `data` (command code and parameters, 1..254 bytes) to the chip."""
    if not isinstance(data, (bytes, bytearray)):
        raise TypeError("a command must be bytes, not " + type(data).__name__)
    if not 1 <= len(data) <= _MAX_DATA:
        raise ValueError(f"cannot send {len(data)} bytes of data")
    length = len(data) + 1
    check = -(TO_CHIP + sum(data)) & 0xFF
    return b"\x00\x00\xff" + bytes((length, -length & 0xFF, TO_CHIP)) + data + bytes((check, 0))


class Inbox:
    """Finds frames in received bytes, in place; holds one frame and what came with its end.

    Invalid bytes and frames with a wrong checksum are skipped byte by byte, so a valid frame inside them is found.
    Of the newest DATA frame `code` is the code of the response, `length` the number of bytes after it, and inbox[i]
    one of them, until the next read().
    """

    def __init__(self):
        self._bytes = bytearray(_MAX_FRAME + _CHUNK)
        self._chunk = bytearray(_CHUNK)
        self._fill = 0  # bytes that are there
        self._at = 0  # where the search goes on
        self._data_at = 0
        self.code = self.length = 0

    def read(self, port):
        """Takes what has arrived at the UART `port`, up to 64 bytes; returns their number."""
        count = port.readinto(self._chunk) or 0
        window, at = self._bytes, self._at
        if count and at:
            for i in range(at, self._fill):
                window[i - at] = window[i]
            self._fill -= at
            self._at = 0
        fill = self._fill
        for i in range(count):
            window[fill + i] = self._chunk[i]
        self._fill = fill + count
        return count

    def next(self):
        """Returns the kind of the next frame that is complete, None when there is none yet."""
        window = self._bytes
        while True:
            start = window.find(_START, self._at, self._fill)
            if start < 0:
                # The last byte may be the first of a start code.
                self._at = self._fill - 1 if self._fill > self._at and window[self._fill - 1] == 0 else self._fill
                return None
            self._at = start
            if self._fill - start < _HEADER:
                return None
            length, check = window[start + 2], window[start + 3]
            if length + check == 0xFF and not (length and check):
                self._at = start + _HEADER
                return IS_NACK if length else IS_ACK
            if length == 0 or (length + check) & 0xFF:
                self._at = start + 1
                continue
            end = start + _HEADER + length
            if self._fill <= end:
                return None
            total = 0
            for i in range(start + _HEADER, end + 1):
                total += window[i]
            if total & 0xFF:
                self._at = start + 1
                continue
            self._at = end + 1
            kind = self._kind(start + _HEADER, length)
            if kind is not None:
                return kind

    def _kind(self, at, length):
        if self._bytes[at] == ERROR:
            return ERROR_FRAME
        if self._bytes[at] != FROM_CHIP or length < 2:
            return None
        self.code = self._bytes[at + 1]
        self.length = length - 2
        self._data_at = at + 2
        return DATA

    def __getitem__(self, index):
        return self._bytes[self._data_at + index]

    def data(self):
        """Returns a copy of the data of the newest DATA frame."""
        return bytes(self._bytes[self._data_at : self._data_at + self.length])

    @property
    def pending(self):
        """Number of buffered bytes that belong to no frame yet."""
        return self._fill - self._at
