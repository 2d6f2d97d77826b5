# Modbus RTU frames: checksum, and finding a reply in what the line carries. MIT license.
"""Modbus RTU frame (Modbus over Serial Line V1.02 §2.5): unit, function, data, CRC-16 with its low byte first."""

from micropython import const

EXCEPTION = const(0x80)  # set in the function code of a reply that carries an exception code

_CRC_SIZE = const(2)
_EXCEPTION_LENGTH = const(5)

# CRC-16 of the 16 nibbles, polynomial 0xA001: a sixteenth of the usual table, with two steps per byte.
_NIBBLES = (
    0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
    0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
)  # fmt: skip


def crc16(data):
    """Returns the CRC-16 of `data`; 0 for a whole frame with its CRC."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        crc = (crc >> 4) ^ _NIBBLES[crc & 15]
        crc = (crc >> 4) ^ _NIBBLES[crc & 15]
    return crc


def seal(body):
    """Returns the frame of `body` (unit and PDU) with its CRC."""
    crc = crc16(body)
    return bytes(body) + bytes((crc & 0xFF, crc >> 8))


class ReplyFinder:
    """Finds the reply to one request among noise, echoes and late frames of other servers.

    `head` is the beginning of a valid reply (unit, function and anything else that is known), `length` its size with
    CRC. An exception reply of the same unit and function is found too. Buffers fewer than `length` bytes.
    """

    def __init__(self, head, length):
        self._head = head
        self._exception = bytes((head[0], head[1] | EXCEPTION))
        self._length = length
        self._window = b""

    def feed(self, data):
        """Takes received bytes; returns the reply without CRC as soon as it is complete, else None."""
        window = self._window + data
        size = len(window)
        start = 0
        reply = None
        while start < size:
            length = self._length_at(window, start)
            if length > size - start:
                break
            if length and crc16(window[start : start + length]) == 0:
                reply = window[start : start + length - _CRC_SIZE]
                start += length
                break
            start += 1
        self._window = window[start:]
        return reply

    def _length_at(self, window, start):
        """Returns the length of the reply that would begin at `start`, 0 if none can."""
        seen = window[start : start + len(self._head)]
        if seen == self._head[: len(seen)]:
            return self._length
        if seen[:2] == self._exception:
            return _EXCEPTION_LENGTH
        return 0
