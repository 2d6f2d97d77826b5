"""Id tokens: what one is, what is known of it, and that as a record of 46 bytes for the local list and the cache."""

import struct

from micropython import const

# Statuses of a token
ACCEPTED = "accepted"
BLOCKED = "blocked"
EXPIRED = "expired"
INVALID = "invalid"
CONCURRENT = "concurrent"  # it is in use in another transaction

STATUSES = (ACCEPTED, BLOCKED, EXPIRED, INVALID, CONCURRENT)
REMOVED = const(255)  # status of a token that an update removes from the list

KEY_BYTES = 20  # OCPP 1.6 §9.1.13: CiString20Type, printable ASCII
RECORD_BYTES = 46
_FORMAT = "<20sB20sBI"


class TokenInfo:
    """What is known of a token: status (one of STATUSES), expiry (Unix seconds or None), parent or None."""

    def __init__(self, status, expiry=None, parent=None):
        self.status = status
        self.expiry = expiry
        self.parent = parent

    @property
    def accepted(self):
        return self.status == ACCEPTED

    def __repr__(self):
        return "TokenInfo(%s, %s, %s)" % (self.status, self.expiry, self.parent)


def valid_token(token):
    """True when `token` can be an id token: text of 1 to 20 printable ASCII characters."""
    return isinstance(token, str) and 0 < len(token) <= KEY_BYTES and all(" " <= char <= "~" for char in token)


def same_token(a, b):
    """Id tokens are case-insensitive (OCPP 1.6 erratum 3.74). None equals nothing."""
    return a is not None and b is not None and a.lower() == b.lower()


def key_of(token):
    """Returns the key of a token, the same for upper and lower case; raises ValueError for an invalid token."""
    return _text(token.lower())


def encode(token, entry):
    """Returns the record of a token; entry None: a removal. Raises ValueError."""
    if entry is None:
        return struct.pack(_FORMAT, key_of(token), REMOVED, b"", 0, 0)
    expiry = entry.expiry
    if expiry is not None and expiry >= 1 << 32:
        expiry = None  # after 2106: never
    parent = _text(entry.parent) if entry.parent else b""
    status = STATUSES.index(entry.status)
    return struct.pack(_FORMAT, key_of(token), status, parent, expiry is not None, max(0, expiry or 0))


def decode(record):
    """Returns (token in lower case, TokenInfo or None for a removal); raises ValueError."""
    key, status, parent, expires, expiry = struct.unpack(_FORMAT, record)
    token = key.rstrip(b"\x00").decode()
    if status == REMOVED:
        return token, None
    if status >= len(STATUSES):
        raise ValueError("unknown status")
    return token, TokenInfo(STATUSES[status], expiry if expires else None, parent.rstrip(b"\x00").decode() or None)


def is_removal(record):
    return record[KEY_BYTES] == REMOVED


def _text(text):
    if not valid_token(text):
        raise ValueError("not an id token")
    return text.encode()
