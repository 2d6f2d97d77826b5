# 125 kHz tags (EM4100) of readers that send ASCII frames. MIT license.
"""EM4100 tags from UART readers (RDM6300 and alike, 9600 8N1): STX, 10 hex digits, 2 of checksum, ETX.

The reader repeats the frame while the tag stays. The checksum is the XOR of the five bytes.
"""

import binascii

from micropython import const

_STX = const(2)
_ETX = const(3)
_SIZE = const(14)
_CHUNK = const(32)
_MOST_CHUNKS = const(16)


class Scanner:
    """Finds frames in received bytes; buffers less than one."""

    def __init__(self):
        self._window = b""

    def feed(self, data):
        """Takes bytes; returns the id (5 bytes, customer byte first) of the last frame they complete, or None."""
        window = self._window + data
        tag = None
        start = window.find(b"\x02")
        while start >= 0 and len(window) - start >= _SIZE:
            found = parse(window[start : start + _SIZE])
            if found:
                tag = found
            start = window.find(b"\x02", start + (_SIZE if found else 1))
        self._window = window[start:] if start >= 0 else b""
        return tag


class Receiver:
    """Tags from the UART `port`: readinto(buffer) does not wait (machine.UART, timeout=0)."""

    def __init__(self, port):
        self._port = port
        self._chunk = bytearray(_CHUNK)
        self._scanner = Scanner()

    def look(self):
        """Returns the id of a tag in what has arrived since the last look, or None. To be called twice a second or
        more often, with a receive buffer of 512 bytes, and takes as many. Raises OSError when the port fails."""
        tag = None
        for _ in range(_MOST_CHUNKS):
            count = self._port.readinto(self._chunk)
            if not count:
                break
            tag = self._scanner.feed(self._chunk[:count]) or tag
        return tag


def parse(frame):
    """Returns the five bytes of a frame of 14, None for a damaged frame."""
    if len(frame) != _SIZE or frame[0] != _STX or frame[-1] != _ETX:
        return None
    try:
        data = binascii.unhexlify(frame[1:-1])
    except ValueError:
        return None
    check = 0
    for byte in data:
        check ^= byte
    return data[:5] if check == 0 else None
