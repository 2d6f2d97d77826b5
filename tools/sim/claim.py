# One process for one state directory. MIT license.
"""Claims a directory for this process, by a name in Linux' abstract socket namespace that is made of the directory's
identity. The kernel gives it back however the process ends: no file is left behind, and none can be stale."""

import os
import struct
import time

import usocket
from micropython import const

_AF_UNIX = const(1)
_EADDRINUSE = const(98)
_PATIENCE_MS = const(1000)  # a killed process may still be ending
_LOOK_MS = const(50)


class Claimed(Exception):
    """Another process uses the directory."""


def claim(directory):
    """Returns an object that keeps the claim while it is referenced. Raises Claimed or OSError."""
    identity = os.stat(directory)[1:3]
    address = struct.pack("H", _AF_UNIX) + b"\0wallbox-state-%d-%d" % (identity[0], identity[1])
    holder = usocket.socket(_AF_UNIX, usocket.SOCK_STREAM)
    for _ in range(_PATIENCE_MS // _LOOK_MS):
        try:
            holder.bind(address)
            return holder
        except OSError as exc:
            if exc.errno != _EADDRINUSE:
                raise
        time.utime.sleep_ms(_LOOK_MS)
    raise Claimed("another charger runs on %s: stop it, or choose another --state" % directory)
