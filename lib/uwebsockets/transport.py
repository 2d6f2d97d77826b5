# Byte stream below the WebSocket. MIT license.
"""One TCP or TLS connection on either interpreter: opens without leaks, writes whole frames whatever gets cancelled."""

import asyncio
import sys

from micropython import const

from uwebsockets.errors import ConnectionClosed

try:
    from time import ticks_diff, ticks_ms
except ImportError:  # CPython
    from time import monotonic  # type: ignore[attr-defined]

    def ticks_ms():
        return int(monotonic() * 1000)

    def ticks_diff(end, start):  # type: ignore[no-redef]
        return end - start


_MICROPYTHON = sys.implementation.name == "micropython"
_READ = const(1024)  # most bytes taken from the socket at once
_TCP = const(6)  # IPPROTO_TCP and TCP_NODELAY, which not every port has names for
_NO_DELAY = const(1)
_CLOSE_S = const(1)  # CPython only: most seconds for TLS to say goodbye


class Transport:
    """One task at a time may read, and one write. All errors are OSErrors, whatever the TLS library raises."""

    def __init__(self, reader, writer):
        self._reader = reader
        self._writer = writer
        self._flushed = asyncio.Event()
        self._flushed.set()
        self._flusher = None
        self._error = None
        self.closed = False

    async def read(self):
        """Returns the next bytes, b"" at the end of the stream. Raises OSError."""
        if self.closed:
            return b""
        try:
            return await self._reader.read(_READ)
        except ValueError as exc:  # MicroPython: the certificate was refused
            raise OSError(str(exc).strip())

    async def write(self, pieces):
        """Sends the bytes of all `pieces`, an iterable, and returns when the socket has taken them.

        They go whole, even if the caller is cancelled.
        """
        await self._flushed.wait()  # the caller before may have been cancelled halfway
        if self._error:
            raise self._error
        pieces = iter(pieces)
        try:
            self._writer.write(next(pieces))
            following = next(pieces, None)
        except (OSError, ValueError, MemoryError) as exc:
            self._fail(exc)
        else:
            if following is not None or not _MICROPYTHON or self._writer.out_buf:
                # MicroPython's drain() starts again from the first byte when it was cancelled in the middle, and a
                # write() meanwhile gets lost. So a task that nobody cancels drains; the caller only waits for it.
                self._flushed.clear()
                self._flusher = asyncio.create_task(self._flush(following, pieces))
                await self._flushed.wait()
        if self._error:
            raise self._error
        await asyncio.sleep(0)  # one who only ever sends must not hold the scheduler

    async def _flush(self, following, pieces):
        try:
            await self._writer.drain()
            while following is not None:
                self._writer.write(following)
                await self._writer.drain()
                following = next(pieces, None)
        except (OSError, ValueError, MemoryError) as exc:
            self._fail(exc)
        self._flusher = None
        self._flushed.set()

    def _fail(self, exc):
        """Keeps the error: what follows half a frame would be garbage. TLS raises ValueErrors, too."""
        self._error = exc if isinstance(exc, OSError) else OSError(str(exc).strip())

    async def close(self):
        """Closes the socket at once; what read() and write() wait for ends. May be called again."""
        if self.closed:
            return
        self.closed = True
        self._error = self._error or ConnectionClosed("connection is closed")
        if self._flusher:
            self._flusher.cancel()
            self._flushed.set()
        self._writer.close()
        if _MICROPYTHON:
            await self._writer.wait_closed()
            return
        try:
            await asyncio.wait_for(self._writer.wait_closed(), _CLOSE_S)
        except (OSError, asyncio.TimeoutError):
            self._writer.transport.abort()


async def open(url, ssl, resolve):
    """Returns the Transport to `url`. `resolve(host, port)` is a coroutine function or None, see connect()."""
    if _MICROPYTHON:
        reader, writer = await _open(url, ssl, resolve)
    else:
        host, port = url.host, url.port
        if resolve:
            host, port = (await resolve(host, port))[0][-1][:2]
        name = url.host if ssl else None
        reader, writer = await asyncio.open_connection(host, port, ssl=ssl, server_hostname=name)
    return Transport(reader, writer)


async def _open(url, ssl, resolve):
    """asyncio.open_connection() of MicroPython, but closing the socket when it is cancelled or fails.

    It needs the address as getaddrinfo() gave it: the ports do not agree on what one looks like.
    """
    import socket
    from errno import EINPROGRESS

    if resolve:
        family, kind, protocol, _, address = (await resolve(url.host, url.port))[0]
    else:
        family, kind, protocol, _, address = socket.getaddrinfo(url.host, url.port, 0, socket.SOCK_STREAM)[0]
    sock = socket.socket(family, kind, protocol)
    connected = False
    try:
        sock.setblocking(False)
        # A frame is written in pieces: none is to wait until the one before it has been acknowledged.
        sock.setsockopt(_TCP, _NO_DELAY, 1)
        try:
            sock.connect(address)
        except OSError as exc:
            if exc.errno != EINPROGRESS:
                raise
        if ssl:
            # The handshake happens with the first read and write, so that it does not hold the scheduler.
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
    """Waits until a connection that was begun is there (or has failed: the first write tells)."""
    yield asyncio.core._io_queue.queue_write(sock)  # type: ignore[attr-defined]
