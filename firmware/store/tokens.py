"""Id tokens: valid characters, TokenInfo (status, parent, expiry), and their record of 38 bytes for list and cache."""

import hashlib
import struct
from binascii import hexlify, unhexlify

from micropython import const

# Statuses of a token
ACCEPTED = "accepted"
BLOCKED = "blocked"
EXPIRED = "expired"
INVALID = "invalid"
CONCURRENT = "concurrent"  # it is in use in another transaction

STATUSES = (ACCEPTED, BLOCKED, EXPIRED, INVALID, CONCURRENT)
REMOVED = const(255)  # status of a token that an update removes from the list

_MOST_CHARACTERS = const(36)  # of a token; OCPP 1.6 has 20, see ocpp/v16/tokens.py
KEY_BYTES = 16  # of the hash of a token
RECORD_BYTES = 38
_FORMAT = "<16sB16sBI"
_NO_GROUP = b"\x00" * 16


class TokenInfo:
    """What is known of a token: status (one of STATUSES), expiry (Unix seconds or None), parent: group_of() or None."""

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
    """True when `token` can be an id token: text of 1 to 36 printable ASCII characters."""
    return isinstance(token, str) and 0 < len(token) <= _MOST_CHARACTERS and all(" " <= char <= "~" for char in token)


def same_token(a, b):
    """Id tokens are case-insensitive (OCPP 1.6 erratum 3.74). None equals nothing."""
    return a is not None and b is not None and a.lower() == b.lower()


def key_of(token):
    """Returns the key of a token (16 bytes), the same for upper and lower case. Raises ValueError if it is invalid."""
    if not valid_token(token):
        raise ValueError("not an id token")
    return hashlib.sha256(token.lower().encode()).digest()[:KEY_BYTES]


def group_of(token):
    """Returns what stands for the group of a group token: its key in hex. Raises ValueError for an invalid token."""
    return hexlify(key_of(token)).decode()


def encode(token, entry):
    """Returns the record of a token, or of a key (bytes); entry None: a removal. Raises ValueError."""
    key = token if isinstance(token, bytes) else key_of(token)
    if entry is None:
        return struct.pack(_FORMAT, key, REMOVED, _NO_GROUP, 0, 0)
    if entry.status not in STATUSES or len(key) != KEY_BYTES:
        raise ValueError("unknown status or key")
    expiry = entry.expiry
    if expiry is not None and not 0 <= expiry < 1 << 32:
        # 32 bits: a date after 2106 means no expiry, one before 1970 has passed.
        expiry = None if expiry > 0 else 0
    group = unhexlify(entry.parent) if entry.parent else _NO_GROUP
    if len(group) != KEY_BYTES:
        raise ValueError("not a group")
    return struct.pack(_FORMAT, key, STATUSES.index(entry.status), group, expiry is not None, expiry or 0)


def decode(record):
    """Returns (key in hex, TokenInfo or None for a removal); raises ValueError."""
    key, status, group, expires, expiry = struct.unpack(_FORMAT, record)
    key = hexlify(key).decode()
    if status == REMOVED:
        return key, None
    if status >= len(STATUSES):
        raise ValueError("unknown status")
    group = None if group == _NO_GROUP else hexlify(group).decode()
    return key, TokenInfo(STATUSES[status], expiry if expires else None, group)


def is_removal(record):
    return record[KEY_BYTES] == REMOVED
