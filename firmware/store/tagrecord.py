"""Id token record of the local list and the cache: token, status, parent and expiry in 46 bytes."""

import struct

from micropython import const

STATUSES = ("Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx")
REMOVED = const(255)  # status of a token that an update removes from the list

KEY_BYTES = 20  # OCPP 1.6 §9.1.13: CiString20Type, printable ASCII
RECORD_BYTES = 46
_FORMAT = "<20sB20sBI"


class TagEntry:
    """Entry of a token in list or cache: status (one of STATUSES), expiry (Unix seconds or None), parent or None."""

    def __init__(self, status, expiry=None, parent=None):
        self.status = status
        self.expiry = expiry
        self.parent = parent

    def __repr__(self):
        return "TagEntry(%s, %s, %s)" % (self.status, self.expiry, self.parent)


def key_of(token):
    """Returns the key of a token, the same for upper and lower case; raises ValueError for an invalid token."""
    return _text(token.lower())


def encode(token, entry):
    """Returns the record of a token; entry None: a removal. Raises ValueError."""
    if entry is None:
        return struct.pack(_FORMAT, key_of(token), REMOVED, b"", 0, 0)
    if entry.status not in STATUSES:
        raise ValueError("unknown status")
    expiry = entry.expiry
    if expiry is not None and not 0 <= expiry < 1 << 32:
        # 32 bits: a date after 2106 means no expiry, one before 1970 has passed.
        expiry = None if expiry > 0 else 0
    parent = _text(entry.parent) if entry.parent else b""
    return struct.pack(_FORMAT, key_of(token), STATUSES.index(entry.status), parent, expiry is not None, expiry or 0)


def decode(record):
    """Returns (token in lower case, TagEntry or None for a removal); raises ValueError."""
    key, status, parent, expires, expiry = struct.unpack(_FORMAT, record)
    token = key.rstrip(b"\x00").decode()
    if status == REMOVED:
        return token, None
    if status >= len(STATUSES):
        raise ValueError("unknown status")
    return token, TagEntry(STATUSES[status], expiry if expires else None, parent.rstrip(b"\x00").decode() or None)


def is_removal(record):
    return record[KEY_BYTES] == REMOVED


def _text(text):
    data = text.encode()
    if not 0 < len(data) <= KEY_BYTES or min(data) < 0x20 or max(data) > 0x7E:
        raise ValueError("not an id token")
    return data
