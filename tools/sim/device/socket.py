# `socket` of the unix port with a network that can go down. MIT license.
"""The unix port's sockets. While the network is down there are none to be had, and those in use have broken."""

import struct

import usocket
from micropython import const
from usocket import *  # noqa: F403
from usocket import SO_LINGER, SOL_SOCKET

_EHOSTUNREACH = const(113)
_EPIPE = const(32)
_RESET = struct.pack("ii", 1, 0)  # linger 0: close() sends a reset, and the peer sees a connection that broke


class _Net:
    up = True
    sockets = []
    places = []  # who waits for a socket that broke waits for its number, which nothing else may get meanwhile


def socket(*options):
    if not _Net.up:
        raise OSError(_EHOSTUNREACH)
    made = usocket.socket(*options)
    _Net.sockets = [known for known in _Net.sockets if known.fileno() >= 0]
    _Net.sockets.append(made)
    return made


def set_network(up):
    """Takes the network down, or up again. Listening sockets stay."""
    _Net.up = up
    while up and _Net.places:
        _Net.places.pop().close()
    if not up:
        for known in _Net.sockets:
            if known.fileno() >= 0 and _connected(known):
                known.setsockopt(SOL_SOCKET, SO_LINGER, _RESET)
                known.close()
                _Net.places.append(usocket.socket())


def _connected(known):
    """Tells a connected or connecting socket from a listening or fresh one, on which send() finds no pipe."""
    try:
        known.send(b"")
    except OSError as exc:
        return exc.errno != _EPIPE
    return True
