# 125 kHz tags (EM4100) of readers that send ASCII frames, for asyncio. MIT license.
"""EM4100 tags from UART readers (RDM6300 and alike, 9600 8N1): STX, 10 hex digits, 2 of checksum, ETX.

The reader repeats the frame while the tag stays. The checksum is the XOR of the five bytes.
"""

import asyncio
import binascii

from micropython import const

_STX = const(2)
_ETX = const(3)
_SIZE = const(14)
_CHUNK = const(32)


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
    """Tags from an asyncio stream (read(n))."""

    def __init__(self, stream):
        self._stream = stream
        self._scanner = Scanner()

    async def receive(self, timeout_ms):
        """Returns the id of a tag received within `timeout_ms`, or None. Raises OSError at the end of file."""
        try:
            return await asyncio.wait_for(self._receive(), timeout_ms / 1000)
        except asyncio.TimeoutError:
            return None

    async def _receive(self):
        while True:
            data = await self._stream.read(_CHUNK)
            if not data:
                raise OSError("the line is closed")
            tag = self._scanner.feed(data)
            if tag:
                return tag
            await asyncio.sleep(0)  # endless noise must not block the scheduler


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
