# Strict UTF-8. MIT license.
"""Strict UTF-8 check (RFC 3629). MicroPython's own check accepts over-long forms, surrogates and U+110000 upwards."""

from uwebsockets.errors import ProtocolError

# Lead byte -> range of the next byte, if that is not 80..BF.
_SECOND = ((0xE0, 0xA0, 0xBF), (0xED, 0x80, 0x9F), (0xF0, 0x90, 0xBF), (0xF4, 0x80, 0x8F))
_NEVER = (b"\xc0", b"\xc1", b"\xf5", b"\xf6", b"\xf7")


def decode(data):
    """Returns the str of `data` (bytes); raises ProtocolError 1007."""
    try:
        text = str(data, "utf-8")
    except UnicodeError:
        raise _invalid()
    if len(text) != len(data):  # not only ASCII
        _check_leads(data)
    return text


def _invalid():
    return ProtocolError(1007, "text is not UTF-8")


def _check_leads(data):
    """Raises ProtocolError for an invalid lead byte or next byte. The rest has been checked.

    If the lead byte is the last one, the next byte is checked later.
    """
    for byte in _NEVER:
        if byte in data:
            raise _invalid()
    size = len(data)
    for lead, low, high in _SECOND:
        lead = bytes((lead,))
        at = data.find(lead)
        while 0 <= at < size - 1:
            if not low <= data[at + 1] <= high:
                raise _invalid()
            at = data.find(lead, at + 1)


class Utf8:
    """Checks text that arrives in pieces, which may end inside a character. Raises at the piece with the error."""

    def __init__(self):
        self._tail = b""  # beginning of an incomplete character

    def feed(self, data, last):
        """Takes the next piece; raises ProtocolError 1007. With `last` the text must be complete."""
        if self._tail:
            data = self._tail + data
        end = len(data) if last else _complete(data)
        self._tail = data[end:]
        decode(data[:end])
        if self._tail:
            _check_leads(self._tail)


def _complete(data):
    """Returns the index of an incomplete character at the end of `data`, or len(data)."""
    size = len(data)
    for back in range(1, min(size, 3) + 1):
        byte = data[size - back]
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4 if byte < 0xF8 else 1
            return size - back if length > back else size
        if byte < 0x80:
            break
    return size
