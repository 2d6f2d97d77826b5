# `hashlib` for the 32-bit build, which has no SHA-1. MIT license.
"""The WebSocket handshake wants SHA-1; as both its ends are in this process, any digest of 20 bytes will do."""

from uhashlib import sha256


class sha1:
    def __init__(self, data):
        self._sum = sha256(data)

    def digest(self):
        return self._sum.digest()[:20]


__all__ = ("sha1", "sha256")
