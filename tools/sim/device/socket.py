# `socket` of the unix port with a network that can go down. MIT license.
"""Module `socket` of the simulated board: while the network is down, connections break and new ones fail."""

import usocket
from micropython import const
from usocket import *  # noqa: F403

_EHOSTUNREACH = const(113)
_EPIPE = const(32)

# connect(2) to an address without family ends a connection and leaves its socket open: the peer sees a reset, who waits
# for the socket is woken, and what is done with it fails, as after a time-out of the TCP stack on a board.
_NOWHERE = bytes(16)


class _Net:
    up = True
    sockets = []


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
    if not up:
        for known in _Net.sockets:
            if known.fileno() >= 0 and _connected(known):
                known.connect(_NOWHERE)


def _connected(known):
    """Tells a connected or connecting socket from a listening or fresh one, on which send() finds no pipe."""
    try:
        known.send(b"")
    except OSError as exc:
        return exc.errno != _EPIPE
    return True
