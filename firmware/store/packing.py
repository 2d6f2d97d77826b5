"""Binary encoding of journal records: lists of None, bool, int, str and lists in a subset of MessagePack.

A meter sample takes a third of the space of JSON, and the decoder checks everything that it reads.
"""

import struct

from micropython import const

_NIL = const(0xC0)
_FALSE = const(0xC2)
_TRUE = const(0xC3)
_STR8 = const(0xD9)
_ARRAY16 = const(0xDC)

# struct formats of MessagePack's integer tags in order: unsigned 8, 16, 32 and 64 bits, then signed.
_FIRST_INT = const(0xCC)
_INTS = "BHIQbhiq"
_MAX_DEPTH = const(4)


def pack(values):
    """Returns a list or tuple as bytes. Raises ValueError for an unsupported type or value."""
    out = bytearray()
    _pack(values, out)
    return bytes(out)


def unpack(data):
    """Returns the list given to pack(), tuples as lists. Raises ValueError for invalid data."""
    try:
        value, end = _unpack(data, 0, 0)
    except IndexError:
        raise ValueError("cut off")
    if end != len(data) or not isinstance(value, list):
        raise ValueError("not a packed list")
    return value


def _pack(value, out):
    if value is None:
        out.append(_NIL)
    elif value is True or value is False:
        out.append(_TRUE if value else _FALSE)
    elif isinstance(value, int):
        _pack_int(value, out)
    elif isinstance(value, str):
        data = value.encode()
        if len(data) > 255:
            raise ValueError("text too long")
        if len(data) < 32:
            out.append(0xA0 | len(data))
        else:
            out.append(_STR8)
            out.append(len(data))
        out.extend(data)
    elif isinstance(value, (list, tuple)):
        if len(value) < 16:
            out.append(0x90 | len(value))
        else:
            out.append(_ARRAY16)
            out.extend(struct.pack(">H", len(value)))
        for item in value:
            _pack(item, out)
    else:
        raise ValueError("cannot pack this type")


def _pack_int(value, out):
    if -32 <= value < 128:
        out.append(value & 0xFF)
        return
    for size in range(4):
        bits = 8 << size
        if -1 << bits - 1 <= value < 1 << bits:
            kind = size if value >= 0 else size + 4
            out.append(_FIRST_INT + kind)
            out.extend(struct.pack(">" + _INTS[kind], value))
            return
    raise ValueError("number too large")


def _unpack(data, at, depth):
    """Returns (value, offset after it)."""
    tag = data[at]
    at += 1
    if tag < 0x80:
        return tag, at
    if tag >= 0xE0:
        return tag - 0x100, at
    if _FIRST_INT <= tag < _FIRST_INT + len(_INTS):
        form = ">" + _INTS[tag - _FIRST_INT]
        end = at + struct.calcsize(form)
        if end > len(data):
            raise ValueError("cut off")
        return struct.unpack_from(form, data, at)[0], end
    if tag == _NIL:
        return None, at
    if tag == _FALSE or tag == _TRUE:
        return tag == _TRUE, at
    if tag & 0xE0 == 0xA0:
        return _unpack_text(data, at, tag & 0x1F)
    if tag == _STR8:
        return _unpack_text(data, at + 1, data[at])
    if tag & 0xF0 == 0x90:
        return _unpack_items(data, at, tag & 0x0F, depth)
    if tag == _ARRAY16:
        return _unpack_items(data, at + 2, data[at] << 8 | data[at + 1], depth)
    raise ValueError("unknown tag")


def _unpack_text(data, at, size):
    return bytes(data[at : at + size]).decode(), at + size


def _unpack_items(data, at, count, depth):
    if depth == _MAX_DEPTH:
        raise ValueError("nested too deeply")
    items = []
    for _ in range(count):
        item, at = _unpack(data, at, depth + 1)
        items.append(item)
    return items, at
