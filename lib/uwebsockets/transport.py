# Byte stream below the WebSocket. MIT license.
"""Byte stream of one TCP or TLS connection on both interpreters: writes whole frames even when cancelled."""

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
_READ = const(1024)  # maximum bytes per read
_CLOSE_S = const(1)  # CPython only: maximum time for the TLS shutdown


class Transport:
    """One task at a time may read, and one write. All errors are OSErrors, also those of the TLS library."""

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
        except ValueError as exc:  # MicroPython: the certificate is not valid
            raise OSError(str(exc).strip())

    async def write(self, pieces):
        """Sends the bytes of the iterable `pieces`; returns when the socket has taken them.

        They are sent completely, even if the caller is cancelled.
        """
        await self._flushed.wait()  # an earlier caller may have been cancelled halfway
        if self._error:
            raise self._error
        pieces = iter(pieces)
        try:
            piece = next(pieces)
            if piece:
                self._writer.write(piece)
            following = next(pieces, None)
        except (OSError, ValueError, MemoryError) as exc:
            self._fail(exc)
        else:
            if following is not None or not _MICROPYTHON or self._writer.out_buf:
                # When MicroPython's drain() is cancelled, it starts again from the first byte, and a write() meanwhile
                # is lost. So a separate task drains, which is never cancelled; the caller only waits for it.
                self._flushed.clear()
                self._flusher = asyncio.create_task(self._flush(following, pieces))
                await self._flushed.wait()
        if self._error:
            raise self._error
        await asyncio.sleep(0)  # a task that only sends must not block the scheduler

    async def _flush(self, following, pieces):
        try:
            await self._writer.drain()
            while following is not None:
                if following:
                    self._writer.write(following)
                await self._writer.drain()
                following = next(pieces, None)
        except (OSError, ValueError, MemoryError) as exc:
            self._fail(exc)
        self._flusher = None
        self._flushed.set()

    def _fail(self, exc):
        """Stores the error: after an incomplete frame nothing can be sent. TLS also raises ValueError."""
        self._error = exc if isinstance(exc, OSError) else OSError(str(exc).strip())

    async def close(self):
        """Closes the socket at once; ends waiting read() and write() calls. May be called again."""
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
