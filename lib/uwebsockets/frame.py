# WebSocket framing. MIT license.
"""WebSocket frames (RFC 6455 §5) without I/O: `encode()` builds a client's, `Decoder` reads a server's."""

import struct

from micropython import const

from uwebsockets.errors import ProtocolError
from uwebsockets.utf8 import Utf8, decode

CONTINUATION = const(0)
TEXT = const(1)
BINARY = const(2)
CLOSE = const(8)
PING = const(9)
PONG = const(10)

MAX_CONTROL = const(125)  # bytes of payload, RFC 6455 §5.5

NORMAL = const(1000)
GOING_AWAY = const(1001)
PROTOCOL_ERROR = const(1002)
NO_STATUS = const(1005)  # not sent: the peer's Close frame was empty
ABNORMAL = const(1006)  # not sent: there was no Close frame
INVALID_DATA = const(1007)
TOO_BIG = const(1009)

# Masking XORs big integers, the fastest way on every port: 11 us/KB on a PC, an eighth of a loop over bytes. Larger
# pieces are hardly faster and cost six times their size in garbage.
_PIECE = const(256)
_WRITTEN = const(1024)  # bytes of payload per piece of encode()


def encode(opcode, payload, key):
    """Returns one unfragmented frame, masked with the 4 bytes `key` (§5.3), as an iterable over its pieces.

    `payload` is str or bytes of any length, which is not copied as a whole.
    """
    data = _bytes_of(payload)
    size = len(data)
    pieces = encode_pieces(opcode, size, (data[at : at + _WRITTEN] for at in range(0, size or 1, _WRITTEN)), key)
    return pieces if size > _WRITTEN else (next(pieces),)


def encode_pieces(opcode, size, pieces, key):
    """Yields one unfragmented frame from the iterable `pieces` (str or bytes), `size` bytes in all.

    An empty piece yields an empty one. Raises ValueError when the pieces have another total length.
    """
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    elif size < 65536:
        head = struct.pack("!BBH", 0x80 | opcode, 0xFE, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0xFF, size)
    head += key
    for piece in pieces:
        piece = _bytes_of(piece)
        if size and not piece:
            yield b""
            continue
        size -= len(piece)
        if size < 0:
            break
        out = bytearray(head)
        out.extend(piece)
        mask(out, key, len(head))
        turn = len(piece) % 4
        key = key[turn:] + key[:turn]
        head = b""
        yield out
    if size:
        raise ValueError("pieces have another length than announced")


def _bytes_of(payload):
    if not isinstance(payload, str):
        return payload
    try:
        return memoryview(payload)  # type: ignore[arg-type]  # MicroPython: the UTF-8 of the str without a copy
    except TypeError:
        return payload.encode()


