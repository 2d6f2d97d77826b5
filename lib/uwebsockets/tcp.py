# TCP and TLS connections for a WebSocket. MIT license.
"""TCP and TLS connect (dial()) on both interpreters, without leaks when it fails or is cancelled."""

import asyncio
import socket
import sys
from errno import EINPROGRESS

from micropython import const

from uwebsockets.transport import Transport

_TCP = const(6)  # IPPROTO_TCP and TCP_NODELAY, which some ports do not name
_NO_DELAY = const(1)


async def dial(url, ssl, resolve):
    """Returns the Transport to `url`. `resolve(host, port)` is a coroutine function or None, see connect()."""
    if sys.implementation.name == "micropython":
        reader, writer = await _open(url, ssl, resolve)
    else:
        host, port = url.host, url.port
        if resolve:
            host, port = (await resolve(host, port))[0][-1][:2]
        name = url.host if ssl else None
        reader, writer = await asyncio.open_connection(host, port, ssl=ssl, server_hostname=name)
    return Transport(reader, writer)


async def _open(url, ssl, resolve):
    """Like MicroPython's asyncio.open_connection(), but closes the socket when it is cancelled or fails.

    The address must be as returned by getaddrinfo(), since its form depends on the port.
    """
    if resolve:
        family, kind, protocol, _, address = (await resolve(url.host, url.port))[0]
    else:
        family, kind, protocol, _, address = socket.getaddrinfo(url.host, url.port, 0, socket.SOCK_STREAM)[0]
    sock = socket.socket(family, kind, protocol)
    connected = False
    try:
        sock.setblocking(False)
        # Frames are written in pieces, which must not wait until the previous one is acknowledged.
        sock.setsockopt(_TCP, _NO_DELAY, 1)
        try:
            sock.connect(address)
        except OSError as exc:
            if exc.errno != EINPROGRESS:
                raise
        if ssl:
            # The handshake happens with the first read and write, without blocking the scheduler.
            sock = ssl.wrap_socket(sock, server_hostname=url.host, do_handshake_on_connect=False)
            sock.setblocking(False)
        await _writable(sock)
        connected = True
        stream = asyncio.StreamReader(sock)
        return stream, stream
    except ValueError as exc:  # a TLS context without CA, for example
        raise OSError(str(exc).strip())
    finally:
        if not connected:
            sock.close()


def _writable(sock):
    """Waits until a started connection is established, or has failed (then the first write raises)."""
    yield asyncio.core._io_queue.queue_write(sock)  # type: ignore[attr-defined]
