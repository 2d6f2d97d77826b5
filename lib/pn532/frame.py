# PN532 host frames. MIT license.
"""PN532 frames (UM0701-02 §6.2.1), ACK and NACK: 00 00 FF LEN LCS TFI data... DCS 00."""

from micropython import const

ACK = b"\x00\x00\xff\x00\xff\x00"
NACK = b"\x00\x00\xff\xff\x00\x00"

TO_CHIP = const(0xD4)  # frame identifiers (TFI)
FROM_CHIP = const(0xD5)
ERROR = const(0x7F)

_START = b"\x00\xff"
_HEADER = const(4)  # start code, LEN, LCS
_MAX_DATA = const(254)  # LEN is one byte and counts the TFI


def encode(data):
    """Returns the frame that carries `data` (command code and parameters, 1..254 bytes) to the chip."""
    if not isinstance(data, (bytes, bytearray)):
        raise TypeError("a command must be bytes, not " + type(data).__name__)
    if not 1 <= len(data) <= _MAX_DATA:
        raise ValueError(f"cannot send {len(data)} bytes of data")
    length = len(data) + 1
    check = -(TO_CHIP + sum(data)) & 0xFF
    return b"\x00\x00\xff" + bytes((length, -length & 0xFF, TO_CHIP)) + data + bytes((check, 0))


class Scanner:
    """Finds frames in received bytes; buffers less than one frame, 260 bytes at most.

    Invalid bytes and frames with a wrong checksum are skipped byte by byte, so a valid frame inside them is found.
    """

    def __init__(self):
        self._window = b""

    def feed(self, data):
        """Takes received bytes and returns a list of the frames they complete.

        A frame is ACK, NACK or the bytes from TFI to the last data byte (FROM_CHIP or ERROR comes first).
        """
        window = self._window + data
        frames = []
        while True:
            start = window.find(_START)
            if start < 0:
                window = window[-1:] if window[-1:] == b"\x00" else b""
                break
            window = window[start:]
            frame, size = _frame_at(window)
            if size == 0:
                break
            if frame is not None:
                frames.append(frame)
            window = window[size:]
        self._window = window
        return frames

    @property
    def pending(self):
        """Number of buffered bytes of an incomplete frame."""
        return len(self._window)


def _frame_at(window):
    """Checks the frame at the start of `window`; returns (frame or None, bytes to consume, 0 = wait)."""
    if len(window) < _HEADER:
        return None, 0
    length, check = window[2], window[3]
    if (length, check) == (0x00, 0xFF):
        return ACK, _HEADER
    if (length, check) == (0xFF, 0x00):
        return NACK, _HEADER
    if length == 0 or (length + check) & 0xFF:
        return None, 1
    end = _HEADER + length
    if len(window) <= end:
        return None, 0
    if sum(window[_HEADER : end + 1]) & 0xFF:
        return None, 1
    return window[_HEADER:end], end + 1
