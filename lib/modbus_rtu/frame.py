# Modbus RTU frames: checksum, and finding a reply in what the line carries. MIT license.
"""Modbus RTU frame (Modbus over Serial Line V1.02 §2.5): unit, function, data, CRC-16 with its low byte first."""

from micropython import const

EXCEPTION = const(0x80)  # set in the function code of a reply that carries an exception code

_CRC_SIZE = const(2)
_EXCEPTION_LENGTH = const(5)
_LONGEST = const(256)  # V1.02 §2.4
_PIECE = const(64)

# CRC-16 of the 16 nibbles, polynomial 0xA001: a sixteenth of the usual table, with two steps per byte.
_NIBBLES = (
    0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
    0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
)  # fmt: skip


def crc16(data, start=0, end=None):
    """Returns the CRC-16 of data[start:end]; 0 for a whole frame with its CRC."""
    crc = 0xFFFF
    for i in range(start, len(data) if end is None else end):
        crc ^= data[i]
        crc = (crc >> 4) ^ _NIBBLES[crc & 15]
        crc = (crc >> 4) ^ _NIBBLES[crc & 15]
    return crc


def seal(body):
    """Returns the frame of `body` (unit and PDU) with its CRC."""
    crc = crc16(body)
    return bytes(body) + bytes((crc & 0xFF, crc >> 8))


class ReplyFinder:
    """Finds replies, one after the other, among noise, echoes and late frames of other servers.

    Searches in place: a reply costs no memory besides itself. Buffers fewer bytes than the reply has.
    """

    def __init__(self):
        self._window = bytearray(_LONGEST + _PIECE)
        self._fill = 0
        self._head = b""
        self._length = 0

    def expect(self, head, length):
        """Looks from now on for the reply to one request: `head` is the beginning of a valid one (unit, function and
        anything else that is known), `length` its size with CRC, 256 at most. An exception reply of the same unit and
        function is found too."""
        self._head = head
        self._length = length
        self._fill = 0

    def feed(self, data):
        """Takes received bytes; returns the reply without CRC as soon as it is complete, else None. What comes after it
        is dropped."""
        window = self._window
        fill = self._fill
        reply = None
        for i in range(len(data)):
            window[fill] = data[i]
            fill += 1
            if fill == len(window) or i == len(data) - 1:
                self._fill = fill
                reply = self._search()
                if reply is not None:
                    break
                fill = self._fill
        return reply

    @property
    def pending(self):
        """Number of bytes that may be the beginning of a reply."""
        return self._fill

    def _search(self):
        window, fill = self._window, self._fill
        reply = None
        start = 0
        while start < fill:
            length = self._length_at(start)
            if length > fill - start:
                break
            if length and crc16(window, start, start + length) == 0:
                reply = bytes(window[start : start + length - _CRC_SIZE])
                start = fill
                break
            start += 1
        if start:
            for i in range(start, fill):
                window[i - start] = window[i]
            self._fill = fill - start
        return reply

    def _length_at(self, start):
        """Returns the length of the reply that would begin at `start`, 0 if none can."""
        window, head = self._window, self._head
        seen = min(self._fill - start, len(head))
        same = 0
        while same < seen and window[start + same] == head[same]:
            same += 1
        if same == seen:
            return self._length
        if same == 1 and seen > 1 and window[start + 1] == head[1] | EXCEPTION:
            return _EXCEPTION_LENGTH
        return 0