def mask(data, key, start):
    """Masks the bytearray `data` in place, from index `start` to its end, with the repeated `key`."""
    size = len(data)
    if size - start >= _PIECE:
        pattern = int.from_bytes(key * (_PIECE // 4), "big")
        while size - start >= _PIECE:
            piece = int.from_bytes(data[start : start + _PIECE], "big") ^ pattern
            data[start : start + _PIECE] = piece.to_bytes(_PIECE, "big")
            start += _PIECE
    rest = size - start
    if rest:
        pattern = int.from_bytes((key * (rest // 4 + 1))[:rest], "big")
        data[start:] = (int.from_bytes(data[start:], "big") ^ pattern).to_bytes(rest, "big")


def encode_close(code, reason=""):
    """Returns the payload of a Close frame; a long reason is cut between characters (§5.5.1)."""
    text = reason.encode()
    while len(text) > MAX_CONTROL - 2:
        reason = reason[:-1]
        text = reason.encode()
    return struct.pack("!H", code) + text


def decode_close(payload):
    """Returns (code, reason) of a Close frame's payload; raises ProtocolError (§7.4)."""
    if not payload:
        return NO_STATUS, ""
    if len(payload) == 1:
        raise ProtocolError(PROTOCOL_ERROR, "Close frame with half a code")
    code = struct.unpack("!H", payload[:2])[0]
    if not (3000 <= code < 5000 or (1000 <= code < 1015 and code not in (1004, NO_STATUS, ABNORMAL))):
        raise ProtocolError(PROTOCOL_ERROR, "Close frame with code %d" % code)
    return code, decode(payload[2:])


class Decoder:
    """Turns received bytes into messages: feed() takes bytes, next() returns complete messages.

    All state is in this object, so a reader may be cancelled between two calls. A message of more than `max_size` bytes
    is refused when its length is announced, before it is received. Text is checked as it arrives (§8.1).

    A message of more than `spool_above` bytes need not fit into RAM: `spool(is_text, size)`, if given, returns an
    object whose write(bytes) is called for each piece and which becomes the payload. `size` is the announced size so
    far. Their exceptions go to the caller of next().
    """

    def __init__(self, max_size, spool=None, spool_above=0):
        self._max_size = max_size
        self._spool = spool
        self._spool_above = spool_above if spool else max_size
        self._data = b""
        self._at = 0  # index of the first unread byte in _data
        self._in_payload = False
        self._fin = False
        self._control = 0  # opcode if the present frame is a control frame
        self._left = 0  # missing bytes of the present payload
        self._opcode = 0  # of the present message; 0 = none
        self._size = 0  # announced bytes of the present message
        self._parts = None  # bytearray with the beginning of the present message
        self._sink = None  # or the object returned by spool()
        self._utf8 = None

    def feed(self, data):
        """Takes the next bytes of the stream."""
        self._data = self._data[self._at :] + data if self._at < len(self._data) else data
        self._at = 0

    def next(self):
        """Returns (opcode, payload) of the next message or control frame, or None when more bytes are needed.

        The payload of TEXT is a str, of all others bytes, unless it was spooled. After a ProtocolError the stream
        cannot be used any more.
        """
        while self._in_payload or self._header():
            if self._control:
                if len(self._data) - self._at < self._left:
                    return None
                self._in_payload = False
                return self._control, self._take(self._left)
            message = self._payload()
            if message is not None:
                opcode, self._opcode = self._opcode, 0
                return opcode, message
            if self._in_payload:
                return None
        return None

    def _take(self, size):
        data, start = self._data, self._at
        end = start + size
        if end < len(data):
            self._at = end
        else:
            self._data, self._at = b"", 0  # free it before the message is built
        return data if size == len(data) else data[start:end]

    def _header(self):
        """Reads the header of the next frame; returns False when it is not complete yet (§5.2)."""
        data, at = self._data, self._at
        have = len(data) - at
        # Check the first two bytes before waiting for more, which a faulty peer might never send.
        if have < 2:
            return False
        first, size = data[at], data[at + 1]
        opcode = first & 0x0F
        self._check_header(first, opcode, size)
        at += 2
        if size == 126:
            if have < 4:
                return False
            size = struct.unpack("!H", data[at : at + 2])[0]
            at += 2
            if size < 126:
                raise ProtocolError(PROTOCOL_ERROR, "length not in its shortest form")
        elif size == 127:
            if have < 10:
                return False
            size = struct.unpack("!Q", data[at : at + 8])[0]
            at += 8
            if size < 65536 or size >> 63:
                raise ProtocolError(PROTOCOL_ERROR, "length not in its shortest form")
        self._at = at
        self._left = size
        self._in_payload = True
        self._control = opcode if opcode >= CLOSE else 0
        if not self._control:
            self._fin = bool(first & 0x80)
            self._begin(opcode, size)
        return True

    def _check_header(self, first, opcode, second):
        if first & 0x70:
            raise ProtocolError(PROTOCOL_ERROR, "reserved bit is set")
        if second & 0x80:
            raise ProtocolError(PROTOCOL_ERROR, "server's frame is masked")
        if opcode >= CLOSE:
            if opcode > PONG:
                raise ProtocolError(PROTOCOL_ERROR, "reserved opcode %d" % opcode)
            if not first & 0x80 or second > MAX_CONTROL:
                raise ProtocolError(PROTOCOL_ERROR, "control frame too long or fragmented")
        elif opcode > BINARY:
            raise ProtocolError(PROTOCOL_ERROR, "reserved opcode %d" % opcode)
        elif (opcode == CONTINUATION) == (self._opcode == 0):
            raise ProtocolError(PROTOCOL_ERROR, "fragment out of sequence")

    def _begin(self, opcode, size):
        """Begins a data frame, and a message if it is the first one (§5.4)."""
        if opcode != CONTINUATION:
            self._opcode = opcode
            self._size = 0
            self._parts = self._sink = None
            self._utf8 = Utf8() if opcode == TEXT else None
        self._size += size
        if self._size > self._max_size:
            raise ProtocolError(TOO_BIG, "message of more than %d bytes" % self._max_size)
        if self._size > self._spool_above and self._sink is None:
            self._sink = self._spool(self._opcode == TEXT, self._size)
            if self._parts:
                self._sink.write(self._parts)
                self._parts = None

    def _payload(self):
        """Takes the available part of a data frame's payload; returns the message if that completes it."""
        piece = self._take(min(self._left, len(self._data) - self._at))
        self._left -= len(piece)
        self._in_payload = self._left > 0
        last = self._fin and not self._in_payload
        if last and self._parts is None and self._sink is None:  # in one piece, as nearly always
            return decode(piece) if self._opcode == TEXT else bytes(piece)
        if self._utf8:
            self._utf8.feed(piece, last)
        if self._sink is not None:
            self._sink.write(piece)
            if not last:
                return None
            sink, self._sink = self._sink, None
            return sink
        if self._parts is None:
            self._parts = bytearray()
        self._parts.extend(piece)
        if not last:
            return None
        parts, self._parts = self._parts, None
        return str(parts, "utf-8") if self._opcode == TEXT else bytes(parts)
